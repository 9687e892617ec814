"""Normalised scores, against the textbook: one trial and one cohort score at a time."""

import statistics

import numpy as np
import pytest

from bob.learn.pytorch.scoring import (
    CohortStatistics,
    against_cohort,
    as_norm,
    cohort_statistics,
    cosine,
    normalisation,
    s_norm,
    speaker_means,
    t_norm,
    z_norm,
    zt_norm,
)

REFERENCES, PROBES, COHORT, TOP = 7, 9, 40, 12


@pytest.fixture
def embeddings():
    random = np.random.default_rng(0)
    return [random.normal(0.3, 1, (n, 16)) for n in (REFERENCES, PROBES, COHORT)]


def angle(a, b):
    return float(a @ b / np.sqrt(a @ a) / np.sqrt(b @ b))


@pytest.fixture
def by_hand(textbook):
    def scores(references, probes, others, *, method, top=None):
        cohort = textbook.cohort(others)
        return [
            [
                textbook.normalised(method, angle, reference, probe, cohort, top=top)
                for probe in probes
            ]
            for reference in references
        ]

    return scores


def agree(found, expected):
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


def test_z_norm_is_the_textbook_s(embeddings, by_hand):
    references, probes, others = embeddings

    found = z_norm(cosine(references, probes), against_cohort(references, others))

    agree(found, by_hand(*embeddings, method="z-norm"))


def test_t_norm_is_the_textbook_s(embeddings, by_hand):
    references, probes, others = embeddings

    found = t_norm(cosine(references, probes), against_cohort(probes, others))

    agree(found, by_hand(*embeddings, method="t-norm"))


def test_s_norm_is_the_textbook_s(embeddings, by_hand):
    references, probes, others = embeddings

    found = s_norm(
        cosine(references, probes),
        references=against_cohort(references, others),
        probes=against_cohort(probes, others),
    )

    agree(found, by_hand(*embeddings, method="s-norm"))


@pytest.mark.parametrize("block", [1, 100, 10**6])
@pytest.mark.parametrize("top", [2, TOP, COHORT])
def test_adaptive_s_norm_is_the_textbook_s(
    embeddings, by_hand, block, top, monkeypatch
):
    monkeypatch.setattr(normalisation, "BLOCK_SCORES", block)
    references, probes, others = embeddings

    found = as_norm(references, probes, cohort=others, top=top)

    agree(found, by_hand(*embeddings, method="as-norm", top=top))


def test_listed_pairs_are_entries_of_the_matrix(embeddings):
    references, probes, others = embeddings
    pairs = [6, 0, 0, 3], [8, 8, 1, 0]

    found = as_norm(references, probes, cohort=others, top=TOP, pairs=pairs)

    agree(found, as_norm(references, probes, cohort=others, top=TOP)[pairs])
    raw = cosine(references, probes)
    stats = against_cohort(references, others)
    agree(z_norm(raw[pairs], stats, pairs=pairs), z_norm(raw, stats)[pairs])
    stats = against_cohort(probes, others)
    agree(t_norm(raw[pairs], stats, pairs=pairs), t_norm(raw, stats)[pairs])


def test_recordings_on_both_sides_meet_the_cohort_once(embeddings, monkeypatch):
    references, _, others = embeddings
    twice = as_norm(references, references.copy(), cohort=others, top=TOP)
    met = []

    def counted(*given, **options):
        met.append(given)
        return against_cohort(*given, **options)

    monkeypatch.setattr(normalisation, "against_cohort", counted)

    once = as_norm(references, references, cohort=others, top=TOP)

    np.testing.assert_array_equal(once, twice)
    assert len(met) == 1


def test_zt_norm_is_the_textbook_s(embeddings, by_hand):
    """A, B, C and D as in Bob; of one cohort, a speaker is left out of its own row."""
    references, probes, others = embeddings
    scores = cosine(references, probes)
    of_references = cosine(references, others)
    of_probes = cosine(others, probes)
    of_cohort = cosine(others, others)
    same = np.eye(COHORT, dtype=bool)
    expected = np.array(by_hand(*embeddings, method="zt-norm"))

    found = zt_norm(
        scores,
        references=cohort_statistics(of_references),
        cohort_references=cohort_statistics(np.where(same, np.nan, of_cohort)),
        cohort_probe_scores=of_probes,
    )

    agree(found, expected)
    pairs = [1, 5], [8, 0]
    sparse = zt_norm(
        scores[pairs],
        references=cohort_statistics(of_references),
        cohort_references=cohort_statistics(np.where(same, np.nan, of_cohort)),
        cohort_probe_scores=of_probes,
        pairs=pairs,
    )
    agree(sparse, expected[pairs])


def test_any_scale_and_shift_of_the_scores_is_undone(embeddings):
    references, probes, others = embeddings

    def normalised(change):
        return s_norm(
            change(cosine(references, probes)),
            references=cohort_statistics(change(cosine(references, others)), top=TOP),
            probes=cohort_statistics(change(cosine(probes, others)), top=TOP),
        )

    agree(
        normalised(lambda scores: 100 * scores - 7), normalised(lambda scores: scores)
    )


def test_a_failed_recording_of_the_cohort_is_left_out(embeddings):
    references, probes, others = embeddings
    broken = np.concatenate([others, np.full((1, 16), np.nan)])

    found = as_norm(references, probes, cohort=broken, top=TOP)

    agree(found, as_norm(references, probes, cohort=others, top=TOP))


def test_a_failed_recording_of_a_trial_normalises_to_nan(embeddings):
    references, probes, others = embeddings
    expected = as_norm(references, probes, cohort=others, top=TOP)
    references[2] = np.nan
    expected[2] = np.nan

    agree(as_norm(references, probes, cohort=others, top=TOP), expected)


@pytest.mark.parametrize("row", [[1.0], [0.1] * 7, [np.nan, 1.0], [np.nan] * 3])
def test_a_cohort_without_spread_normalises_to_nan(row):
    assert np.isnan(z_norm([[1.0, 2.0]], cohort_statistics([row]))).all()


def test_tied_scores_at_the_edge_of_the_top_do_not_matter():
    """Of 3 2 2 2 1 the top 3 are 3 2 2, whichever of the twos."""
    stats = cohort_statistics([[2.0, 1, 3, 2, 2]], top=3)

    assert stats.mean == pytest.approx(7 / 3)
    assert stats.deviation == pytest.approx(statistics.pstdev([3, 2, 2]))


@pytest.mark.parametrize("top", [2, 30, 256])
@pytest.mark.parametrize(
    "order",
    [
        lambda scores: scores,
        np.round,  # hundreds of ties
        np.zeros_like,
        np.sort,
        # The sample sees the highest ones only, and then none of them.
        lambda scores: np.sort(scores)[:, ::-1].reshape(3, 16, 128)
        .transpose(0, 2, 1).reshape(3, -1),
        lambda scores: np.sort(scores).reshape(3, 16, 128)
        .transpose(0, 2, 1).reshape(3, -1),
    ],
)  # fmt: skip
def test_the_highest_of_a_large_cohort_are_those_of_sorting(order, top):
    scores = order(np.random.default_rng(5).normal(size=(3, 2048)))

    found = cohort_statistics(scores, top=top)

    highest = np.sort(scores, axis=1)[:, -top:]
    agree(found.mean, highest.mean(axis=1))
    spread = highest.std(axis=1)
    agree(found.deviation, np.where(spread > 0, spread, np.nan))


@pytest.mark.parametrize("top", [0, 1, 41])
def test_a_top_that_the_cohort_has_not_is_refused(embeddings, top):
    with pytest.raises(ValueError, match=f"top {top} of a cohort of 40"):
        as_norm(*embeddings[:2], cohort=embeddings[2], top=top)


def test_scores_that_do_not_fit_the_statistics_are_refused():
    stats = cohort_statistics([[1.0, 2.0]] * 3)
    with pytest.raises(ValueError, match="do not fit"):
        z_norm(np.ones((2, 3)), stats)
    with pytest.raises(ValueError, match="do not fit"):
        z_norm(np.ones(2), stats)
    with pytest.raises(ValueError, match="do not fit"):
        t_norm(np.ones(2), stats, pairs=([0], [0]))
    with pytest.raises(IndexError, match="reference 3"):
        z_norm(np.ones(1), stats, pairs=([3], [0]))
    with pytest.raises(ValueError, match="no rows"):
        cohort_statistics([1.0, 2.0])
    with pytest.raises(ValueError, match="one of each per row"):
        CohortStatistics(np.ones(2), np.ones(3))


def test_speaker_means_have_one_row_per_speaker(embeddings):
    rows = embeddings[2]
    speakers = [f"s{i % 3}" for i in range(COHORT)]
    expected = [
        rows[[i for i in range(COHORT) if i % 3 == s]].mean(0) for s in range(3)
    ]

    np.testing.assert_allclose(speaker_means(rows, speakers), expected)
    np.testing.assert_allclose(
        speaker_means(
            rows * np.arange(1, 41)[:, None], speakers, length_normalised=True
        ),
        speaker_means(rows, speakers, length_normalised=True),
    )
    with pytest.raises(ValueError, match="one name per embedding"):
        speaker_means(rows, speakers[1:])


def test_rows_with_fewer_scores_than_the_top_take_all_that_they_have():
    """As of a cohort of which some could not be embedded."""
    stats = cohort_statistics([[1.0, np.nan, 4.0, np.nan], [1.0, 2.0, 4.0, 9.0]], top=3)

    np.testing.assert_allclose(stats.mean, [2.5, 5])
    np.testing.assert_allclose(stats.deviation, [1.5, statistics.pstdev([2, 4, 9])])


def test_copies_in_a_cohort_count_as_often_as_they_are_there(embeddings):
    references, _, others = embeddings

    twice = against_cohort(references, [*others, *others], top=2 * TOP)

    once = against_cohort(references, others, top=TOP)
    agree(twice.mean, once.mean)
    agree(twice.deviation, once.deviation)


def test_deviations_by_the_count_less_one_scale_all_scores_by_one_factor(embeddings):
    """What SpeechBrain does (torch.std): other numbers, the same order."""
    references, probes, others = embeddings
    ours = as_norm(references, probes, cohort=others, top=TOP)

    raw = cosine(references, probes)
    parts = []
    for rows, axis in ((references, 1), (probes, 0)):
        top = np.sort(cosine(rows, others))[:, -TOP:]
        mean, deviation = top.mean(axis=1), top.std(axis=1, ddof=1)
        parts.append(
            (raw - np.expand_dims(mean, axis)) / np.expand_dims(deviation, axis)
        )

    agree(np.mean(parts, axis=0), ours * np.sqrt((TOP - 1) / TOP))


def test_statistics_of_parts_are_joined_in_order():
    parts = [cohort_statistics(rows) for rows in ([[0.0, 2.0]], [[5.0, 9.0], [1, 1]])]

    found = CohortStatistics.joined(parts)

    np.testing.assert_array_equal(found.mean, [1, 7, 1])
    np.testing.assert_array_equal(found.deviation, [1, 2, np.nan])
    assert len(CohortStatistics.joined([])) == 0


def test_take_reorders_the_statistics():
    stats = cohort_statistics([[0.0, 2.0], [5.0, 9.0]]).take([1, 1, 0])

    assert stats.mean.tolist() == [7, 7, 1]
    assert len(stats) == 3
