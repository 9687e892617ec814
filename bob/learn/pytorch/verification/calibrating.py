"""Scores of a development set -> calibrations and fusions; these -> other scores."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from bob.learn.pytorch.metrics import MetricError, paired_tables
from bob.learn.pytorch.scoring import (
    CalibrationError,
    IsotonicCalibration,
    LinearCalibration,
    fit_calibration,
    fit_fusion,
    fit_isotonic,
    fused,
    load_calibration,
)
from bob.learn.pytorch.scoring.quality_calibration import (
    is_fusion,
    measured_columns,
    quality_of,
)
from bob.learn.pytorch.verification.named_embeddings import ScoringError
from bob.learn.pytorch.verification.rescoring import (
    ScoreFile,
    flat,
    provenance_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from bob.learn.pytorch.metrics import ScoreTable

    FloatArray: TypeAlias = NDArray[np.float64]
    Calibration: TypeAlias = LinearCalibration | IsotonicCalibration


# What has to be the same in training and in use.
_ORIGIN = ("model", "weights", "measure", "mean_subtracted", "normalisation")


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
    is_target = _labels(dev)
    provenance = _trained_on(dev, penalty=penalty)
    if kind == "isotonic":
        _refuse_useless(dev, is_target, {"score": dev.table.score})
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
    _refuse_useless(dev, is_target, dict(zip(columns, scores.T, strict=True)))
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
    _refuse_other_origin(calibration, file)
    quality = quality_of(calibration)
    if not quality:
        return calibration(file.table.score)
    return calibration(_with_quality(file, quality)[0])


def fuse(
    systems: Mapping[str, ScoreFile], *, p_target: float = 0.5, penalty: float = 0.0
) -> LinearCalibration:
    """Fit a fusion of systems on the trials of a development set.

    Parameters
    ----------
    systems
        Their names -> their scores, of the same trials in any order.
    p_target, penalty
        See `fit_fusion`.

    Raises
    ------
    MetricError
        The systems have not scored the same trials.
    CalibrationError
        The trials do not determine a fusion.
    ScoringError
        Labels are missing, or there is one system only.
    """
    files = list(systems.values())
    is_target = _labels(files[0])
    columns = _aligned(systems)
    _refuse_useless(files[0], is_target, columns)
    try:
        return fit_fusion(
            {name: scores[is_target] for name, scores in columns.items()},
            {name: scores[~is_target] for name, scores in columns.items()},
            p_target=p_target,
            penalty=penalty,
            provenance=_trained_on(*files, penalty=penalty),
        )
    except CalibrationError as error:
        raise CalibrationError(f"{', '.join(columns)}: {error}") from error


def fused_scores(
    fusion: LinearCalibration, systems: Mapping[str, ScoreFile]
) -> ScoreFile:
    """Log-likelihood ratios of systems together, with the trials of the first."""
    first = next(iter(systems.values()))
    return first.with_scores(fused(fusion, _aligned(systems)))


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
            f"{path}` and {count} score files"
        )
    return calibration


def load_fusion(path: Path) -> LinearCalibration:
    """Read a fusion.

    Raises
    ------
    CalibrationError
        It is none, or a calibration of one system.
    """
    fusion = load_calibration(path)
    if not isinstance(fusion, LinearCalibration) or not is_fusion(fusion):
        raise CalibrationError(
            f"{path} is a calibration of one system, not a fusion of several; apply it "
            f"with `bob pytorch calibrate --use {path}`"
        )
    return fusion


def systems_of(
    fusion: LinearCalibration, files: Sequence[Path], *, names: Sequence[str] = ()
) -> dict[str, Path]:
    """Which file holds the scores of which system of a fusion.

    Parameters
    ----------
    names
        Of the systems, in the order of the files. Without them, files are found by
        name if the fusion calls its systems so, and else are in its order.

    Raises
    ------
    ScoringError
        There are more or fewer of them, or the fusion knows no such name.
    """
    columns = fusion.columns
    if len(files) != len(columns):
        raise ScoringError(
            f"{len(files)} score files for a fusion of {len(columns)} systems "
            f"({', '.join(columns)}); give one of each, in this order or with --name"
        )
    paths = tuple(map(str, files))
    chosen = tuple(names) or (paths if set(paths) == set(columns) else columns)
    if sorted(chosen) != sorted(columns):
        raise ScoringError(
            f"the names {', '.join(chosen)} are not those of the fusion, "
            f"{', '.join(columns)}; give each of these once, in the order of the "
            "files, or no --name at all for this order"
        )
    return dict(zip(chosen, files, strict=True))


def _trained_on(*files: ScoreFile, penalty: float) -> dict[str, str]:
    _, claimed, real = files[0].table.subjects
    speakers = np.unique(np.concatenate([claimed, real])).size
    found = {**provenance_of(files), "speakers": str(speakers)}
    return {**found, "penalty": f"{penalty:g}"} if penalty else found


def _refuse_other_origin(calibration: Calibration, file: ScoreFile) -> None:
    said, here = calibration.provenance, flat(file.origin)
    for name in _ORIGIN:
        if name in said and here.get(name, said[name]) != said[name]:
            raise CalibrationError(
                f"{file.path} has other scores than those of the calibration: their "
                f"{name} is {here[name]!r}, and was {said[name]!r} in "
                f"{said.get('scores', 'training')}; calibrate them on development "
                "scores that are made alike"
            )


def _labels(dev: ScoreFile) -> NDArray[np.bool_]:
    if not dev.is_labelled:
        raise ScoringError(
            f"{dev.path} does not say which trials are of one speaker, and nothing can "
            "be fitted without that; give the list of its trials (--trials)"
        )
    return dev.table.is_target


def _refuse_useless(
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
    measures = {
        name: (_numbers(file, f"bio_ref_{name}"), _numbers(file, f"probe_{name}"))
        for name in quality
    }
    try:
        return measured_columns(file.table.score, measures)
    except ValueError as error:
        raise ScoringError(f"{file.path}: {error}") from error


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
    try:
        return float(text) if text.strip() else np.nan
    except ValueError:
        return np.inf


def _aligned(systems: Mapping[str, ScoreFile]) -> dict[str, FloatArray]:
    """The scores of all systems in the order of the trials of the first."""
    if len(systems) < 2:
        raise ScoringError("one system cannot be fused; give two or more, or calibrate")
    first, *others = systems.values()
    by_names = any(file.names_only for file in systems.values())
    if by_names:
        _refuse_other_labels(first, others)
    tables = {
        name: _by_names(file) if by_names else file.table
        for name, file in systems.items()
    }
    start, *_ = tables.values()
    return {
        name: _in_order_of(start, table, (first.path, systems[name].path))
        for name, table in tables.items()
    }


def _in_order_of(
    first: ScoreTable, table: ScoreTable, paths: tuple[Path, Path]
) -> FloatArray:
    try:
        return paired_tables(first, table)[1].score
    except MetricError as error:
        raise MetricError(f"{paths[0]} and {paths[1]}: {error}") from error


def _by_names(file: ScoreFile) -> ScoreTable:
    """The table with each name for a speaker of its own."""
    table = file.table
    if table.model is None:
        raise ScoringError(
            f"{file.path} does not name its references, which the other systems do; "
            "give scores in five columns or CSV"
        )
    return replace(table, claimed=table.model, real=table.probe)


def _refuse_other_labels(first: ScoreFile, others: Sequence[ScoreFile]) -> None:
    """Refuse systems that disagree on who speaks."""
    one = _with_labels(first)
    for other in others:
        if not (first.is_labelled and other.is_labelled):
            continue
        found = paired_tables(one, _with_labels(other))[1].score
        wrong = np.flatnonzero(found != one.score)
        if wrong.size:
            at = int(wrong[0])
            names = one.claimed, one.real
            left, right = (name.distinct[name.codes[at]] for name in names)
            raise ScoringError(
                f"{first.path} and {other.path} disagree on whether {left} with "
                f"{right} is one speaker; correct the labels of one"
            )


def _with_labels(file: ScoreFile) -> ScoreTable:
    return replace(_by_names(file), score=file.table.is_target.astype(np.float64))
