"""Recordings through a template: which fail, which go on, and what is told."""

import itertools
import logging
import os
import pickle

import numpy as np
import pytest
import soundfile

from bob.learn.pytorch.audio import RecordingError, TooShortRecording
from bob.learn.pytorch.inference.batching import embed_many
from bob.learn.pytorch.templates.format.errors import (
    StageError,
    TookTooLong,
    WorkerDied,
)
from bob.learn.pytorch.templates.run.runner import TemplateEmbedder

RATE = 16_000
MARK = 0.5


class Session:
    """A template that is loaded: a function of batches."""

    def __init__(self, run):
        self._run = run
        self.batches = []
        self.is_closed = False

    def embed(self, batch, *, seconds):
        self.batches.append((batch.shape, seconds))
        return self._run(batch)

    def close(self):
        self.is_closed = True


@pytest.fixture
def fake(toy):
    """`fake(run, **keys)`: an embedder in this process, and its sessions."""

    def make(run=lambda batch: batch[:, :2], **keys):
        sessions = []

        def start():
            sessions.append(Session(run))
            return sessions[-1]

        return TemplateEmbedder(toy(**keys), start), sessions

    return make


def results(embedder, *waveforms, workers=0):
    named = [(f"{n}.wav", (RATE, waveform)) for n, waveform in enumerate(waveforms)]
    return list(embed_many(embedder, named, workers=workers))


def one(embedder, waveform):
    (result,) = results(embedder, waveform)
    if result.error is not None:
        raise result.error
    return result.embedding


def failing(at, error):
    """Fails on waveforms that begin with a mark."""

    def run(batch):
        if (batch[:, 0] == at).any():
            raise error
        return batch[:, :2]

    return run


def stage_error(reason="bad"):
    return StageError(reason, template="toy", stage="embed_fwd", item=0, code="y = bad")


def marked(waveform):
    return np.concatenate([[np.float32(MARK)], waveform[1:]])


def test_any_recording_becomes_what_the_template_wants(embedder, tmp_path, noise):
    """A file of two channels at 8 kHz: the mean of both, at twice as many samples."""
    left, right = noise(1, 1)[:8000], noise(1, 2)[:8000]
    soundfile.write(tmp_path / "a.wav", np.stack([left, right], 1), 8000, "FLOAT")
    runner = embedder(embed_fwd=["y = np.array([[x.shape[1], x.mean()]])"])

    loaded = runner.load(tmp_path / "a.wav")
    (made,) = runner.start_batch([loaded])()

    assert made[0] == 16_000
    assert made[1] == pytest.approx((left + right).mean() / 2, abs=1e-4)
    assert (loaded.seconds, loaded.sample_rate) == (1, 8000)


def test_an_array_needs_a_rate(embedder, noise):
    runner = embedder()

    with pytest.raises(RecordingError):
        runner.load(noise())
    assert len(runner.load(noise(), rate=RATE).content[0]) == 1600


def test_a_recording_of_one_sample_is_refused_before_the_model_sees_it(fake):
    runner, sessions = fake()

    with pytest.raises(TooShortRecording):
        runner.load((RATE, np.ones(1, np.float32)))
    assert sessions == []


def test_parts_of_a_recording_give_the_mean_of_their_embeddings(fake, noise):
    runner, sessions = fake(lambda batch: batch[:, :2], maximum_duration=0.05)
    waveform = noise(0.15)

    made = one(runner, waveform)

    np.testing.assert_allclose(made, waveform.reshape(3, 800)[:, :2].mean(0), rtol=1e-5)
    assert sessions[0].batches == [((1, 800), 0.05)] * 3


def test_frames_of_parts_follow_each_other_without_pooling(fake, noise):
    runner, _ = fake(
        lambda batch: batch.reshape(1, -1, 100),
        maximum_duration=0.05,
        out_layout="frames_features",
        pooling="none",
    )
    waveform = noise(0.1)

    np.testing.assert_array_equal(one(runner, waveform), waveform.reshape(-1, 100))


def test_long_recordings_are_split_and_told_how_long_they_are(fake):
    runner, sessions = fake(maximum_duration=100)
    waveform = np.tile(np.float32([0.1, -0.1]), RATE * 100)

    assert one(runner, waveform).shape == (2,)
    assert sessions[0].batches == [((1, RATE * 100), 100)] * 2


def test_recordings_of_equal_length_go_together_and_give_the_same(fake, noise):
    lengths = (0.1, 0.1, 0.2, 0.1)
    waveforms = [noise(seconds, seed) for seed, seconds in enumerate(lengths)]
    run = lambda batch: np.stack([batch.mean(1), batch.std(1)], 1)  # noqa: E731
    together, sessions = fake(run, batching="equal")
    alone, others = fake(run)

    found = results(together, *waveforms)
    expected = results(alone, *waveforms)

    for one_result, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one_result.embedding, other.embedding)
    assert sorted(shape for shape, _ in sessions[0].batches) == [(1, 3200), (3, 1600)]
    assert len(others[0].batches) == 4


def test_a_batch_that_fails_is_tried_one_by_one(fake, noise):
    runner, sessions = fake(failing(MARK, stage_error()), batching="equal")
    waveforms = [noise(), marked(noise()), noise()]

    found = results(runner, *waveforms)

    assert [result.error is None for result in found] == [True, False, True]
    assert [shape for shape, _ in sessions[0].batches] == [(3, 1600)] + [(1, 1600)] * 3


def test_a_recording_that_fails_is_named_and_the_others_go_on(fake, noise, caplog):
    runner, _ = fake(failing(MARK, stage_error()))

    with caplog.at_level(logging.WARNING):
        good, bad, last = results(runner, noise(), marked(noise()), noise())

    assert (good.error, last.error) == (None, None)
    assert bad.key == "1.wav"
    assert "template toy, embed_fwd[0] at `y = bad`: bad" in str(bad.error)
    assert "template toy, embed_fwd[0]" in caplog.text


def test_the_process_is_started_anew_after_its_death(embedder, noise, tmp_path):
    """A recording kills it by its content; those before and after are as ever."""
    soundfile.write(tmp_path / "bad one.wav", marked(noise()), RATE, "FLOAT")
    lines = ["import ctypes", "x[0, 0] == 0.5 and ctypes.string_at(0)", "y = x[:, :2]"]
    runner = embedder(embed_fwd=lines)
    recordings = [(RATE, noise()), tmp_path / "bad one.wav", (RATE, noise(0.1, 1))]

    found = list(embed_many(runner, enumerate(recordings), workers=0))

    assert [result.error is None for result in found] == [True, False, True]
    told = str(found[1].error)
    assert "bad one.wav" in told
    assert "template toy, embed_fwd[1] at `x[0, 0] == 0.5 and ctypes" in told
    assert "SIGSEGV" in told
    np.testing.assert_array_equal(found[2].embedding, noise(0.1, 1)[:2])


@pytest.mark.parametrize("often", [1, 2])
def test_what_took_too_long_is_tried_once_more(fake, noise, often):
    left = [TookTooLong("slow")] * often

    def run(batch):
        if batch[0, 0] == MARK and left:
            raise left.pop()
        return batch[:, :2]

    embedder, sessions = fake(run)

    first, slow, last = results(embedder, noise(), marked(noise()), noise())

    assert first.error is last.error is None
    assert (slow.error is None) == (often == 1)
    assert len(sessions) == 1 + often


def test_where_recordings_before_took_too_long_none_is_tried_again(fake, noise):
    embedder, sessions = fake(failing_always(TookTooLong("slow")))

    with pytest.raises(TookTooLong):
        results(embedder, *[noise()] * 5)

    assert len(sessions) == 2 + 1 + 1 + 1  # twice, once, once, and a second of noise


def failing_always(error, *, but=()):
    """Fails on each batch but some, counted from 0."""
    calls = itertools.count()

    def run(batch):
        if next(calls) not in but:
            raise error
        return batch[:, :2]

    return run


def test_when_the_first_three_fail_and_noise_too_it_is_the_template(fake, noise):
    runner, sessions = fake(failing_always(stage_error()))

    with pytest.raises(StageError) as raised:
        results(runner, *[marked(noise())] * 5)

    shapes = [shape for shape, _ in sessions[0].batches]
    assert shapes == [(1, 1600)] * 3 + [(1, RATE)]
    assert "with 3 recordings in a row" in str(raised.value)
    assert raised.value.stage == "embed_fwd"


def test_after_that_other_recordings_may_be_tried(fake, noise):
    runner, _ = fake(failing_always(stage_error(), but=(5,)))
    with pytest.raises(StageError):
        results(runner, *[noise()] * 3)

    bad, good = results(runner, noise(), noise())

    assert (bad.error is None, good.error is None) == (False, True)


def test_ctrl_c_ends_the_work_and_the_process(fake, noise, caplog):
    """Of batches that were begun, none is tried again; and it can go on later."""
    runner, sessions = fake(failing(MARK, KeyboardInterrupt()), batching="equal")
    waveforms = [marked(noise()), noise(0.2), noise(0.3)]

    with pytest.raises(KeyboardInterrupt):
        results(runner, *waveforms)

    assert [session.is_closed for session in sessions] == [True]
    assert sum(shape == (1, 1600) for shape, _ in sessions[0].batches) == 1
    assert caplog.text == ""
    assert one(runner, noise()).shape == (2,)


def test_when_one_went_well_many_may_fail(fake, noise):
    runner, _ = fake(failing(MARK, stage_error()))

    found = results(runner, noise(), *[marked(noise())] * 5)

    assert [result.error is None for result in found] == [True] + [False] * 5


@pytest.mark.parametrize(
    "error", [WorkerDied("template toy: died"), stage_error("too long")]
)
def test_recordings_that_are_too_long_do_not_stop_the_others(fake, noise, error):
    """They go first, since batches begin with the longest."""

    def run(batch):
        if batch.shape[1] > 20_000:
            raise error
        return batch[:, :2]

    runner, _ = fake(run, batching="equal")
    lengths = np.random.default_rng(0).permutation(
        [*range(1000, 1220, 10), *range(24_000, 32_000, 1000)]
    )
    waveforms = [noise(length / RATE, seed) for seed, length in enumerate(lengths)]
    runner.frames_at_once = 10_000  # all in one window

    found = results(runner, *waveforms)

    assert [result.error is None for result in found] == (lengths < 20_000).tolist()
    assert sum(result.embedding is not None for result in found) == 22


def test_when_three_in_a_row_kill_the_process_and_noise_too_it_is_the_template(
    fake, noise
):
    died = WorkerDied("template toy, embed_fwd[0]: died\nlast words")
    runner, sessions = fake(failing_always(died, but=(0,)))

    with pytest.raises(
        WorkerDied, match=r"(?s)died.*3 recordings in a row.*last words"
    ):
        results(runner, *[noise()] * 6)
    assert len(sessions) == 4


def test_a_template_that_cannot_be_loaded_is_no_fault_of_a_recording(embedder, noise):
    runner = embedder(model_init=["model = nothing"])

    with pytest.raises(
        StageError, match=r"model_init\[0\] at `model = nothing`: NameError"
    ):
        results(runner, noise())


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_embedding_that_is_not_finite_names_template_and_recording(fake, noise, bad):
    runner, _ = fake(lambda batch: np.array([[1, bad, bad]]))

    (result,) = results(runner, noise())

    assert str(result.error) == (
        "the recording cannot be embedded: template toy, embed_fwd: y is NaN or "
        "infinite in 2 of 3 numbers"
    )


def test_the_wrong_shape_names_template_stage_and_what_was_expected(fake, noise):
    runner, _ = fake(lambda batch: batch[None])

    (result,) = results(runner, noise())

    text = (
        "template toy, embed_fwd: y is of shape (1, 1, 1600); expected (1, dimensions)"
    )
    assert text in str(result.error)


def test_a_name_that_is_no_utf_8_is_told(embedder, noise, tmp_path):
    path = os.fsdecode(bytes(tmp_path) + b"/odd\xff.wav")
    soundfile.write(tmp_path / "a.wav", noise(), RATE)
    os.rename(tmp_path / "a.wav", path)  # noqa: PTH104
    runner = embedder(embed_fwd=["y = x * float('nan')"])

    (result,) = embed_many(runner, [(1, path)], workers=0)

    assert str(result.error).encode()
    assert "odd" in str(result.error)


def test_outputs_are_kept_as_they_are(fake, noise):
    codes = np.arange(6).reshape(1, 2, 3)
    runner, _ = fake(lambda _: codes, maximum_duration=0.05)

    found = runner.outputs((RATE, noise(0.1)))

    assert [made.tolist() for made in found] == [codes.tolist()] * 2


def test_closing_lets_go_and_the_next_recording_starts_again(fake, noise):
    runner, sessions = fake()
    runner.prepare()
    runner.close()
    runner.close()

    one(runner, noise())

    assert [session.is_closed for session in sessions] == [True, False]


def test_an_error_says_the_same_after_a_pickle():
    for error in (
        stage_error(),
        StageError("a", template="t", stage="s", detail="d").at("b.wav", 3),
        WorkerDied("gone").at("b.wav", 3),
    ):
        copy = pickle.loads(pickle.dumps(error))  # noqa: S301

        assert (type(copy), str(copy)) == (type(error), str(error))
        assert vars(copy).keys() == vars(error).keys()
