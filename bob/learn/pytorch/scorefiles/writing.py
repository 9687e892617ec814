"""Write score files in the forms of `forms`, and those whose scores were changed."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bob.learn.pytorch._moved import moved_names
from bob.learn.pytorch.calibration.file import to_json
from bob.learn.pytorch.calibration.origin import LOG_LIKELIHOOD_RATIO, write_provenance
from bob.learn.pytorch.files import beside
from bob.learn.pytorch.metrics import Names
from bob.learn.pytorch.scorefiles.forms import (
    COLUMNS,
    CSV_COLUMNS,
    OverwritingError,
    ScoreFileError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from bob.learn.pytorch.calibration.decision import Calibration
    from bob.learn.pytorch.metrics import CostFunction, Figures, ScoreTable
    from bob.learn.pytorch.scorefiles.reading import ScoreFile

# Written at a time, in trials.
BLOCK_TRIALS = 1 << 16
_MEANING = "natural log-likelihood ratios"

__getattr__ = moved_names(__name__)


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


def write_scores(
    path: str | os.PathLike[str], table: ScoreTable, *, form: str = "four"
) -> Path:
    """Write a table of scores; the file appears at once and complete, or not at all.

    Missing folders are made.

    Parameters
    ----------
    form
        One of the forms of `forms`.

    Raises
    ------
    ScoreFileError
        The form is unknown, it needs the name of the reference and the table has none,
        or a name with a space would become two columns.
    """
    return write_blocks(path, [(table, {})], form=form)


def write_blocks(
    path: str | os.PathLike[str],
    blocks: Iterable[tuple[ScoreTable, Mapping[str, Names]]],
    *,
    form: str,
) -> Path:
    """Write tables of scores, one after the other, into one file.

    Parameters
    ----------
    path
        The file appears at once and complete, or not at all.
    blocks
        Tables of some trials; with the form ``csv``, other facts about each trial, by
        title, the same titles in each block.
    form
        See `write_scores`.

    Raises
    ------
    ScoreFileError
        As `write_scores` does.
    """
    path = Path(path)
    with (
        beside(path) as place,
        place.open("x", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        for number, (table, metadata) in enumerate(blocks):
            lines = score_lines(table, form=form, metadata=metadata)
            # The headline stands once, as the first piece of the first block.
            file.writelines(islice(lines, int(form == "csv" and number > 0), None))
    return path


def score_lines(
    table: ScoreTable,
    *,
    form: str = "four",
    metadata: Mapping[str, Names] | None = None,
) -> Iterator[str]:
    """Yield the text of a score file in pieces of many lines.

    Raises
    ------
    ScoreFileError
        As `write_scores` does.
    """
    if form not in COLUMNS:
        raise ScoreFileError(
            f"scores cannot be written in the form {form!r}; choose one of "
            f"{', '.join(COLUMNS)}"
        )
    others = (metadata or {}) if form == "csv" else {}
    if form == "csv":
        titles = list(CSV_COLUMNS.values())
        titles[-1:-1] = map(_quoted, others)
        yield ",".join(titles) + "\n"
    columns, place = _columns(table, form, others)
    texts = [_escaped(column, form=form) for column in columns]
    separator, number = (",", "%r") if form == "csv" else (" ", "%.8f")
    for start in range(0, len(table), BLOCK_TRIALS):
        part = slice(start, start + BLOCK_TRIALS)
        fields = [
            [distinct[code] for code in column.codes[part].tolist()]
            for distinct, column in zip(texts, columns, strict=True)
        ]
        if "pair" in COLUMNS[form]:
            fields[:2] = [list(map("*".join, zip(*fields[:2], strict=True)))]
        scores = table.score[part].tolist()
        fields.insert(place, [number] * len(scores))
        template = "\n".join(map(separator.join, zip(*fields, strict=True)))
        yield template % tuple(scores) + "\n"


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


def result_paths(paths: Sequence[Path], folder: Path) -> list[Path]:
    """Return the places of results of score files in a folder.

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


def _columns(
    table: ScoreTable, form: str, others: Mapping[str, Names]
) -> tuple[list[Names], int]:
    """Return the columns of a form but the scores, and the place of these."""
    columns: list[Names] = []
    for name in COLUMNS[form]:
        if name == "pair":
            columns += [_names(table, side, form=form) for side in ("model", "probe")]
        elif name == "model" and others and table.model is None:
            columns.append(table.claimed)
        elif name != "score":
            columns.append(_names(table, name, form=form))
    columns += others.values()
    place = COLUMNS[form].index("score")
    return columns, len(columns) if form == "csv" else place


def _names(table: ScoreTable, column: str, *, form: str) -> Names:
    if column == "label":
        words = ("nontarget", "target") if form == "wespeaker" else ("0", "1")
        return Names(words, table.is_target.astype(np.int32))
    names: Names | None = getattr(table, column)
    if names is None:
        raise ScoreFileError(
            "this table of scores does not name its references, which all forms but "
            "four columns need; give model= to the table or write four columns"
        )
    return names


def _escaped(names: Names, *, form: str) -> list[str]:
    """Return distinct names as they stand in the file, safe in a % template."""
    if form == "csv":
        return [_quoted(name).replace("%", "%%") for name in names.distinct]
    for name in names.distinct:
        if len(name.split()) != 1 or name.strip() != name:
            raise ScoreFileError(
                f"{name!r} cannot stand in a score file whose columns are parted by "
                f"spaces; rename it, or write the scores as CSV"
            )
        if "pair" in COLUMNS[form] and "*" in name:
            raise ScoreFileError(
                f"{name!r} cannot stand in a score file of ESPnet, where a * parts "
                "both names; rename it, or choose another form"
            )
    return [name.replace("%", "%%") for name in names.distinct]


def _quoted(name: str) -> str:
    if any(character in name for character in ',"\r\n'):
        return '"' + name.replace('"', '""') + '"'
    return name
