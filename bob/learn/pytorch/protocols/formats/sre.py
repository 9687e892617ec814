"""Trials of NIST's evaluations: a table of trials, and those beside it.

==================  ==============================================================
in its name         content
==================  ==============================================================
``enrol``           segments that enrol each model
``segment``         the speaker of a segment (``subjectid``), and its metadata
==================  ==============================================================

Of several such tables, that one is taken whose name begins most like the table of
trials: ``sre18_dev_enrollment.tsv`` for ``sre18_dev_trial_key.tsv``. Segments are files
in the folder of the tables, or in ``enrollment/`` and ``test/`` there or in
``../data``. `sre_tables` has the columns.

References
----------
NIST, "2018 Speaker Recognition Evaluation Plan", section 6 (format of the tables).
"""

from __future__ import annotations

from dataclasses import replace
from itertools import repeat, takewhile
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bob.learn.pytorch.metrics import Names
from bob.learn.pytorch.protocols.formats.sre_tables import (
    SreTable,
    is_segment_table,
    is_trial_table,
    read_segment_table,
    read_table,
    refuse_titles,
    write_table,
)
from bob.learn.pytorch.protocols.listed import NamedTrialDatabase, TrialList
from bob.learn.pytorch.protocols.names import (
    recording_keys,
    safe_name,
    without_audio_suffix,
)
from bob.learn.pytorch.protocols.trials import (
    DatabaseError,
    Recording,
    in_common,
    trial_columns,
)
from bob.learn.pytorch.protocols.writing import (
    Written,
    each_trial,
    groups_of_singles,
    one_word,
    spelled_paths,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from bob.learn.pytorch.protocols.trials import Database

_COLUMNS = ("modelid", "segmentid", "side")
_WORDS = {True: "target", False: "nontarget"}
_REFERENCE, _PROBE = "bio_ref_", "probe_"


#: Recognises this format.
is_it = is_trial_table


def read(
    path: str | os.PathLike[str],
    *,
    enrolment: str | os.PathLike[str] | None = None,
    segments: str | os.PathLike[str] | None = None,
    protocol: str | None = None,
    original_directory: str | os.PathLike[str] | None = None,
) -> NamedTrialDatabase:
    """Read the trials of a table.

    It may be blind if the speakers of all segments are known.

    Parameters
    ----------
    path : path
        The trials, commonly with their key.
    enrolment : path, optional
        Segments that enrol each model; default: the table beside the trials that has
        ``enrol`` in its name.
    segments : path, optional
        Speakers and metadata of segments; default: the table beside the trials that
        has ``segment`` in its name, if there is one.
    protocol : str, optional
        Names the results; default: the name of the table.
    original_directory : path, optional
        Folder of the segments; default: that of the table.

    Raises
    ------
    DatabaseError
        With file and line for what is wrong.
    """
    path = Path(path)
    if enrolment is None and "enrol" in path.name.lower():
        raise DatabaseError(
            f"{path} says by its name which segments enrol a model; give the table of "
            "the trials, beside which it is found"
        )
    known = _read_segments(path, segments)
    table = Path(enrolment or _enrolment_beside(path))
    models = _read_models(table, known)
    listed = read_table(path, label=False).listed()
    unknown = next((name for name in listed.enrolled if name not in models), None)
    if unknown is not None:
        raise DatabaseError(
            f"{listed.where(unknown)}: model {unknown!r} is not in {table}"
        )
    speakers = {
        model: _speaker(model, models[model].values()) for model in listed.enrolled
    }
    testing = {name: _find(known, name) for name in listed.tested}
    real = [segment.subject for segment in testing.values()]
    listed = _with_labels(listed, list(speakers.values()), real)
    folder = Path(original_directory or path.absolute().parent)
    enrolled = [name for model in models.values() for name in model]
    paths = _paths(folder, enrolled, listed.tested)
    keys = recording_keys(paths)

    def recording(segment: _Segment, subject: str) -> Recording:
        name = segment.name
        speaker = subject or safe_name(name)
        return Recording(keys[name], paths[name], speaker, metadata=segment.metadata)

    return NamedTrialDatabase(
        listed,
        {
            model: [recording(segment, speaker) for segment in models[model].values()]
            for model, speaker in speakers.items()
        },
        {name: recording(item, item.subject) for name, item in testing.items()},
        protocol=protocol,
        original_directory=folder,
    )


def _paths(
    folder: Path, enrolled: Sequence[str], tested: Sequence[str]
) -> dict[str, Path]:
    """Return the path of each segment."""
    start = _start(folder, enrolled[0], "enrollment")
    paths = {name: start / name for name in enrolled}
    start = _start(folder, tested[0], "test")
    return {name: start / name for name in tested} | paths


def _start(folder: Path, segment: str, role: str) -> Path:
    """Return the first place that has this segment of a role."""
    places = (
        folder,
        folder / role,
        *(folder.parent / "data" / at for at in ("", role)),
    )
    return next((place for place in places if (place / segment).is_file()), folder)


def write(database: Database, folder: Path) -> Written:
    """Write ``<group>_{enrollment,trials,trial_key,segment_key}.tsv``."""
    groups = groups_of_singles(database, "sre", references=False)
    spelled, start = spelled_paths(groups)
    written = Written(seen_from=start)
    for group, trials in groups.items():
        name = str(folder / group)
        known = trial_columns(database, group)
        refuse_titles(known)
        enrolment = (
            (one_word(reference.id), spelled[item.key], "a")
            for reference in trials.references
            for item in reference.recordings
        )
        write_table(Path(f"{name}_enrollment.tsv"), _COLUMNS, enrolment)
        segments = _segments(trials.recordings(), spelled)
        write_table(Path(f"{name}_segment_key.tsv"), *segments)
        rows = [
            (reference.id, spelled[probe.recordings[0].key], "a", _WORDS[target])
            for reference, probe, target in each_trial(trials)
        ]
        write_table(Path(f"{name}_trials.tsv"), _COLUMNS, (row[:3] for row in rows))
        values = list(zip(*(column.tolist() for column in known.values())))  # noqa: B905 - there may be none
        written[group] = write_table(
            Path(f"{name}_trial_key.tsv"),
            (*_COLUMNS, "targettype", *known),
            (
                (*row, *more)
                for row, more in zip(rows, values or repeat(()), strict=False)
            ),
        )
    return written


def _segments(
    recordings: Sequence[Recording], spelled: Mapping[str, str]
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return titles and rows of a table of segments."""
    titles = dict.fromkeys(title for item in recordings for title in item.metadata)
    refuse_titles(titles)
    return ("segmentid", "subjectid", *titles), [
        (
            spelled[item.key],
            item.subject,
            *(item.metadata.get(title, "") for title in titles),
        )
        for item in recordings
    ]


def _enrolment_beside(trials: Path) -> Path:
    """Return the one table of enrolment beside that of the trials."""
    best = _enrolments(trials)
    if len(best) == 1:
        return best[0]
    what = "none" if not best else ", ".join(path.name for path in best)
    raise DatabaseError(
        f"{trials}: one table beside it has to say which segments enrol a model, with "
        f"enrol in its name (modelid, segmentid, side); there is {what}"
    )


def _segments_beside(trials: Path) -> Path | None:
    """Return the table of segments beside that of the trials, if any."""
    best = _best(trials, describes_segments)
    if len(best) > 1:
        raise DatabaseError(
            f"{trials}: which table describes its segments cannot be seen from the "
            f"names {', '.join(path.name for path in best)}; let one begin like "
            f"{trials.name}, or move the others"
        )
    return best[0] if best else None


def describes_segments(path: Path) -> bool:
    """Return whether a file is a table of segments, by its name and its first line."""
    name = path.name.lower()
    return "segment" in name and "enrol" not in name and is_segment_table(path)


def _enrolments(trials: Path) -> list[Path]:
    return _best(trials, lambda path: "enrol" in path.name.lower())


def _best(trials: Path, fits: Callable[[Path], bool]) -> list[Path]:
    """Return the tables beside one whose names begin most like its own."""
    found = [
        path
        for path in sorted(trials.absolute().parent.iterdir())
        if path.name != trials.name and path.is_file() and fits(path)
    ]
    shared = [_shared(path.name, trials.name) for path in found]
    return [path for path, n in zip(found, shared, strict=True) if n == max(shared)]


def _shared(one: str, other: str) -> int:
    """Return the number of characters that two names begin with alike."""
    alike = (a == b for a, b in zip(one, other, strict=False))
    return sum(1 for _ in takewhile(bool, alike))


class _Segment(NamedTuple):
    """A segment, its speaker and metadata as far as they are known, and its line."""

    name: str
    subject: str = ""
    metadata: Mapping[str, str] = MappingProxyType({})
    where: str = ""


def _rows(table: SreTable) -> Iterator[_Segment]:
    names = table.names["segment"].tolist()
    subject = table.names.get("subject")
    subjects = [""] * len(names) if subject is None else subject.tolist()
    titles = list(table.metadata)
    values = zip(*(column.tolist() for column in table.metadata.values()))  # noqa: B905 - there may be none
    for name, speaker, line, row in zip(
        names, subjects, table.lines, values if titles else repeat(()), strict=False
    ):
        metadata = {title: v for title, v in zip(titles, row, strict=True) if v}
        yield _Segment(name, speaker, metadata, f"{table.path}:{line}")


def _read_segments(
    trials: Path, segments: str | os.PathLike[str] | None
) -> dict[str, _Segment]:
    """Read a table of segments, by default that beside the trials, by names.

    A name without the suffix of a recording stands for the first that has one.
    """
    found = _segments_beside(trials) if segments is None else Path(segments)
    known: dict[str, _Segment] = {}
    if found is not None:
        for row in _rows(read_segment_table(found)):
            known.setdefault(row.name, row)
        for name, row in list(known.items()):
            known.setdefault(without_audio_suffix(name), row)
    return known


def _find(known: Mapping[str, _Segment], name: str) -> _Segment:
    found = known.get(name) or known.get(without_audio_suffix(name))
    return _Segment(name) if found is None else found._replace(name=name)


def _read_models(
    path: Path, known: Mapping[str, _Segment]
) -> dict[str, dict[str, _Segment]]:
    """Read a table of enrolment: model -> its segments by name.

    Its subjects and metadata come before those of the segments.
    """
    table = read_table(path, label=False)
    models: dict[str, dict[str, _Segment]] = {}
    for model, row in zip(table.names["model"].tolist(), _rows(table), strict=True):
        general = _find(known, row.name)
        models.setdefault(model, {})[row.name] = row._replace(
            subject=row.subject or general.subject,
            metadata={**general.metadata, **row.metadata},
        )
    return models


def _speaker(model: str, segments: Iterable[_Segment]) -> str:
    """Return the one speaker of a model; empty where not known."""
    found: dict[str, str] = {}
    for item in segments:
        found.setdefault(item.subject, item.where)
    found.pop("", None)
    if len(found) > 1:
        one, other = list(found)[:2]
        raise DatabaseError(
            f"{found[other]}: model {model!r} is enrolled with segments of {one!r} and "
            f"of {other!r}; expected one speaker: correct this table, or that of the "
            "segments"
        )
    return next(iter(found), "")


def read_sre_trials(
    path: str | os.PathLike[str],
    *,
    enrolment: str | os.PathLike[str] | None = None,
    segments: str | os.PathLike[str] | None = None,
) -> TrialList:
    """Read a table of trials with all that it and those beside it say of each trial.

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
        values that all enrolling segments have in common (``bio_ref_gender``) and
        those of the segment under test (``probe_gender``); empty where not known.

    Raises
    ------
    DatabaseError
        With file and line for what is wrong.
    """
    path = Path(path)
    listed = read_table(path, label=True).listed()
    known = _read_segments(path, segments)
    enrolments = _enrolments(path) if enrolment is None else [Path(enrolment)]
    columns = dict(listed.metadata)
    if len(enrolments) == 1:
        models = _read_models(enrolments[0], known)
        common = [_common(models.get(name, {}).values()) for name in listed.enrolled]
        columns |= _columns(_REFERENCE, common, listed.enrolled_at)
    described = [_find(known, name).metadata for name in listed.tested]
    columns |= _columns(_PROBE, described, listed.tested_at)
    return replace(listed, metadata=columns)


def _with_labels(
    listed: TrialList, speakers: Sequence[str], tested: Sequence[str]
) -> TrialList:
    """Return a list with labels, if it has them or the speakers of all are known."""
    if listed.is_labelled or "" in speakers or "" in tested:
        return listed
    code = {name: at for at, name in enumerate(dict.fromkeys((*speakers, *tested)))}
    claimed = np.array([code[name] for name in speakers])[listed.enrolled_at]
    real = np.array([code[name] for name in tested])[listed.tested_at]
    return replace(listed, target=claimed == real, is_labelled=True)


def _common(segments: Iterable[_Segment]) -> dict[str, str]:
    """Return the metadata that all segments have in common."""
    every = [item.metadata for item in segments]
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
