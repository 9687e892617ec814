"""What failed, and what failures do to the rates."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bob.learn.pytorch.metrics import (
    MetricError,
    ScoreTable,
    failures,
    operating_point,
)

NAMED = {
    "references": ["ann-1", "ann-2", "bob-1"],
    "reference_subjects": ["ann", "ann", "bob"],
    "probes": ["p", "q", "r", "s"],
    "probe_subjects": ["ann", "ann", "bob", "bob"],
}


@pytest.fixture
def table():
    """The reference ann-2 and the probe q failed, and the trial of bob-1 with s."""
    scores = np.arange(12.0).reshape(3, 4)
    scores[1], scores[:, 1], scores[2, 3] = np.nan, np.nan, np.nan
    return ScoreTable.from_matrix(scores, **NAMED)


def test_recordings_fail_where_all_their_trials_do(table):
    found = failures(table)

    assert (found.probes.failed, found.probes.total) == (1, 4)
    assert (found.references.failed, found.references.total) == (1, 3)
    assert (found.targets.failed, found.targets.total) == (4, 6)
    assert (found.non_targets.failed, found.non_targets.total) == (3, 6)
    assert found.probes.rate == 0.25


def test_names_without_a_trial_did_not_fail(table):
    found = failures(table.take(np.flatnonzero(table.claimed.codes == 1)))

    assert found.references.total == 1


def test_rates_of_all_reject_what_has_no_score(table):
    """By hand, with every failure written as minus infinity."""
    point = operating_point(table.targets, table.non_targets, threshold=2.5)
    written = np.nan_to_num(table.score, nan=-np.inf)

    false_accept, false_reject = failures(table).rates(point)

    assert false_accept == pytest.approx(np.mean(written[~table.is_target] >= 2.5))
    assert false_reject == pytest.approx(np.mean(written[table.is_target] < 2.5))


@given(
    st.lists(
        st.tuples(
            st.sampled_from(sorted(NAMED["references"])),
            st.sampled_from(sorted(NAMED["probes"])),
            st.sampled_from([0.0, 1.0, np.nan]),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_failures_counted_one_by_one(trials):
    subject = dict(zip(NAMED["references"], NAMED["reference_subjects"], strict=True))
    subject |= dict(zip(NAMED["probes"], NAMED["probe_subjects"], strict=True))
    references, probes, scores = zip(*trials, strict=True)
    kinds = [subject[a] == subject[b] for a, b, _ in trials]

    found = failures(
        ScoreTable.from_trials(
            scores,
            trials=(
                [NAMED["references"].index(name) for name in references],
                [NAMED["probes"].index(name) for name in probes],
            ),
            **NAMED,
        )
    )

    for share, wanted in ((found.targets, True), (found.non_targets, False)):
        some = [
            np.isnan(s) for s, kind in zip(scores, kinds, strict=True) if kind == wanted
        ]
        assert (share.failed, share.total) == (sum(some), len(some))
    for share, column in ((found.references, references), (found.probes, probes)):
        lost = [
            all(
                np.isnan(s)
                for s, other in zip(scores, column, strict=True)
                if other == name
            )
            for name in set(column)
        ]
        assert (share.failed, share.total) == (sum(lost), len(lost))


def test_no_trial_is_refused(table):
    with pytest.raises(MetricError, match="no trial"):
        failures(table.take(np.empty(0, int)))
