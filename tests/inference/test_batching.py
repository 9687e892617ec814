"""Recordings through a network together, and their results in order."""

import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bob.learn.pytorch.audio import RecordingError
from bob.learn.pytorch.inference.batching import PADDING, Loaded, embed_many


class Toy:
    """A recording is its number of frames, its embedding their double.

    A negative number cannot be read, and one that ends in 7 gives no embedding.
    """

    frames_at_once = 100

    def __init__(self):
        self.batches = []
        self.reading = []
        self.open = 0
        self.most_open = 0

    def load(self, recording):
        self.reading.append(threading.current_thread().name)
        if recording < 0:
            raise RecordingError("is negative", recording=str(recording))
        return Loaded(recording, recording, recording / 100, 16_000)

    def start_batch(self, batch):
        self.batches.append([item.content for item in batch])
        self.open += 1
        self.most_open = max(self.most_open, self.open)

        def results():
            self.open -= 1
            return [
                RecordingError("ends in 7")
                if item.content % 10 == 7
                else np.array([2 * item.content])
                for item in batch
            ]

        return results


recordings = st.lists(st.integers(-3, 130), max_size=60)


@settings(max_examples=60)
@given(recordings, st.sampled_from([0, 1, 3]))
def test_every_recording_has_its_result_in_the_order_of_input(sizes, workers):
    results = list(embed_many(Toy(), enumerate(sizes), workers=workers))

    assert [result.key for result in results] == list(range(len(sizes)))
    for result, size in zip(results, sizes, strict=True):
        if size < 0:
            assert result.error.reason == "is negative"
            assert result.embedding is None
            assert result.sample_rate == 0
        elif size % 10 == 7:
            assert result.error.reason == "ends in 7"
            assert result.seconds == size / 100
        else:
            assert result.embedding.tolist() == [2 * size]
            assert (result.seconds, result.sample_rate) == (size / 100, 16_000)


@settings(max_examples=60)
@given(recordings)
def test_batches_stay_below_the_cap_and_are_padded_little(sizes):
    toy = Toy()

    list(embed_many(toy, enumerate(sizes), workers=0))

    done = [size for batch in toy.batches for size in batch]
    assert sorted(done) == sorted(size for size in sizes if size >= 0)
    for batch in toy.batches:
        assert len(batch) == 1 or max(batch) * len(batch) <= toy.frames_at_once
        assert min(batch) >= (1 - PADDING) * max(batch)


def test_recordings_of_one_length_go_together_though_others_lie_between():
    toy = Toy()

    list(embed_many(toy, enumerate([10, 50, 10, 50, 10]), workers=0))

    assert toy.batches == [[50, 50], [10, 10, 10]]


def test_only_some_recordings_are_read_before_the_first_result():
    """Ten thousand do not lie in memory, whoever reads them."""
    for workers in (0, 2):
        taken = []
        coming = ((i, taken.append(i) or 20) for i in range(10_000))

        next(embed_many(Toy(), coming, workers=workers))

        # Two windows of 1600 frames, and as much again that is read ahead.
        assert len(taken) < 600


def test_a_device_gets_the_next_window_before_the_last_is_collected():
    toy = Toy()

    list(embed_many(toy, enumerate([60] * 300), workers=0))

    assert toy.most_open > 27  # a window has 1600 frames: 27 batches of one recording


def test_workers_read_while_the_network_computes():
    class Slow(Toy):
        def load(self, recording):
            time.sleep(0.004)
            return super().load(recording)

        def start_batch(self, batch):
            time.sleep(0.004)
            return super().start_batch(batch)

    def seconds(workers):
        started = time.perf_counter()
        list(embed_many(Slow(), enumerate([60] * 150), workers=workers))
        return time.perf_counter() - started

    assert seconds(1) < 0.8 * seconds(0)


def test_without_workers_the_calling_thread_reads():
    toy = Toy()

    list(embed_many(toy, enumerate([10, 20]), workers=0))

    assert set(toy.reading) == {threading.current_thread().name}


@pytest.mark.parametrize("workers", [0, 2])
def test_a_mistake_in_the_embedder_is_no_failure_of_a_recording(workers):
    class Broken(Toy):
        def load(self, recording):
            raise KeyError("a bug")

    with pytest.raises(KeyError, match="a bug"):
        list(embed_many(Broken(), enumerate([10, 20]), workers=workers))


def test_who_stops_early_leaves_no_thread_behind():
    before = threading.active_count()
    coming = embed_many(Toy(), enumerate([60] * 100), workers=3)

    next(coming)
    coming.close()

    assert threading.active_count() == before
