"""Score files that are read whole, given other scores, and written in the same form."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from bob.learn.pytorch.calibration.file import to_json
from bob.learn.pytorch.calibration.origin import LOG_LIKELIHOOD_RATIO, Origin
from bob.learn.pytorch.metrics import Figures, figures
from bob.learn.pytorch.scorefiles.blocks import score_layout
from bob.learn.pytorch.scorefiles.layouts import METADATA, ScoreFileError
from bob.learn.pytorch.scorefiles.reading import read_everything
from bob.learn.pytorch.scorefiles.writing import (
    read_provenance,
    write_blocks,
    write_provenance,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from bob.learn.pytorch.calibration.decision import Calibration
    from bob.learn.pytorch.metrics import CostFunction, Names, ScoreTable

    FloatArray: TypeAlias = NDArray[np.float64]

_MEANING = "natural log-likelihood ratios"
# Facts about the file itself, not about its scores.
_OF_FILE = ("scores", "bob.learn.pytorch")


@dataclass(frozen=True, eq=False)
class ScoreFile:
    """A score file as it was read.

    Attributes
    ----------
    path
        The file; for a table in memory what messages call it.
    form
        The form that it will be written in again.
    table
        Its trials.
    metadata
        Other facts about the trials, by title: the other columns of a CSV, and those
        of the list of trials.
    columns
        Those titles that the file itself has.
    is_labelled
        Whether it is known which trials are of one speaker. If not, each name in the
        table stands for a speaker of its own, or speakers are empty, as in the file.
    origin
        What made the scores, if the file beside says so of these very scores.
    names_only
        Whether the file names recordings and no speakers.
    notes
        Sentences of the calibration, or fusion, that made the scores, on these trials.
    in_memory
        Whether there is no such file.
    """

    path: Path
    form: str
    table: ScoreTable
    metadata: Mapping[str, Names]
    columns: tuple[str, ...] = ()
    is_labelled: bool = True
    origin: Origin = field(default_factory=Origin)
    names_only: bool = False
    notes: tuple[str, ...] = ()
    in_memory: bool = False

    def with_scores(self, scores: FloatArray) -> ScoreFile:
        """Return the same trials with other scores, ``(trials,)``."""
        return replace(self, table=replace(self.table, score=scores))

    def figures(self, cost: CostFunction) -> Figures | None:
        """Return error rates; None without labels."""
        if not self.is_labelled:
            return None
        return figures(self.table.targets, self.table.non_targets, cost=cost)


@dataclass(frozen=True)
class Change:
    """Figures of one file before and after.

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


def read_score_file(
    path: str | os.PathLike[str],
    *,
    trials: str | os.PathLike[str] | None = None,
    unlabelled: bool = False,
) -> ScoreFile:
    """Read a score file with everything that is in it.

    Parameters
    ----------
    trials
        A list of trials, or a protocol, which has the labels.
    unlabelled
        Take files without labels as well: also a CSV whose speakers are empty, and
        where the list of trials is that of another file and knows none of the trials.

    Raises
    ------
    ScoreFileError
        A line does not fit: the message has its number. `UnlabelledError` where labels
        are missing.
    """
    path = Path(path)
    found = score_layout(path, metadata=True)
    columns = tuple(
        name.removeprefix(METADATA)
        for name in found.layout.columns
        if name is not None and name.startswith(METADATA)
    )
    read = read_everything(path, trials=trials, unlabelled=unlabelled)
    return ScoreFile(
        path,
        found.form,
        read.table,
        read.others,
        columns,
        read.is_labelled,
        _origin(path),
        read.names_only,
    )


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
            raise ScoreFileError(
                f"{file.path} itself would be overwritten; write into another folder "
                "(--into)"
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


def _origin(path: Path) -> Origin:
    kept = read_provenance(path)
    return Origin({name: kept[name] for name in kept if name not in _OF_FILE})


def result_paths(paths: Sequence[Path], folder: Path) -> list[Path]:
    """Return where in a folder results of score files are written.

    They keep their names, and where two have one name (``dev/scores`` and
    ``eval/scores``) also their folders, as seen from the one that all share.

    Raises
    ------
    ScoreFileError
        A file is there twice.
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
