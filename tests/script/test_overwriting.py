"""Commands that would overwrite what they read say so, and nothing is changed."""

import os
from pathlib import Path

import click
import numpy as np
import pytest
from commands import refused, run
from files import from_json
from stores import store

from bob.learn.pytorch.script.door import refuse_inputs


@pytest.fixture
def folder(tmp_path):
    """Stores, a list of trials, who speaks, and scores, in the current folder."""
    random = np.random.default_rng(0)
    names = [f"{who}/{take}" for who in "abcd" for take in range(2)]
    for path in ("st.h5", "others.h5"):
        store(path, {name: random.normal(size=3) for name in names})
    Path("list.txt").write_text("1 a/0 a/1\n0 a/0 b/0\n")
    Path("out.json").write_text("list")
    Path("utt2spk.npz").write_text("".join(f"{name} {name[0]}\n" for name in names))
    for number, path in enumerate(("dev", "two", "scores.json")):
        Path(path).write_text(
            "".join(f"a {'ab'[n % 2]} p{n} {(n * 7 + number) % 5}\n" for n in range(20))
        )
    Path("dev.json").write_text("{}")
    Path("kaldi").mkdir()
    Path("kaldi/trials").write_text("a/0 a/1 target\n")
    return tmp_path


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("command", "named"),
    [
        ("score st.h5 list.txt -o st.h5", "st.h5 itself"),
        ("score st.h5 list.txt -o list.txt", "list.txt itself"),
        ("score st.h5 list.txt -o ./kaldi/../list.txt", "list.txt, which"),
        ("score st.h5 out.json -o out", "out.json itself"),
        ("score st.h5 list.txt -o others.h5 --subtract-mean others.h5", "others.h5"),
        ("score st.h5 list.txt -o utt2spk.npz --plda utt2spk.npz", "utt2spk.npz"),
        ("score st.h5 kaldi -o kaldi/trials", "nothing says that it is a result"),
        ("score st.npy --all -o st.npy", "st.npy itself"),
        ("score st.npy.names --all -o st.npy", "st.npy.names itself"),
        ("score-norm st.h5 list.txt --cohort others.h5 -o others.h5", "others.h5 its"),
        (
            "score-norm st.h5 list.txt --cohort others.h5 --cohort-speakers "
            "utt2spk.npz -o utt2spk.npz",
            "utt2spk.npz itself",
        ),
        ("plda train st.h5 --speakers utt2spk.npz -o utt2spk.npz", "utt2spk.npz its"),
        ("calibrate dev -o dev", "dev itself"),
        ("calibrate dev -o dev.json", "dev.json itself"),
        ("calibrate dev two -o two --into new", "two itself"),
        ("calibrate dev --trials list.txt -o list.txt", "list.txt itself"),
        ("calibrate two -o two.json", "two.json is the place of"),
        ("calibrate scores.json -o new/scores.json --into new", "one of the results"),
        ("calibrate dev --use kaldi/dev --into kaldi", "kaldi/dev itself"),
        ("fuse dev two -o dev", "dev itself"),
        ("fuse dev two -o two", "two itself"),
        ("fuse dev two --eval scores.json --eval two -o scores.json", "scores.json it"),
        ("fuse dev two --into .", "dev itself"),
    ],
)
def test_no_input_is_overwritten(folder, command, named):
    for path in ("st.npy", "st.npy.names", "kaldi/dev"):
        Path(path).write_bytes(Path("st.h5").read_bytes())
    before = contents(folder)

    said = refused(*command.split(), status=2)

    assert named in " ".join(said.split())
    assert "write into another" in said or "give another" in said
    assert contents(folder) == before


@pytest.mark.parametrize("link", [os.link, os.symlink])
def test_links_are_what_they_lead_to(folder, link):
    link("list.txt", "other.txt")

    with pytest.raises(click.UsageError, match=r"list.txt, which other.txt is, would"):
        refuse_inputs([Path("other.txt")], [None, Path("st.h5"), Path("list.txt")])


def test_results_may_be_made_again_beside_their_trials(folder):
    """Scores in the folder of a protocol are no part of it."""
    for _ in range(2):
        result = run("score", "st.h5", "kaldi/trials", "-o", "kaldi/scores")
        assert result.exit_code == 0, result.output
    Path("kaldi/scores").write_text("changed")
    again = run("score", "st.h5", "kaldi", "-o", "kaldi/scores")

    assert "would be overwritten" not in again.output
    assert from_json("kaldi/scores.json")["trials"]
