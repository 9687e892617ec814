"""One score file gets one answer: from both commands and from Python."""

import csv
import io

import numpy as np
import pytest
from commands import done, reported

from bob.learn.pytorch import metrics
from bob.learn.pytorch.metrics import ScoreTable
from bob.learn.pytorch.scorefiles import read_scores, write_scores
from bob.learn.pytorch.scorefiles.evaluating import evaluate

FIGURES = ("eer", "min_dcf", "act_dcf", "cllr", "min_cllr")


def many_scores(recordings):
    """Twenty speakers; each recording is a reference and a probe."""
    random = np.random.default_rng(3)
    names = [f"r{number}" for number in range(recordings)]
    owners = [f"speaker{number % 20}" for number in range(recordings)]
    same = np.equal.outer(owners, owners)
    return ScoreTable.from_matrix(
        (4 * same - 3 + 2 * random.standard_normal(same.shape)).round(4),
        references=names,
        reference_subjects=owners,
        probes=names,
        probe_subjects=owners,
    )


@pytest.mark.parametrize("recordings", [40, 317])
def test_both_commands_and_python_give_the_same_intervals(tmp_path, recordings):
    """Also of 100,489 trials, which `report` drew less often than `metrics`."""
    write_scores(tmp_path / "scores", many_scores(recordings))

    said = reported("metrics", "scores")
    (row,) = csv.DictReader(io.StringIO(done("report", "scores", "--csv")))
    found = evaluate("scores")
    of_table = metrics.evaluate(read_scores("scores"))

    assert found.intervals == of_table.intervals
    for name in FIGURES:
        interval = found.intervals[name]
        assert interval.resamples == 1000
        assert said["intervals"][name]["low"] == interval.low
        assert said["intervals"][name]["high"] == interval.high
        assert row[f"{name}_low"] == f"{interval.low:.10g}"
        assert row[f"{name}_high"] == f"{interval.high:.10g}"
        assert said[name] == getattr(found, name)
        assert row[name] == f"{getattr(found, name):.10g}"
