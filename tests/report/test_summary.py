"""The figures of an experiment, in words and in JSON."""

import json

import numpy as np
import pytest
from score_tables import made_up, table

from bob.learn.pytorch.metrics import equal_error_rate, evaluate, min_dcf
from bob.learn.pytorch.report.experiment_report import summary_as_dict, summary_as_text


def test_figures_and_counts():
    table = made_up()
    table.score[:3] = np.nan

    summary = evaluate(table)

    kept = ~np.isnan(table.score)
    scores = table.score[kept & table.is_target], table.score[kept & ~table.is_target]
    assert (summary.targets, summary.non_targets) == tuple(map(len, scores))
    assert summary.failures == 3
    assert summary.failure_to_acquire == 3 / len(table)
    assert summary.speakers == 24
    assert summary.eer == equal_error_rate(*scores)
    assert summary.min_dcf == pytest.approx(min_dcf(*scores))
    assert summary.intervals["eer"].low < summary.eer < summary.intervals["eer"].high
    assert summary.rocch_eer <= summary.eer
    assert summary.intervals["min_dcf"].low <= summary.min_dcf


def test_the_threshold_of_dev_is_applied_to_eval():
    """By hand: the dev scores part best at 1.5; eval has errors on both sides."""
    dev = table([[2.0, 1.0], [0.0, 3.0]], [0, 1])
    evaluation = table([[1.0, 9.0], [0.0, 3.0]], [0, 1])

    threshold = evaluate(evaluation, dev=dev).dev

    assert threshold.dev.threshold == 1.5
    assert threshold.dev.half_total_error_rate == 0
    assert threshold.here.false_match_rate == 0.5
    assert threshold.here.false_non_match_rate == 0.5


def test_few_errors_bring_the_rule_of_thirty():
    few = evaluate(made_up(gap=3.5))
    many = evaluate(made_up(speakers=40, probes_each=100, gap=2.5), resamples=9)

    assert "Doddington's rule of 30" in summary_as_text(few)
    assert "x false non-match at the EER" in summary_as_text(few)
    assert "rule of 30" not in summary_as_text(many)


def test_no_error_brings_the_rule_of_three():
    summary = evaluate(made_up(gap=50))

    assert summary.eer == 0
    assert "240 independent trials the true rate may be up to" in " ".join(
        summary_as_text(summary).split()
    )
    assert "1.250 %" in summary_as_text(summary)


def test_text_is_in_percent_and_json_in_fractions():
    table = made_up()

    summary = evaluate(table, dev=made_up(seed=1))

    content = summary_as_dict(summary)
    assert f"{100 * summary.eer:.3f} %" in summary_as_text(summary)
    assert content["eer"] == summary.eer
    assert content["eer_interval"]["level"] == 0.95
    assert content["definitions"]["min_dcf"] == (
        "normalised, p_target 0.01, c_miss 1, c_fa 1"
    )
    rates = content["dev_threshold"]["eval"]
    assert rates["half_total_error_rate"] == pytest.approx(
        (rates["false_match_rate"] + rates["false_non_match_rate"]) / 2
    )
    assert json.loads(json.dumps(content, allow_nan=False)) == content


def test_text_is_aligned_and_narrow():
    text = summary_as_text(evaluate(made_up(), dev=made_up(seed=1)))

    lines = text.splitlines()
    assert max(map(len, lines)) <= 79
    assert not any(line.endswith(" ") for line in lines)
    assert lines[:2] == [
        "target trials               240",
        "non-target trials         5,520",
    ]


def test_trials_of_one_kind_give_no_rate_but_a_reason():
    table = made_up(speakers=1)

    summary = evaluate(table, dev=table)

    assert np.isnan([summary.eer, summary.min_dcf, summary.rocch_eer]).all()
    assert summary.dev is None
    assert (
        json.loads(json.dumps(summary_as_dict(summary), allow_nan=False))["eer"] is None
    )
    assert "0 non-target trials have a score" in " ".join(
        summary_as_text(summary).split()
    )
    assert "no threshold from the development set" in summary_as_text(summary)


def test_eval_of_one_kind_keeps_the_rate_it_has():
    threshold = evaluate(made_up(speakers=1, gap=50), dev=made_up()).dev

    assert np.isnan(threshold.here.false_match_rate)
    assert threshold.here.false_non_match_rate == 0


def test_nothing_but_failures_still_gives_a_summary():
    table = made_up()
    table.score[:] = np.nan

    summary = evaluate(table)

    assert summary.failure_to_acquire == 1
    assert "none" in summary_as_text(summary)
