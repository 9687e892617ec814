"""What is said of recordings that may hold little speech, by the level alone."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from bob.learn.pytorch.audio.doubts import (
    level_notes,
    little_speech,
    narrow_recordings,
    short_recordings,
)

RATE = 16_000
LIBRISPEECH = Path(__file__).parents[3] / "shared" / "data" / "librispeech"


def syllables(seconds, rate=RATE, seed=0):
    """A voice of a kind: tones that rise and fall four times a second, and pauses."""
    time = np.arange(int(seconds * rate)) / rate
    envelope = np.clip(np.sin(2 * np.pi * 2 * time), 0, None) ** 2 + 1e-3
    random = np.random.default_rng(seed)
    return 0.3 * envelope * np.sin(2 * np.pi * 140 * time) + random.normal(
        0, 1e-4, time.size
    )


def noise(seconds, deviation, seed=0):
    return np.random.default_rng(seed).normal(0, deviation, int(seconds * RATE))


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        (np.append(syllables(3), np.zeros(27 * RATE)), "90 % of it is digital silence"),
        (np.append(syllables(3), noise(27, 1e-4)), "35 dB and more below its loud"),
        (noise(3, 0.05), "its level is steady (within "),
        (np.sin(np.arange(48_000)), "its level is steady (within 0 dB)"),
        (np.append(np.full(48_000, 0.25), syllables(1)), "digital silence"),
        (syllables(3), ""),
        (np.append(syllables(3), np.zeros(2 * RATE)), ""),
        (syllables(0.06), ""),
        (np.zeros(0), ""),
    ],
)
def test_a_recording_of_little_speech(samples, said):
    found = little_speech(samples, rate=RATE)

    assert (said in found) if said else not found


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000])
def test_the_rate_changes_nothing(rate):
    assert little_speech(syllables(3, rate), rate=rate) == ""
    padded = np.append(syllables(1, rate), np.zeros(9 * rate))
    assert little_speech(padded, rate=rate) == "90 % of it is digital silence"


@pytest.mark.skipif(not LIBRISPEECH.is_dir(), reason="needs the recordings beside")
def test_read_speech_is_not_doubted():
    """One of these 60 recordings is drowned in noise."""
    doubted = []
    for path in sorted(LIBRISPEECH.rglob("*.flac"))[:180:3]:
        samples, rate = soundfile.read(path)
        if little_speech(samples, rate=rate):
            doubted.append(path.name)

    assert len(doubted) <= 1, doubted


def test_the_worst_five_are_named():
    seconds = {f"r{n}": 0.9 - n / 100 for n in range(7)} | {"long": 9.0, "?": np.nan}

    (note,) = short_recordings(seconds, recommended=1.0, model="toy")

    assert note == (
        "7 of 9 recordings last less than 1 s, below which an embedding of toy says "
        "little: the shortest are r6 (0.84 s), r5 (0.85 s), r4 (0.86 s), r3 (0.87 s), "
        "r2 (0.88 s)"
    )
    assert short_recordings({"long": 9.0}, recommended=1.0, model="toy") == []


def test_unknown_and_higher_rates_are_not_narrow():
    rates = {"a": 0, "b": 16_000, "c": 48_000}

    assert narrow_recordings(rates, sample_rate=16_000, model="toy") == []


def test_doubts_by_level_name_a_few():
    (note,) = level_notes({f"r{n}": "why" for n in range(8)})

    assert "8 of the recordings that were read may hold little speech: r0 (why)" in note
    assert note.endswith("r4 (why) and 3 more")
    assert level_notes({}) == []
