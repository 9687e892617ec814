"""Ready-made objects for `bob bio pipeline simple`; importing one loads no network."""
