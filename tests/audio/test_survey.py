"""Running statistics find what `check_usable` finds in a whole recording."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bob.learn.pytorch.audio import (
    RecordingError,
    SampleBlocks,
    Waveform,
    check_usable,
    count_usable,
)

RATE = 16_000
ramp = np.linspace(-0.5, 0.5, 5000)


def put(samples, place, value):
    changed = samples.copy()
    changed[place] = value
    return changed


def outcome(check, recording):
    try:
        return check(recording, minimum_seconds=0.1)
    except RecordingError as error:
        return type(error), str(error)


@given(
    samples=st.sampled_from(
        [
            np.zeros(0),
            np.zeros(100),
            np.zeros(5000),
            np.full(5000, 0.3),
            np.full(5000, -0.3) + 1e-5 * ramp,
            2**-15 * ramp / 0.5,
            2.1**-15 * ramp / 0.5,
            ramp,
            ramp[:1599],
            ramp[:1600],
            put(ramp, 4321, np.nan),
            put(ramp, [7, 4000], -np.inf),
            put(ramp, slice(None), np.nan),
            put(put(ramp, 2, np.nan), 3, np.inf),
        ]
    ),
    size=st.integers(1, 6000),
)
@settings(max_examples=60)
def test_blocks_of_any_size_are_judged_like_the_whole(samples, size):
    def blocks():
        for start in range(0, len(samples), size):
            yield samples[start : start + size]

    found = outcome(count_usable, SampleBlocks(RATE, "a.wav", blocks))

    assert found == (
        outcome(check_usable, Waveform(samples, RATE, "a.wav")) or len(samples)
    )


def test_silence_with_one_click_passes():
    parts = [np.zeros(5000), put(np.zeros(5000), 3, 0.1)]

    assert outcome(count_usable, SampleBlocks(RATE, None, parts.__iter__)) == 10_000
