"""What stands beside a score file."""

import pytest

from bob.learn.pytorch.report.origins import is_calibrated, made_alike
from bob.learn.pytorch.scorefiles.rescoring import MEASURE


@pytest.mark.parametrize(
    ("origin", "known"),
    [
        ({}, None),
        ({"measure": "cosine"}, False),
        ({"measure": f"{MEASURE} of cosine"}, True),  # as verify.py calibrates
        ({"measure": "cosine", "meaning": "natural log-likelihood ratios"}, True),
    ],
)
def test_calibrated_scores_are_known_by_what_they_mean(origin, known):
    assert is_calibrated(origin) is known


def test_scores_of_another_model_are_not_made_alike():
    one = {"made_by": {"model": "a"}, "group": "dev"}

    assert made_alike(one, {**one, "group": "eval"})
    assert made_alike(one, {})
    assert not made_alike(one, {"made_by": {"model": "b"}})
    assert not made_alike({**one, "enrolment": "mean"}, {**one, "enrolment": "max"})


def fitted(what, path, digest=None, trained="d1"):
    told = {"measure": "x", what: path, f"{what} trained on": {"sha256": trained}}
    return told | ({f"{what} sha256": digest} if digest else {})


@pytest.mark.parametrize("what", ["calibration", "fusion"])
def test_a_calibration_or_fusion_is_known_by_its_content_and_no_path(what):
    first = fitted(what, "t1.json", "a")

    assert made_alike(first, fitted(what, "/work/t1.json", "a"))
    assert not made_alike(first, fitted(what, "t1.json", "b"))
    assert not made_alike(first, {"measure": "x"})


@pytest.mark.parametrize("what", ["calibration", "fusion"])
def test_without_a_hash_the_scores_that_it_was_fitted_on_count(what):
    old = fitted(what, "t1.json")

    assert made_alike(old, fitted(what, "/work/t1.json", "a"))
    assert not made_alike(old, fitted(what, "t1.json", trained="d2"))
