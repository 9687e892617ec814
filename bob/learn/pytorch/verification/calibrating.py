"""Score files -> calibrations, fusions, and files of log-likelihood ratios."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from bob.learn.pytorch.atomic import write_text
from bob.learn.pytorch.metrics import Figures, figures, paired_tables
from bob.learn.pytorch.scoring import (
    CalibrationError,
    IsotonicCalibration,
    LinearCalibration,
    fit_calibration,
    fit_fusion,
    fit_isotonic,
    fused,
    log_durations,
    quality_columns,
)
from bob.learn.pytorch.verification.named_embeddings import ScoringError
from bob.learn.pytorch.verification.score_layouts import find_layout
from bob.learn.pytorch.verification.score_writing import sha256_of, write_blocks
from bob.learn.pytorch.verification.scorefiles import read_with_metadata

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from bob.learn.pytorch.metrics import CostFunction, Names, ScoreTable

    FloatArray: TypeAlias = NDArray[np.float64]
    Calibration: TypeAlias = LinearCalibration | IsotonicCalibration

_SCORE_COLUMN = "score"
_LOG_DURATION = "log duration"
# What forms that are read only are written as.
_WRITTEN_AS = {"espnet": "wespeaker", "espnet, no labels": "kaldi"}


@dataclass(frozen=True, eq=False)
class ScoreFile:
    """A score file as it was read.

    Attributes
    ----------
    path, form
        Where it is, and in which form it will be written again.
    table, metadata
        Its trials, and the other columns of a CSV.
    """

    path: Path
    form: str
    table: ScoreTable
    metadata: Mapping[str, Names]

    def with_scores(self, scores: FloatArray) -> ScoreFile:
        """The same trials with other scores."""
        return replace(self, table=replace(self.table, score=scores))


@dataclass(frozen=True)
class Change:
    """Figures of one file before and after.

    Attributes
    ----------
    source, written
        The files.
    before
        None where several systems were fused.
    """

    source: Path
    written: Path
    before: Figures | None
    after: Figures


def read_score_file(
    path: str | os.PathLike[str], *, trials: str | os.PathLike[str] | None = None
) -> ScoreFile:
    """Read a score file with everything that is in it.

    Raises
    ------
    ScoreFileError
        A line does not fit: the message has its number.
    """
    path = Path(path)
    form = find_layout(path).form
    table, metadata = read_with_metadata(path, trials=trials)
    return ScoreFile(path, _WRITTEN_AS.get(form, form), table, metadata)


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
        Of a linear one: measures that the file has as columns ``bio_ref_<name>`` and
        ``probe_<name>``; of ``duration`` the logarithm is taken.
    p_target, penalty
        See `fit_calibration`.

    Raises
    ------
    CalibrationError
        The trials do not determine one.
    ScoringError
        A column is missing, or is no number.
    """
    is_target = dev.table.is_target
    provenance = _trained_on(dev, penalty=penalty)
    if kind == "isotonic":
        if quality:
            raise ScoringError(
                "an isotonic calibration has no place for quality measures; leave them "
                "out, or take a linear one"
            )
        scores = dev.table.score
        return fit_isotonic(
            scores[is_target], scores[~is_target], provenance=provenance
        )
    scores, columns = _with_quality(dev, quality)
    return fit_calibration(
        scores[is_target],
        scores[~is_target],
        columns=columns,
        p_target=p_target,
        penalty=penalty,
        provenance=provenance,
    )


def calibrated(calibration: Calibration, file: ScoreFile) -> FloatArray:
    """Log-likelihood ratios of the trials of a file: ``(trials,)``.

    Raises
    ------
    ScoringError
        The file lacks a quality measure of the calibration.
    CalibrationError
        It is a fusion.
    """
    if isinstance(calibration, IsotonicCalibration) or len(calibration.columns) == 1:
        return calibration(file.table.score)
    names = [
        column.removeprefix("smaller ")
        for column in calibration.columns[1:]
        if column.startswith("smaller ")
    ]
    quality = ["duration" if name == _LOG_DURATION else name for name in names]
    if calibration.columns[0] != _SCORE_COLUMN or not quality:
        raise CalibrationError(
            f"this is a fusion of {', '.join(calibration.columns)}; apply it to these "
            "systems (fuse)"
        )
    scores, columns = _with_quality(file, quality)
    if columns != calibration.columns:
        raise CalibrationError(
            f"the calibration has the columns {', '.join(calibration.columns)}; "
            f"expected {', '.join(columns)}"
        )
    return calibration(scores)


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
    """
    table, columns = _aligned(systems)
    is_target = table.is_target
    files = list(systems.values())
    return fit_fusion(
        {name: scores[is_target] for name, scores in columns.items()},
        {name: scores[~is_target] for name, scores in columns.items()},
        p_target=p_target,
        penalty=penalty,
        provenance=_trained_on(*files, penalty=penalty),
    )


def fused_scores(
    fusion: LinearCalibration, systems: Mapping[str, ScoreFile]
) -> ScoreFile:
    """Log-likelihood ratios of systems together, with the trials of the first."""
    first = next(iter(systems.values()))
    _, columns = _aligned(systems)
    return first.with_scores(fused(fusion, columns))


def write_changed(
    files: Sequence[tuple[ScoreFile, FloatArray]],
    folder: str | os.PathLike[str],
    *,
    cost: CostFunction,
    provenance: Mapping[str, str],
    is_fusion: bool = False,
) -> tuple[Change, ...]:
    """Write files with new scores into a folder, under their own names.

    Parameters
    ----------
    files
        Each with its new scores, ``(trials,)``.
    cost
        Of minDCF and actDCF.
    provenance
        Is kept beside each file, as ``<name>.json``.
    is_fusion
        Nothing is to be compared with what was before.

    Raises
    ------
    ScoringError
        Two files have one name, or one would be overwritten.
    """
    folder = Path(folder)
    _refuse_one_place([file.path for file, _ in files], folder)
    changes = []
    for file, scores in files:
        written = folder / file.path.name
        after = file.with_scores(scores)
        metadata = file.metadata if file.form == "csv" else {}
        write_blocks(written, [(after.table, metadata)], form=file.form)
        told = {"scores": written.name, "sha256": sha256_of(written), **provenance}
        write_text(Path(f"{written}.json"), json.dumps(told, indent=2) + "\n")
        before = None if is_fusion else _figures(file.table, cost)
        changes.append(Change(file.path, written, before, _figures(after.table, cost)))
    return tuple(changes)


def provenance_of(paths: Sequence[Path]) -> dict[str, str]:
    """Where scores come from: the files, and what is said beside them.

    Of what `bob pytorch score` wrote beside a score file, only that is believed which
    goes with the very same scores, and of several files what they agree on.
    """
    found = {
        "scores": ", ".join(map(str, paths)),
        "sha256": ", ".join(map(sha256_of, paths)),
    }
    told = [_told(path, digest) for path, digest in
            zip(paths, found["sha256"].split(", "), strict=True)]  # fmt: skip
    for name in told[0]:
        if all(other.get(name) == told[0][name] for other in told):
            found.setdefault(name, told[0][name])
    found["bob.learn.pytorch"] = version("bob.learn.pytorch")
    return found


def _trained_on(*files: ScoreFile, penalty: float) -> dict[str, str]:
    _, claimed, real = files[0].table.subjects
    speakers = np.unique(np.concatenate([claimed, real])).size
    found = {**provenance_of([file.path for file in files]), "speakers": str(speakers)}
    return {**found, "penalty": f"{penalty:g}"} if penalty else found


def _told(path: Path, digest: str) -> dict[str, str]:
    try:
        content = json.loads(Path(f"{path}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(content, dict) or content.get("sha256") != digest:
        return {}
    made_by = content.pop("made_by", {})
    flat = {**content, **(made_by if isinstance(made_by, dict) else {})}
    return {name: str(value) for name, value in flat.items()}


def _figures(table: ScoreTable, cost: CostFunction) -> Figures:
    return figures(table.targets, table.non_targets, cost=cost)


def _with_quality(
    file: ScoreFile, quality: Sequence[str]
) -> tuple[FloatArray, tuple[str, ...]]:
    each = np.arange(len(file.table))
    measures = {}
    for name in quality:
        sides = tuple(
            _numbers(file, f"{prefix}{name}") for prefix in ("bio_ref_", "probe_")
        )
        if name == "duration":
            try:
                sides = tuple(map(log_durations, sides))
            except ValueError as error:
                raise ScoringError(f"{file.path}: {error}") from error
            name = _LOG_DURATION  # noqa: PLW2901 - what the column is
        measures[name] = (sides[0], sides[1])
    return quality_columns(file.table.score, measures, pairs=(each, each))


def _numbers(file: ScoreFile, title: str) -> FloatArray:
    """A column of numbers, ``(trials,)``; NaN where it is empty."""
    if title not in file.metadata:
        raise ScoringError(
            f"{file.path} has no column {title}; it has "
            f"{', '.join(file.metadata) or 'no other columns'}. Write it with "
            "`bob pytorch score … -o scores.csv --quality …`"
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


def _aligned(
    systems: Mapping[str, ScoreFile],
) -> tuple[ScoreTable, dict[str, FloatArray]]:
    """The trials of the first system, and the scores of all in that order."""
    if len(systems) < 2:
        raise ScoringError("one system cannot be fused; give two or more, or calibrate")
    first = next(iter(systems.values())).table
    columns = {name: paired_tables(first, file.table)[1].score
               for name, file in systems.items()}  # fmt: skip
    return first, columns


def _refuse_one_place(paths: Sequence[Path], folder: Path) -> None:
    name, uses = Counter(path.name for path in paths).most_common(1)[0]
    if uses > 1:
        raise ScoringError(
            f"{uses} files are called {name}, and would be one in {folder}; rename "
            "them, or do one after the other (--into)"
        )
    for path in paths:
        if path.resolve() == (folder / path.name).resolve():
            raise ScoringError(
                f"{path} itself would be overwritten; write into another folder "
                "(--into)"
            )
