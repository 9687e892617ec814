"""The two-covariance model against densities of SciPy and against closed forms."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from bob.learn.pytorch.scoring import (
    TrainingError,
    TwoCovariance,
    train_two_covariance,
)

DIMENSIONS = 3


@pytest.fixture
def model():
    random = np.random.default_rng(0)
    between, within = (
        root @ root.T + 0.1 * np.eye(DIMENSIONS)
        for root in random.normal(size=(2, DIMENSIONS, DIMENSIONS))
    )
    return TwoCovariance(random.normal(size=DIMENSIONS), between, within)


def log_density(model, recordings):
    """Of recordings of one speaker, all in one long normal vector."""
    count = len(recordings)
    return multivariate_normal.logpdf(
        np.concatenate(recordings),
        np.tile(model.mean, count),
        np.kron(np.ones((count, count)), model.between)
        + np.kron(np.eye(count), model.within),
    )


def drawn(model, counts, seed=1):
    """Recordings and speakers as the model says."""
    random = np.random.default_rng(seed)
    speakers = np.repeat(np.arange(len(counts)), counts)
    who = random.multivariate_normal(model.mean, model.between, len(counts))
    noise = random.multivariate_normal(np.zeros(DIMENSIONS), model.within, sum(counts))
    return who[speakers] + noise, speakers


def test_scores_are_ratios_of_joint_densities_by_the_book(model):
    """References of 1 to 4 recordings: log p(all | one) - log p(.) p(.)."""
    random = np.random.default_rng(2)
    groups = [random.normal(size=(count, DIMENSIONS)) for count in (1, 2, 3, 4, 1)]
    probes = random.normal(size=(6, DIMENSIONS))
    expected = [
        [
            log_density(model, [*group, probe])
            - log_density(model, group)
            - log_density(model, [probe])
            for probe in probes
        ]
        for group in groups
    ]
    means = np.array([group.mean(axis=0) for group in groups])
    counts = [len(group) for group in groups]

    found = model.score(means, probes, counts=counts)

    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)
    pairs = [4, 0, 3], [0, 5, 2]
    listed = model.score_pairs(means, probes, pairs=pairs, counts=counts)
    np.testing.assert_allclose(listed, np.array(expected)[pairs], rtol=0, atol=1e-9)


def test_one_recording_scores_the_same_from_either_side(model):
    rows = np.random.default_rng(3).normal(size=(5, DIMENSIONS))

    scores = model.score(rows, rows)

    np.testing.assert_allclose(scores, scores.T, rtol=0, atol=1e-12)
    np.testing.assert_allclose(model.score(rows, rows.copy()), scores, atol=1e-12)


def test_scores_of_the_model_s_own_trials_are_calibrated(model):
    """Where the ratio says r, target trials are exp(r) times as frequent."""
    rows, _ = drawn(model, [2] * 40_000)
    index = np.arange(39_999)

    targets = model.score_pairs(rows[::2], rows[1::2], pairs=(index, index))
    non_targets = model.score_pairs(rows[::2], rows[1::2], pairs=(index, index + 1))

    for low, high in ((-2, -1), (-1, 0), (0, 1), (1, 2)):
        share = [((low < s) & (s < high)).mean() for s in (targets, non_targets)]
        assert low < np.log(share[0] / share[1]) < high


def test_the_likelihood_is_that_of_joint_densities(model):
    rows, speakers = drawn(model, [1, 4, 2, 3, 1, 1])
    expected = sum(log_density(model, rows[speakers == s]) for s in range(6))

    assert model.log_likelihood(rows, speakers) == pytest.approx(expected, abs=1e-9)


def test_no_iteration_lowers_the_likelihood(model):
    rows, speakers = drawn(model, [1, 2, 3, 7, 1, 4] * 5)

    found = [
        train_two_covariance(rows, speakers, iterations=n).log_likelihood(
            rows, speakers
        )
        for n in range(12)
    ]

    assert (np.diff(found) >= -1e-9).all()
    assert found[-1] > found[0] + 1


def test_equal_counts_lead_to_the_closed_form(model):
    """Balanced one-way analysis of variance (Searle et al., "Variance components")."""
    wide = TwoCovariance(model.mean, model.between + np.eye(3), model.within)
    rows, speakers = drawn(wide, [5] * 40)
    means = np.array([rows[speakers == s].mean(axis=0) for s in range(40)])
    within = (rows - means[speakers]).T @ (rows - means[speakers]) / (40 * 4)
    between = np.cov(means.T, ddof=0) - within / 5
    assert np.linalg.eigvalsh(between)[0] > 0.1  # else the optimum is at the border

    found = train_two_covariance(rows, speakers, iterations=1000)

    np.testing.assert_allclose(found.mean, rows.mean(axis=0), atol=1e-9)
    np.testing.assert_allclose(found.within, within, rtol=0, atol=1e-7)
    np.testing.assert_allclose(found.between, between, rtol=0, atol=1e-7)


def test_training_finds_what_the_recordings_were_drawn_from(model):
    rows, speakers = drawn(model, [1, 2, 5, 8] * 1500)

    found = train_two_covariance(rows, speakers, iterations=100)

    for name in ("mean", "between", "within"):
        expected = getattr(model, name)
        error = np.linalg.norm(getattr(found, name) - expected)
        assert error < 0.06 * np.linalg.norm(expected), name


def test_names_and_order_of_recordings_do_not_matter(model):
    rows, speakers = drawn(model, [1, 2, 5] * 4)
    order = np.random.default_rng(5).permutation(len(rows))
    names = [f"speaker {9 - s}" for s in speakers]

    found = train_two_covariance(rows[order], [names[i] for i in order])

    np.testing.assert_allclose(
        found.between, train_two_covariance(rows, speakers).between, atol=1e-10
    )


def test_kaldi_s_length_is_the_one_written_out(model):
    """x' (psi + 1/n)^-1 x = dimensions on each side; then the same ratio."""
    random = np.random.default_rng(6)
    references = random.normal(size=(4, DIMENSIONS))
    probes = random.normal(size=(5, DIMENSIONS))
    counts = [1, 3, 2, 1]
    axes, psi = model.basis
    expected = np.empty((4, 5))
    for i, (reference, n) in enumerate(zip(references, counts, strict=True)):
        u = (reference - model.mean) @ axes
        u = u * np.sqrt(DIMENSIONS / np.sum(u**2 / (psi + 1 / n)))
        for j, probe in enumerate(probes):
            v = (probe - model.mean) @ axes
            v = v * np.sqrt(DIMENSIONS / np.sum(v**2 / (psi + 1)))
            mean, variance = n * psi / (n * psi + 1) * u, 1 + psi / (n * psi + 1)
            same = multivariate_normal.logpdf(v, mean, np.diag(variance))
            other = multivariate_normal.logpdf(
                v, np.zeros(DIMENSIONS), np.diag(1 + psi)
            )
            expected[i, j] = same - other

    found = model.score(references, probes, counts=counts, kaldi_length=True)

    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)
    scaled = model.mean + 9 * (probes - model.mean)
    again = model.score(references, scaled, counts=counts, kaldi_length=True)
    np.testing.assert_allclose(again, expected, rtol=0, atol=1e-9)


def test_a_basis_is_white_within_and_diagonal_between(model):
    axes, ratios = model.basis

    np.testing.assert_allclose(axes.T @ model.within @ axes, np.eye(3), atol=1e-10)
    np.testing.assert_allclose(
        axes.T @ model.between @ axes, np.diag(ratios), atol=1e-10
    )
    assert (np.diff(ratios) <= 0).all()


def test_a_failed_recording_scores_nan_and_spoils_no_other(model):
    rows = np.random.default_rng(7).normal(size=(4, DIMENSIONS))
    expected = model.score(rows, rows)
    broken = rows.copy()
    broken[1] = np.nan
    expected[1] = expected[:, 1] = np.nan

    np.testing.assert_allclose(model.score(broken, broken), expected)


def test_what_does_not_fit_is_refused(model):
    rows = np.ones((2, DIMENSIONS))
    with pytest.raises(ValueError, match=r"expected \(count, 3\)"):
        model.score(rows[:, :2], rows)
    for counts in ([1, 2, 3], 0, [1, np.nan]):
        with pytest.raises(ValueError, match="how many recordings"):
            model.score(rows, rows, counts=counts)
    with pytest.raises(ValueError, match="do not make a model"):
        TwoCovariance(np.zeros(2), np.eye(3), np.eye(2))
    flat = np.random.default_rng(0).normal(size=(9, 2)) @ np.ones((2, 3))
    with pytest.raises(TrainingError, match="vary in 1 directions only of 3"):
        train_two_covariance(flat, [0, 1, 2] * 3)


def test_fewer_speakers_than_dimensions_leave_directions_without_information():
    random = np.random.default_rng(8)
    speakers = np.repeat(np.arange(3), 40)
    rows = 5 * random.normal(size=(3, 6))[speakers] + random.normal(size=(120, 6))

    found = train_two_covariance(rows, speakers, iterations=400)

    _, ratios = found.basis
    assert (ratios[:2] > 1).all()
    assert (ratios[2:] < 0.05).all()
    assert np.isfinite(found.score(rows, rows)).all()


@pytest.mark.parametrize(
    ("speakers", "why"),
    [
        (np.arange(40), "40 recordings of 40 speakers do not show"),
        (np.zeros(40), "40 recordings of 1 speakers do not show"),
        # 40 - 36 differences are in 4 directions of 6.
        (np.minimum(np.arange(40), 35), "do not vary in every one of 6 directions"),
    ],
)
def test_too_few_recordings_of_each_speaker_have_no_best_model(speakers, why):
    rows = np.random.default_rng(9).normal(size=(40, 6))

    with pytest.raises(TrainingError, match=why):
        train_two_covariance(rows, speakers)


def test_speakers_whose_recordings_are_copies_have_no_best_model():
    """With ever less variance of a speaker, the likelihood rises for ever."""
    speakers = np.repeat(np.arange(30), 3)
    rows = np.random.default_rng(10).normal(size=(30, 4))[speakers]
    rows[:, 0] += np.random.default_rng(11).normal(size=90)

    with pytest.raises(TrainingError, match="none of them twice"):
        train_two_covariance(rows, speakers)
