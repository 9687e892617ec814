"""Score files that are read whole, given other scores, and written in the same form."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from bob.learn.pytorch.files import file_sha256
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

    from bob.learn.pytorch.metrics import CostFunction, Names, ScoreTable

    FloatArray: TypeAlias = NDArray[np.float64]


#: What calibrated and fused scores are.
MEASURE = "log-likelihood ratio (natural)"
_MEANING = "natural log-likelihood ratios"
# Of the file itself, not of its scores.
_OF_FILE = ("scores", "bob.learn.pytorch")
# What a reader of the scores has to know; it does not tell how they were made.
NOTES = "notes"


@dataclass(frozen=True, eq=False)
class ScoreFile:
    """A score file as it was read.

    Attributes
    ----------
    path, form
        Where it is, and in which form it will be written again.
    table
        Its trials.
    metadata
        What else is known of them, by title: the other columns of a CSV, and what the
        list of trials says.
    columns
        Those titles that the file itself has.
    is_labelled
        Whether it is known which trials are of one speaker. If not, each name in the
        table stands for a speaker of its own, or speakers are empty, as in the file.
    origin
        What made the scores, if the file beside says so of these very scores.
    names_only
        Whether the file names recordings and no speakers.
    """

    path: Path
    form: str
    table: ScoreTable
    metadata: Mapping[str, Names]
    columns: tuple[str, ...] = ()
    is_labelled: bool = True
    origin: Mapping[str, Any] = field(default_factory=dict)
    names_only: bool = False

    def with_scores(self, scores: FloatArray) -> ScoreFile:
        """The same trials with other scores."""
        return replace(self, table=replace(self.table, score=scores))

    def figures(self, cost: CostFunction) -> Figures | None:
        """Error rates; None without labels."""
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
    files: Sequence[tuple[ScoreFile, FloatArray]],
    folder: str | os.PathLike[str],
    *,
    cost: CostFunction,
    origin: Mapping[str, Any],
    is_fusion: bool = False,
) -> tuple[Change, ...]:
    """Write files with log-likelihood ratios into a folder; see `result_paths`.

    Parameters
    ----------
    files
        Each with its new scores, ``(trials,)``.
    cost
        Of minDCF and actDCF.
    origin
        What made the new scores. It is kept beside each file, as ``<name>.json``, with
        what made the scores before.
    is_fusion
        Nothing is to be compared with what was before.

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
    for (file, scores), written in zip(files, paths, strict=True):
        after = file.with_scores(scores)
        metadata = {title: file.metadata[title] for title in file.columns}
        write_blocks(written, [(after.table, metadata)], form=file.form)
        before = {} if is_fusion else file.origin
        measure = before.get("measure", "scores")
        said = {"measure": f"{MEASURE} of {measure}", "meaning": _MEANING}
        write_provenance(written, {**before, **said, **origin})
        worse = None if is_fusion else file.figures(cost)
        changes.append(Change(file.path, written, worse, after.figures(cost)))
    return tuple(changes)


def provenance_of_fit(
    origins: Mapping[Path, Mapping[str, Any]], table: ScoreTable, *, penalty: float
) -> dict[str, str]:
    """Where a calibration or fusion comes from, so that nobody takes it for others.

    Parameters
    ----------
    origins
        The score files that it was fitted on, and what made the scores of each; what
        they agree on is kept.
    table
        Their trials.
    penalty
        Kept where there is one.
    """
    found = {
        "scores": ", ".join(map(str, origins)),
        "sha256": ", ".join(map(file_sha256, origins)),
    }
    told = [flat(origin) for origin in origins.values()]
    for name in told[0]:
        if all(other.get(name) == told[0][name] for other in told):
            found.setdefault(name, told[0][name])
    found["speakers"] = str(table.speakers)
    if penalty:
        found["penalty"] = f"{penalty:g}"
    found["bob.learn.pytorch"] = version("bob.learn.pytorch")
    return found


def flat(origin: Mapping[str, Any]) -> dict[str, str]:
    """What made scores, in texts of one level."""
    inner = origin.get("made_by", {})
    outer = {name: value for name, value in origin.items() if name != "made_by"}
    every = {**outer, **(inner if isinstance(inner, dict) else {})}
    return {name: str(value) for name, value in every.items() if name != NOTES}


def _origin(path: Path) -> dict[str, Any]:
    said = read_provenance(path)
    return {name: value for name, value in said.items() if name not in _OF_FILE}


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
