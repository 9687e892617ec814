"""Networks with weights by formula."""

import copy

import pytest

from bob.learn.pytorch.architectures import campplus, dlt_resnet34, resnet34

NETWORKS = {"dltresnet34": dlt_resnet34, "resnet34": resnet34, "campplus": campplus}


@pytest.fixture(scope="module")
def filled(name, golden_weights):
    """The network in float32, with the weights by formula; not to be changed."""
    return golden_weights.fill(NETWORKS[name]())


@pytest.fixture(scope="module")
def in_double(filled):
    return copy.deepcopy(filled).double()
