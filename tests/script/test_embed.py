"""`bob pytorch embed` when something is wrong with its lists, its output or the run."""

import json
import os
import resource

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from bob.learn.pytorch.extraction.collection import Collection
from bob.learn.pytorch.preprocessor.audio import DltResNetExtractor
from bob.learn.pytorch.script.pytorch import pytorch

RATE = 16_000
ODD = os.fsdecode(b"non\xff.wav")
SHOWN = "non\\udcff.wav"


def run(*arguments):
    return CliRunner().invoke(pytorch, [str(argument) for argument in arguments])


@pytest.fixture
def recordings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    noise = 0.1 * np.random.default_rng(5).standard_normal(RATE)
    soundfile.write("a.wav", noise, RATE)
    soundfile.write("b.wav", noise[::-1], RATE)
    os.link("a.wav", ODD)
    return tmp_path


@pytest.fixture
def stopped_at_b(monkeypatch):
    def stop(error):
        real = DltResNetExtractor.embed

        def embed(self, recording):
            if recording == "b.wav":
                raise error
            return real(self, recording)

        # `--model FILE` makes the base class, which has the method.
        monkeypatch.setattr(DltResNetExtractor.__mro__[1], "embed", embed)

    return stop


def test_a_failure_names_the_path_beside_the_name_of_a_list(weights, recordings):
    (recordings / "some.txt").write_text("# two\none a.wav\n\ntwo far/b.wav\n")
    arguments = ("embed", "some.txt", "--model", weights, "-o", "x.npz")

    text, report = run(*arguments), json.loads(run(*arguments, "--json").stdout)

    assert "  two: far/b.wav: does not exist" in text.stdout
    assert report["failures"]["two"].startswith("far/b.wav: does not exist")
    assert report["embeddings"] == 1


@pytest.mark.parametrize(
    ("argument", "says"), [("empty.txt", "names no recording"), ("", "an empty path")]
)
def test_nothing_to_embed_is_refused(recordings, argument, says):
    (recordings / "empty.txt").write_text("# nothing\n")

    result = run("embed", argument, "-o", "x.npz")

    assert result.exit_code == 2
    assert says in result.stderr


def test_names_that_are_not_utf8_are_embedded_compared_and_printed(weights, recordings):
    result = run("embed", ODD, "a.wav", f"far/{ODD}", "--model", weights, "-o", "x.npz")
    compared = run("compare", ODD, "a.wav", "--model", weights, "--json")

    assert result.exit_code == 1
    assert f"  far/{SHOWN}: does not exist" in result.stdout
    collection = Collection.load("x.npz")
    assert collection.names == (SHOWN, "a.wav")
    np.testing.assert_array_equal(*collection.embeddings)
    report = json.loads(compared.stdout)
    assert report["score"] == pytest.approx(1)
    assert report["recordings"][0]["path"] == SHOWN


def test_a_full_disk_is_said_and_leaves_nothing(weights, recordings):
    """A limit on the size of files stands for the full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        result = run("embed", "a.wav", "--model", weights, "-o", "out/x.npz")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert result.exit_code == 1
    assert result.stderr.startswith(
        "Error: out/x.npz cannot be written (File too large); 1 embeddings are lost"
    )
    assert list((recordings / "out").iterdir()) == []


def test_ctrl_c_keeps_what_is_done(weights, recordings, stopped_at_b):
    stopped_at_b(KeyboardInterrupt())
    arguments = ("embed", "a.wav", "b.wav", "--model", weights, "-o", "x.npz")

    result = run(*arguments)

    assert result.exit_code == 130
    assert result.stderr.splitlines()[-1] == "Stopped: 1 of 2 recordings are in x.npz"
    collection = Collection.load("x.npz")
    assert collection.names == ("a.wav",)
    assert collection.failures == {"b.wav": "was not reached"}


def test_ctrl_c_never_replaces_the_result_of_an_earlier_run(
    weights, recordings, stopped_at_b
):
    arguments = ("embed", "a.wav", "b.wav", "--model", weights, "-o", "x.npz")
    run(*arguments)
    stopped_at_b(KeyboardInterrupt())

    result = run(*arguments)

    assert "1 of 2 recordings are in x.part.npz" in result.stderr
    assert Collection.load("x.npz").names == ("a.wav", "b.wav")
    assert Collection.load("x.part.npz").names == ("a.wav",)


def test_an_error_in_the_middle_keeps_what_is_done_and_shows(
    weights, recordings, stopped_at_b
):
    stopped_at_b(MemoryError("out of memory"))

    result = run("embed", "a.wav", "b.wav", "--model", weights, "-o", "x.npz")

    assert isinstance(result.exception, MemoryError)
    assert Collection.load("x.npz").names == ("a.wav",)


def test_ctrl_c_before_the_first_embedding_writes_nothing(
    weights, recordings, stopped_at_b
):
    stopped_at_b(KeyboardInterrupt())

    result = run("embed", "b.wav", "a.wav", "--model", weights, "-o", "x.npz")

    assert result.exit_code == 130
    assert "Stopped: nothing was done yet" in result.stderr
    assert not (recordings / "x.npz").exists()
