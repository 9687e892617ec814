"""Score files whose scores a calibration, or a fusion, turns into likelihood ratios."""

from __future__ import annotations

import os
import shlex
from collections import Counter
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bob.learn.pytorch.calibration import (
    CalibrationError,
    LinearCalibration,
    load_calibration,
    save_calibration,
)
from bob.learn.pytorch.calibration.file import to_json
from bob.learn.pytorch.calibration.origin import LOG_LIKELIHOOD_RATIO, write_provenance
from bob.learn.pytorch.calibration.quality import (
    doubtful_weights,
    few_speakers_trained,
    is_fusion,
)
from bob.learn.pytorch.metrics import misfits, reliability_warnings
from bob.learn.pytorch.printing import printable
from bob.learn.pytorch.scorefiles import calibrating
from bob.learn.pytorch.scorefiles.forms import OverwritingError, ScoreFileError
from bob.learn.pytorch.scorefiles.reading import ScoreFile, read_score_file
from bob.learn.pytorch.scorefiles.writing import write_blocks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bob.learn.pytorch.calibration.decision import Calibration
    from bob.learn.pytorch.metrics import CostFunction, Figures

_MEANING = "natural log-likelihood ratios"


@dataclass(frozen=True)
class Change:
    """Figures of one file before and after its scores were changed.

    Attributes
    ----------
    source, written
        The files.
    before
        None where several systems were fused, and without labels.
    after
        None without labels.
    """

    source: Path
    written: Path
    before: Figures | None
    after: Figures | None


@dataclass(frozen=True)
class Rescored:
    """A calibration, or fusion, and the score files that it changed.

    Attributes
    ----------
    path
        File of the calibration.
    changes
        One for each score file; of a fusion, under the name of the first system.
    notes
        Sentences on what limits the trust in the new scores.
    systems
        Of a fusion: its systems, and the file that each was fitted on.
    """

    path: Path
    calibration: Calibration
    changes: tuple[Change, ...]
    notes: tuple[str, ...]
    systems: Mapping[str, Path] = field(default_factory=dict)


def calibrate_files(
    files: Sequence[Path],
    folder: Path,
    *,
    cost: CostFunction,
    output: Path,
    use: Path | None = None,
    trials: Path | None = None,
    **fit: Any,  # noqa: ANN401 - see `calibrate`
) -> Rescored:
    """Fit a calibration on the first file, apply it to all, and write the results.

    Parameters
    ----------
    files
        Score files. The first one has to be labelled unless ``use`` is given.
    folder
        Where calibrated files go.
    cost
        Cost function of minDCF and actDCF.
    output
        Where the calibration goes.
    use
        A stored calibration, which is applied to all files; then nothing is fitted.
    trials
        List of the trials, or a protocol, for files without labels.
    fit
        See `bob.learn.pytorch.scorefiles.calibrating.calibrate`. Errors are those of
        this, of `calibrated` and of `write_changed`.
    """
    calibration = None if use is None else _load_for_one(use)
    doubts = []
    read = [
        read_score_file(path, trials=trials, unlabelled=use is not None or number > 0)
        for number, path in enumerate(files)
    ]
    if calibration is None:
        calibration = calibrating.calibrate(read[0], **fit)
        doubts = calibrating.separating_measures(read[0], fit.get("quality", ()))
    pairs = [(file, calibrating.calibrated(calibration, file)) for file in read]
    return _written(pairs, folder, calibration, doubts, cost, output, use)


def fuse_files(
    dev: Sequence[Path],
    evaluation: Sequence[Path],
    folder: Path,
    *,
    cost: CostFunction,
    output: Path,
    names: Sequence[str] = (),
    use: Path | None = None,
    trials: Path | None = None,
    **fit: Any,  # noqa: ANN401 - see `fuse`
) -> Rescored:
    """Fit a fusion of systems on their files of dev, apply it, and write the results.

    Parameters
    ----------
    dev, evaluation
        A score file of each system, in one order; ``evaluation`` may be empty.
    names
        Names of the systems; by default, their files, or with ``use`` as stored.
    folder, cost, output, use, trials
        As for `calibrate_files`.
    fit
        See `bob.learn.pytorch.scorefiles.calibrating.fuse`. Errors are those of this,
        of `fused_scores` and of `write_changed`.
    """
    fusion = None if use is None else _load_fusion(use)
    if fusion is None:
        systems = dict(zip(names or tuple(map(str, dev)), dev, strict=True))
    else:
        systems = _systems_of(fusion, dev, names)
    sets = []
    for number, paths in enumerate(filter(None, (dev, evaluation))):
        unlabelled = use is not None or number > 0
        read = [
            read_score_file(path, trials=trials, unlabelled=unlabelled)
            for path in paths
        ]
        sets.append(dict(zip(systems, read, strict=True)))
    doubts = []
    if fusion is None:
        fusion = calibrating.fuse(sets[0], **fit)
        doubts = calibrating.separating_systems(sets[0])
    new = [calibrating.fused_scores(fusion, files) for files in sets]
    pairs = [(file, file) for file in new]
    return _written(pairs, folder, fusion, doubts, cost, output, use, systems)


def _written(
    files: Sequence[tuple[ScoreFile, ScoreFile]],
    folder: Path,
    calibration: Calibration,
    doubts: list[str],
    cost: CostFunction,
    output: Path,
    use: Path | None,
    systems: Mapping[str, Path] | None = None,
) -> Rescored:
    """Write files with new scores, and the calibration or fusion if it is new."""
    made_by = (use or output, calibration)
    changes = write_changed(
        files, folder, cost=cost, made_by=made_by, is_fusion=systems is not None
    )
    if use is None:
        save_calibration(calibration, output)
    new = [after for _, after in files]
    notes = _notes(new, calibration, changes, doubts, cost if use is None else None)
    return Rescored(*made_by, changes, notes, systems or {})


def write_changed(
    files: Sequence[tuple[ScoreFile, ScoreFile]],
    folder: str | os.PathLike[str],
    *,
    cost: CostFunction,
    made_by: tuple[Path, Calibration],
    is_fusion: bool = False,
) -> tuple[Change, ...]:
    """Write files with log-likelihood ratios into a folder; see `result_paths`.

    Parameters
    ----------
    files
        Each as it was read, and with its new scores.
    cost
        Cost function of minDCF and actDCF.
    made_by
        File of the calibration, or fusion, and itself. It is kept beside each file, as
        ``<name>.json``, with what made the scores before.
    is_fusion
        There are no figures to compare with.

    Raises
    ------
    ScoreFileError
        A file is there twice, or would be overwritten.
    """
    folder = Path(folder)
    paths = result_paths([file.path for file, _ in files], folder)
    for (file, _), written in zip(files, paths, strict=True):
        if file.path.resolve() == written.resolve():
            raise OverwritingError(
                f"{file.path} itself would be overwritten; write into another folder"
            )
    changes = []
    for (file, after), written in zip(files, paths, strict=True):
        metadata = {title: file.metadata[title] for title in file.columns}
        write_blocks(written, [(after.table, metadata)], form=file.form)
        before = {} if is_fusion else file.origin.kept
        measure = f"{LOG_LIKELIHOOD_RATIO} of {before.get('measure', 'scores')}"
        made = _fitted(*made_by, "fusion" if is_fusion else "calibration")
        write_provenance(
            written, {**before, "measure": measure, "meaning": _MEANING, **made}
        )
        figures_before = None if is_fusion else file.figures(cost)
        changes.append(Change(file.path, written, figures_before, after.figures(cost)))
    return tuple(changes)


def result_paths(paths: Sequence[Path], folder: Path) -> list[Path]:
    """Return the places of results of score files in a folder; refuse a file twice.

    They keep their names, and where two have one name (``dev/scores`` and
    ``eval/scores``) also their folders, as seen from the one that all share.
    """
    names = [path.name for path in paths]
    if len(set(names)) < len(names):
        places = [os.path.abspath(path) for path in paths]  # noqa: PTH100 - keeps links
        shared = os.path.commonpath([os.path.dirname(place) for place in places])  # noqa: PTH120
        names = [os.path.relpath(place, shared) for place in places]
    name, uses = Counter(names).most_common(1)[0]
    if uses > 1:
        raise ScoreFileError(
            f"{paths[names.index(name)]} is given {uses} times; give each file once"
        )
    return [folder / name for name in names]


def _notes(
    new: Sequence[ScoreFile],
    calibration: Calibration,
    changes: Sequence[Change],
    doubts: Sequence[str],
    cost: CostFunction | None,
) -> tuple[str, ...]:
    """Return sentences on what limits the trust; the cost is None without a fit."""
    found = [note for file in new for note in file.notes]
    found += doubts
    if cost is not None:
        curve = new[0].table.curve()
        minima = {f"minDCF, {one}": one.min_point(curve) for one in cost.costs}
        found += [
            f"of {printable(new[0].path)}, {warning}"
            for warning in reliability_warnings(curve, minima)
        ]
    found += doubtful_weights(calibration) + few_speakers_trained(calibration)
    known = [(change, change.after) for change in changes if change.after is not None]
    found += [
        f"{printable(change.source)} has {after.targets} target and "
        f"{after.non_targets} non-target trials with a score, so it has no error rate"
        for change, after in known
        if not (after.targets and after.non_targets)
    ]
    found += [
        f"of {printable(change.written)}, {note}"
        for change, after in known
        for note in misfits(after)
    ]
    return tuple(found)


def _fitted(path: Path, calibration: Calibration, what: str) -> dict[str, Any]:
    """Return what is kept beside scores of the calibration, or fusion, that made them.

    Its hash is that of the file which `save_calibration` writes, wherever that is.
    """
    known = calibration.provenance
    trained = {name: known[name] for name in ("scores", "sha256") if name in known}
    digest = sha256(to_json(calibration).encode("utf-8")).hexdigest()
    return {
        what: str(path),
        f"{what} sha256": digest,
        f"{what} trained on": trained,
    }


def _load_for_one(path: Path) -> Calibration:
    """Read a calibration of the scores of one system."""
    calibration = load_calibration(path)
    if is_fusion(calibration):
        columns = getattr(calibration, "columns", ())
        raise CalibrationError(
            f"{path} is a fusion of {', '.join(columns)}, not a calibration of one "
            f"system; apply it with `bob pytorch fuse --use {shlex.quote(str(path))}` "
            f"and {len(columns)} score files"
        )
    return calibration


def _load_fusion(path: Path) -> LinearCalibration:
    """Read a fusion of several systems."""
    fusion = load_calibration(path)
    if not isinstance(fusion, LinearCalibration) or not is_fusion(fusion):
        raise CalibrationError(
            f"{path} is a calibration of one system, not a fusion of several; apply it "
            f"with `bob pytorch calibrate --use {shlex.quote(str(path))}`"
        )
    return fusion


def _systems_of(
    fusion: LinearCalibration, files: Sequence[Path], names: Sequence[str]
) -> dict[str, Path]:
    """Return the score file of each system of a fusion.

    Without names of the systems, files are found by name if the fusion calls its
    systems so, and else are in its order.
    """
    columns = fusion.columns
    if len(files) != len(columns):
        raise calibrating.OtherSystemError(
            f"{len(files)} score files for a fusion of {len(columns)} systems "
            f"({', '.join(columns)}); give one of each, in this order or with names"
        )
    paths = tuple(map(str, files))
    chosen = tuple(names) or (paths if set(paths) == set(columns) else columns)
    if sorted(chosen) != sorted(columns):
        raise calibrating.OtherSystemError(
            f"the names {', '.join(chosen)} are not those of the fusion, "
            f"{', '.join(columns)}; give each of these once, in the order of the "
            "files, or no name at all for this order"
        )
    return dict(zip(chosen, files, strict=True))
