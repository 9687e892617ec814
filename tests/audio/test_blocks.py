"""Recordings block by block are recordings as a whole."""

import numpy as np
import pytest
import soundfile
import torch

from bob.learn.pytorch.audio import (
    ChannelError,
    RecordingError,
    SampleRateError,
    UnreadableRecording,
    Waveform,
    arrays,
    as_blocks,
    as_waveform,
    files,
)

RATE = 16_000


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """So that a second is many blocks, none of which ends with it."""
    monkeypatch.setattr(arrays, "BLOCK_SAMPLES", 1000)
    monkeypatch.setattr(files, "BLOCK_SAMPLES", 1000)


@pytest.fixture(scope="module")
def stereo():
    random = np.random.default_rng(1)
    return 0.2 * random.standard_normal((RATE + 77, 2)).clip(-4, 4)


def joined(recording, **options):
    parts = list(as_blocks(recording, **options))
    assert len(parts) > 1
    return np.concatenate(parts)


def reason(work):
    with pytest.raises(RecordingError) as caught:
        work()
    return type(caught.value), str(caught.value)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
@pytest.mark.parametrize("channel", [0, 1, "mix"])
def test_a_file_gives_the_samples_that_it_gives_as_a_whole(
    tmp_path, stereo, suffix, channel
):
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, stereo, 44_100)

    samples = joined(path, channel=channel)

    whole = files.read(path, channel=channel)
    np.testing.assert_array_equal(samples, whole.samples)
    assert as_blocks(path, channel=channel).sample_rate == 44_100


def test_blocks_can_be_gone_through_twice(tmp_path, stereo):
    soundfile.write(tmp_path / "a.wav", stereo[:, 0], RATE)

    parts = as_blocks(tmp_path / "a.wav")

    assert len(parts.joined().samples) == len(stereo)
    np.testing.assert_array_equal(
        np.concatenate(list(parts))[:9], next(iter(parts))[:9]
    )
    assert len(list(parts)) == len(list(parts)) == 17


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3", "aiff"])
@pytest.mark.parametrize("damage", ["cut", "hole", "zeros"])
def test_damage_is_told_in_the_same_words(tmp_path, stereo, suffix, damage):
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, np.tile(stereo[:, 0], 5), RATE)
    content = path.read_bytes()
    half = len(content) // 2
    path.write_bytes(
        {
            "cut": content[:half],
            "hole": content[:half] + content[half + 999 :],
            "zeros": content[:half] + bytes(2000) + content[half + 2000 :],
        }[damage]
    )

    try:
        whole = files.read(path)
    except RecordingError as error:
        expected = (type(error), str(error))
        assert reason(lambda: list(as_blocks(path))) == expected
    else:  # a format that does not tell of this damage
        np.testing.assert_array_equal(joined(path), whole.samples)


@pytest.mark.parametrize("content", [b"", b"no audio", None])
def test_what_is_no_recording_is_refused_in_the_same_words(tmp_path, content):
    path = tmp_path / "a.wav"
    if content is not None:
        path.write_bytes(content)

    expected = reason(lambda: files.read(path))

    assert reason(lambda: list(as_blocks(path))) == expected


def test_two_channels_need_a_word_on_which(tmp_path, stereo):
    soundfile.write(tmp_path / "a.wav", stereo, RATE)

    for recording in (tmp_path / "a.wav", (RATE, stereo), (RATE, torch.tensor(stereo))):
        with pytest.raises(ChannelError, match=r"2 channels.*channel=0.*mix"):
            list(as_blocks(recording))
        with pytest.raises(ChannelError, match="channel 2 is not there"):
            list(as_blocks(recording, channel=2))


@pytest.mark.parametrize(
    "kind", ["int8", "uint8", "int16", "int32", "float32", "float64", "16 bit floats"]
)
@pytest.mark.parametrize("shape", ["(time,)", "(time, 2)", "(2, time)"])
def test_an_array_gives_the_samples_that_it_gives_as_a_whole(stereo, kind, shape):
    samples = {
        "int8": lambda: (stereo * 127).astype("int8"),
        "uint8": lambda: (stereo * 127 + 128).astype("uint8"),
        "int16": lambda: (stereo * 32767).astype("int16"),
        "int32": lambda: (stereo * 2**31).astype("int32"),
        "float32": lambda: stereo.astype("float32"),
        "float64": lambda: stereo,
        "16 bit floats": lambda: np.round(stereo * 32767),
    }[kind]()
    samples = {
        "(time,)": samples[:, 0],
        "(time, 2)": samples,
        "(2, time)": samples.T,
    }[shape]
    options = {"rate": RATE, "channel": 0 if shape == "(time,)" else 1}

    for recording in (samples, torch.tensor(samples)):
        np.testing.assert_array_equal(
            joined(recording, **options), as_waveform(samples, **options).samples
        )


def test_loudness_is_judged_by_the_whole_array():
    """A quiet block of 16-bit numbers by itself would look like floats in [-1, 1]."""
    samples = np.concatenate([np.ones(5000), 20_000 * np.ones(5000)])

    assert joined((RATE, samples))[0] == 2**-15


def test_arrays_are_refused_in_the_same_words():
    time = np.zeros(5000)
    for recording, options in [
        (time + 50, {"rate": RATE}),
        (time + 1e6, {"rate": RATE}),
        (time, {}),
        (time, {"rate": 3}),
        ((RATE, time), {"rate": 8000}),
        (time.astype(complex), {"rate": RATE}),
        (np.zeros((2, 2, 2)), {"rate": RATE}),
        ((RATE, RATE), {}),
        (Waveform(time, RATE, "a"), {"rate": 8000}),
    ]:
        expected = reason(lambda: as_waveform(recording, **options))  # noqa: B023

        assert reason(lambda: list(as_blocks(recording, **options))) == expected  # noqa: B023


def test_a_file_of_another_rate_than_asked_for_is_refused(tmp_path, stereo):
    soundfile.write(tmp_path / "a.wav", stereo[:, 0], RATE)

    with pytest.raises(SampleRateError, match="has 16000 hertz, but rate=8000"):
        as_blocks(tmp_path / "a.wav", rate=8000)


def test_samples_that_load_themselves_come_as_a_whole(stereo):
    class Sample:
        key = "anna"
        rate = RATE
        data = stereo[:, 0]

    sample = Sample()

    np.testing.assert_array_equal(joined(sample), stereo[:, 0])


def test_a_float16_peak_beyond_all_bounds_is_no_reason_to_stop():
    """Infinity is found by the survey, with its place."""
    samples = np.zeros(5000, np.float16)
    samples[7] = np.inf

    assert np.isinf(joined((RATE, samples))[7])


def test_a_missing_file_is_refused_before_the_first_block(tmp_path):
    with pytest.raises(UnreadableRecording, match="does not exist"):
        as_blocks(tmp_path / "a.wav")
