"""Notes of `bob pytorch score` on trials and recordings, kept for reports."""

from pathlib import Path

import pytest
from commands import done, reported
from files import from_json
from stores import EMBEDDINGS, store


@pytest.fixture(autouse=True)
def _folder():
    store("store.h5", EMBEDDINGS)


def listed(text):
    Path("list.txt").write_text(text)
    return "list.txt"


def test_a_recording_that_is_compared_with_itself_is_told_of():
    trials = listed("1 ann/1.wav ann/1.wav\n1 ann/2 ann/1\n0 bob/1 ann/1.wav\n")

    output = done("score", "store.h5", trials, "-o", "out")

    assert output.startswith(
        "3 scores are in out\n  1 trial compares a recording with itself, such as "
        "ann/1.wav with ann/1.wav: "
    )


def test_two_names_of_one_file_are_one_recording():
    Path("a").mkdir()
    Path("a/1.wav").write_bytes(b"1")
    Path("a/2.wav").symlink_to("1.wav")
    store("links.h5", {"a/1.wav": [3, 4], "a/2.wav": [3, 4], "b/1.wav": [4, 3]})
    trials = listed("1 a/1.wav a/2.wav\n0 a/1.wav b/1.wav\n")

    output = done("score", "links.h5", trials, "-o", "out")

    assert "1 trial compares a recording with itself, such as a/1.wav with" in output


@pytest.mark.parametrize("kind", ["target", "non-target"])
def test_scores_of_trials_of_one_kind_are_said_to_have_no_error_rate(kind):
    label = int(kind == "non-target")
    trials = listed(f"{label} ann/1 ann/2\n{label} ann/1 bob/1\n")

    output = done("score", "store.h5", trials, "-o", "out")

    assert f"there is no {kind} trial" in output


def test_short_recordings_of_the_trials_are_said_here_and_in_a_report():
    """Of the recordings that the trials name, and of no others."""
    short = store("short.h5", EMBEDDINGS, seconds=0.4)
    trials = ("1 ann/1.wav ann/2.wav", "0 ann/1.wav bob/1.wav")
    Path("list").write_text("\n".join(trials) + "\n")

    scored = reported("score", short, "list", "-o", "s")
    done("calibrate", "s", "--penalty", "0.1", "-o", "c.json")
    long = reported("score", "store.h5", "list", "-o", "t")

    note = scored["notes"][-1]
    assert note.startswith("3 of 3 recordings last less than 1 s, below which an embed")
    assert "/data/ann/1.wav (0.40 s)" in note
    for path in ("s", "calibrated/s"):
        assert note in " ".join(done("report", path, "--resamples", "0").split())
    assert not any("last less" in one for one in long["notes"])
    assert "notes" not in from_json("c.json")["provenance"]
