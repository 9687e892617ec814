"""Scores of several systems on a development set -> a fusion; this -> other scores."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from bob.learn.pytorch.calibration import (
    CalibrationError,
    LinearCalibration,
    fit_fusion,
    fused,
    load_calibration,
)
from bob.learn.pytorch.calibration.quality import beyond_ranges, is_fusion
from bob.learn.pytorch.errors import ScoringError
from bob.learn.pytorch.metrics import ErrorCurve, MetricError, paired_tables
from bob.learn.pytorch.scorefiles.calibrating import (
    ORIGIN,
    labels_of,
    other_origin,
    refuse_useless,
)
from bob.learn.pytorch.scorefiles.rescoring import ScoreFile, flat, provenance_of_fit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from bob.learn.pytorch.metrics import ScoreTable

    FloatArray: TypeAlias = NDArray[np.float64]


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
    is_target = labels_of(files[0])
    columns = _aligned(systems)
    refuse_useless(files[0], is_target, columns)
    try:
        return fit_fusion(
            {name: scores[is_target] for name, scores in columns.items()},
            {name: scores[~is_target] for name, scores in columns.items()},
            p_target=p_target,
            penalty=penalty,
            provenance=_provenance(systems, penalty=penalty),
        )
    except CalibrationError as error:
        raise CalibrationError(f"{', '.join(columns)}: {error}") from error


def separating_systems(systems: Mapping[str, ScoreFile]) -> list[str]:
    """Say which systems make no error by themselves, which leaves weights to chance."""
    is_target = labels_of(next(iter(systems.values())))
    found = []
    for name, scores in _aligned(systems).items():
        curve = ErrorCurve.from_scores(scores[is_target], scores[~is_target])
        if curve.equal_error_rate() == 0:
            found.append(
                f"{name} alone tells all target from all non-target trials, so that "
                "these trials do not determine the weights: fit on more, or harder, "
                "trials"
            )
    return found


def fused_scores(
    fusion: LinearCalibration, systems: Mapping[str, ScoreFile]
) -> ScoreFile:
    """Log-likelihood ratios of systems together, with the trials of the first.

    Raises
    ------
    MetricError
        The systems have not scored the same trials.
    CalibrationError
        The scores of a system were made otherwise than those that trained: by another
        model, other weights, measure or normalisation. What is not said is not
        compared.
    """
    return fused_with_notes(fusion, systems)[0]


def fused_with_notes(
    fusion: LinearCalibration, systems: Mapping[str, ScoreFile]
) -> tuple[ScoreFile, list[str]]:
    """Fuse as `fused_scores` does, and say which scores lie beyond the training."""
    for name, file in systems.items():
        _refuse_other_origin(fusion, name, file)
    first, columns = next(iter(systems.values())), _aligned(systems)
    rows = np.stack([columns[name] for name in fusion.columns], axis=1)
    notes = [f"of {first.path}, {note}" for note in beyond_ranges(fusion, rows)]
    return first.with_scores(fused(fusion, columns)), notes


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
            f"with `bob pytorch calibrate --use {shlex.quote(str(path))}`"
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


def _provenance(systems: Mapping[str, ScoreFile], *, penalty: float) -> dict[str, str]:
    """What all systems have in common, and what made the scores of each."""
    files = list(systems.values())
    origins = {file.path: file.origin for file in files}
    found = provenance_of_fit(origins, files[0].table, penalty=penalty)
    for name, file in systems.items():
        here = flat(file.origin)
        found |= {_of(name, said): here[said] for said in ORIGIN if said in here}
    return found


def _of(system: str, said: str) -> str:
    return f"{system}: {said}"


def _refuse_other_origin(
    fusion: LinearCalibration, system: str, file: ScoreFile
) -> None:
    # What all systems have in common says of each what it is.
    told = dict(fusion.provenance)
    told |= {name: told[_of(system, name)] for name in ORIGIN
             if _of(system, name) in told}  # fmt: skip
    other = other_origin(file, told)
    if other:
        raise CalibrationError(
            f"{file.path} has other scores than the system {system} of the fusion: "
            f"{other} in training; give one file of each system in this order, "
            f"{', '.join(fusion.columns)}, or say with --name which is which"
        )


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
