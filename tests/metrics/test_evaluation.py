"""One evaluation of scores: numbers, intervals, doubts, and how it shows itself."""

import json
import pickle

import numpy as np
import pytest
import score_tables
from pages import Elements

from bob.learn.pytorch import metrics
from bob.learn.pytorch.metrics import MetricError, evaluate


def table(speakers=12, seed=0, gap=3.0):
    random = np.random.default_rng(seed)
    names = [f"<s{number}>" for number in range(speakers)]
    owner = score_tables.owners(speakers, 4)
    same = np.arange(speakers)[:, None] == owner
    scores = gap * same + random.standard_normal(same.shape)
    return score_tables.table(scores, owner, names=names)


def test_attributes_are_the_figures_of_the_metrics():
    trials = table()

    found = evaluate(trials, resamples=20)

    kinds = trials.targets, trials.non_targets
    assert type(found.eer) is float
    assert found.eer == metrics.equal_error_rate(*kinds)
    assert found.min_dcf == pytest.approx(metrics.min_dcf(*kinds))
    assert found.cllr == metrics.cllr(*kinds)
    assert found.min_cllr == pytest.approx(metrics.min_cllr(*kinds))
    assert found.intervals["eer"].low <= found.eer <= found.intervals["eer"].high
    assert found.speakers == 12
    assert pickle.loads(pickle.dumps(found)) == found  # noqa: S301 - made here


def test_scores_without_names_have_figures_and_no_intervals():
    trials = table()

    named = evaluate(trials, resamples=0)
    found = evaluate((trials.targets, trials.non_targets))

    assert found.intervals == {}
    assert found.speakers is None
    assert (found.eer, found.cllr, found.costs) == (named.eer, named.cllr, named.costs)
    with pytest.raises(MetricError, match="trials with names"):
        evaluate((trials.targets, trials.non_targets), versus={"b": trials})


def test_a_rate_that_dev_leaves_open_is_nan_and_a_doubt():
    alone = table(speakers=1)

    found = evaluate(alone, dev=table(seed=1))

    assert np.isnan(found.dev.here.false_match_rate)
    assert np.isnan(found.hter)
    assert [doubt.kind for doubt in found.doubts] == ["missing", "dev"]


def test_a_notebook_shows_a_table_and_a_curve_and_needs_nothing_else():
    text = evaluate(table(), resamples=20)._repr_html_()

    elements = Elements(text)
    tags = [tag for tag, _ in elements.found]
    assert tags.count("svg") == tags.count("table") == 1
    assert not {"style", "script", "link", "img"} & set(tags)
    assert "class=" not in text
    assert "EER" in elements.words
    assert any(" to " in word for word in elements.words)


def test_a_notebook_shows_a_reason_where_there_is_no_curve():
    elements = Elements(evaluate(table(speakers=1))._repr_html_())

    assert "svg" not in [tag for tag, _ in elements.found]
    assert any(word.startswith("No error rate") for word in elements.words)


def test_everything_goes_into_json():
    found = evaluate(table(), dev=table(seed=1), resamples=5).with_points(at_fmr=[0.01])

    content = json.loads(json.dumps(found.as_dict(), allow_nan=False))

    assert content["eer"] == found.eer
    assert list(content["points"]) == ["FNMR at FMR <= 0.01"]
    assert content["dev_threshold"]["here"]["half_total_error_rate"] == found.hter
