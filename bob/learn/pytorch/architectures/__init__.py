"""Networks: features (batch, bins, frames) to embeddings (batch, dimensions)."""

from bob.learn.pytorch.architectures.campplus import CAMPPlus, campplus
from bob.learn.pytorch.architectures.resnet import (
    DltResNet,
    ResNet,
    dlt_resnet34,
    resnet34,
)

__all__ = [
    "CAMPPlus",
    "DltResNet",
    "ResNet",
    "campplus",
    "dlt_resnet34",
    "resnet34",
]
