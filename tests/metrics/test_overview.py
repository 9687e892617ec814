"""All figures at once: each as it is alone, and what there is when there is nothing."""

import json

import numpy as np
import pytest

from bob.learn.pytorch import metrics
from bob.learn.pytorch.metrics import figures, find_costs


@pytest.fixture
def tied():
    random = np.random.default_rng(7)
    targets = random.normal(1.5, 1, 3000).round(1)
    return targets, random.normal(-0.5, 1, 40_000).round(1)


def test_every_figure_is_what_it_is_alone(tied):
    found = figures(*tied, cost=find_costs("sre16"))

    assert (found.targets, found.non_targets, found.failures) == (3000, 40_000, 0)
    assert found.eer == metrics.equal_error_rate(*tied)
    assert found.eer_threshold == metrics.equal_error_threshold(*tied)
    assert found.rocch_eer == pytest.approx(metrics.rocch_equal_error_rate(*tied))
    assert found.cllr == metrics.cllr(*tied)
    assert found.min_cllr == pytest.approx(metrics.min_cllr(*tied), abs=1e-13)
    for cost in found.costs:
        prior = cost.cost.p_target
        point = metrics.min_dcf_point(*tied, p_target=prior)
        assert cost.min_dcf == pytest.approx(metrics.min_dcf(*tied, p_target=prior))
        assert cost.min_dcf_threshold == point.threshold
        assert cost.act_dcf == metrics.act_dcf(
            *tied, threshold=np.log((1 - prior) / prior), p_target=prior
        )
    assert found.min_dcf == pytest.approx(
        (metrics.min_dcf(*tied) + metrics.min_dcf(*tied, p_target=0.005)) / 2
    )
    assert found.act_dcf >= found.min_dcf


def test_json_has_the_agreed_names_and_their_definitions(tied):
    content = figures(*tied).as_dict()

    agreed = "eer rocch_eer min_dcf act_dcf cllr min_cllr targets non_targets failures"
    assert set(agreed.split()) <= set(content)
    assert content["definitions"]["cost"] == "P_target 0.01"
    assert content["costs"][0]["cost"] == {"p_target": 0.01, "c_miss": 1, "c_fa": 1}
    assert json.loads(json.dumps(content, allow_nan=False)) == content


@pytest.mark.parametrize(
    ("targets", "non_targets", "counts"),
    [
        ([1.0, 2.0], [], (2, 0, 0)),
        ([], [1.0], (0, 1, 0)),
        ([], [], (0, 0, 0)),
        ([np.nan], [1.0, np.nan], (0, 1, 2)),
    ],
)
def test_one_kind_alone_gives_counts_and_nan(targets, non_targets, counts):
    found = figures(targets, non_targets)

    assert (found.targets, found.non_targets, found.failures) == counts
    assert np.isnan([found.eer, found.rocch_eer, found.cllr, found.min_cllr]).all()
    assert np.isnan([found.min_dcf, found.act_dcf, found.eer_threshold]).all()
    assert found.as_dict()["eer"] is None


def test_one_trial_of_each_kind():
    right, wrong, equal = (
        figures([1.0], [-1.0]),
        figures([-1.0], [1.0]),
        figures([0], [0]),
    )

    assert (right.eer, wrong.eer, equal.eer) == (0, 1, 0.5)
    assert (right.min_dcf, wrong.min_dcf, equal.min_dcf) == (0, 1, 1)
    assert (right.min_cllr, wrong.min_cllr, equal.min_cllr) == (0, 1, 1)


def test_an_infinite_error_is_no_number_of_json():
    found = figures([-np.inf, 1.0], [0.0])

    assert found.cllr == np.inf
    assert found.as_dict()["cllr"] is None
