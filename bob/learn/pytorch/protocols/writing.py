"""Parts that the writers of several formats share."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from bob.learn.pytorch.audio.paths import is_from_windows, refused_path
from bob.learn.pytorch.files import beside, left_by_dead, unfinished
from bob.learn.pytorch.protocols.lines import is_utf_8
from bob.learn.pytorch.protocols.trials import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from bob.learn.pytorch.protocols.trials import (
        Database,
        Probe,
        Recording,
        Reference,
        Trials,
    )


class Written(dict[str, Path]):
    """For each group the path that `as_database` reads.

    Attributes
    ----------
    seen_from : Path or None
        Folder that paths in the lists are relative to; None if they are absolute.
    """

    def __init__(
        self, paths: Mapping[str, Path] | None = None, *, seen_from: Path | None = None
    ) -> None:
        super().__init__(paths or {})
        self.seen_from = seen_from


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[TextIO]:
    """Open a text file beside the real one, and rename it when it is whole."""
    with (
        beside(path) as place,
        place.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        yield file


@contextlib.contextmanager
def replacing_folder(place: Path) -> Iterator[Path]:
    """Yield a folder to fill, which then replaces the one that is there.

    After an error or Ctrl-C, what was there is there; nobody sees files of both.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    for dead in left_by_dead(place):
        if (dead / "old").exists() and not place.exists():
            (dead / "old").rename(place)
        shutil.rmtree(dead, ignore_errors=True)
    # Two levels down, where nobody looks for protocols.
    aside = unfinished(place)
    made, before = aside / "new", aside / "old"
    try:
        made.mkdir(parents=True)
        yield made
        try:
            if place.exists():
                place.rename(before)
            made.rename(place)
        except BaseException:
            if before.exists() and not place.exists():
                before.rename(place)
            raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def write_lines(path: Path, lines: Iterable[str]) -> Path:
    """Write a text file, whole or not at all, and return its path."""
    with replacing(path) as file:
        file.writelines(f"{line}\n" for line in lines)
    return path


def groups_of_singles(
    database: Database, form: str, *, references: bool = True
) -> dict[str, Trials]:
    """Return the trials by group, if probes and references are single recordings."""
    groups = {group: database.trials(group) for group in database.groups()}
    for trials in groups.values():
        for probe in trials.probes:
            if len(probe.recordings) != 1:
                raise DatabaseError(
                    f"probe {probe.id!r} has {len(probe.recordings)} recordings; "
                    f"{form} tests one at a time: convert to bob instead"
                )
        for reference in trials.references if references else ():
            if len(reference.recordings) != 1:
                raise DatabaseError(
                    f"reference {reference.id!r} is enrolled with "
                    f"{len(reference.recordings)} recordings; a list of {form} "
                    "compares single ones: convert to bob, kaldi or sre instead"
                )
    common_folder(_recordings(groups))
    return groups


def each_trial(trials: Trials) -> Iterator[tuple[Reference, Probe, bool]]:
    """Yield the two sides of every trial, and whether they are one subject."""
    for at, reference in enumerate(trials.references):
        for index in trials.probes_of(at).tolist():
            probe = trials.probes[index]
            yield reference, probe, reference.subject == probe.subject


def _recordings(groups: Mapping[str, Trials]) -> list[Recording]:
    return [item for trials in groups.values() for item in trials.recordings()]


def common_folder(recordings: Sequence[Recording]) -> Path:
    """Return the folder that all recordings are below, if all have paths and keys."""
    if not recordings:
        raise DatabaseError("the database has no recordings: there is nothing to write")
    paths: dict[str, str] = {}
    for recording in recordings:
        if recording.path is None:
            raise DatabaseError(
                f"recording {recording.key!r} has no path: its database loads it in "
                "its own way, which no list can express"
            )
        path = os.path.abspath(recording.path)  # noqa: PTH100 - three times as fast
        if paths.setdefault(recording.key, path) != path:
            raise DatabaseError(
                f"key {recording.key!r} is both {path} and {paths[recording.key]}; "
                "each recording needs its own key"
            )
    folders = {os.path.dirname(path) for path in paths.values()}  # noqa: PTH120 - so too
    return Path(os.path.commonpath(folders))


def relative_to(recording: Recording, directory: Path) -> str:
    """Return the path of a recording as seen from a folder that it is below."""
    path = os.path.abspath(str(recording.path))  # noqa: PTH100 - three times as fast
    return path[len(str(directory)) :].lstrip("/")


def spelled_paths(groups: Mapping[str, Trials]) -> tuple[dict[str, str], Path]:
    """Return key -> path as seen from the folder of all recordings, and that folder."""
    found = _recordings(groups)
    start = common_folder(found)
    return {item.key: one_word(relative_to(item, start)) for item in found}, start


def absolute_path(recording: Recording) -> str:
    """Return the absolute path of a recording, if it can stand in a list of Kaldi."""
    path = os.path.abspath(str(recording.path))  # noqa: PTH100 - three times as fast
    if path != path.strip() or len(path.splitlines()) > 1:
        raise DatabaseError(
            f"{path!r} cannot stand in a list of paths; rename it, or convert to bob"
        )
    if (reason := refused_path(path)) is not None:
        raise DatabaseError(f"{recording.key}: {reason}")
    return path


def one_word(name: str) -> str:
    """Return a name, if it has no blank and is UTF-8, as in a list."""
    if name.split() != [name] or not is_utf_8(name):
        raise DatabaseError(
            f"{name!r} cannot stand in a list in UTF-8 parted by spaces; rename it, or "
            "convert to bob"
        )
    return name


def in_line(name: str) -> str:
    """Return a name without blanks as it stands in a list of trials."""
    if is_from_windows(name):
        raise DatabaseError(
            f"{name!r} would be read as a path of Windows; rename it, or convert to bob"
        )
    is_quoted = len(name) > 1 and name[0] == name[-1] == '"'
    return '"' + name.replace('"', '""') + '"' if is_quoted else name


def first_word(name: str) -> str:
    """Return a name as it stands first in a line: it must not begin a comment."""
    if name.startswith("#"):
        raise DatabaseError(
            f"{name!r} begins a comment in a list; rename it, or convert to bob"
        )
    return in_line(one_word(name))
