"""Forms of score files: their columns, and which form a file has.

=============  ===========================================================
form           one trial
=============  ===========================================================
``four``       ``claimed real probe score``, as ``%s %s %s %.8f``
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

The first line tells the form, but for one case. ``1 a.wav b.wav 0.6`` may be a trial of
two recordings with its label, or one of Bob's: speaker 1 is claimed, ``a.wav`` is the
real speaker and ``b.wav`` the probe. Many lines tell these apart: in Bob's, a probe has
one speaker, and some trials are of one speaker. A column of labels holds labels only.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.errors import UserError
from bob.learn.pytorch.files import refuse_other_files
from bob.learn.pytorch.protocols.columns import Layout, is_number, one_separator
from bob.learn.pytorch.protocols.listed import LABELS
from bob.learn.pytorch.protocols.names import without_audio_suffix

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from bob.learn.pytorch.metrics import Names
    from bob.learn.pytorch.protocols.columns import Block

CSV_COLUMNS = {
    "probe": "probe_template_id",
    "real": "probe_subject_id",
    "model": "bio_ref_template_id",
    "claimed": "bio_ref_subject_id",
    "score": "score",
}
#: Forms with a label that one line may not tell from Bob's four columns.
LABELLED: dict[str, tuple[str, ...]] = {
    "label a b score": ("label", "model", "probe", "score"),
    "a b label score": ("model", "probe", "label", "score"),
    "a b score label": ("model", "probe", "score", "label"),
    "label score a b": ("label", "score", "model", "probe"),
    "score label a b": ("score", "label", "model", "probe"),
    "score a b label": ("score", "model", "probe", "label"),
}
#: Every form -> its columns; ``pair`` stands for two names with a star between.
COLUMNS: dict[str, tuple[str, ...]] = {
    "four": ("claimed", "real", "probe", "score"),
    "five": ("claimed", "model", "real", "probe", "score"),
    "csv": tuple(CSV_COLUMNS),
    "voxsrc": ("score", "model", "probe"),
    "kaldi": ("model", "probe", "score"),
    "wespeaker": LABELLED["a b score label"],
    "espnet": ("pair", "score", "label"),
    "espnet, no labels": ("pair", "score"),
    **LABELLED,
}
#: Prefix of the title of a column that Bob does not know.
METADATA = "metadata:"

# Number of columns -> names of Bob's, and which are claimed, real and probe.
_BOBS = {4: "claimed real probe score", 5: "claimed model real probe score"}
_CLAIMED_REAL_PROBE = {4: (0, 1, 2), 5: (0, 2, 3)}
# Lines after which the answer does not change any more.
_ENOUGH = 1 << 20
_EXPECTED = (
    "a score file has four columns (claimed real probe score), five (claimed model "
    "real probe score), two names with their score before or behind them, perhaps with "
    "a label (1, 0, target, nontarget), ESPnet's a*b score, or is a CSV whose header "
    "has a column score"
)


class ScoreFileError(UserError, ValueError):
    """A score file cannot be read, or scores not be written in that form or place."""


class UnlabelledError(ScoreFileError):
    """Nothing tells which trials of a score file are of one speaker."""

    remedy = "trials"


class OverwritingError(ScoreFileError):
    """A result would take the place of a score file that it is made of."""

    remedy = "into"


@dataclass(frozen=True)
class Found:
    """Form of a file, places of its columns, and fields of its first line."""

    form: str
    layout: Layout
    first: tuple[str, ...] = ()


def find_layout(path: Path, *, metadata: bool = False) -> Found:
    """Tell the form from the first line of a score file, which may not be enough.

    See `labelled_form`, which looks at further lines for labels. With ``metadata`` the
    other columns of a CSV are taken as ``metadata:<title>``.
    """
    refuse_other_files(path, expected="a file of scores", error=ScoreFileError)
    skipped = 0
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        first = file.readline()
        while first.isspace():
            skipped += 1
            first = file.readline()
    if not first:
        raise no_trial(path)
    header = next(csv.reader([first]), [])
    if "score" in header:
        return _csv(path, header, skipped, metadata=metadata)
    fields = tuple(first.split())
    form = _form(fields)
    if form is None:
        hint = decimal_comma(fields)
        raise ScoreFileError(
            f"{path} begins with {first.strip()[:80]!r}; {_EXPECTED}{hint}"
        )
    columns = COLUMNS[form]
    return Found(form, Layout(columns, one_separator(first, len(columns))), fields)


def no_trial(path: Path) -> ScoreFileError:
    """Return the error of an empty file."""
    return ScoreFileError(
        f"{path} holds no trial; write it again, a run may have been cut short"
    )


def decimal_comma(fields: Sequence[str]) -> str:
    """Return advice on numbers like 0,5; empty if there are none."""
    found = next((text for text in fields if re.fullmatch(r"-?\d+,\d+", text)), None)
    return f" (write {found} with a point)" if found else ""


def _form(fields: Sequence[str]) -> str | None:
    if len(fields) == 2:
        is_pair = "*" in fields[0] and is_number(fields[1])
        return "espnet, no labels" if is_pair else None
    if len(fields) == 3:
        return _of_three(fields)
    if len(fields) == 4:
        labelled = fields[3] in LABELS and not is_number(fields[3])
        return "wespeaker" if labelled and is_number(fields[2]) else "four"
    return "five" if len(fields) == 5 else None


def _of_three(fields: Sequence[str]) -> str | None:
    if "*" in fields[0] and is_number(fields[1]) and fields[2] in LABELS:
        return "espnet"
    front, back = is_number(fields[0]), is_number(fields[2])
    if front and back:
        # Names may be numbers; then only scores have a point.
        front, back = ("." in fields[0]), ("." in fields[2])
    if front == back:
        return None
    return "voxsrc" if front else "kaldi"


def _csv(path: Path, header: Sequence[str], skipped: int, *, metadata: bool) -> Found:
    missing = [
        title
        for column, title in CSV_COLUMNS.items()
        if title not in header and column != "model"
    ]
    if missing:
        raise ScoreFileError(
            f"{path} has no column {', '.join(missing)}; the header of a Bob score "
            f"file has {', '.join(CSV_COLUMNS.values())} and any others"
        )
    needed = header if metadata else CSV_COLUMNS.values()
    twice = next((title for title in needed if header.count(title) > 1), None)
    if twice is not None:
        raise ScoreFileError(
            f"{path} has {header.count(twice)} columns {twice!r}; take out, or rename, "
            "all but one"
        )
    place = {header.index(title): name for name, title in CSV_COLUMNS.items()
             if title in header}  # fmt: skip
    columns = tuple(
        place.get(index, f"{METADATA}{title}" if metadata else None)
        for index, title in enumerate(header)
    )
    return Found("csv", Layout(columns, ",", skipped=skipped + 1))


class Blindness:
    """Test whether a file names no speakers; in CSV, one side is empty throughout.

    It is asked of a whole file, or of all its blocks in their order.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._empty = {"claimed", "real"}

    def found(self, names: Mapping[str, Names], *, first: int = 0) -> bool:
        """Return it of trials from `first` on; refuse speakers that only some lack."""
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
            "throughout and give the list of the trials"
        )


def _empty_in(column: Names) -> NDArray[np.bool_]:
    return np.array([not name for name in column.distinct])[column.codes]


def _labelled_forms(fields: Sequence[str]) -> list[str]:
    """List the forms with a label that a line may be of."""
    return [
        form
        for form, columns in LABELLED.items()
        if len(fields) == len(columns)
        and fields[columns.index("label")] in LABELS
        and is_number(fields[columns.index("score")])
    ]


def labelled_form(
    path: Path, first: Sequence[str], blocks: Iterable[Block]
) -> str | None:
    """Return the form with a label that all lines have; None if the columns are Bob's.

    ``first`` has the 4 or 5 fields of the first line; the columns of the blocks are
    called ``0``, ``1`` … Refuse a file with two readings.
    """
    seen = _Seen(len(first))
    for block in blocks:
        seen.add(block)
        if seen.has_no_labels or seen.is_enough:
            break
    if len(first) == max(_BOBS):
        seen.refuse_five(path)
        return None
    possible = _labelled_forms(first)
    forms = [form for form in possible if seen.fits(LABELLED[form])]
    if not forms and not seen.may_be_bobs:
        # Bob's would have no target: let the word that is no label be named.
        words = [form for form in possible if not first[_label(form)].isdecimal()]
        return words[0] if len(words) == 1 else None
    if not forms:
        return None
    rivals = forms[1:2]
    if is_number(first[-1]) and seen.speaks_for_bobs(forms[0]):
        rivals = [_BOBS[4]]
    if rivals:
        raise ScoreFileError(
            f"{path}: its columns can be read as {forms[0]!r} and as {rivals[0]!r}; "
            "put a word behind the score instead (a b score target, a b score "
            "nontarget), or write CSV of Bob"
        )
    return forms[0]


def _label(form: str) -> int:
    return LABELLED[form].index("label")


class _Seen:
    """Evidence of lines for and against each reading."""

    def __init__(self, width: int) -> None:
        self._columns = _CLAIMED_REAL_PROBE[width]
        self._words: list[set[str] | None] = [set() for _ in range(width)]
        self._lines = 0
        self._targets = 0
        self._has_one_speaker = True
        self._has_one_label = True
        self._has_files = False
        self._probes: dict[str, tuple[str, str]] = {}

    def add(self, block: Block) -> None:
        """Look at some lines."""
        self._lines += len(block)
        columns = list(block.names.values())
        for place, column in enumerate(columns):
            words = self._words[place]
            if words is not None and LABELS.keys() >= set(column.distinct):
                words.update(column.distinct)
            else:
                self._words[place] = None
        speakers = columns[self._columns[1]].distinct
        self._has_files |= without_audio_suffix(speakers[0]) != speakers[0]
        sides = (columns[place].tolist() for place in self._columns)
        for claimed, real, probe in set(zip(*sides, strict=True)):
            self._targets += claimed == real
            speaker, label = self._probes.setdefault(probe, (real, claimed))
            self._has_one_speaker &= speaker == real
            self._has_one_label &= speaker != real or label == claimed

    @property
    def has_no_labels(self) -> bool:
        """Return whether no column holds labels only."""
        return not any(self._words)

    @property
    def is_enough(self) -> bool:
        """Return whether many lines were seen, with both labels."""
        return self._lines > _ENOUGH and any(len(words or ()) > 1
                                             for words in self._words)  # fmt: skip

    @property
    def may_be_bobs(self) -> bool:
        """Return whether each probe has one speaker, and some trial is of one."""
        return self._targets > 0 and self._has_one_speaker

    def fits(self, columns: Sequence[str]) -> bool:
        """Return whether the label is one, the names are none, and no pair has both."""
        others = [columns.index("model"), columns.index("probe")]
        # Decisions, 0 and 1, may be scores, but speakers of Bob's are more likely.
        others += [columns.index("score")] * self.may_be_bobs
        return (
            bool(self._words[columns.index("label")])
            and not any(self._words[place] for place in others)
            and (columns[0] != "label" or self._has_one_label)
        )

    def speaks_for_bobs(self, form: str) -> bool:
        """Return whether a file of this form may be of Bob's as well.

        So may one whose first column is 1 throughout: trials of speaker 1, all of other
        speakers, unless these are called like files.
        """
        words = self._words[0]
        one_claimed = _label(form) == 0 and words in ({"0"}, {"1"})
        return self.may_be_bobs or (
            one_claimed and self._has_one_speaker and not self._has_files
        )

    def refuse_five(self, path: Path) -> None:
        """Refuse five columns that have no target trial, and both labels in one."""
        both = [at for at, words in enumerate(self._words) if len(words or ()) > 1]
        if len(both) == 1 and not self._targets:
            raise ScoreFileError(
                f"{path}: its five columns would be {_BOBS[5]!r}, of which no trial is "
                f"of one speaker, and column {both[0] + 1} holds labels; leave four "
                "columns (label a b score, a b label score or a b score label)"
            )
