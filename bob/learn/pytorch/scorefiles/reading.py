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
others         ``enrolled tested score label``, with the label at any place but
               between the names, and the score before or behind them
=============  ===========================================================

A trial without a score says ``nan``. Forms that name recordings and no speakers need a
list of trials, a protocol, labels, or VoxCeleb's names; see `labels`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from bob.learn.pytorch.metrics import Names, ScoreTable
from bob.learn.pytorch.protocols.columns import Block, Joined
from bob.learn.pytorch.protocols.listed import WORDS
from bob.learn.pytorch.protocols.sources import read_trial_source
from bob.learn.pytorch.scorefiles.blocks import score_blocks, score_layout
from bob.learn.pytorch.scorefiles.labels import (
    Labels,
    in_the_file,
    in_the_names,
    parted,
    with_speakers,
)
from bob.learn.pytorch.scorefiles.layouts import (
    METADATA,
    Found,
    ScoreFileError,
    UnlabelledError,
    no_trial,
)
from bob.learn.pytorch.scorefiles.text import (
    BLOCK_TRIALS,
    Form,
    score_lines,
    write_scores,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from bob.learn.pytorch.protocols.listed import TrialList

    Source: TypeAlias = TrialList | str | os.PathLike[str] | None

__all__ = [
    "BLOCK_TRIALS",
    "Form",
    "ScoreFileError",
    "read_scores",
    "read_with_metadata",
    "read_everything",
    "labelled_scores",
    "write_scores",
    "score_lines",
]


class Read(NamedTuple):
    """What is in a score file, and in the list of its trials.

    Attributes
    ----------
    others
        What else is known of the trials, by title.
    is_labelled
        Whether it is known which trials are of one speaker.
    names_only
        Whether the file itself names no speakers.
    """

    table: ScoreTable
    others: dict[str, Names]
    is_labelled: bool
    names_only: bool


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
    return _read(Path(path), trials, metadata=False).table


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
    read = _read(Path(path), trials, metadata=True)
    return read.table, read.others


def read_everything(
    path: str | os.PathLike[str],
    *,
    trials: Source = None,
    unlabelled: bool = False,
) -> Read:
    """As `read_with_metadata`, also of files that nothing says the speakers of.

    Parameters
    ----------
    unlabelled
        Take those: each name is a speaker of its own, or in CSV speakers are as empty
        as they are there, so that nothing can be measured.

    Raises
    ------
    ScoreFileError
        As `read_scores` does.
    """
    return _read(Path(path), trials, metadata=True, unlabelled=unlabelled)


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
    found = score_layout(path)
    labels = None
    blindness = _Blindness(path)
    lines = 0
    for block in score_blocks(path, found):
        if len(block):
            scores = _scores(block)
            if not lines:
                _refuse_trial_list(path, found, scores)
            names = dict(block.names)
            if blindness.found(names, first=lines):
                labels = labels or _labels(trials)
                names = _without_speakers(path, names, labels)
            yield scores, _targets(path, names, labels, first=lines)
        lines += len(block)
    if not lines:
        raise no_trial(path)


def _read(
    path: Path, trials: Source, *, metadata: bool, unlabelled: bool = False
) -> Read:
    _, names, scores = _columns(path, metadata=metadata)
    others = {
        name.removeprefix(METADATA): names.pop(name)
        for name in list(names)
        if name.startswith(METADATA)
    }
    is_blind, is_labelled = _Blindness(path).found(names), True
    labels = _labels(trials) if is_blind or metadata else None
    if is_blind:
        try:
            names = _with_speakers(path, names, labels)
        except UnlabelledError:
            # Without references, CSV could not be written again.
            if not unlabelled or ("claimed" in names and "model" not in names):
                raise
            is_labelled, labels = False, None
            if "claimed" not in names:
                sides = _sides(path, names)
                names = {"claimed": sides["model"], "real": sides["probe"], **sides}
    table = ScoreTable(score=scores, **names)
    if metadata and labels is not None:
        others = labels.metadata(table) | others
    return Read(table, others, is_labelled, is_blind)


class _Blindness:
    """Whether a file names no speakers; in CSV those of one side are empty throughout.

    It is asked of a whole file, or of all its blocks in their order.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._empty = {"claimed", "real"}

    def found(self, names: Mapping[str, Names], *, first: int = 0) -> bool:
        """Of trials from `first` on; refuses speakers that only some trials lack."""
        if "claimed" not in names:
            return True
        before = bool(self._empty)
        self._empty = {side for side in self._empty if not any(names[side].distinct)}
        if self._empty:
            return True
        if first and before:
            raise self._lacking(0)
        lacking = _empty_in(names["claimed"]) | _empty_in(names["real"])
        if lacking.any():
            raise self._lacking(first + int(lacking.argmax()))
        return False

    def _lacking(self, trial: int) -> ScoreFileError:
        return ScoreFileError(
            f"{self._path}, trial {trial + 1}: probe_subject_id or bio_ref_subject_id "
            "is empty, and is not in all trials; fill it in, or empty the column "
            "throughout and give the list of the trials (--trials)"
        )


def _empty_in(column: Names) -> NDArray[np.bool_]:
    return np.array([not name for name in column.distinct])[column.codes]


def _without_speakers(
    path: Path, names: dict[str, Names], labels: Labels | None
) -> dict[str, Names]:
    """Leave out columns of speakers that are empty, where a list has the labels."""
    if "claimed" in names and (labels is None or "model" not in names):
        raise UnlabelledError(
            f"{path} does not say which trials are of one speaker: its column "
            "probe_subject_id or bio_ref_subject_id is empty; fill them in, or give "
            "the list of its trials (--trials), which needs bio_ref_template_id"
        )
    return {
        name: column
        for name, column in names.items()
        if name not in ("claimed", "real")
    }


def _columns(
    path: Path, *, metadata: bool
) -> tuple[Found, dict[str, Names], NDArray[np.float64]]:
    """The form of a file, its columns of names, and its scores."""
    found = score_layout(path, metadata=metadata)
    joined = Joined()
    for block in score_blocks(path, found):
        joined.add(block)
    scores = joined.numbers
    if not scores.size:
        raise no_trial(path)
    _refuse_trial_list(path, found, scores)
    return found, joined.names, scores


def _with_speakers(
    path: Path, names: dict[str, Names], labels: Labels | None
) -> dict[str, Names]:
    """The columns of a score table from two names and where labels come from."""
    names = _without_speakers(path, names, labels)
    target = _targets(path, names, labels)
    sides = _sides(path, names)
    known = None
    if labels is not None and "label" not in names:
        labels.refuse_unscored(path, sides)
        known = labels.speakers(sides)
    claimed, real = known or with_speakers(path, sides, target)
    return {"claimed": claimed, "real": real, **sides}


def _targets(
    path: Path,
    names: dict[str, Names],
    labels: Labels | None,
    *,
    first: int = 0,
) -> NDArray[np.bool_]:
    if "claimed" in names:
        code = {name: at for at, name in enumerate(names["claimed"].distinct)}
        real = np.array([code.get(name, -1) for name in names["real"].distinct])
        return np.equal(names["claimed"].codes, real[names["real"].codes])
    if "label" in names:
        try:
            return in_the_file(names["label"])
        except KeyError as error:
            raise ScoreFileError(
                f"{path}: {error} is no label; expected one of {', '.join(WORDS)}"
            ) from error
    sides = _sides(path, names)
    if labels is not None:
        return labels.of(path, sides, first=first)
    return in_the_names(path, sides)


def _sides(path: Path, names: dict[str, Names]) -> dict[str, Names]:
    if "pair" in names:
        return parted(path, names["pair"])
    return {"model": names["model"], "probe": names["probe"]}


def _scores(block: Block) -> NDArray[np.float64]:
    assert block.numbers is not None  # noqa: S101 - every layout has a score
    return block.numbers


def _labels(trials: Source) -> Labels | None:
    return None if trials is None else Labels(read_trial_source(trials))


def _refuse_trial_list(path: Path, found: Found, scores: NDArray[np.float64]) -> None:
    place = {"voxsrc": "first", "kaldi": "last"}.get(found.form)
    # One trial may score 1 by chance.
    are_labels = ((scores == 0) | (scores == 1)).all()
    if place and are_labels and (place == "first" or np.ptp(scores)):
        raise ScoreFileError(
            f"{path} is a list of trials: its {place} column is always 0 or 1; give "
            "the file of scores, and this as the list of trials"
        )
