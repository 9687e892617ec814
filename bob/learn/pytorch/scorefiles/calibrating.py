"""Score files of a development set -> a calibration or a fusion; this -> other scores.

A calibration is of one system, a fusion of several that scored the same trials.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from bob.learn.pytorch.calibration import (
    CalibrationError,
    LinearCalibration,
    Origin,
    fit_calibration,
    fit_fusion,
    fit_isotonic,
    measured_columns,
)
from bob.learn.pytorch.calibration.origin import provenance_of_fit
from bob.learn.pytorch.calibration.quality import (
    beyond_ranges,
    quality_of,
)
from bob.learn.pytorch.errors import ScoringError
from bob.learn.pytorch.metrics import (
    ErrorCurve,
    MetricError,
    Names,
    ScoreTable,
    paired_tables,
)
from bob.learn.pytorch.scorefiles.forms import UnlabelledError
from bob.learn.pytorch.scorefiles.quality import measured
from bob.learn.pytorch.scorefiles.reading import ScoreFile, read_score_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from bob.learn.pytorch.calibration import IsotonicCalibration
    from bob.learn.pytorch.calibration.decision import Calibration
    from bob.learn.pytorch.scorefiles.reading import ScoredTrials

    FloatArray: TypeAlias = NDArray[np.float64]


class OtherSystemError(CalibrationError):
    """Score files are not those of the systems of a fusion."""

    remedy = "names"


_KINDS = ("linear", "isotonic")

# Equal error rate of a measure that separates the trials by itself.
_SEPARATING = 0.25


def calibrate(
    scores: ScoreFile
    | ScoreTable
    | ScoredTrials
    | tuple[ArrayLike, ArrayLike]
    | str
    | os.PathLike[str],
    *,
    trials: str | os.PathLike[str] | None = None,
    kind: str = "linear",
    quality: Sequence[str] | str = (),
    p_target: float = 0.5,
    penalty: float | None = None,
) -> Calibration:
    """Fit a calibration on the trials of a development set.

    Parameters
    ----------
    scores
        A score file, or its path, a table of scores, or what `score` returned;
        labelled; or the scores of target and of non-target trials.
    trials
        With a path: a list of the trials, or a protocol, which has the labels.
    kind
        ``linear`` or ``isotonic``.
    quality
        Of a linear one: measures that the file, or the list of its trials, has as
        columns ``bio_ref_<name>`` and ``probe_<name>``; of ``duration`` the logarithm
        is taken. One may be given as a text.
    p_target, penalty
        See `fit_calibration`; an isotonic one has neither.

    Returns
    -------
    LinearCalibration or IsotonicCalibration
        Takes scores, ``(trials,)``, and returns natural log-likelihood ratios.

    Raises
    ------
    CalibrationError
        The trials do not determine one.
    UnlabelledError
        Nothing tells which trials are of one speaker.
    ScoringError
        A column is missing, a value is no number, or an option is not for this kind.

    See Also
    --------
    bob.learn.pytorch.calibration.save_calibration : Write it into a file.
    """
    if kind not in _KINDS:
        raise ScoringError(
            f"kind is {kind!r}; expected {' or '.join(_KINDS)}", parameter="kind"
        )
    quality = (quality,) if isinstance(quality, str) else quality
    if trials is not None and not isinstance(scores, str | os.PathLike):
        raise ScoringError(
            f"the list of trials {os.fspath(trials)} has labels for a score file, and "
            "scores in memory have their own; leave it out, or give the path of a file",
            parameter="trials",
        )
    dev = _as_file(scores, trials=trials)
    if kind == "isotonic":
        if quality or penalty or p_target != 0.5:
            raise ScoringError(
                "an isotonic calibration has no place for quality measures, a prior or "
                "a penalty; leave them out, or take a linear one"
            )
        return _isotonic(dev)
    if len(set(quality)) < len(quality):
        raise ScoringError(
            f"the quality measures are {', '.join(quality)}; name each of them once"
        )
    is_target, (values, columns) = _labels_of(dev), _with_quality(dev, quality)
    _refuse_useless(dev, is_target, dict(zip(columns, values.T, strict=True)))
    try:
        return fit_calibration(
            values[is_target],
            values[~is_target],
            columns=columns,
            p_target=p_target,
            penalty=penalty,
            provenance=_provenance([dev]),
        )
    except CalibrationError as error:
        raise type(error)(f"{dev.path}: {error}") from error


def _isotonic(dev: ScoreFile) -> IsotonicCalibration:
    is_target, values = _labels_of(dev), dev.table.score
    _refuse_useless(dev, is_target, {"score": values})
    return fit_isotonic(
        values[is_target], values[~is_target], provenance=_provenance([dev])
    )


def fuse(
    systems: Mapping[str, ScoreFile],
    *,
    p_target: float = 0.5,
    penalty: float | None = None,
) -> LinearCalibration:
    """Fit a fusion of systems on the trials of a development set.

    Parameters
    ----------
    systems
        Their names -> their scores, of the same trials in any order.
    p_target, penalty
        See `fit_calibration`.

    Raises
    ------
    MetricError
        The systems have not scored the same trials.
    CalibrationError
        The trials do not determine a fusion.
    UnlabelledError
        Nothing tells which trials are of one speaker.
    ScoringError
        There is one system only.
    """
    files = list(systems.values())
    is_target, columns = _labels_of(files[0]), _aligned(systems)
    _refuse_useless(files[0], is_target, columns)
    origins = {name: file.origin for name, file in systems.items()}
    try:
        return fit_fusion(
            {name: scores[is_target] for name, scores in columns.items()},
            {name: scores[~is_target] for name, scores in columns.items()},
            p_target=p_target,
            penalty=penalty,
            provenance=_provenance(files, systems=origins),
        )
    except CalibrationError as error:
        raise type(error)(f"{', '.join(columns)}: {error}") from error


def calibrated(calibration: Calibration, file: ScoreFile) -> ScoreFile:
    """Return the trials of a file with natural log-likelihood ratios as scores.

    Its ``notes`` tell of measures that lie beyond those that trained the calibration.

    Raises
    ------
    ScoringError
        The file lacks a quality measure of the calibration.
    CalibrationError
        It is a fusion, or of scores that were made otherwise; see
        `Origin.differs_from`.
    """
    trained = Origin(calibration.provenance)
    difference = file.origin.differs_from(trained)
    if difference:
        raise CalibrationError(
            f"{file.path} has other scores than those of the calibration: {difference} "
            f"as in {trained.facts.get('scores', 'training')}; calibrate them on "
            "development scores that are made alike"
        )
    quality = quality_of(calibration)
    if not quality or not isinstance(calibration, LinearCalibration):
        return file.with_scores(calibration(file.table.score))
    return _within_ranges(calibration, file, _with_quality(file, quality)[0])


def fused_scores(
    fusion: LinearCalibration, systems: Mapping[str, ScoreFile]
) -> ScoreFile:
    """Return the trials of the first system with log-likelihood ratios of all.

    Its ``notes`` tell of scores that lie beyond those that trained the fusion.

    Raises
    ------
    MetricError
        The systems have not scored the same trials.
    CalibrationError
        The scores of a system were made otherwise than those that trained; see
        `Origin.differs_from`.
    """
    trained = Origin(fusion.provenance)
    for name, file in systems.items():
        difference = file.origin.differs_from(trained.of_system(name))
        if difference:
            raise OtherSystemError(
                f"{file.path} has other scores than the system {name} of the fusion: "
                f"{difference} as in training; give one file of each system in this "
                f"order, {', '.join(fusion.columns)}, or say with names which is which"
            )
    columns = _aligned(systems)
    first = next(iter(systems.values()))
    rows = np.stack([columns[name] for name in fusion.columns], axis=1)
    return _within_ranges(fusion, first, rows)


def _within_ranges(
    calibration: LinearCalibration, file: ScoreFile, values: FloatArray
) -> ScoreFile:
    notes = [f"of {file.path}, {note}" for note in beyond_ranges(calibration, values)]
    return replace(file, notes=tuple(notes)).with_scores(calibration(values))


def separating_measures(dev: ScoreFile, quality: Sequence[str]) -> list[str]:
    """Say which measures separate target from non-target trials without the score.

    Such a measure describes how the trials were chosen, and not who speaks in them.
    """
    if not quality:
        return []
    is_target, (values, columns) = _labels_of(dev), _with_quality(dev, quality)
    found = []
    for name, column in zip(columns[1:], values.T[1:], strict=True):
        curve = ErrorCurve.from_scores(column[is_target], column[~is_target])
        rate = curve.equal_error_rate()
        if min(rate, 1 - rate) <= _SEPARATING:
            found.append(
                f"the {name} alone separates target from non-target trials with an EER "
                f"of {100 * min(rate, 1 - rate):.1f} %, which comes from how the "
                "trials were chosen: on others it misleads. Leave it out, or take "
                "trials of both kinds that are alike in it"
            )
    return found


def separating_systems(systems: Mapping[str, ScoreFile]) -> list[str]:
    """Say which systems make no error alone, which leaves the weights to chance."""
    is_target = _labels_of(next(iter(systems.values())))
    found = []
    for name, scores in _aligned(systems).items():
        lowest = np.nanmin(scores[is_target], initial=np.inf)
        if lowest > np.nanmax(scores[~is_target], initial=-np.inf):
            found.append(
                f"{name} alone separates all target from all non-target trials, so "
                "that these trials do not determine the weights: fit on more, or "
                "harder, trials"
            )
    return found


def _labels_of(dev: ScoreFile) -> NDArray[np.bool_]:
    """Return which trials are of one speaker, ``(trials,)``; refuse unknown labels."""
    if not dev.is_labelled:
        raise UnlabelledError(
            f"{dev.path} does not say which trials are of one speaker, and nothing can "
            "be fitted without that; give the list of its trials"
        )
    return dev.table.is_target


def _as_file(
    scores: Any,  # noqa: ANN401 - all that `calibrate` takes
    *,
    trials: str | os.PathLike[str] | None,
) -> ScoreFile:
    if isinstance(scores, ScoreFile):
        return scores
    if isinstance(scores, str | os.PathLike):
        return read_score_file(scores, trials=trials)
    table = scores if isinstance(scores, ScoreTable) else getattr(scores, "table", None)
    nameless = not isinstance(table, ScoreTable)
    if not isinstance(table, ScoreTable):
        table = _of_kinds(scores)
    return ScoreFile(
        Path("the scores"),
        "four",
        table,
        {},
        origin=Origin(getattr(scores, "provenance", {})),
        names_only=nameless,
        in_memory=True,
    )


def _of_kinds(scores: Any) -> ScoreTable:  # noqa: ANN401 - checked here
    """Return a table of the scores of target and of non-target trials."""
    try:
        targets, others = (np.asarray(kind, np.float64).ravel() for kind in scores)
    except (TypeError, ValueError) as error:
        raise ScoringError(
            f"scores came as {type(scores).__name__} {scores!r:.60}; expected a score "
            "file, what `score` returned, or the scores of target and of non-target "
            "trials: (targets, non_targets)",
            parameter="scores",
        ) from error
    real = ["target"] * targets.size + ["non-target"] * others.size
    return ScoreTable(
        claimed=Names.of(["target"] * len(real)),
        real=Names.of(real),
        probe=Names.of(map(str, range(len(real)))),
        score=np.concatenate([targets, others]),
    )


def _provenance(
    files: Sequence[ScoreFile], systems: Mapping[str, Origin] | None = None
) -> dict[str, str]:
    origins = {file.path: file.origin for file in files if not file.in_memory}
    nameless = files[0].in_memory and files[0].names_only
    speakers = None if nameless else files[0].table.speakers
    kept = provenance_of_fit(origins, speakers=speakers, systems=systems)
    # One that is scored in memory is alone.
    return files[0].origin.facts | kept if files[0].in_memory else kept


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
    measures = {name: measured(file, name) for name in quality}
    try:
        return measured_columns(file.table.score, measures)
    except ValueError as error:
        raise ScoringError(f"{file.path}: {error}") from error


def _aligned(systems: Mapping[str, ScoreFile]) -> dict[str, FloatArray]:
    """Return the scores of all systems in the order of the trials of the first."""
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
    """Return the table with each name as a separate speaker."""
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
