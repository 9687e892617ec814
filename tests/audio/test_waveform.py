"""Whatever carries a recording gives the same samples; what is unusable is named."""

import copy
import gzip
import io
import pickle
import tempfile
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from bob.learn.pytorch.audio import (
    ChannelError,
    ConstantRecording,
    EmptyRecording,
    NonFiniteRecording,
    RecordingError,
    SampleBlocks,
    SampleRateError,
    SilentRecording,
    TooShortRecording,
    UnreadableRecording,
    Waveform,
    as_waveform,
    check_usable,
    count_usable,
)

RATE = 16_000
STEPS = np.round(3000 * np.sin(np.arange(RATE) * 0.05)).astype(np.int16)
UNIT = STEPS / 32768


class Delayed:
    """Loads at every look at `data`, as Bob's DelayedSample."""

    def __init__(self, load, **attributes):
        self._load = load
        self.loads = 0
        vars(self).update(attributes)

    @property
    def data(self):
        self.loads += 1
        return self._load()


@pytest.mark.parametrize(
    "samples",
    [
        STEPS,
        STEPS.astype(np.int32) * 2**16,
        UNIT,
        UNIT.astype(np.float32),
        STEPS.astype(np.float64),
        STEPS[:, np.newaxis],
        STEPS[np.newaxis],
        UNIT.tolist(),
    ],
    ids=["int16", "int32", "float64", "float32", "legacy", "column", "row", "list"],
)
def test_every_type_of_sample_gives_the_same_waveform(samples):
    for recording, options in (
        (samples, {"rate": RATE}),
        ((RATE, samples), {}),
        ((samples, RATE), {}),
        ((np.int64(RATE), samples), {"rate": RATE}),
        (SimpleNamespace(data=samples, rate=RATE), {}),
        (SimpleNamespace(data=(samples, RATE)), {}),
        (SimpleNamespace(data=SimpleNamespace(data=samples, rate=RATE)), {}),
    ):
        waveform = as_waveform(recording, **options)

        np.testing.assert_array_equal(waveform.samples, UNIT)
        assert waveform.sample_rate == RATE
        assert waveform.seconds == 1


def test_a_float_peak_is_taken_only_where_it_is_clear():
    """Up to 2 overdriven floats, above 100 numbers of 16 bits, between them neither."""
    shape = np.array([0.0, 0.5, -1.0])

    assert as_waveform((RATE, 2.0 * shape)).samples.tolist() == [0, 1, -2]
    assert as_waveform((RATE, 128.0 * shape)).samples.tolist() == [0, 2**-9, -(2**-8)]
    for peak in (2.01, 3, 99, 100):
        with pytest.raises(UnreadableRecording, match=f"peak of {peak}, which may"):
            as_waveform((RATE, peak * shape))


@pytest.mark.parametrize(
    ("channel", "error"), [("left", ValueError), (-1, ValueError), (1.5, TypeError)]
)
def test_a_channel_that_is_none_is_the_callers_mistake(channel, error):
    with pytest.raises(error, match=r"channel is .*expected 0 for the first") as caught:
        as_waveform((RATE, STEPS), channel=channel)
    assert not isinstance(caught.value, RecordingError)


def test_uint8_has_its_zero_at_128():
    samples = np.array([0, 64, 128, 192, 255], np.uint8)

    waveform = as_waveform((8000, samples))

    assert waveform.samples.tolist() == [-1, -0.5, 0, 0.5, 127 / 128]


def test_a_tensor_is_an_array():
    torch = pytest.importorskip("torch")

    waveform = as_waveform(torch.from_numpy(UNIT).requires_grad_(), rate=RATE)

    np.testing.assert_array_equal(waveform.samples, UNIT)


def test_a_path_a_string_and_a_sample_with_either_read_the_file(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, STEPS, RATE)

    for recording in (
        path,
        str(path),
        SimpleNamespace(data=path),
        SimpleNamespace(data=None, path=str(path), key="a"),
        Delayed(lambda: str(path), path="a"),
    ):
        waveform = as_waveform(recording)

        np.testing.assert_array_equal(waveform.samples, UNIT)
        assert waveform.name == str(path)


def test_a_delayed_sample_is_loaded_once():
    sample = Delayed(lambda: STEPS, rate=RATE, key="speaker/one")

    waveform = as_waveform(sample)

    assert sample.loads == 1
    assert waveform.name == "speaker/one"


def test_whatever_a_loader_raises_names_the_recording():
    def load():
        raise KeyError("voxceleb")

    with pytest.raises(
        UnreadableRecording, match=r"speaker/one: cannot be loaded.*Key"
    ):
        as_waveform(Delayed(load, key="speaker/one"))


def test_a_loader_that_refuses_a_recording_keeps_its_reason():
    def load():
        raise SilentRecording("is silent", recording="b.wav")

    with pytest.raises(SilentRecording, match=r"b\.wav"):
        as_waveform(Delayed(load, key="speaker/one"))


def test_the_shorter_axis_is_the_channels():
    both = np.stack([STEPS, -STEPS])

    for samples in (both, both.T):
        with pytest.raises(ChannelError, match="2 channels"):
            as_waveform((RATE, samples))
        second = as_waveform((RATE, samples), channel=1)
        mixed = as_waveform((RATE, samples), channel="mix")

        np.testing.assert_array_equal(second.samples, -UNIT)
        assert not mixed.samples.any()


@pytest.mark.parametrize(
    ("recording", "options", "error", "says"),
    [
        (STEPS, {}, SampleRateError, "without a sampling rate"),
        ((16, STEPS), {}, SampleRateError, "sampling rate 16;.*hertz"),
        ((RATE, STEPS), {"rate": 8000}, SampleRateError, "16000 hertz, but rate=8000"),
        ((1, 2), {}, SampleRateError, "exactly one is an array"),
        (STEPS, {"rate": 44100.5}, SampleRateError, "whole number of hertz"),
        (STEPS, {"rate": "fast"}, SampleRateError, "'fast'"),
        (STEPS, {"rate": float("nan")}, SampleRateError, "nan"),
        (STEPS.astype(int), {"rate": RATE}, UnreadableRecording, "int64; expected"),
        (None, {}, UnreadableRecording, "came as NoneType"),
        (b"a.wav", {}, UnreadableRecording, "came as bytes"),
        (UNIT * 1e6, {"rate": RATE}, UnreadableRecording, "peak of .*full scale"),
        (np.zeros((2, 3, 4)), {"rate": RATE}, ChannelError, r"shape \(2, 3, 4\)"),
        (STEPS, {"rate": RATE, "channel": 1}, ChannelError, "1 channel, counted"),
        (Waveform(UNIT, RATE, "w"), {"rate": 8000}, SampleRateError, "w: has 16000"),
        (Waveform(UNIT, 1, "w"), {}, SampleRateError, "w: has the sampling rate 1;"),
        (STEPS, {"rate": 10**9}, SampleRateError, "from 1000 to 1000000"),
        (UNIT * 30, {"rate": RATE}, UnreadableRecording, "may be loud.*/ 32768"),
    ],
)
def test_what_cannot_be_a_waveform_is_refused(recording, options, error, says):
    with pytest.raises(error, match=says):
        as_waveform(recording, **options)


@pytest.mark.parametrize(
    ("samples", "error", "says"),
    [
        (np.zeros(0), EmptyRecording, r"0 s\); at least 0.385 s"),
        (UNIT[:800], TooShortRecording, r"lasts 0.05 s; at least 0.385 s"),
        (np.zeros(RATE), SilentRecording, "silent: in 1.00 s"),
        (np.full(RATE, 2.0**-15), SilentRecording, "silent"),
        (np.full(RATE, 0.25), ConstantRecording, r"constant value \(0.25 of"),
        (
            np.where(np.arange(RATE) == 8000, np.nan, UNIT),
            NonFiniteRecording,
            r"1 of 16000 samples, first at 0.500 s",
        ),
        (np.where(np.arange(RATE) == 0, np.inf, UNIT), NonFiniteRecording, "NaN or"),
    ],
)
def test_what_says_nothing_about_a_speaker_is_refused(samples, error, says):
    waveform = as_waveform((RATE, samples), name="speaker/one")

    with pytest.raises(error, match=says) as caught:
        check_usable(waveform, minimum_seconds=0.385)

    assert str(caught.value).startswith("speaker/one: ")


def test_quiet_speech_of_the_shortest_length_is_usable():
    quiet = Waveform(UNIT[:6160] / 100, RATE)

    check_usable(quiet, minimum_seconds=0.385)


def test_an_error_survives_pickling_and_copying():
    error = TooShortRecording("lasts 0.1 s", recording="a.wav")

    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301
        assert type(twin) is TooShortRecording
        assert (twin.reason, twin.recording) == ("lasts 0.1 s", "a.wav")
        assert str(twin) == "a.wav: lasts 0.1 s"
    assert str(RecordingError("is bad")) == "the recording is bad"


@pytest.mark.parametrize("method", ["fft", "soxr"])
@pytest.mark.parametrize("rate", [8000, 11025, 44100, 48000])
def test_a_tone_keeps_its_frequency_and_level_at_another_rate(method, rate):
    """A sine of whole periods resamples to the same sine in closed form."""
    time = np.arange(rate) / rate
    tone = Waveform(0.5 * np.sin(2 * np.pi * 1000 * time), rate, "tone")

    there = tone.resampled(RATE, method=method)

    expected = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE)
    middle = slice(RATE // 4, -RATE // 4)
    assert len(there.samples) == RATE
    assert (there.sample_rate, there.name) == (RATE, "tone")
    np.testing.assert_allclose(there.samples[middle], expected[middle], atol=2e-4)


def test_the_length_after_fft_resampling_is_rounded_as_in_the_original():
    """The golden case of 11025 Hz: round(11032 * 16000 / 11025) = 16010."""
    waveform = Waveform(UNIT[:11032], 11_025)

    assert len(waveform.resampled(16_000, method="fft").samples) == 16_010


def test_the_same_rate_is_left_alone():
    waveform = Waveform(UNIT, RATE)

    assert waveform.resampled(RATE, method="fft") is waveform


class Unsought(io.BytesIO):
    """A stream, as of a network."""

    def seek(self, *_):
        raise io.UnsupportedOperation("underlying stream is not seekable")


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_an_open_file_is_read_whole_and_stays_where_it_was(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, UNIT, RATE)
    expected = as_waveform(path).samples
    with path.open("rb") as on_disk, tempfile.NamedTemporaryFile() as temporary:
        temporary.write(path.read_bytes())
        for file in (on_disk, temporary, io.BytesIO(path.read_bytes())):
            file.seek(7)

            waveform = as_waveform(file)

            np.testing.assert_array_equal(waveform.samples, expected)
            assert file.tell() == 7
            assert waveform.name == getattr(file, "name", None)


def test_files_that_cannot_be_read_are_refused_by_name(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    closed = io.BytesIO(b"RIFF")
    closed.close()
    with (
        (tmp_path / "a.wav").open() as text,
        (tmp_path / "b.wav").open("wb") as writing,
        gzip.open(io.BytesIO(gzip.compress(bytes(9**6))[:-30])) as damaged,
    ):
        for file, says in (
            (text, "open as text.*'rb'"),
            (writing, "cannot be read.*binary"),
            (closed, "closed file"),
            (Unsought(b"RIFF"), "not seekable"),
            (io.BytesIO(), "holds 0 bytes"),
            (damaged, "cannot be read"),
        ):
            with pytest.raises(UnreadableRecording, match=says):
                as_waveform(file)


def test_a_bfloat16_tensor_is_a_recording():
    torch = pytest.importorskip("torch")

    waveform = as_waveform((RATE, torch.tensor([0.5, -1, 0.25]).bfloat16()))

    assert waveform.samples.tolist() == [0.5, -1, 0.25]


@pytest.mark.parametrize("peak", [1, 1.5, 3.6, 99, 8000, 32_768, 1e6])
@pytest.mark.parametrize("form", ["wav", "aiff", "caf"])
def test_floats_of_a_file_and_of_an_array_follow_one_rule(tmp_path, peak, form):
    samples = (UNIT / np.abs(UNIT).max() * peak).astype(np.float32)
    soundfile.write(tmp_path / f"a.{form}", samples, RATE, subtype="FLOAT")

    def outcome(recording):
        try:
            return as_waveform(recording).samples.tolist()
        except RecordingError as error:
            return error.reason

    assert outcome(tmp_path / f"a.{form}") == outcome((RATE, samples))


RAMP = np.linspace(-0.5, 0.5, 5000)


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
            np.full(5000, -0.3) + 1e-5 * RAMP,
            2**-15 * RAMP / 0.5,
            2.1**-15 * RAMP / 0.5,
            RAMP,
            RAMP[:1599],
            RAMP[:1600],
            put(RAMP, 4321, np.nan),
            put(RAMP, [7, 4000], -np.inf),
            put(RAMP, slice(None), np.nan),
            put(put(RAMP, 2, np.nan), 3, np.inf),
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
