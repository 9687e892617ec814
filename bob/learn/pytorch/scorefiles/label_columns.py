"""The column of a score file that holds labels, where Bob's columns have none.

``1 a.wav b.wav 0.6`` may be a trial of two recordings with its label, or one of Bob's:
speaker 1 is claimed, ``a.wav`` is the real speaker and ``b.wav`` the probe. One line
does not tell them apart, but many do. In Bob's, a probe has one speaker, and some
trials are of one speaker. A column of labels holds labels only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bob.learn.pytorch.errors import UserError
from bob.learn.pytorch.protocols.columns import is_number
from bob.learn.pytorch.protocols.listed import LABELS
from bob.learn.pytorch.protocols.names import without_audio_suffix

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bob.learn.pytorch.protocols.columns import Block

#: Name of the form -> its columns.
LABELLED: dict[str, tuple[str, ...]] = {
    "label a b score": ("label", "model", "probe", "score"),
    "a b label score": ("model", "probe", "label", "score"),
    "a b score label": ("model", "probe", "score", "label"),
    "label score a b": ("label", "score", "model", "probe"),
    "score label a b": ("score", "label", "model", "probe"),
    "score a b label": ("score", "model", "probe", "label"),
}
#: Number of columns -> what Bob's hold, and which are claimed, real and probe.
BOBS = {4: "claimed real probe score", 5: "claimed model real probe score"}
_CLAIMED_REAL_PROBE = {4: (0, 1, 2), 5: (0, 2, 3)}

#: Lines after which the answer does not change any more.
_ENOUGH = 1 << 20


class AmbiguousError(UserError, ValueError):
    """The columns of a score file can be read in two ways; the message names both."""


def labelled_forms(fields: Sequence[str]) -> list[str]:
    """List the forms with a label that a line may be of."""
    return [
        form
        for form, columns in LABELLED.items()
        if len(fields) == len(columns)
        and fields[columns.index("label")] in LABELS
        and is_number(fields[columns.index("score")])
    ]


def labelled_form(first: Sequence[str], blocks: Iterable[Block]) -> str | None:
    """Return the form with a label that all lines have; None if the columns are Bob's.

    Parameters
    ----------
    first
        The fields of the first line, 4 or 5.
    blocks
        All lines, with the columns ``0``, ``1`` … as names.

    Raises
    ------
    AmbiguousError
        There are two readings, or Bob's leaves no target trial.
    """
    seen = _Seen(len(first))
    for block in blocks:
        seen.add(block)
        if seen.has_no_labels or seen.is_enough:
            break
    if len(first) == max(BOBS):
        seen.refuse_five()
        return None
    possible = labelled_forms(first)
    forms = [form for form in possible if seen.fits(LABELLED[form])]
    if not forms and not seen.may_be_bobs:
        # Bob's would have no target: let the word that is no label be named.
        words = [form for form in possible if not first[_label(form)].isdecimal()]
        return words[0] if len(words) == 1 else None
    if not forms:
        return None
    rivals = forms[1:2]
    if is_number(first[-1]) and seen.speaks_for_bobs(forms[0]):
        rivals = [BOBS[4]]
    if rivals:
        raise AmbiguousError(
            f"its columns can be read as {forms[0]!r} and as {rivals[0]!r}; put a word "
            "behind the score instead (a b score target, a b score nontarget), or "
            "write CSV of Bob"
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

    def refuse_five(self) -> None:
        """Refuse five columns that have no target trial, and both labels in one."""
        both = [at for at, words in enumerate(self._words) if len(words or ()) > 1]
        if len(both) == 1 and not self._targets:
            raise AmbiguousError(
                f"its five columns would be {BOBS[5]!r}, of which no trial is of one "
                f"speaker, and column {both[0] + 1} holds labels; leave four columns "
                "(label a b score, a b label score or a b score label)"
            )
