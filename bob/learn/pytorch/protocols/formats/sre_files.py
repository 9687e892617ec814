"""What NIST's tables beside one of trials say of its models and segments.

==================  ==============================================================
in its name         what it says
==================  ==============================================================
``enrol``           which segments enrol a model
``segment``         who speaks in a segment (``subjectid``), and what else is known
==================  ==============================================================

Of several such tables, that one is taken whose name begins most like the table of
trials: ``sre18_dev_enrollment.tsv`` for ``sre18_dev_trial_key.tsv``.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.metrics import Names
from bob.learn.pytorch.protocols.formats.sre_tables import (
    SreTable,
    is_segment_key,
    read_segment_key,
    read_sre_table,
)
from bob.learn.pytorch.protocols.names import without_audio_suffix
from bob.learn.pytorch.protocols.trial_sources import in_common
from bob.learn.pytorch.protocols.trials import DatabaseError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from bob.learn.pytorch.protocols.formats.trial_lists import TrialList

_REFERENCE, _PROBE = "bio_ref_", "probe_"


def enrolment_beside(trials: Path) -> Path:
    """The table beside that of the trials that says which segments enrol a model.

    Raises
    ------
    DatabaseError
        There is none, or which of several cannot be seen from the names.
    """
    best = _enrolments(trials)
    if len(best) == 1:
        return best[0]
    what = "none" if not best else ", ".join(path.name for path in best)
    raise DatabaseError(
        f"{trials}: one table beside it has to say which segments enrol a model, with "
        f"enrol in its name (modelid, segmentid, side); there is {what}"
    )


def segments_beside(trials: Path) -> Path | None:
    """The table beside that of the trials that says who speaks in a segment, if any.

    Raises
    ------
    DatabaseError
        Which of several cannot be seen from the names.
    """
    best = _best(trials, _describes_segments)
    if len(best) > 1:
        raise DatabaseError(
            f"{trials}: which table describes its segments cannot be seen from the "
            f"names {', '.join(path.name for path in best)}; let one begin like "
            f"{trials.name}, or move the others"
        )
    return best[0] if best else None


def _describes_segments(path: Path) -> bool:
    name = path.name.lower()
    return "segment" in name and "enrol" not in name and is_segment_key(path)


def _enrolments(trials: Path) -> list[Path]:
    return _best(trials, lambda path: "enrol" in path.name.lower())


def _best(trials: Path, fits: Callable[[Path], bool]) -> list[Path]:
    """The tables beside one whose names begin most like its own."""
    found = [
        path
        for path in sorted(trials.absolute().parent.iterdir())
        if path.name != trials.name and path.is_file() and fits(path)
    ]
    shared = [_shared(path.name, trials.name) for path in found]
    return [path for path, n in zip(found, shared, strict=True) if n == max(shared)]


def _shared(one: str, other: str) -> int:
    """How many characters two names begin with alike."""
    alike = (a == b for a, b in zip(one, other, strict=False))
    return sum(1 for _ in takewhile(bool, alike))


class Segments:
    """Who speaks in segments, and what else is known of them.

    Parameters
    ----------
    table : SreTable, optional
        Without one, nothing is known.
    """

    def __init__(self, table: SreTable | None) -> None:
        self._columns = {} if table is None else table.metadata
        self._subject = None if table is None else table.columns.get("subject")
        self._row: dict[str, int] = {}
        if table is not None:
            segment = table.columns["segment"]
            first = np.unique(segment.codes, return_index=True)[1].tolist()
            self._row = dict(zip(segment.distinct, first, strict=True))
            for name, row in list(self._row.items()):
                self._row.setdefault(without_audio_suffix(name), row)

    def subject(self, segment: str) -> str:
        """Who speaks; empty where that is not said."""
        row = self._find(segment)
        return "" if row is None or self._subject is None else _at(self._subject, row)

    def metadata(self, segment: str) -> dict[str, str]:
        """What else is known, by title."""
        row = self._find(segment)
        return {} if row is None else _described(self._columns, row)

    def _find(self, segment: str) -> int | None:
        row = self._row.get(segment)
        return self._row.get(without_audio_suffix(segment)) if row is None else row


def _described(columns: Mapping[str, Names], row: int) -> dict[str, str]:
    values = {title: _at(column, row) for title, column in columns.items()}
    return {title: value for title, value in values.items() if value}


def _at(column: Names, row: int) -> str:
    return column.distinct[int(column.codes[row])]


class Models:
    """Which segments enrol a model, and what is known of each there.

    Parameters
    ----------
    table : SreTable
        Of enrolment.
    segments : Segments
        What is known of segments in general; what the enrolment says comes first.
    """

    def __init__(self, table: SreTable, segments: Segments) -> None:
        self.path = table.path
        self._table, self._segments = table, segments
        model = table.columns["model"]
        order = np.argsort(model.codes, kind="stable")
        ends = np.cumsum(np.bincount(model.codes, minlength=len(model.distinct)))
        rows = np.split(order, ends[:-1])
        self._rows = {
            name: found.tolist()
            for name, found in zip(model.distinct, rows, strict=True)
        }

    def __contains__(self, model: str) -> bool:
        return model in self._rows

    def segments(self, model: str) -> dict[str, dict[str, str]]:
        """Segment -> what is known of it; nothing of an unknown model."""
        segment = self._table.columns["segment"]
        found = {}
        for row in self._rows.get(model, ()):
            name = _at(segment, row)
            known = self._segments.metadata(name)
            found[name] = known | _described(self._table.metadata, row)
        return found

    def subject(self, model: str) -> str:
        """Who is enrolled; empty where that is not said.

        Raises
        ------
        DatabaseError
            The segments are of several speakers.
        """
        stated = self._table.columns.get("subject")
        segment = self._table.columns["segment"]
        found: dict[str, int] = {}
        for row in self._rows[model]:
            here = "" if stated is None else _at(stated, row)
            found.setdefault(here or self._segments.subject(_at(segment, row)), row)
        found.pop("", None)
        if len(found) > 1:
            one, other = list(found)[:2]
            raise DatabaseError(
                f"{self.path}:{self._table.lines[found[other]]}: model {model!r} is "
                f"enrolled with segments of {one!r} and of {other!r}; expected one "
                "speaker: correct this table, or that of the segments"
            )
        return next(iter(found), "")


def read_sre_trials(
    path: str | os.PathLike[str],
    *,
    enrolment: str | os.PathLike[str] | None = None,
    segments: str | os.PathLike[str] | None = None,
) -> TrialList:
    """A table of trials with all that it and the tables beside it say of each trial.

    Parameters
    ----------
    path : path
        The trials with their key.
    enrolment, segments : path, optional
        The tables of enrolment and of segments. Default: those beside, as far as there
        are some and their names tell which.

    Returns
    -------
    TrialList
        Models and segments by their names in the table. Its metadata are the other
        columns of the table (``gender``) and, with the titles of Bob's score files,
        what all enrolling segments have in common (``bio_ref_gender``) and what is
        known of the segment under test (``probe_gender``); empty where nothing is.

    Raises
    ------
    DatabaseError
        With file and line for what is wrong.
    """
    path = Path(path)
    listed = read_sre_table(path, label=True).listed()
    known = read_segments(path, segments)
    enrolments = _enrolments(path) if enrolment is None else [Path(enrolment)]
    columns = dict(listed.metadata)
    if len(enrolments) == 1:
        models = Models(read_sre_table(enrolments[0], label=False), known)
        described = [
            _common(models.segments(name).values()) for name in listed.enrolled
        ]
        columns |= _columns(_REFERENCE, described, listed.enrolled_at)
    described = [known.metadata(name) for name in listed.tested]
    columns |= _columns(_PROBE, described, listed.tested_at)
    return replace(listed, metadata=columns)


def read_sre_list(path: Path, models: Models, segments: Segments) -> TrialList:
    """The trials of a table, with labels where it or the speakers of all tell them.

    Raises
    ------
    DatabaseError
        With file and line for what is wrong, such as a model that nothing enrols.
    """
    listed = read_sre_table(path, label=False).listed()
    unknown = next((name for name in listed.enrolled if name not in models), None)
    if unknown is not None:
        raise DatabaseError(
            f"{listed.where(unknown)}: model {unknown!r} is not in {models.path}"
        )
    if listed.is_labelled:
        return listed
    enrolled = Names.of(models.subject(name) for name in listed.enrolled)
    tested = Names.of(segments.subject(name) for name in listed.tested)
    if "" in enrolled.distinct or "" in tested.distinct:
        return listed
    code = {name: at for at, name in enumerate(enrolled.distinct)}
    same = np.array([code.get(name, -1) for name in tested.distinct])[tested.codes]
    target = enrolled.codes[listed.enrolled_at] == same[listed.tested_at]
    return replace(listed, target=target, is_labelled=True)


def read_segments(
    trials: Path, segments: str | os.PathLike[str] | None = None
) -> Segments:
    """What a table of segments says; by default that beside the trials, if any."""
    found = segments_beside(trials) if segments is None else Path(segments)
    return Segments(None if found is None else read_segment_key(found))


def _common(described: Iterable[Mapping[str, str]]) -> dict[str, str]:
    every = list(described)
    titles = dict.fromkeys(title for item in every for title in item)
    said = {title: in_common(item.get(title, "") for item in every) for title in titles}
    return {title: value for title, value in said.items() if value}


def _columns(
    prefix: str, described: Sequence[Mapping[str, str]], at: NDArray[np.int64]
) -> dict[str, Names]:
    titles = dict.fromkeys(title for item in described for title in item)
    return {
        prefix + title: Names.of(item.get(title, "") for item in described).take(at)
        for title in titles
    }
