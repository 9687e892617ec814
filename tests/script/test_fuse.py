"""`bob pytorch fuse` against scikit-learn."""

from pathlib import Path

import numpy as np
import pytest
from commands import done, refused, reported
from files import from_json
from sklearn.linear_model import LogisticRegression

from bob.learn.pytorch.scorefiles import read_scores

TARGETS = 60


def write(path, scores, order=None):
    lines = [
        f"{'ann' if n < TARGETS else 'bob'} m{n} ann p{n} {score!r}\n"
        for n, score in enumerate(scores.tolist())
    ]
    Path(path).parent.mkdir(exist_ok=True)
    Path(path).write_text("".join(lines[n] for n in (order or range(len(lines)))))


@pytest.fixture(autouse=True)
def systems():
    """Group -> (trials, 2); those of the second system are written backwards."""
    found = {}
    for seed, group in enumerate(("dev", "eval")):
        random = np.random.default_rng(seed)
        scores = random.normal(size=(200, 2)) + (np.arange(200) < TARGETS)[:, None] * 2
        found[group] = scores
        write(f"one/scores-{group}", scores[:, 0])
        write(f"two/scores-{group}", scores[:, 1], order=list(range(200))[::-1])
    return found


def test_two_systems_are_weighed(systems):
    report = reported(
        "fuse",
        "one/scores-dev",
        "two/scores-dev",
        "--eval",
        "one/scores-eval",
        "--eval",
        "two/scores-eval",
        "--name",
        "one",
        "--name",
        "two",
    )

    kinds = np.arange(200) < TARGETS
    fit = LogisticRegression(
        C=1e9, tol=1e-10, class_weight="balanced", solver="newton-cholesky"
    )
    fit.fit(systems["dev"], kinds)
    stored = from_json("fusion.json")
    assert stored["columns"] == ["one", "two"]
    assert stored["weights"] == pytest.approx(fit.coef_[0], rel=1e-4)
    assert stored["offset"] == pytest.approx(fit.intercept_[0], rel=1e-4)
    expected = fit.decision_function(systems["eval"])
    assert read_scores("fused/scores-eval").score == pytest.approx(expected, abs=1e-3)
    assert read_scores("fused/scores-dev").model.tolist()[:2] == ["m0", "m1"]
    assert [file["before"] for file in report["files"]] == [None, None]


def test_a_trial_that_failed_for_one_fails(systems):
    scores = systems["dev"][:, 1].copy()
    scores[3] = np.nan
    write("two/scores-dev", scores)

    done("fuse", "one/scores-dev", "two/scores-dev", "-o", "f/fusion.json")

    assert np.isnan(read_scores("f/fused/scores-dev").score).nonzero()[0].tolist() == [
        3
    ]
    fit = from_json("f/fusion.json")
    assert fit["trained_on"]["failures"] == 1
    assert fit["columns"] == ["one/scores-dev", "two/scores-dev"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["one/scores-dev"], "one system cannot be fused"),
        (["one/scores-dev", "short"], "not run on the same trials"),
        (["one/scores-dev", "one/scores-dev"], "1 different names for 2 systems"),
        (["one/scores-dev", "two/scores-dev", "--name", "a"], "give one --name each"),
        (
            ["one/scores-dev", "two/scores-dev", "--eval", "one/scores-eval"],
            "1 files to apply it to and 2 systems",
        ),
        (
            ["one/scores-dev", "copy", "--name", "a", "--name", "b"],
            "a and b have the same scores; leave one out",
        ),
    ],
)
def test_what_cannot_be_done_is_said(systems, arguments, message):
    Path("short").write_text("ann m0 ann p0 1\n")
    Path("copy").write_text(Path("one/scores-dev").read_text())

    assert message in refused("fuse", *arguments)
    assert not Path("fusion.json").exists()
    assert not Path("fused").exists()


def test_a_negative_weight_is_said_and_held_to_the_range_of_training(systems):
    """The second system measures what misleads the first."""
    random = np.random.default_rng(3)
    noise = random.normal(size=200)
    one = noise + random.normal(0, 0.5, 200) + (np.arange(200) < TARGETS) * 2
    write("dev-one", one)
    write("dev-two", noise)
    write("far-one", one)
    write("far-two", noise - 50)

    fitted = reported("fuse", "dev-one", "dev-two")["notes"]
    used = reported(
        "fuse", "--use", "fusion.json", "far-one", "far-two", "--into", "far"
    )["notes"]

    assert any(note.startswith("the weight of dev-two is neg") for note in fitted)
    beyond = "of far-one, in 200 of 200 trials the score of dev-two lies outside of"
    assert used[0].startswith(beyond)
    scores = read_scores("far/far-one").score
    fusion = from_json("fusion.json")
    expected = fusion["offset"] + np.dot(
        fusion["weights"], [one, np.full(200, noise.min())]
    )
    assert scores == pytest.approx(expected, rel=1e-4, abs=1e-4)
