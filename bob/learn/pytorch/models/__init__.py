"""From the name of a trained model to its weights: the catalogue and the store."""
