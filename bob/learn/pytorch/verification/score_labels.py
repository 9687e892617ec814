"""Who speaks in score files that name recordings only: ``score a b`` and the like.

Whether a trial is one of targets comes, in this order, from the labels in the file,
from a list of trials, or from VoxCeleb's names, which begin with the speaker
(``id10270/…``). Speakers are the first folders of the names if these explain the
labels; otherwise all names that target trials join are one speaker.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.metrics import Names
from bob.learn.pytorch.verification.database import DatabaseError
from bob.learn.pytorch.verification.names import without_audio_suffix
from bob.learn.pytorch.verification.score_layouts import ScoreFileError
from bob.learn.pytorch.verification.trial_lists import (
    LABELS,
    TrialList,
    first_folder,
    subjects_of,
)

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_VOXCELEB = re.compile(r"id\d{5}/")


class Labels:
    """The labels of a list of trials, by the two names.

    A name may be with or without the suffix of a recording.
    """

    def __init__(self, listed: TrialList) -> None:
        self._listed = listed
        self._enrolled = _positions(listed.enrolled)
        self._tested = _positions(listed.tested)
        codes = listed.enrolled_at * len(listed.tested) + listed.tested_at
        order = np.argsort(codes, kind="stable")
        self._codes, self._target = codes[order], listed.target[order]

    def of(
        self, path: Path, names: dict[str, Names], *, first: int = 0
    ) -> NDArray[np.bool_]:
        """(lines,) Whether each pair of ``model`` and ``probe`` is one speaker.

        Raises
        ------
        ScoreFileError
            If a pair is not in the list.
        """
        model = _found(names["model"], self._enrolled)
        probe = _found(names["probe"], self._tested)
        codes = model * len(self._listed.tested) + probe
        place = np.searchsorted(self._codes, codes)
        place[place == len(self._codes)] = 0
        unknown = (model < 0) | (probe < 0) | (self._codes[place] != codes)
        if unknown.any():
            at = int(unknown.argmax())
            one, other = (_name(names[side], at) for side in ("model", "probe"))
            raise ScoreFileError(
                f"{path}, trial {first + at + 1}: {one} with {other} is not in "
                f"{self._listed.path}; give the list that was scored"
            )
        return self._target[place]

    def refuse_unscored(self, path: Path, names: dict[str, Names]) -> None:
        """Refuse a file that leaves out trials of the list."""
        model = _found(names["model"], self._enrolled)
        probe = _found(names["probe"], self._tested)
        scored = np.unique(model * len(self._listed.tested) + probe)
        missing = np.setdiff1d(self._codes, scored)
        if missing.size:
            one, other = divmod(int(missing[0]), len(self._listed.tested))
            raise ScoreFileError(
                f"{path} has no score for {missing.size} trials of "
                f"{self._listed.path}, {self._listed.enrolled[one]} with "
                f"{self._listed.tested[other]} among them; score the whole list, with "
                "nan where a recording could not be used"
            )


def in_the_file(column: Names) -> NDArray[np.bool_]:
    """(lines,) The column of labels; KeyError for what is no label."""
    return np.array([LABELS[word] for word in column.distinct])[column.codes]


def in_the_names(path: Path, names: dict[str, Names]) -> NDArray[np.bool_]:
    """(lines,) Whether the first folders are the same, for VoxCeleb's names only.

    Raises
    ------
    ScoreFileError
        The names do not tell who speaks.
    """
    speakers: dict[str, int] = {}
    sides = []
    for column in (names["model"], names["probe"]):
        other = next((n for n in column.distinct if not _VOXCELEB.match(n)), None)
        if other is not None:
            raise ScoreFileError(
                f"{path} does not say which trials are of one speaker, and {other!r} "
                "is not one of VoxCeleb's names (id10270/…), which begin with the "
                "speaker: give the list of trials, which has the labels"
            )
        codes = [
            speakers.setdefault(first_folder(name), len(speakers))
            for name in column.distinct
        ]
        sides.append(np.array(codes)[column.codes])
    return np.equal(sides[0], sides[1])


def with_speakers(
    path: Path, names: dict[str, Names], target: NDArray[np.bool_]
) -> tuple[Names, Names]:
    """The columns ``claimed`` and ``real`` that explain the labels.

    Raises
    ------
    ScoreFileError
        If no speakers explain all labels.
    """
    model, probe = names["model"], names["probe"]
    listed = TrialList(
        path,
        model.distinct,
        probe.distinct,
        model.codes.astype(np.int64),
        probe.codes.astype(np.int64),
        target,
        np.arange(1, len(model) + 1),
        label_first=True,
    )
    everyone = tuple(dict.fromkeys((*model.distinct, *probe.distinct)))
    proposed = [first_folder(name) for name in everyone]
    try:
        speaker = subjects_of(
            listed, (everyone, proposed), (model.distinct, probe.distinct)
        )
    except DatabaseError as error:
        raise ScoreFileError(str(error)) from error
    claimed, real = (
        Names.of(speaker[name] for name in column.distinct).take(column.codes)
        for column in (model, probe)
    )
    return claimed, real


def parted(path: Path, pairs: Names) -> dict[str, Names]:
    """ESPnet's ``a*b`` -> the columns ``model`` and ``probe``."""
    fields = [name.split("*") for name in pairs.distinct]
    wrong = next(
        (name for name, field in zip(pairs.distinct, fields, strict=True)
         if len(field) != 2), None,
    )  # fmt: skip
    if wrong is not None:
        raise ScoreFileError(
            f"{path}: {wrong!r}; expected two names with one * between"
        )
    return {
        side: Names.of(field[at] for field in fields).take(pairs.codes)
        for at, side in enumerate(("model", "probe"))
    }


def _positions(names: tuple[str, ...]) -> dict[str, int]:
    found = {name: place for place, name in enumerate(names)}
    for place, name in enumerate(names):
        found.setdefault(without_audio_suffix(name), place)
    return found


def _found(column: Names, positions: dict[str, int]) -> NDArray[np.int64]:
    places = (
        positions.get(name, positions.get(without_audio_suffix(name), -1))
        for name in column.distinct
    )
    return np.fromiter(places, np.int64, len(column.distinct))[column.codes]


def _name(column: Names, at: int) -> str:
    return column.distinct[int(column.codes[at])]
