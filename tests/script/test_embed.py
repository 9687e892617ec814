"""`bob pytorch embed` when something is wrong with its lists, its output or the run."""

import json
import os
import resource
import time

import numpy as np
import pytest
import soundfile
from commands import done, refused, reported, run
from recordings import RATE, noise, record

from bob.learn.pytorch.inference import batching
from bob.learn.pytorch.inference.embedding import RecordingEmbedder
from bob.learn.pytorch.inference.engine import CPUEngine
from bob.learn.pytorch.store.store import EmbeddingStore

pytestmark = pytest.mark.usefixtures("networks_are_kept")

ODD = os.fsdecode(b"non\xff.wav")
SHOWN = "non\\udcff.wav"


@pytest.fixture
def recordings(tmp_path):
    record("a.wav", noise())
    record("b.wav", noise()[::-1])
    os.link("a.wav", ODD)
    return tmp_path


@pytest.fixture
def stopped_at_b():
    """The run ends at b.wav, when a.wav was computed."""

    def stop(error):
        real = RecordingEmbedder.load
        # So few frames that every recording is computed before the next is read.
        monkeypatch.setattr(CPUEngine, "frames_at_once", 10)
        monkeypatch.setattr(batching, "LOOK_AHEAD", 1)

        def load(self, recording, **options):
            if recording == "b.wav":
                time.sleep(0.3)
                raise error
            return real(self, recording, **options)

        monkeypatch.setattr(RecordingEmbedder, "load", load)
        return monkeypatch.undo

    with pytest.MonkeyPatch.context() as monkeypatch:
        yield stop


def test_a_failure_names_the_path_beside_the_name_of_a_list(weights, recordings):
    (recordings / "some.txt").write_text("# two\none a.wav\n\ntwo far/b.wav\n")
    arguments = ("embed", "some.txt", "--model", weights, "-o", "x.npz")

    text, report = run(*arguments), reported(*arguments, status=1)

    assert "  two: far/b.wav: does not exist" in text.stdout
    assert report["failures"]["two"].startswith("far/b.wav: does not exist")
    assert report["embeddings"] == 1


@pytest.mark.parametrize(
    ("argument", "says"), [("empty.txt", "names no recording"), ("", "an empty path")]
)
def test_nothing_to_embed_is_refused(recordings, argument, says):
    (recordings / "empty.txt").write_text("# nothing\n")

    assert says in refused("embed", argument, "-o", "x.npz", status=2)


def test_names_that_are_not_utf8_are_embedded_compared_and_printed(weights, recordings):
    result = run("embed", ODD, "a.wav", f"far/{ODD}", "--model", weights, "-o", "x.npz")
    compared = run("compare", ODD, "a.wav", "--model", weights, "--json")

    assert result.exit_code == 1
    assert f"  far/{SHOWN}: does not exist" in result.stdout
    with np.load("x.npz") as file:
        assert file["names"].tolist() == [SHOWN, "a.wav"]
        np.testing.assert_array_equal(*file["embeddings"])
    report = json.loads(compared.stdout)
    assert report["score"] == pytest.approx(1)
    assert report["recordings"][0]["path"] == SHOWN


def test_a_full_disk_is_said_and_leaves_no_half_written_file(weights, recordings):
    """A limit on the size of files stands for the full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        result = run("embed", "a.wav", "--model", weights, "-o", "out/x.npz")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert result.exit_code == 1
    assert "cannot be opened for writing (File too large); make room" in result.stderr
    assert not (recordings / "out" / "x.npz").exists()


@pytest.mark.parametrize("output", ["x.h5", "x.npz"])
def test_ctrl_c_keeps_what_is_done_and_the_same_command_goes_on(
    weights, recordings, stopped_at_b, output
):
    undo = stopped_at_b(KeyboardInterrupt())
    arguments = ("embed", "a.wav", "b.wav", "--model", weights, "-o", output, "--json")

    stopped = run(*arguments)
    undo()
    report = json.loads(run(*arguments).stdout)

    place = output if output == "x.h5" else f"{output}.unfinished.h5"
    assert stopped.exit_code == 130
    assert stopped.stderr.splitlines()[-1] == (
        f"Stopped: 1 embeddings are in {place}; the same command goes on from there"
    )
    assert (report["embeddings"], report["computed"]) == (2, 1)
    assert sorted(path.name for path in recordings.glob("x.*")) == [output]


def test_ctrl_c_never_replaces_the_result_of_an_earlier_run(
    weights, recordings, stopped_at_b
):
    arguments = ("embed", "a.wav", "b.wav", "--model", weights, "-o", "x.npz")
    run(*arguments)
    before = (recordings / "x.npz").read_bytes()
    stopped_at_b(KeyboardInterrupt())

    assert run(*arguments).exit_code == 130

    assert (recordings / "x.npz").read_bytes() == before


def test_an_error_in_the_middle_keeps_what_is_done_and_shows(
    weights, recordings, stopped_at_b
):
    stopped_at_b(MemoryError("out of memory"))

    result = run("embed", "a.wav", "b.wav", "--model", weights, "-o", "x.h5")

    assert isinstance(result.exception, MemoryError)
    assert EmbeddingStore.read("x.h5").names == ("a.wav",)


def test_ctrl_c_before_the_first_embedding_says_so(weights, recordings, stopped_at_b):
    stopped_at_b(KeyboardInterrupt())

    result = run("embed", "b.wav", "a.wav", "--model", weights, "-o", "x.npz")

    assert result.exit_code == 130
    assert "Stopped: 0 embeddings are in x.npz.unfinished.h5" in result.stderr


def test_mono_recordings_are_kept_when_a_channel_is_chosen(weights, recordings):
    """The remedy that is printed for the stereo file works on the same store."""
    mono, rate = soundfile.read("a.wav")
    soundfile.write("two.wav", np.stack([mono, mono[::-1]], axis=1), rate)
    arguments = ("embed", "a.wav", "b.wav", "two.wav", "--model", weights, "-o", "x.h5")

    first = run(*arguments)
    second = run(*arguments, "--channel", "mix", "--json")
    third = run(*arguments[:3], *arguments[4:], "--channel", 0, "--json")
    again, other = (run(*arguments, "--channel", to, "--json") for to in ("mix", 0))

    assert (first.exit_code, second.exit_code, third.exit_code) == (1, 0, 0), (
        first.output + second.output + third.output
    )
    assert "two.wav" in first.output
    assert "0 of 3 came from the store, 2 were computed now" in first.output
    counts = [
        (report["reused"], report["computed"])
        for report in (json.loads(result.stdout) for result in (second, third, again))
    ]
    assert counts == [(2, 1), (2, 0), (3, 0)]
    assert other.exit_code == 1
    assert "has two.wav made with channel=mix, which matters to" in other.output
    assert len(EmbeddingStore.read("x.h5").names) == 3


@pytest.mark.parametrize("how", ["folder", "kaldi", "csv", "utt2spk"])
def test_a_store_keeps_who_speaks(weights, recordings, how):
    for name in ("ann/1.wav", "bob/1.wav"):
        (recordings / "spk" / name).parent.mkdir(parents=True)
        os.link("a.wav" if name == "ann/1.wav" else "b.wav", recordings / "spk" / name)
    (recordings / "utt2spk").write_text("spk/ann/1.wav ann\nspk/bob/1.wav bob\n")
    (recordings / "wav.scp").write_text("ann-1 spk/ann/1.wav\nbob-1 spk/bob/1.wav\n")
    (recordings / "s.csv").write_text(
        "path,subject_id\nspk/ann/1.wav,ann\nspk/bob/1.wav,bob\n"
    )
    given = {
        "folder": ("spk",),
        "kaldi": ("wav.scp",),
        "csv": ("s.csv",),
        "utt2spk": ("spk/ann/1.wav", "./spk/bob/1.wav", "--speakers", "utt2spk"),
    }[how]
    if how == "kaldi":
        (recordings / "utt2spk").write_text("ann-1 ann\nbob-1 bob\n")

    done("embed", *given, "--model", weights, "-o", "x.h5")

    assert EmbeddingStore.read("x.h5").speakers == ("ann", "bob")


def test_a_changed_recording_is_embedded_again_and_others_are_not(weights, recordings):
    arguments = ("embed", "a.wav", "b.wav", "--model", weights, "-o", "x.h5", "--json")
    run(*arguments)
    before = EmbeddingStore.read("x.h5")
    record("b.wav", noise(seed=6))

    report = json.loads(run(*arguments).stdout)

    after = EmbeddingStore.read("x.h5")
    assert report["computed"] == 1
    assert after.names == before.names == ("a.wav", "b.wav")
    changed = (after.embeddings != before.embeddings).any(axis=1)
    assert changed.tolist() == [False, True]


def test_a_store_of_another_model_is_refused(weights, checkpoint, recordings):
    run("embed", "a.wav", "--model", weights, "-o", "x.h5")

    assert "model is 'dltresnet34-voxceleb1' there and 'resnet34-voxceleb1' now" in (
        refused(
            "embed", "a.wav", "--model", checkpoint("resnet34"), "-o", "x.h5", status=1
        )
    )


def test_an_output_of_no_known_kind_is_refused_before_the_work(weights, recordings):
    assert "x.csv has to end in one of .h5, .hdf5, .npz" in refused(
        "embed", "a.wav", "--model", weights, "-o", "x.csv", status=2
    )


@pytest.mark.slow
def test_processes_give_the_same_store(weights, recordings):
    names = ["a.wav", "b.wav", "none.wav"]
    for jobs in (1, 2):
        arguments = ("--model", weights, "-o", f"{jobs}.h5", "--jobs", jobs)
        result = run("embed", *names, *arguments)
        assert "  none.wav: does not exist" in result.stdout

    one, two = EmbeddingStore.read("1.h5"), EmbeddingStore.read("2.h5")
    assert sorted(two.names) == list(one.names)
    order = [two.names.index(name) for name in one.names]
    # Their batches are others, so rounding is; 1e-5 is what is promised.
    np.testing.assert_allclose(two.embeddings[order], one.embeddings, rtol=0, atol=1e-5)
    assert two.failures.keys() == one.failures.keys() == {"none.wav"}


def test_short_and_doubtful_recordings_are_counted_and_named(recordings, weights):
    """Noise is no speech; a recording at 8000 Hz lacks half of the band."""
    record("short.wav", noise(0.5))
    record("phone.wav", noise(), RATE // 2)
    arguments = ("embed", "a.wav", "short.wav", "phone.wav", "--model", weights)

    first = run(*arguments, "-o", "e.h5")
    again = reported(*arguments, "-o", "e.h5")

    assert "Note: 1 of 3 recordings lasts less than 1 s, below wh" in first.output
    assert "says little: short.wav (0.50 s)" in first.output
    assert "below the 16000 Hz of dltresnet34-voxceleb1 (8000 Hz)" in first.output
    assert "3 of the recordings that were read may hold little spe" in first.output
    assert "a.wav (its level is steady" in first.output
    # What is not read again is not judged by its level again.
    short, narrow = again["notes"]
    assert short.startswith("1 of 3 recordings lasts less than 1 s")
    assert narrow.startswith("of 3 recordings, 1 with a sampling rate below")
