"""Weights by formula: what the golden embeddings were computed with.

Every entry of a state dictionary is seeded by its own name, so any subset can be made.
"""

import math
import zlib
from collections.abc import Iterable, Mapping

import numpy as np
import torch
from torch import nn


def entry(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """One entry of a state dictionary, float32 (int64 for counters)."""
    if name.endswith("num_batches_tracked"):
        return np.array(1, dtype=np.int64)
    uniform = np.random.RandomState(zlib.crc32(name.encode("ascii"))).random_sample
    if len(shape) > 2:
        filters = uniform((shape[0], math.prod(shape[1:])))
        gain = (1.8 if len(shape) == 3 else 1.0) * math.sqrt(6 / filters.shape[1])
        values = (filters - filters[:, ::-1]) * gain
    elif len(shape) == 2:
        values = (2 * uniform(shape) - 1) * math.sqrt(3 / shape[1])
    elif name.endswith(("weight", "running_var")):
        values = 0.5 + uniform(shape)
    else:
        values = 0.2 * (2 * uniform(shape) - 1)
    return values.astype(np.float32).reshape(shape)


def state(shapes: Mapping[str, Iterable[int]]) -> dict[str, torch.Tensor]:
    """A state dictionary, from the name and shape of every entry."""
    return {
        name: torch.from_numpy(entry(name, tuple(shape)))
        for name, shape in shapes.items()
    }


def fill(network: nn.Module) -> nn.Module:
    """Give the network's embedding path its weights; returns it, ready to embed."""
    names = network.embedding_keys()
    shapes = {k: v.shape for k, v in network.state_dict().items() if k in names}
    network.load_state_dict(state(shapes), strict=False)
    return network.eval()
