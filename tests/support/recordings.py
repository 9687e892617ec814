"""Recordings that tests write."""

from pathlib import Path

import numpy as np
import soundfile

RATE = 16_000


def noise(seconds: float = 1, *, seed: int = 5, rate: int = RATE) -> np.ndarray:
    """Return normal noise of deviation 0.1, which is no speech and not silent."""
    return 0.1 * np.random.default_rng(seed).standard_normal(round(rate * seconds))


def record(path: str | Path, samples: np.ndarray, rate: int = RATE) -> Path:
    """Write a recording and the folders above it."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate)
    return path
