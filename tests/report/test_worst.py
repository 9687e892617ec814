"""The worst trials, worst first."""

import numpy as np

from bob.learn.pytorch.report.page_parts import worst_trials


def test_the_worst_trials_come_worst_first_and_failed_ones_never(table):
    trials = table(noise=2.0, failed=[0])

    non_targets, targets = worst_trials(trials, 4)

    expected = np.sort(trials.non_targets[~np.isnan(trials.non_targets)])[::-1][:4]
    assert non_targets.score.tolist() == expected.tolist()
    expected = np.sort(trials.targets[~np.isnan(trials.targets)])[:4]
    assert targets.score.tolist() == expected.tolist()
    assert targets.is_target.all()
    assert not non_targets.is_target.any()
    assert [len(part) for part in worst_trials(trials, 0)] == [0, 0]
