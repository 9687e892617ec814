"""What went through a network together is stored together."""

import numpy as np
import pytest

from bob.learn.pytorch.audio import RecordingError
from bob.learn.pytorch.inference import extract as extracting
from bob.learn.pytorch.inference.batching import Loaded, embed_many
from bob.learn.pytorch.inference.extract import extract_into
from bob.learn.pytorch.store.store import EmbeddingStore

SIZES = np.random.default_rng(0).integers(10, 90, 300).tolist()
SIZES[3::20] = [-1] * len(SIZES[3::20])


class WholeBatch:
    """Embeds a recording, which is its number of frames, as all of its batch."""

    frames_at_once = 200

    def __init__(self, *, ends_behind=None):
        self.left = ends_behind

    def prepare(self, *, progress=True):
        pass

    def fingerprint(self):
        return {"model": "batch"}

    def load(self, recording):
        frames = int(recording)
        if frames < 0:
            raise RecordingError("is negative")
        return Loaded(frames, frames, frames / 100, 16_000)

    def start_batch(self, batch):
        together = [item.content for item in batch]
        return lambda: [np.array([content, sum(together)]) for content in together]

    def embed_many(self, recordings, /):
        for result in embed_many(self, recordings, workers=0):
            if self.left == 0:
                raise KeyboardInterrupt
            self.left = self.left and self.left - 1
            yield result


def embed(place, **options):
    recordings = {f"r{number:03}": str(size) for number, size in enumerate(SIZES)}
    extract_into(place, WholeBatch(**options), recordings)
    return EmbeddingStore.read(place)


def test_a_run_that_goes_on_has_the_batches_of_one_that_was_not_stopped(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(extracting, "BATCH_SECONDS", 0.0)
    whole = embed(tmp_path / "whole.h5")

    for moment in (1, 37, 120, 200, 299):
        place = tmp_path / f"{moment}.h5"
        with pytest.raises(KeyboardInterrupt):
            embed(place, ends_behind=moment)
        store = embed(place)

        assert store.names == whole.names
        np.testing.assert_array_equal(store.embeddings, whole.embeddings)
