"""Several systems on the same trials."""

import math

import numpy as np
import pytest

from bob.learn.pytorch.calibration import CalibrationError, fit_fusion, fused


def two_systems(seed, trials=20_000):
    """Independent N(+-1, 1): each has the ratio 2 s, both together the sum."""
    random = np.random.default_rng(seed)
    return [
        {name: random.normal(centre, 1, trials) for name in ("a", "b")}
        for centre in (1, -1)
    ]


def test_independent_systems_add_up():
    targets, non_targets = two_systems(0)

    fusion = fit_fusion(targets, non_targets, provenance={"dev": "made"})

    assert fusion.columns == ("a", "b")
    assert fusion.weights == pytest.approx((2, 2), rel=0.05)
    assert fusion.offset == pytest.approx(0, abs=0.05)
    assert fusion.provenance == {"dev": "made"}


def test_systems_are_known_by_name_and_not_by_place():
    targets, non_targets = two_systems(1)
    fusion = fit_fusion(
        {"a": targets["a"], "b": 100 * targets["b"]},
        # The other way round:
        {"b": 100 * non_targets["b"], "a": non_targets["a"]},
    )

    found = fused(fusion, {"b": [100.0], "a": [-1.0]})

    weights = dict(zip(fusion.columns, fusion.weights, strict=True))
    assert found == pytest.approx([100 * weights["b"] - weights["a"] + fusion.offset])
    assert 100 * weights["b"] == pytest.approx(weights["a"], rel=0.1)


def test_fusion_errs_less_than_either_system():
    """Phi(-sqrt(2)) = 0.079 against Phi(-1) = 0.159."""
    fusion = fit_fusion(*two_systems(2))
    targets, non_targets = (fused(fusion, side) for side in two_systems(3))

    errors = ((targets < 0).mean() + (non_targets >= 0).mean()) / 2

    assert errors == pytest.approx(math.erfc(1) / 2, abs=0.004)


def test_one_system_is_a_calibration():
    targets, non_targets = two_systems(4)

    fusion = fit_fusion({"a": targets["a"]}, {"a": non_targets["a"]})

    assert fused(fusion, {"a": [0.0, 1.0]}).shape == (2,)
    assert fusion.weights[0] == pytest.approx(2, rel=0.1)


def test_a_trial_that_failed_for_one_system_is_nan_for_both():
    targets, non_targets = two_systems(5, trials=50)
    targets["b"][7] = np.nan

    fusion = fit_fusion(targets, non_targets)

    assert fusion.trained_on.failures == 1
    assert np.flatnonzero(np.isnan(fused(fusion, targets))).tolist() == [7]


def test_systems_and_trials_must_be_the_same():
    targets, non_targets = two_systems(6, trials=9)
    with pytest.raises(
        CalibrationError, match="scores of a, but expected those of a, b"
    ):
        fit_fusion(targets, {"a": non_targets["a"]})
    with pytest.raises(CalibrationError, match="not scored the same trials: a"):
        fit_fusion(targets, {**non_targets, "b": non_targets["b"][1:]})
    with pytest.raises(CalibrationError, match="at least one"):
        fit_fusion({}, {})
    with pytest.raises(CalibrationError, match="a, c"):
        fused(fit_fusion(*two_systems(7)), {"a": [1.0], "c": [1.0]})
