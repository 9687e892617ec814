"""How scores were made, by what stands beside their file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

# What the scores of dev and of another group must share for a common threshold.
_SHARED = ("made_by", "measure", "mean_subtracted", "normalisation", "calibration")


def normalisation_of(origin: Mapping[str, Any]) -> str:
    """How scores were normalised, such as ``as-norm, top 100``; empty if not.

    Examples
    --------
    >>> normalisation_of({"normalisation": "as, top 100"})
    'as-norm, top 100'
    >>> normalisation_of({"normalisation": "none"})
    ''
    """
    kind, comma, more = str(origin.get("normalisation", "none")).partition(",")
    return "" if kind in ("none", "None") else f"{kind}-norm{comma}{more}"


def is_calibrated(origin: Mapping[str, Any]) -> bool | None:
    """Whether scores are log-likelihood ratios of a calibration; None if unknown."""
    from bob.learn.pytorch.verification.rescoring import MEASURE

    if not origin:
        return None
    return "meaning" in origin or str(origin.get("measure", "")).startswith(MEASURE)


def in_words(normalisation: str, *, calibrated: str = "") -> str:
    """How scores were made, such as ``as-norm, top 100, calibrated``; else ``raw``."""
    return ", ".join(filter(None, [normalisation, calibrated])) or "raw"


def made_alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether nothing says that two files of scores were made in different ways.

    Examples
    --------
    >>> made_alike({"measure": "cosine"}, {"measure": "cosine", "cohort": "a.h5"})
    True
    >>> made_alike({"normalisation": "none"}, {"normalisation": "as, top 100"})
    False
    """
    return not (one and other) or all(
        one.get(name) == other.get(name) for name in _SHARED
    )
