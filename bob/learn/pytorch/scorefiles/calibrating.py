"""Scores of a development set -> a calibration; this -> other scores."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from bob.learn.pytorch.calibration import (
    CalibrationError,
    IsotonicCalibration,
    LinearCalibration,
    fit_calibration,
    fit_isotonic,
    load_calibration,
)
from bob.learn.pytorch.calibration.quality import (
    beyond_ranges,
    is_fusion,
    measured_columns,
    quality_of,
)
from bob.learn.pytorch.errors import ScoringError
from bob.learn.pytorch.metrics import ErrorCurve
from bob.learn.pytorch.protocols.text_columns import is_number
from bob.learn.pytorch.scorefiles.quality import read_measures
from bob.learn.pytorch.scorefiles.reference_files import with_references
from bob.learn.pytorch.scorefiles.rescoring import ScoreFile, flat, provenance_of_fit

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from bob.learn.pytorch.metrics import Names

    FloatArray: TypeAlias = NDArray[np.float64]
    Calibration: TypeAlias = LinearCalibration | IsotonicCalibration


#: Equal error rate of a measure that tells speakers apart by itself.
SEPARATING = 0.25
#: What has to be the same in training and in use.
ORIGIN = ("model", "weights", "measure", "mean_subtracted", "normalisation")


def calibrate(
    dev: ScoreFile,
    *,
    kind: str = "linear",
    quality: Sequence[str] = (),
    p_target: float = 0.5,
    penalty: float = 0.0,
) -> Calibration:
    """Fit a calibration on the trials of a development set.

    Parameters
    ----------
    kind
        ``linear`` or ``isotonic``.
    quality
        Of a linear one: measures that the file, or the list of its trials, has as
        columns ``bio_ref_<name>`` and ``probe_<name>``; of ``duration`` the logarithm
        is taken.
    p_target, penalty
        See `fit_calibration`; an isotonic one has neither.

    Raises
    ------
    CalibrationError
        The trials do not determine one.
    ScoringError
        Labels or a column are missing, a value is no number, or an option is not for
        this kind.
    """
    is_target = labels_of(dev)
    provenance = provenance_of_fit({dev.path: dev.origin}, dev.table, penalty=penalty)
    if kind == "isotonic":
        refuse_useless(dev, is_target, {"score": dev.table.score})
        if quality or penalty or p_target != 0.5:
            raise ScoringError(
                "an isotonic calibration has no place for quality measures, a prior or "
                "a penalty; leave them out, or take a linear one"
            )
        scores = dev.table.score
        return fit_isotonic(
            scores[is_target], scores[~is_target], provenance=provenance
        )
    if len(set(quality)) < len(quality):
        raise ScoringError(
            f"the quality measures are {', '.join(quality)}; name each of them once"
        )
    scores, columns = _with_quality(dev, quality)
    refuse_useless(dev, is_target, dict(zip(columns, scores.T, strict=True)))
    try:
        return fit_calibration(
            scores[is_target],
            scores[~is_target],
            columns=columns,
            p_target=p_target,
            penalty=penalty,
            provenance=provenance,
        )
    except CalibrationError as error:
        raise CalibrationError(f"{dev.path}: {error}") from error


def calibrated(calibration: Calibration, file: ScoreFile) -> FloatArray:
    """Log-likelihood ratios of the trials of a file: ``(trials,)``.

    Raises
    ------
    ScoringError
        The file lacks a quality measure of the calibration.
    CalibrationError
        It is a fusion, or of scores that were made otherwise: by another model, other
        weights, measure or normalisation. What is not said is not compared.
    """
    return calibrated_with_notes(calibration, file)[0]


def calibrated_with_notes(
    calibration: Calibration, file: ScoreFile
) -> tuple[FloatArray, list[str]]:
    """Apply as `calibrated` does, and say which measures lie beyond the training."""
    _refuse_other_origin(calibration, file)
    quality = quality_of(calibration)
    if not quality or not isinstance(calibration, LinearCalibration):
        return calibration(file.table.score), []
    values = _with_quality(file, quality)[0]
    notes = [f"of {file.path}, {note}" for note in beyond_ranges(calibration, values)]
    return calibration(values), notes


def separating_measures(
    values: FloatArray, columns: Sequence[str], is_target: NDArray[np.bool_]
) -> list[str]:
    """Say which measures tell target from non-target trials without the score.

    Such a measure describes how the trials were chosen, and not who speaks in them.

    Parameters
    ----------
    values
        ``(trials, columns)`` with the score first.
    is_target
        ``(trials,)``
    """
    found = []
    for name, column in zip(columns[1:], values.T[1:], strict=True):
        curve = ErrorCurve.from_scores(column[is_target], column[~is_target])
        rate = curve.equal_error_rate()
        if min(rate, 1 - rate) <= SEPARATING:
            found.append(
                f"the {name} alone tells target from non-target trials with an EER of "
                f"{100 * min(rate, 1 - rate):.1f} %, which comes from how the trials "
                "were chosen: on others it misleads. Leave it out, or take trials of "
                "both kinds that are alike in it"
            )
    return found


def separating_in(dev: ScoreFile, quality: Sequence[str]) -> list[str]:
    """Say the same of the measures of a score file."""
    if not quality:
        return []
    return separating_measures(*_with_quality(dev, quality), labels_of(dev))


def load_for_one(path: Path) -> Calibration:
    """Read a calibration of the scores of one system.

    Raises
    ------
    CalibrationError
        It is none, or a fusion.
    """
    calibration = load_calibration(path)
    if is_fusion(calibration):
        count = len(getattr(calibration, "columns", ()))
        raise CalibrationError(
            f"{path} is a fusion of {', '.join(getattr(calibration, 'columns', ()))}, "
            f"not a calibration of one system; apply it with `bob pytorch fuse --use "
            f"{shlex.quote(str(path))}` and {count} score files"
        )
    return calibration


def _refuse_other_origin(calibration: Calibration, file: ScoreFile) -> None:
    said = calibration.provenance
    other = other_origin(file, said)
    if other:
        raise CalibrationError(
            f"{file.path} has other scores than those of the calibration: {other} in "
            f"{said.get('scores', 'training')}; calibrate them on development scores "
            "that are made alike"
        )


def other_origin(file: ScoreFile, said: Mapping[str, str]) -> str:
    """How the scores of a file were made otherwise; empty if nothing tells so.

    Parameters
    ----------
    said
        What made the scores that trained.
    """
    here = flat(file.origin)
    for name in ORIGIN:
        if name in said and here.get(name, said[name]) != said[name]:
            return f"their {name} is {here[name]!r}, and was {said[name]!r}"
    return ""


def labels_of(dev: ScoreFile) -> NDArray[np.bool_]:
    """Which trials are of one speaker: ``(trials,)``; refuses a file without."""
    if not dev.is_labelled:
        raise ScoringError(
            f"{dev.path} does not say which trials are of one speaker, and nothing can "
            "be fitted without that; give the list of its trials (--trials)"
        )
    return dev.table.is_target


def refuse_useless(
    dev: ScoreFile, is_target: NDArray[np.bool_], columns: Mapping[str, FloatArray]
) -> None:
    """Refuse trials of one kind only, and a column that is the same everywhere."""
    complete = ~np.isnan(np.stack(list(columns.values()))).any(axis=0)
    counts = [int((complete & kind).sum()) for kind in (is_target, ~is_target)]
    what = "a score" if len(columns) == 1 else f"each of {', '.join(columns)}"
    if not all(counts):
        raise CalibrationError(
            f"{dev.path}: {counts[0]} of {int(is_target.sum())} target and "
            f"{counts[1]} of {int((~is_target).sum())} non-target trials have {what}; "
            "some of both kinds are needed"
        )
    for name, values in columns.items():
        if (values[complete] == values[complete][0]).all():
            raise CalibrationError(
                f"{dev.path}: {name} is {values[complete][0]:g} in all "
                f"{sum(counts)} trials, which tells nothing; leave it out, or give "
                "other scores"
            )


def _with_quality(
    file: ScoreFile, quality: Sequence[str]
) -> tuple[FloatArray, tuple[str, ...]]:
    measures = {name: _measure(file, name) for name in quality}
    try:
        return measured_columns(file.table.score, measures)
    except ValueError as error:
        raise ScoringError(f"{file.path}: {error}") from error


def _measure(file: ScoreFile, name: str) -> tuple[FloatArray, FloatArray]:
    """A measure of the reference and of the probe of each trial, ``(trials,)``."""
    columns = f"bio_ref_{name}", f"probe_{name}"
    group = file.path.name.removeprefix("scores-")
    # Where verify.py with calibration_quality keeps those of its scores.
    beside = file.path.with_name(f"quality-{group}.csv")
    if set(columns) & set(file.metadata) or not beside.is_file():
        return _numbers(file, columns[0]), _numbers(file, columns[1])
    found = read_measures(beside, (name,))
    sides = (
        (
            _references(file, group, found.references[name], beside),
            found.references[name],
        ),
        (file.table.probe, found.probes[name]),
    )
    for names, numbers in sides:
        unknown = [one for one in names.distinct if one not in numbers]
        if unknown:
            raise ScoringError(
                f"{beside} knows no {name} of {unknown[0]} in {file.path}; score the "
                "trials with `bob pytorch score … -o scores.csv --quality …` instead"
            )
    one, other = (
        np.array([numbers[one] for one in names.distinct])[names.codes]
        for names, numbers in sides
    )
    return one, other


def _references(
    file: ScoreFile, group: str, known: Collection[str], beside: Path
) -> Names:
    """The reference of each trial, by the name that its measures have."""
    table = with_references(file.table, file.path, group=group)
    if table.model is not None:
        return table.model
    # Each subject has the one reference that is called like it.
    if set(known) == set(table.claimed.distinct):
        return table.claimed
    raise ScoringError(
        f"{file.path} has four columns, which name subjects, and {beside} has measures "
        f"of references; which reference each score is of is not told by the files in "
        f"{file.path.with_name(group)} either: run verify.py again with "
        "--write-five-column-score-files, or score the trials with `bob pytorch score "
        "… -o scores.csv --quality …`"
    )


def _numbers(file: ScoreFile, title: str) -> FloatArray:
    """A column of numbers, ``(trials,)``; NaN where it is empty."""
    if title not in file.metadata:
        raise ScoringError(
            f"{file.path} has no column {title}; it has "
            f"{', '.join(file.metadata) or 'no other columns'}. Write such columns "
            "with `bob pytorch score … -o scores.csv --quality …`, or give a protocol "
            "that has them (--trials)"
        )
    column = file.metadata[title]
    numbers = np.array([_number(text) for text in column.distinct])
    wrong = np.isinf(numbers)[column.codes]
    if wrong.any():
        at = int(wrong.argmax())
        raise ScoringError(
            f"{file.path}, trial {at + 1}: {column.distinct[column.codes[at]]!r} in "
            f"the column {title} is no number"
        )
    return numbers[column.codes]


def _number(text: str) -> float:
    """NaN of nothing, and infinite where it is no number."""
    if not text.strip():
        return np.nan
    return float(text) if is_number(text) else np.inf
