"""Labels and speakers of score files that name recordings only, such as ``score a b``.

Whether a trial is one of targets comes, in this order, from the labels in the file,
from a list of trials or a protocol, or from VoxCeleb's names, which begin with the
speaker (``id10270/…``). Speakers are those of the protocol; without one, the first
folders of the names if these explain the labels; otherwise all names that target trials
join are one speaker.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.metrics import Names
from bob.learn.pytorch.protocols.listed import (
    LABELS,
    WORDS,
    TrialList,
    first_folder,
)
from bob.learn.pytorch.protocols.names import loose_spelling
from bob.learn.pytorch.protocols.sources import Side, TrialSource
from bob.learn.pytorch.protocols.trials import DatabaseError, in_common
from bob.learn.pytorch.scorefiles.forms import ScoreFileError, UnlabelledError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from bob.learn.pytorch.metrics import ScoreTable

_VOXCELEB = re.compile(r"id\d{5}/")


class Labels:
    """Labels and facts of the trials of score files, from a list or a protocol.

    A name may be with or without the suffix of a recording. A pair has one label.
    """

    def __init__(self, source: TrialSource) -> None:
        listed = source.listed
        self._source = source
        self._enrolled = _positions(listed.enrolled, source.enrolled.aliases)
        self._tested = _positions(listed.tested, source.tested.aliases)
        codes = listed.enrolled_at * len(listed.tested) + listed.tested_at
        self._order = np.argsort(codes, kind="stable")
        self._codes = codes[self._order]
        self._refuse_contradictions()

    def of(
        self, path: Path, names: Mapping[str, Names], *, first: int = 0
    ) -> NDArray[np.bool_]:
        """Return whether each ``model`` and ``probe`` are one speaker: ``(lines,)``.

        Refuse pairs that are not in the list, with `UnlabelledError` if none is.
        """
        place = self._places(names)
        unknown = place < 0
        if unknown.any():
            kind = UnlabelledError if unknown.all() and not first else ScoreFileError
            at = int(unknown.argmax())
            one, other = (_name(names[side], at) for side in ("model", "probe"))
            raise kind(
                f"{path}, trial {first + at + 1}: {one} with {other} is not in "
                f"{self._source.listed.path}; give the list that was scored"
            )
        return self._source.listed.target[place]

    def _refuse_contradictions(self) -> None:
        listed = self._source.listed
        target = listed.target[self._order]
        wrong = (np.diff(self._codes) == 0) & (target[1:] != target[:-1])
        if wrong.any():
            at = int(wrong.argmax())
            one, other = divmod(int(self._codes[at]), len(listed.tested))
            lines = sorted(listed.lines[self._order[[at, at + 1]]].tolist())
            raise DatabaseError(
                f"{listed.path}:{lines[1]}: {listed.enrolled[one]} with "
                f"{listed.tested[other]} is labelled otherwise than in line "
                f"{lines[0]}; keep the label that is right"
            )

    def speakers(self, names: Mapping[str, Names]) -> tuple[Names, Names] | None:
        """Return ``claimed`` and ``real`` of trials; None if no speakers are known."""
        enrolled, tested = self._source.enrolled.subjects, self._source.tested.subjects
        if not (enrolled and tested):
            return None
        claimed = Names.of(enrolled).take(_found(names["model"], self._enrolled))
        return claimed, Names.of(tested).take(_found(names["probe"], self._tested))

    def refuse_unscored(self, path: Path, names: Mapping[str, Names]) -> None:
        """Refuse a file that leaves out trials of a group that it has trials of."""
        listed, group = self._source.listed, self._source.group
        scored = np.isin(self._codes, self._pairs(names))
        groups = group[self._order]
        missing = self._codes[~scored & np.isin(groups, groups[scored])]
        if missing.size:
            one, other = divmod(int(missing[0]), len(listed.tested))
            raise ScoreFileError(
                f"{path} has no score for {np.unique(missing).size} trials of "
                f"{listed.path}, {listed.enrolled[one]} with {listed.tested[other]} "
                "among them; score the whole list, with nan where a recording could "
                "not be used"
            )

    def metadata(self, table: ScoreTable) -> dict[str, Names]:
        """Return title -> fact about each trial of a table, empty where it is unknown.

        Facts about a recording have the titles of Bob's score files, such as
        ``bio_ref_gender`` and ``probe_gender``. Titles without any known trial are
        left out.
        """
        source = self._source
        model = table.model
        references = source.enrolled
        if model is None:
            references, enrolled = _by_subject(references)
            at = _found(table.claimed, enrolled)
        else:
            at = _found(model, self._enrolled)
        sides = {
            "bio_ref_": (references, at),
            "probe_": (source.tested, _found(table.probe, self._tested)),
        }
        found = {
            prefix + title: _looked_up(Names.of(values), at)
            for prefix, (side, at) in sides.items()
            if (at >= 0).any()
            for title, values in side.metadata.items()
        }
        if model is not None and source.listed.metadata:
            place = self._places({"model": model, "probe": table.probe})
            found |= {
                title: _looked_up(column, place)
                for title, column in source.listed.metadata.items()
                if (place >= 0).any()
            }
        return found

    def _pairs(self, names: Mapping[str, Names]) -> NDArray[np.int64]:
        """Return a number for each pair, negative where a name is unknown."""
        model = _found(names["model"], self._enrolled)
        probe = _found(names["probe"], self._tested)
        codes = model * len(self._source.listed.tested) + probe
        return np.where((model < 0) | (probe < 0), -1, codes)

    def _places(self, names: Mapping[str, Names]) -> NDArray[np.int64]:
        """Return the place of each pair in the list; negative where it is not."""
        codes = self._pairs(names)
        place = np.searchsorted(self._codes, codes)
        place[place == len(self._codes)] = 0
        return np.where(self._codes[place] == codes, self._order[place], -1)


def without_speakers(
    path: Path, names: dict[str, Names], labels: Labels | None
) -> dict[str, Names]:
    """Leave out columns of speakers that are empty, where a list has the labels."""
    if "claimed" in names and (labels is None or "model" not in names):
        raise UnlabelledError(
            f"{path} does not say which trials are of one speaker: its column "
            "probe_subject_id or bio_ref_subject_id is empty; fill them in, or give "
            "the list of its trials, which needs bio_ref_template_id"
        )
    return {
        name: column
        for name, column in names.items()
        if name not in ("claimed", "real")
    }


def with_speakers(
    path: Path, names: dict[str, Names], labels: Labels | None
) -> dict[str, Names]:
    """Return the columns of a score table, from two names and a source of labels."""
    names = without_speakers(path, names, labels)
    target = targets_of(path, names, labels)
    sides = sides_of(path, names)
    known = None
    if labels is not None and "label" not in names:
        labels.refuse_unscored(path, sides)
        known = labels.speakers(sides)
    claimed, real = known or speakers_of_labels(path, sides, target)
    return {"claimed": claimed, "real": real, **sides}


def targets_of(
    path: Path,
    names: Mapping[str, Names],
    labels: Labels | None,
    *,
    first: int = 0,
) -> NDArray[np.bool_]:
    """Return whether each trial, from `first` on, is of one speaker: ``(lines,)``."""
    if "claimed" in names:
        code = {name: at for at, name in enumerate(names["claimed"].distinct)}
        real = np.array([code.get(name, -1) for name in names["real"].distinct])
        return np.equal(names["claimed"].codes, real[names["real"].codes])
    if "label" in names:
        column = names["label"]
        try:
            return np.array([LABELS[word] for word in column.distinct])[column.codes]
        except KeyError as error:
            raise ScoreFileError(
                f"{path}: {error} is no label; expected one of {', '.join(WORDS)}"
            ) from error
    sides = sides_of(path, names)
    if labels is not None:
        return labels.of(path, sides, first=first)
    return _in_the_names(path, sides)


def sides_of(path: Path, names: Mapping[str, Names]) -> dict[str, Names]:
    """Return the columns ``model`` and ``probe``, also of ESPnet's ``a*b``."""
    if "pair" not in names:
        return {"model": names["model"], "probe": names["probe"]}
    pairs = names["pair"]
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


def speakers_of_labels(
    path: Path, names: Mapping[str, Names], target: NDArray[np.bool_]
) -> tuple[Names, Names]:
    """Return the columns ``claimed`` and ``real`` that explain labels ``(trials,)``."""
    model, probe = names["model"], names["probe"]
    listed = TrialList(
        path,
        model.distinct,
        probe.distinct,
        model.codes.astype(np.int64),
        probe.codes.astype(np.int64),
        target,
        np.arange(1, len(model) + 1),
    )
    proposed = [
        [(name, first_folder(name)) for name in column.distinct]
        for column in (model, probe)
    ]
    try:
        claimed, real = listed.subjects(*proposed)
    except DatabaseError as error:
        raise ScoreFileError(str(error)) from error
    return Names.of(claimed).take(model.codes), Names.of(real).take(probe.codes)


def _in_the_names(path: Path, names: Mapping[str, Names]) -> NDArray[np.bool_]:
    """Return whether the first folders are the same; for VoxCeleb's names only."""
    speakers: dict[str, int] = {}
    sides = []
    for column in (names["model"], names["probe"]):
        other = next((n for n in column.distinct if not _VOXCELEB.match(n)), None)
        if other is not None:
            raise UnlabelledError(
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


def _positions(
    names: Sequence[str], aliases: Sequence[tuple[str, int]]
) -> dict[str, int]:
    """Return the place of each name; a spelling of two names has none."""
    exact = {name: place for place, name in enumerate(names)}
    spelled: dict[str, int] = {}
    for name, place in (*aliases, *exact.items()):
        for spelling in {name, loose_spelling(name)}:
            if spelled.setdefault(spelling, place) != place:
                spelled[spelling] = -1
    return spelled | exact


def _by_subject(side: Side) -> tuple[Side, dict[str, int]]:
    """Join the references of each subject to one with what they have in common."""
    places: dict[str, list[int]] = {}
    for place, subject in enumerate(side.subjects):
        places.setdefault(subject, []).append(place)
    metadata = {
        title: [in_common(values[at] for at in some) for some in places.values()]
        for title, values in side.metadata.items()
    }
    positions = {subject: place for place, subject in enumerate(places)}
    return Side(subjects=tuple(places), metadata=metadata), positions


def _looked_up(column: Names, at: NDArray[np.int64]) -> Names:
    """Return a column at some places, empty at negative ones."""
    named = Names.of(["", *column.distinct])
    codes = named.codes[1:][column.codes]
    return Names(named.distinct, np.where(at < 0, named.codes[0], codes[at]))


def _found(column: Names, positions: Mapping[str, int]) -> NDArray[np.int64]:
    places = (
        positions.get(name, positions.get(loose_spelling(name), -1))
        for name in column.distinct
    )
    return np.fromiter(places, np.int64, len(column.distinct))[column.codes]


def _name(column: Names, at: int) -> str:
    return column.distinct[int(column.codes[at])]
