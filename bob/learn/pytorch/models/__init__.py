"""From the name of a trained model to its weights: the catalogue and the store."""

from bob.learn.pytorch.models.catalogue import TrainedModel, find, list_models

__all__ = ["TrainedModel", "find", "list_models"]
