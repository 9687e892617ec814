"""How scores were made, by what stands beside their file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

# What the scores of dev and of another group must share for a common threshold.
_SHARED = ("made_by", "measure", "enrolment", "mean_subtracted", "normalisation")
# What was fitted, and made them; compared by its content, since a path may be spelled
# in many ways, and hold another one by now.
_FITTED = ("calibration", "fusion")


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


def notes_of(origin: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what the maker of scores has noted of their recordings."""
    notes = origin.get("notes", ())
    return tuple(map(str, notes)) if isinstance(notes, list | tuple) else ()


def is_calibrated(origin: Mapping[str, Any]) -> bool | None:
    """Whether scores are log-likelihood ratios of a calibration; None if unknown."""
    from bob.learn.pytorch.scorefiles.rescoring import MEASURE

    if not origin:
        return None
    return "meaning" in origin or str(origin.get("measure", "")).startswith(MEASURE)


def in_words(normalisation: str, *, calibrated: str = "") -> str:
    """How scores were made, such as ``as-norm, top 100, calibrated``; else ``raw``."""
    return ", ".join(filter(None, [normalisation, calibrated])) or "raw"


def made_alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether nothing says that two files of scores were made in different ways.

    Examples
    --------
    >>> made_alike({"measure": "cosine"}, {"measure": "cosine", "cohort": "a.h5"})
    True
    >>> made_alike({"normalisation": "none"}, {"normalisation": "as, top 100"})
    False
    >>> made_alike({"fusion": "f.json", "fusion sha256": "1a"}, {"measure": "cosine"})
    False
    """
    if not (one and other):
        return True
    shared = all(one.get(name) == other.get(name) for name in _SHARED)
    return shared and all(_fitted_alike(one, other, what) for what in _FITTED)


def _fitted_alike(one: Mapping[str, Any], other: Mapping[str, Any], what: str) -> bool:
    """Return whether one calibration, or fusion, made both, or none did.

    Where one of the files keeps no hash of it, as older ones do not, the scores that it
    was fitted on are compared.
    """
    if (what in one) != (what in other):
        return False
    here, there = (origin.get(f"{what} sha256") for origin in (one, other))
    if here and there:
        return bool(here == there)
    return _trained_on(one, what) == _trained_on(other, what)


def _trained_on(origin: Mapping[str, Any], what: str) -> object:
    trained = origin.get(f"{what} trained on")
    return trained.get("sha256") if isinstance(trained, dict) else trained
