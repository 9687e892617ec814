"""Score files: those of verify.py and of Bob 8, of VoxSRC, Kaldi, WeSpeaker and ESPnet.

=============  ===========================================================
form           one trial
=============  ===========================================================
``four``       ``claimed real probe score``, as ``%s %s %s %3.8f``
``five``       ``claimed model real probe score``
``csv``        under a header: ``probe_template_id``, ``probe_subject_id``,
               ``bio_ref_template_id``, ``bio_ref_subject_id``, any others,
               ``score`` in full
``voxsrc``     ``score enrolled tested``
``kaldi``      ``enrolled tested score``
``wespeaker``  ``enrolled tested score target|nontarget``
``espnet``     ``enrolled*tested score 1|0``, or without labels
=============  ===========================================================

A trial without a score says ``nan``. Forms that name recordings and no speakers need a
list of trials, a protocol, labels, or VoxCeleb's names; see `score_labels`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from bob.learn.pytorch.atomic import beside
from bob.learn.pytorch.metrics import Names, ScoreTable
from bob.learn.pytorch.verification import score_labels
from bob.learn.pytorch.verification.score_layouts import (
    CSV_COLUMNS,
    METADATA,
    TEXT_COLUMNS,
    Found,
    ScoreFileError,
    find_layout,
    no_trial,
)
from bob.learn.pytorch.verification.score_reading import score_blocks
from bob.learn.pytorch.verification.text_columns import Block, Joined
from bob.learn.pytorch.verification.trial_sources import read_trial_source

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from bob.learn.pytorch.verification.trial_lists import TrialList

    Source: TypeAlias = TrialList | str | os.PathLike[str] | None

__all__ = [
    "ScoreFileError",
    "read_scores",
    "read_with_metadata",
    "read_unlabelled",
    "labelled_scores",
    "write_scores",
    "score_lines",
]

Form: TypeAlias = Literal[
    "four", "five", "csv", "voxsrc", "kaldi", "wespeaker", "espnet",
    "espnet, no labels",
]  # fmt: skip

# Here a trial has one name, of two parts.
_ESPNET = ("espnet", "espnet, no labels")

# Written at a time, in trials.
BLOCK_TRIALS = 1 << 16


def read_scores(
    path: str | os.PathLike[str],
    *,
    trials: Source = None,
) -> ScoreTable:
    """Read a score file of any form; the first line tells which.

    Parameters
    ----------
    path
        The file.
    trials
        A list of the same trials, or a protocol with them, used where the file does
        not say which are of one speaker.

    Raises
    ------
    ScoreFileError
        The file holds no trial, or a line does not fit: the message has its number.
    """
    return _read(Path(path), trials, metadata=False)[0]


def read_with_metadata(
    path: str | os.PathLike[str],
    *,
    trials: Source = None,
) -> tuple[ScoreTable, dict[str, Names]]:
    """Read a score file, and what else is known of its trials, by title.

    Those are the other columns of a CSV, and what the list of trials or the protocol
    says of recordings (``bio_ref_gender``, ``probe_gender``) and of trials.

    Raises
    ------
    ScoreFileError
        As `read_scores` does.
    """
    return _read(Path(path), trials, metadata=True)


def read_unlabelled(path: str | os.PathLike[str]) -> ScoreTable:
    """Read a score file that does not tell who speaks.

    Each name is taken for a speaker of its own, so that nothing can be measured.

    Raises
    ------
    ScoreFileError
        A line does not fit, or it is a list of trials.
    """
    path = Path(path)
    _, names, scores = _columns(path, metadata=False)
    sides = _sides(path, names)
    model, probe = sides["model"], sides["probe"]
    return ScoreTable(model, probe, probe=probe, score=scores, model=model)


def labelled_scores(
    path: str | os.PathLike[str],
    *,
    trials: Source = None,
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.bool_]]]:
    """Read a score file of any length in bounded memory, without its names.

    Yields
    ------
    scores : (lines,) array of float64
        Of some lines, in their order; NaN included.
    is_target : (lines,) array of bool
        Whether both are the same speaker.

    Raises
    ------
    ScoreFileError
        As `read_scores` does, but nothing tells whether the list holds more trials.
    """
    path = Path(path)
    found = find_layout(path)
    labels = _labels(trials) if "claimed" not in found.layout.columns else None
    lines = 0
    for block in score_blocks(path, found):
        if len(block):
            scores = _scores(block)
            if not lines:
                _refuse_trial_list(path, found, scores)
            yield scores, _targets(path, block, labels, first=lines)
        lines += len(block)
    if not lines:
        raise no_trial(path)


def _read(
    path: Path, trials: Source, *, metadata: bool
) -> tuple[ScoreTable, dict[str, Names]]:
    found, names, scores = _columns(path, metadata=metadata)
    tells = "claimed" in found.layout.columns
    labels = None if tells and not metadata else _labels(trials)
    if not tells:
        names = _with_speakers(path, names, labels)
    others = {
        name.removeprefix(METADATA): names.pop(name)
        for name in list(names)
        if name.startswith(METADATA)
    }
    table = ScoreTable(score=scores, **names)
    if metadata and labels is not None:
        others = labels.metadata(table) | others
    return table, others


def _columns(
    path: Path, *, metadata: bool
) -> tuple[Found, dict[str, Names], NDArray[np.float64]]:
    """The form of a file, its columns of names, and its scores."""
    found = find_layout(path, metadata=metadata)
    joined = Joined()
    for block in score_blocks(path, found):
        joined.add(block)
    scores = joined.numbers
    if not scores.size:
        raise no_trial(path)
    _refuse_trial_list(path, found, scores)
    return found, joined.names, scores


def _with_speakers(
    path: Path, names: dict[str, Names], labels: score_labels.Labels | None
) -> dict[str, Names]:
    """The columns of a score table from two names and where labels come from."""
    target = _targets(path, Block(names, None), labels)
    sides = _sides(path, names)
    known = None
    if labels is not None and "label" not in names:
        labels.refuse_unscored(path, sides)
        known = labels.speakers(sides)
    claimed, real = known or score_labels.with_speakers(path, sides, target)
    return {"claimed": claimed, "real": real, **sides}


def _targets(
    path: Path, block: Block, labels: score_labels.Labels | None, *, first: int = 0
) -> NDArray[np.bool_]:
    names = dict(block.names)
    if "claimed" in names:
        code = {name: at for at, name in enumerate(names["claimed"].distinct)}
        real = np.array([code.get(name, -1) for name in names["real"].distinct])
        return np.equal(names["claimed"].codes, real[names["real"].codes])
    if "label" in names:
        try:
            return score_labels.in_the_file(names["label"])
        except KeyError as error:
            raise ScoreFileError(
                f"{path}: {error} is no label; expected target or nontarget, 1 or 0"
            ) from error
    sides = _sides(path, names)
    if labels is not None:
        return labels.of(path, sides, first=first)
    return score_labels.in_the_names(path, sides)


def _sides(path: Path, names: dict[str, Names]) -> dict[str, Names]:
    if "pair" in names:
        return score_labels.parted(path, names["pair"])
    return {"model": names["model"], "probe": names["probe"]}


def _scores(block: Block) -> NDArray[np.float64]:
    assert block.numbers is not None  # noqa: S101 - every layout has a score
    return block.numbers


def _labels(trials: Source) -> score_labels.Labels | None:
    return None if trials is None else score_labels.Labels(read_trial_source(trials))


def _refuse_trial_list(path: Path, found: Found, scores: NDArray[np.float64]) -> None:
    if found.form == "voxsrc" and ((scores == 0) | (scores == 1)).all():
        raise ScoreFileError(
            f"{path} is a list of trials: its first column is always 0 or 1; give the "
            "file of scores, and this as the list of trials"
        )


def write_scores(
    path: str | os.PathLike[str], table: ScoreTable, *, form: Form = "four"
) -> Path:
    """Write a table of scores; the file appears at once and complete, or not at all.

    Missing folders are made.

    Raises
    ------
    ScoreFileError
        The form needs the name of the reference and the table has none, or a name
        with a space would become two columns.
    """
    path = Path(path)
    with (
        beside(path) as place,
        place.open("x", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        file.writelines(score_lines(table, form=form))
    return path


def score_lines(table: ScoreTable, *, form: Form = "four") -> Iterator[str]:
    """Yield the text of a score file in pieces of many lines.

    Raises
    ------
    ScoreFileError
        As `write_scores` does.
    """
    columns, separator, number = _layout(form)
    if form == "csv":
        yield ",".join(CSV_COLUMNS.values()) + "\n"
    names = [
        _names(table, column, form=form) for column in columns if column != "score"
    ]
    texts = [_escaped(column, form=form) for column in names]
    place = columns.index("score")
    for start in range(0, len(table), BLOCK_TRIALS):
        part = slice(start, start + BLOCK_TRIALS)
        fields = [
            [distinct[code] for code in column.codes[part].tolist()]
            for distinct, column in zip(texts, names, strict=True)
        ]
        scores = table.score[part].tolist()
        fields.insert(place, [number] * len(scores))
        if form in _ESPNET:
            fields[:2] = [list(map("*".join, zip(*fields[:2], strict=True)))]
        template = "\n".join(map(separator.join, zip(*fields, strict=True)))
        yield template % tuple(scores) + "\n"


def _layout(form: str) -> tuple[tuple[str, ...], str, str]:
    """Columns, what stands between them, and how a score is written."""
    layouts = {
        "four": (TEXT_COLUMNS["four"], " ", "%3.8f"),
        "five": (TEXT_COLUMNS["five"], " ", "%3.8f"),
        "csv": (tuple(CSV_COLUMNS), ",", "%r"),
        "voxsrc": (TEXT_COLUMNS["voxsrc"], " ", "%.8f"),
        "kaldi": (TEXT_COLUMNS["kaldi"], " ", "%.8f"),
        "wespeaker": (TEXT_COLUMNS["wespeaker"], " ", "%.8f"),
        "espnet": (TEXT_COLUMNS["wespeaker"], " ", "%.8f"),
        "espnet, no labels": (TEXT_COLUMNS["kaldi"], " ", "%.8f"),
    }
    if form not in layouts:
        raise ScoreFileError(
            f"scores cannot be written in the form {form!r}; choose one of "
            f"{', '.join(layouts)}"
        )
    return layouts[form]


def _names(table: ScoreTable, column: str, *, form: str) -> Names:
    if column == "label":
        words = ("0", "1") if form in _ESPNET else ("nontarget", "target")
        return Names(words, table.is_target.astype(np.int32))
    names: Names | None = getattr(table, column)
    if names is None:
        raise ScoreFileError(
            "this table of scores does not name its references, which all forms but "
            "four columns need; give model= to the table or write four columns"
        )
    return names


def _escaped(names: Names, *, form: str) -> list[str]:
    """Distinct names as they stand in the file, safe in a % template."""
    if form == "csv":
        return [_quoted(name).replace("%", "%%") for name in names.distinct]
    for name in names.distinct:
        if len(name.split()) != 1 or name.strip() != name:
            raise ScoreFileError(
                f"{name!r} cannot stand in a score file whose columns are parted by "
                f"spaces; rename it, or write the scores as CSV"
            )
        if form in _ESPNET and "*" in name:
            raise ScoreFileError(
                f"{name!r} cannot stand in a score file of ESPnet, where a * parts "
                "both names; rename it, or choose another form"
            )
    return [name.replace("%", "%%") for name in names.distinct]


def _quoted(name: str) -> str:
    if any(character in name for character in ',"\r\n'):
        return '"' + name.replace('"', '""') + '"'
    return name
