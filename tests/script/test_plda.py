"""`bob pytorch plda`: models of stored embeddings, and scores by them."""

from pathlib import Path

import numpy as np
import pytest
from commands import done, refused, run
from scipy.stats import multivariate_normal
from stores import MADE_BY, store

from bob.learn.pytorch.scorefiles import read_scores
from bob.learn.pytorch.store.store import EmbeddingStore


@pytest.fixture
def many():
    """Thirty speakers with four recordings each, in three dimensions."""
    random = np.random.default_rng(1)
    speakers = random.normal(size=(30, 3)) * [3, 2, 1]
    return {
        f"s{who:02}-{take}": speakers[who] + random.normal(size=3)
        for who in range(30)
        for take in range(4)
    }


def test_plda_is_the_ratio_of_two_normal_densities(many):
    """By SciPy: of (enrolment, probe) with a shared speaker, and without one."""
    store("many.h5", many)
    with Path("utt2spk").open("w") as file:
        file.writelines(f"{name} {name[:3]}\n" for name in many)

    output = done(
        "plda", "train", "many.h5", "-o", "p.npz", "--speakers", "utt2spk",
        "--length", "none",
    )  # fmt: skip
    Path("list.txt").write_text("s00-0 s00-1 target\ns00-0 s01-0 nontarget\n")
    done("score", "many.h5", "list.txt", "-o", "out", "--plda", "p.npz")

    assert output.startswith("120 recordings of 30 speakers (0 left out) made p.npz")
    with np.load("p.npz") as model:
        between, within = model["between"], model["within"]
        middle = model["model_mean"] + model["projection"] @ model["mean"]
    total = between + within
    one = np.block([[total, between], [between, total]])
    table = read_scores("out")
    for first, second, score in zip(
        table.model.tolist(), table.probe.tolist(), table.score.tolist(), strict=True
    ):
        pair = [np.float32(many[name]) for name in (first, second)]
        expected = multivariate_normal(np.tile(middle, 2), one).logpdf(np.hstack(pair))
        expected -= sum(multivariate_normal(middle, total).logpdf(x) for x in pair)
        assert score == pytest.approx(expected, abs=1e-5)


def test_plda_takes_the_speakers_that_a_store_keeps(many):
    store("many.h5", many)
    Path("utt2spk").write_text("".join(f"{name} {name[:3]}\n" for name in many))
    arguments = ("plda", "train", "many.h5", "--length", "none", "-o")
    done(*arguments, "p.npz", "--speakers", "utt2spk")

    nobody = run(*arguments, "q.npz")
    with EmbeddingStore.open("many.h5", fingerprint=MADE_BY) as opened:
        opened.renew({}, {name: name[:3] for name in many})
    done(*arguments, "q.npz")

    assert "does not say who speaks; give --speakers" in nobody.output
    assert Path("p.npz").read_bytes() == Path("q.npz").read_bytes()


def test_plda_takes_a_folder_whose_outer_folders_are_sessions(many):
    paths = {name: Path("rooms", name[4:], name[:3], f"{name}.wav") for name in many}
    store("many.h5", {str(paths[name]): row for name, row in many.items()})
    for path in paths.values():
        path.parent.mkdir(parents=True)
        path.touch()
    arguments = ("plda", "train", "many.h5", "--length", "none", "-o", "p.npz")

    output = done(*arguments, "--speakers", "rooms", "--layout", "session/speaker")

    assert output.startswith("120 recordings of 30 speakers (0 left out) made p.npz")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("nobody s00\n", "names the speaker of no recording in many.h5"),
        ("s00-0\n", "utt2spk:1"),
        ("s00-0 s00\ns01-0 s01\n", "do not show how"),
    ],
)
def test_plda_needs_speakers_with_several_recordings(many, lines, message):
    store("many.h5", many)
    Path("utt2spk").write_text(lines)

    assert message in refused(
        "plda", "train", "many.h5", "-o", "p.npz", "--speakers", "utt2spk", status=1
    )
    assert not Path("p.npz").exists()
