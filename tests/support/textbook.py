"""Normalised scores by the textbook: one trial and one cohort score at a time."""

import statistics
from typing import NamedTuple

import numpy as np


def cosine(one, other):
    """Return the cosine of two embeddings, in double precision."""
    one, other = np.float64(one), np.float64(other)
    return float(one @ other / np.sqrt((one @ one) * (other @ other)))


class Member(NamedTuple):
    """One of a cohort: who it is, and what it is on either side of a trial."""

    who: object
    reference: object
    probe: object


def cohort(rows, who=None):
    """Make a cohort of rows, each the same on either side, and each somebody."""
    rows = list(rows)
    return [Member(*m) for m in zip(who or range(len(rows)), rows, rows, strict=True)]


def above(score, others, top=None):
    """In deviations above the mean of the highest of some scores."""
    others = sorted(others, reverse=True)[:top]
    return (score - statistics.fmean(others)) / statistics.pstdev(others)


def normalised(method, compare, reference, probe, cohort, *, top=None):
    """Normalise the score of one trial.

    Auckenthaler et al. 2000 (z, t, zt), Kenny 2010 (s), Matejka et al. 2017 (as: of
    each side the ``top`` highest).
    """
    raw = compare(reference, probe)
    ours = [compare(reference, member.probe) for member in cohort]
    theirs = [compare(member.reference, probe) for member in cohort]
    kind = method.removesuffix("-norm")
    if kind == "zt":
        relative = [
            above(
                score,
                [
                    compare(member.reference, other.probe)
                    for other in cohort
                    if other.who != member.who
                ],
            )
            for member, score in zip(cohort, theirs, strict=True)
        ]
        return above(above(raw, ours), relative)
    top = top if kind == "as" else None
    z, t = above(raw, ours, top), above(raw, theirs, top)
    return {"z": z, "t": t}.get(kind, (z + t) / 2)


def mean_scores(compare, references, probes, cohort, *, top=None):
    """Mean of the highest cohort scores of each reference, and of each probe."""

    def highest(scores):
        return statistics.fmean(sorted(scores, reverse=True)[:top])

    return [
        [
            highest([compare(reference, member.probe) for member in cohort])
            for reference in references
        ],
        [
            highest([compare(member.reference, probe) for member in cohort])
            for probe in probes
        ],
    ]
