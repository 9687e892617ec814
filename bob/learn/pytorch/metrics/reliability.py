"""Doubts: reasons not to take figures at their word, such as few errors.

References
----------
Doddington et al., "The NIST speaker recognition evaluation - overview, methodology,
systems, results, perspective", Speech Communication 31(2-3), 2000 (rule of 30).
Hanley and Lippman-Hand, "If nothing goes wrong, is everything all right?", JAMA
249(13), 1983 (rule of 3).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bob.learn.pytorch.metrics.bootstrap import Interval
    from bob.learn.pytorch.metrics.curve import ErrorCurve, FloatArray, OperatingPoint
    from bob.learn.pytorch.metrics.evaluation import Evaluation
    from bob.learn.pytorch.metrics.overview import Figures
    from bob.learn.pytorch.metrics.table import ScoreTable

#: Errors for 90 % confidence that the true rate is within 30 % of the observed one.
RULE_OF_THIRTY = 30
RULE_EXPLAINED = (
    "To be 90 % confident that a true error rate is within 30 % of the observed one "
    "takes at least 30 (Doddington's rule of 30)"
)
#: With fewer speakers, neither intervals nor calibrations are reliable.
FEW_SPEAKERS = 20
_COSINES = (
    "all scores lie between -1 and 1, as cosines do; actDCF and Cllr take scores as "
    "log-likelihood ratios and say nothing of these: calibrate first"
)
_UNCALIBRATED = (
    "the scores were not calibrated; actDCF and Cllr read them as log-likelihood "
    "ratios, which they need not be"
)
# Log-likelihood ratios that are right by construction (20 to 3,000 target trials, d' of
# 1 and 2) had actDCF further above minDCF, or above 1, in 1 of 960 draws.
_ERRORS_OF_A_MISFIT, _ERRORS_ABOVE_ONE = 6, 2
# With fewer trials of a kind, any order may be chance.
_FEWEST_TRIALS = 3


@dataclass(frozen=True)
class Doubt:
    """A reason not to take figures at their word.

    Attributes
    ----------
    kind
        missing, scores, few errors, no errors, few speakers, cosines, uncalibrated,
        misfit, repeated or dev.
    text
        A sentence without its full stop.
    """

    kind: str
    text: str


def reliability_warnings(
    curve: ErrorCurve, points: Mapping[str, OperatingPoint]
) -> list[str]:
    """Apply Doddington's rule of 30 at the EER and at points, or the rule of 3.

    Parameters
    ----------
    points
        Name -> decision, such as ``{"minDCF": curve.min_dcf_point()}``.
    """
    eer = curve.equal_error_rate()
    if eer == 0:
        trials = min(curve.targets, curve.non_targets)
        return [
            f"some threshold makes no error at all, so an interval says nothing; even "
            f"with {trials:,} independent trials the true rate may be up to "
            f"{100 * min(1.0, 3 / trials):.3f} % (rule of 3, 95 % confidence)"
        ]
    rates = {"the EER": (eer, eer)} | {
        name: (point.false_non_match_rate, point.false_match_rate)
        for name, point in points.items()
    }
    errors: dict[str, float] = {}
    for name, (fnmr, fmr) in rates.items():
        errors[f"false non-match at {name}"] = fnmr * curve.targets
        errors[f"false match at {name}"] = fmr * curve.non_targets
    few = [
        f"{round(count)} x {name}"
        for name, count in errors.items()
        if round(count) < RULE_OF_THIRTY
    ]
    if not few:
        return []
    return [f"few errors were observed: {', '.join(few)}. {RULE_EXPLAINED}"]


def _doubtful_scores(
    scores: FloatArray, *, eer: float, kinds: tuple[int, int], interval: Interval | None
) -> list[str]:
    """Say whether scores ``(trials,)`` look reversed, are all equal, or infinite."""
    kept = scores[~np.isnan(scores)]
    if not kept.size:
        return []
    if (kept == kept[0]).all():
        return [
            f"all {kept.size:,} scores are {kept[0]:g}, which tells nothing of who "
            "speaks: check the model that made them"
        ]
    found = wrong_way_round(eer, kinds, interval=interval)
    infinite = int(np.isinf(kept).sum())
    if infinite:
        found.append(
            f"{infinite:,} of {kept.size:,} scores are infinite: decisions that no "
            "threshold changes. Cllr is infinite if one of them is wrong"
        )
    return found


def wrong_way_round(
    eer: float, kinds: tuple[int, int], *, interval: Interval | None = None
) -> list[str]:
    """Say so where target trials score lower than non-target trials.

    Chance gives an EER of 50 %: it has to be above by two standard deviations, and its
    interval, where there is one, has to lie above.
    """
    low = interval.low if interval is not None and interval.says_something else eer
    fewest = min(kinds)
    if fewest < _FEWEST_TRIALS or low <= 0.5:
        return []
    if eer <= min(0.5 + 1 / math.sqrt(fewest), 0.99):
        return []
    return [
        f"the scores look the wrong way round: target trials score lower than "
        f"non-target trials (EER {100 * eer:.1f} %). Higher has to mean more alike: "
        "turn the sign of distances, or check the labels"
    ]


def misfits(figures: Figures) -> list[str]:
    """Say where decisions at Bayes' threshold cost far more than they could.

    Figures of log-likelihood ratios are meant: of cosines, they say nothing.
    """
    # Of scores in the wrong order, something else is said.
    if not (figures.targets and figures.non_targets) or figures.eer > 0.5:
        return []
    worst = max(figures.costs, key=lambda one: one.act_dcf - one.min_dcf)
    least, actual, cost = worst.min_dcf, worst.act_dcf, worst.cost
    miss, false_match = cost.weights
    error = max(miss / figures.targets, false_match / figures.non_targets)
    said = []
    if actual > 1 + max(0.02, _ERRORS_ABOVE_ONE * error):
        better = "accepting" if miss > false_match else "rejecting"
        said.append(
            f"actDCF is {actual:.3f} at {cost}, above 1: {better} every trial would "
            "cost less"
        )
    elif actual - least > max(0.05 + least / 4, _ERRORS_OF_A_MISFIT * error):
        said.append(f"actDCF is {actual:.3f} at {cost}, where minDCF is {least:.3f}")
    if figures.cllr > 1:
        said.append(f"Cllr is {figures.cllr:.3f}, and without any score it would be 1")
    if not said:
        return []
    return [
        f"the calibration does not fit these scores: {'; '.join(said)}. Calibrate on "
        "development scores of recordings like these (bob pytorch calibrate)"
    ]


def look_like_cosines(scores: FloatArray) -> bool:
    """Return whether no score ``(trials,)`` is beyond -1 and 1; NaN counts for nothing.

    Examples
    --------
    >>> look_like_cosines(np.array([0.3, -1, np.nan]))
    True
    """
    # Rounding may exceed the range of a cosine.
    return not (np.abs(scores[~np.isnan(scores)]) > 1 + 1e-6).any()


def all_doubts(
    found: Evaluation, scores: FloatArray, *, calibrated: bool | None
) -> list[Doubt]:
    """Return the doubts about the figures of scores ``(trials,)``.

    They are log-likelihood ratios of a calibration, or not; None if unknown.
    """
    if found.curve is None:
        return _missing(found)
    kinds = found.targets, found.non_targets
    interval = found.intervals.get("eer")
    minima = {
        f"minDCF, {one.cost}": one.cost.min_point(found.curve) for one in found.costs
    }
    texts = {
        "scores": _doubtful_scores(
            scores, eer=found.eer, kinds=kinds, interval=interval
        ),
        "few errors" if found.eer else "no errors": reliability_warnings(
            found.curve, minima
        ),
    }
    if found.speakers is not None and found.speakers < FEW_SPEAKERS:
        few = f"with {found.speakers} speakers the intervals are rough guides"
        texts["few speakers"] = [few]
    doubts = [Doubt(kind, text) for kind, some in texts.items() for text in some]
    if look_like_cosines(scores) and not calibrated:
        return [*doubts, Doubt("cosines", _COSINES)]
    if calibrated is False:
        return [*doubts, Doubt("uncalibrated", _UNCALIBRATED)]
    return doubts + [Doubt("misfit", text) for text in misfits(found)]


def doubts_of_figures(found: Figures, *, are_cosines: bool) -> list[Doubt]:
    """Return what the figures alone make one doubt, for scores that went by."""
    if not (found.targets and found.non_targets):
        return _missing(found)
    reversed_ = wrong_way_round(found.eer, (found.targets, found.non_targets))
    doubts = [Doubt("scores", text) for text in reversed_]
    if are_cosines:
        return [*doubts, Doubt("cosines", _COSINES)]
    return doubts + [Doubt("misfit", text) for text in misfits(found)]


def _missing(found: Figures) -> list[Doubt]:
    return [
        Doubt(
            "missing",
            f"no error rate can be given: {found.targets} target and "
            f"{found.non_targets} non-target trials have a score ({found.failures} "
            "failed); at least one of each is needed: check that the protocol has both "
            "and that their recordings could be read",
        )
    ]


def repeated_trials(table: ScoreTable | None) -> list[Doubt]:
    """Say how many trials are there again; nothing is known without references."""
    if table is None or table.model is None:
        return []
    probes = len(table.probe.distinct)
    pairs = table.model.codes * np.int64(probes) + table.probe.codes
    possible = len(table.model.distinct) * probes
    if possible > 8 * len(table):
        repeated = len(table) - int(np.unique(pairs).size)
    else:  # where most pairs are there, marks are ten times as fast as sorting
        marked = np.zeros(possible, dtype=bool)
        marked[pairs] = True
        repeated = len(table) - int(np.count_nonzero(marked))
    if not repeated:
        return []
    text = (
        f"{repeated} trials are there more than once, and count as often: see "
        "`bob pytorch protocol check`"
    )
    return [Doubt("repeated", text)]
