"""How alike two recordings are."""

import sys
from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pytest

from bob.learn.pytorch.audio import SilentRecording, UnusableEmbedding, Waveform
from bob.learn.pytorch.comparing import compare


class Means:
    """Embeds (rate, samples) as their mean and largest value."""

    channel = None
    model = SimpleNamespace(name="means", recommended_seconds=0, sample_rate=8000)

    def prepare(self, *, progress):
        pass

    def embed(self, recording):
        samples = getattr(recording, "samples", None)
        samples = recording[1] if samples is None else samples
        if not samples.any():
            raise SilentRecording("is silent")
        return np.float32([samples.mean(), samples.max()])

    def fingerprint(self):
        return {"extractor": "Means"}


class Zeros(Means):
    """A model whose weights are zeros."""

    def embed(self, recording):
        return 0 * super().embed(recording)


def test_an_embedding_of_zeros_has_no_score():
    sound = Waveform(np.array([0.0, 0.6]), 8000, name="a.wav")

    with pytest.raises(UnusableEmbedding, match=r"a\.wav: gives no .* is all zeros"):
        compare(sound, sound, model=Zeros())


def test_a_comparison_is_the_cosine_of_two_embeddings():
    first = (8000, np.array([0.0, 0.6]))  # mean 0.3, largest 0.6
    second = (4000, np.array([0.2, 0.0, 0.1]))  # mean 0.1, largest 0.2

    comparison = compare(first, second, model=Means())

    expected = (0.3 * 0.1 + 0.6 * 0.2) / np.sqrt((0.09 + 0.36) * (0.01 + 0.04))
    assert comparison.score == pytest.approx(expected, abs=1e-6)
    assert comparison.seconds == (2 / 8000, 3 / 4000)


def test_the_call_of_before_works_and_names_the_new_one(monkeypatch):
    name = "bob.learn.pytorch.extraction.comparison"
    monkeypatch.delitem(sys.modules, name, raising=False)
    old = import_module(name)
    with pytest.warns(DeprecationWarning, match=r"is bob\.learn\.pytorch\.compare now"):
        called = old.compare
    first, second = (8000, np.array([0.0, 0.6])), (4000, np.array([0.2, 0.0, 0.1]))

    assert called(Means(), first, second).score == pytest.approx(
        compare(first, second, model=Means()).score
    )
