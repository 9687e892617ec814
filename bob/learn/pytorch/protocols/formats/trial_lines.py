"""Lines of trials: VoxCeleb's ``1 a.wav b.wav`` and ``a.wav b.wav target``.

A blind list, such as that of a challenge, has the two names alone.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.audio.paths import is_from_windows, without_backslashes
from bob.learn.pytorch.protocols.fast_trials import fast_columns
from bob.learn.pytorch.protocols.line_fields import (
    WITH_BLANKS,
    fields_of,
    headline,
    is_quoted,
    table_rows,
)
from bob.learn.pytorch.protocols.text_columns import is_number
from bob.learn.pytorch.protocols.text_lines import refuse_other_files, text_lines
from bob.learn.pytorch.protocols.trials import DatabaseError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from bob.learn.pytorch.metrics import Names

logger = logging.getLogger(__name__)

#: Of VoxCeleb, of Kaldi and NIST, of SITW.
WORDS = {
    "1": True,
    "0": False,
    "target": True,
    "nontarget": False,
    "tgt": True,
    "imp": False,
    "non-target": False,
    "true": True,
    "false": False,
}
#: The same in capitals, too.
LABELS = {
    spelled: label
    for word, label in WORDS.items()
    for spelled in (word, word.upper(), word.capitalize())
}
_WORDS = frozenset(LABELS) - {"1", "0"}
_EXPECTED = "a list of trials like '1 a.wav b.wav'"
_BLIND = ("enrolled", "tested")
_OF_DATA_FOLDERS = ("utt2spk", "spk2utt", "wav.scp")


@dataclass(frozen=True)
class TrialList:
    """Content of a trial list, before it is interpreted.

    Attributes
    ----------
    path : Path
        The list.
    enrolled, tested : tuple of str
        The different names on either side, in the order they come up.
    enrolled_at, tested_at : (trials,) arrays of int
        For each trial the positions in `enrolled` and `tested`.
    target : (trials,) array of bool
        The labels.
    lines : (trials,) array of int
        Line numbers, from 1.
    label_first : bool
        Whether the label leads, as in VoxCeleb, or ends the line, as in Kaldi.
    metadata : mapping
        What else is known of each trial, by title, ``(trials,)`` each.
    is_labelled : bool
        Whether the list has labels; where it is blind, `target` is false throughout.
    """

    path: Path
    enrolled: tuple[str, ...]
    tested: tuple[str, ...]
    enrolled_at: NDArray[np.int64]
    tested_at: NDArray[np.int64]
    target: NDArray[np.bool_]
    lines: NDArray[np.int64]
    label_first: bool
    metadata: Mapping[str, Names] = field(default_factory=dict)
    is_labelled: bool = True

    def where(self, name: str) -> str:
        """``list.txt:line`` of the first trial with this name."""
        uses = np.zeros(len(self.lines), dtype=bool)
        if name in self.enrolled:
            uses |= self.enrolled_at == self.enrolled.index(name)
        if name in self.tested:
            uses |= self.tested_at == self.tested.index(name)
        return f"{self.path}:{self.lines[uses.argmax()]}"

    def pairs(self) -> tuple[NDArray[np.int64], ...]:
        """For each enrolled name the positions in `tested`, in the order of lines."""
        counts = np.bincount(self.enrolled_at, minlength=len(self.enrolled))
        ends = np.cumsum(counts)[:-1]
        return tuple(np.split(self.tested_at[self._by_reference], ends))

    def metadata_of_pairs(self) -> dict[str, Names]:
        """Return the metadata of each trial, in the order of `pairs`."""
        return {
            title: column.take(self._by_reference)
            for title, column in self.metadata.items()
        }

    @cached_property
    def _by_reference(self) -> NDArray[np.int64]:
        return np.argsort(self.enrolled_at, kind="stable")

    def renamed(self, names: Mapping[str, str]) -> TrialList:
        """Return the same trials under other names; what gets one name becomes one."""
        enrolled, enrolled_at = _renamed(self.enrolled, self.enrolled_at, names)
        tested, tested_at = _renamed(self.tested, self.tested_at, names)
        return replace(
            self,
            enrolled=enrolled,
            tested=tested,
            enrolled_at=enrolled_at,
            tested_at=tested_at,
        )


def _renamed(
    old: Sequence[str], at: NDArray[np.int64], names: Mapping[str, str]
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    position: dict[str, int] = {}
    moved = [position.setdefault(names[name], len(position)) for name in old]
    return tuple(position), np.array(moved, dtype=np.int64)[at]


def read_trial_list(path: str | os.PathLike[str]) -> TrialList:
    """Read a list of trials: a label and two names a line, the label first or last.

    Labels are 1 and 0, target and nontarget, or tgt and imp. Lines of two names make a
    blind list. Empty lines and lines that begin with ``#`` are passed over. See
    `line_fields` for names with blanks, and for tables with a headline. Backslashes of
    Windows are read as slashes, unless there is a file of that very name.

    Raises
    ------
    DatabaseError
        For a line of another form, with its number.
    """
    path = Path(path)
    refuse_other_files(path, expected=_EXPECTED)
    if path.name in _OF_DATA_FOLDERS:
        raise DatabaseError(
            f"{path} is part of a data folder of Kaldi; expected {_EXPECTED}, or the "
            f"folder ({path.parent})"
        )
    return _with_slashes(_read_fast(path) or _read_by_line(path))


def _with_slashes(listed: TrialList) -> TrialList:
    names = dict.fromkeys((*listed.enrolled, *listed.tested))
    first = next(filter(is_from_windows, names), None)
    folder = listed.path.absolute().parent
    if first is None or any(
        (place / first).exists() for place in (folder, folder / "wav")
    ):
        return listed
    logger.warning(
        "%s has paths of Windows, such as %s; their backslashes are read as slashes",
        listed.path, first,
    )  # fmt: skip
    return listed.renamed({name: without_backslashes(name, folder) for name in names})


def is_pair_table(path: Path) -> bool:
    """Return whether a file begins with the headline of a table of trials."""
    for _, line in text_lines(path, expected=_EXPECTED):
        return headline(line) is not None
    return False


def is_trial_list(path: Path) -> bool:
    """Return whether the first line is a trial with its label.

    Raises
    ------
    DatabaseError
        It is no text.
    """
    for _, line in text_lines(path, expected=_EXPECTED):
        fields = fields_of(line)
        if not fields[0].startswith("#"):
            labelled = len(fields) == 3 and LABELS.keys() & {fields[0], fields[2]}
            return bool(labelled) or headline(line) is not None
    return False


def _read_fast(path: Path) -> TrialList | None:
    """Read a long list without anything odd; None: read it line by line."""
    number, line = next(text_lines(path, expected=_EXPECTED), (0, ""))
    fields = line.split()
    is_odd = line.startswith("#") or '"' in line or headline(line) is not None
    if number != 1 or len(fields) not in (2, 3) or is_odd:
        return None
    columns = _columns(fields, where=f"{path}:1")
    found = fast_columns(path, columns)
    if found is None or any(
        is_quoted(name)
        for side in ("enrolled", "tested")
        for name in found[side].distinct
    ):
        return None
    target = np.zeros(len(found["tested"]), dtype=np.bool_)
    if (label := found.get("label")) is not None:
        if not set(label.distinct) <= set(LABELS):
            return None
        target = np.array([LABELS[word] for word in label.distinct])[label.codes]
    return TrialList(
        path,
        found["enrolled"].distinct,
        found["tested"].distinct,
        found["enrolled"].codes.astype(np.int64),
        found["tested"].codes.astype(np.int64),
        target,
        np.arange(1, len(target) + 1),
        label_first=columns[0] == "label",
        is_labelled=label is not None,
    )


def _read_by_line(path: Path) -> TrialList:
    enrolled: dict[str, int] = {}
    tested: dict[str, int] = {}
    columns: tuple[list[int], list[int], list[bool], list[int]] = ([], [], [], [])
    enrolled_at, tested_at, target, lines = columns
    form: Sequence[str | None] = ()
    for number, fields, form in _rows(path):
        found = dict(zip(form, fields, strict=False))
        # Only a blind list is without labels, and there all are false.
        label = found.get("label", "0")
        if len(fields) != len(form) or label not in LABELS:
            raise _bad_line(fields, f"{path}:{number}", form)
        target.append(LABELS[label])
        enrolled_at.append(enrolled.setdefault(found["enrolled"], len(enrolled)))
        tested_at.append(tested.setdefault(found["tested"], len(tested)))
        lines.append(number)
    if not form:
        raise DatabaseError(
            f"{path} holds no trial; expected lines like '1 a.wav b.wav'"
        )
    return TrialList(
        path,
        tuple(enrolled),
        tuple(tested),
        np.array(enrolled_at, dtype=np.int64),
        np.array(tested_at, dtype=np.int64),
        np.array(target, dtype=np.bool_),
        np.array(lines, dtype=np.int64),
        label_first=form[0] == "label",
        is_labelled="label" in form,
    )


def _rows(path: Path) -> Iterator[tuple[int, list[str], Sequence[str | None]]]:
    """Yield number, fields and columns of each trial."""
    found = (
        (number, line)
        for number, line in text_lines(path, expected=_EXPECTED)
        if not line.lstrip().startswith("#")
    )
    if (first := next(found, None)) is None:
        return
    lines = chain([first], found)
    if headline(first[1]) is not None:
        yield from table_rows(lines, path)
        return
    form: tuple[str, ...] = ()
    for number, line in lines:
        fields = fields_of(line)
        form = form or _columns(fields, where=f"{path}:{number}")
        yield number, fields, form


def _columns(fields: Sequence[str], *, where: str) -> tuple[str, ...]:
    """Tell the columns from the first line."""
    if len(fields) == 3:
        if fields[2] in _WORDS or (fields[2] in LABELS and fields[0] not in LABELS):
            return (*_BLIND, "label")
        if fields[0] in LABELS:
            return ("label", *_BLIND)
    # A * parts both names in ESPnet's lists, whose second column is none.
    if len(fields) == 2 and "*" not in fields[0] and fields[0] not in LABELS:
        # Recordings may be called by numbers; then both are, and without a point.
        one, other = fields
        if not is_number(other) or (one.isdecimal() and other.isdecimal()):
            return _BLIND
    raise _bad_line(fields, where, ())


def _bad_line(
    fields: Sequence[str], where: str, form: Sequence[str | None]
) -> DatabaseError:
    expected = "'1 a.wav b.wav' (VoxCeleb) or 'a.wav b.wav target' (Kaldi)"
    if form:
        expected = "'{}' like the lines before".format(
            " ".join(f"<{name}>" for name in form)
        )
    labels = f", with a label out of {', '.join(WORDS)}" if form != _BLIND else ""
    blanks = f"; {WITH_BLANKS}" if len(fields) > len(form or "123") else ""
    return DatabaseError(
        f"{where}: {' '.join(fields)!r}; expected {expected}{labels}: correct the line"
        f"{blanks}"
    )
