"""What stands beside a score file."""

import pytest

from bob.learn.pytorch.evaluation.origins import is_calibrated, made_alike
from bob.learn.pytorch.verification.rescoring import MEASURE


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
