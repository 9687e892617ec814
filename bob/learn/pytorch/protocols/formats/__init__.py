"""Forms of protocols, one module each."""
