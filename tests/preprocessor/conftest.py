"""Extractors whose weights are made by formula."""

from functools import cache

import pytest
import torch


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory, golden_weights):
    """`checkpoint("dltresnet34")`: a file as the original published them."""
    from bob.learn.pytorch.architectures.dlt_resnet import dlt_resnet34
    from bob.learn.pytorch.architectures.resnet import resnet34

    folder = tmp_path_factory.mktemp("checkpoints")
    factories = {"dltresnet34": dlt_resnet34, "resnet34": resnet34}

    @cache
    def make(name):
        weights = golden_weights.fill(factories[name]()).state_dict()
        path = folder / f"{name}.pth.tar"
        named = {f"module.{key}": value for key, value in weights.items()}
        torch.save({"state_dict": named, "epoch": 3}, path)
        return path

    return make
