"""Result folders and score files -> the systems of a report."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bob.learn.pytorch.calibration.origin import Origin, provenance_file
from bob.learn.pytorch.report.result_folders import (
    ReportError,
    ResultFolder,
    files_in,
    folder_of,
    folders_at,
    system_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bob.learn.pytorch.metrics import Names
    from bob.learn.pytorch.report.systems import System

__all__ = ["ReportError", "conditions_only", "input_files", "read_systems"]

# Where verify.py puts scores, below the name of an experiment and of a protocol.
_OF_VERIFY = ("nonorm", "ztnorm")


@dataclass(frozen=True)
class _Place:
    """A system to be: the name and path that a user gave, and where its scores are."""

    given: str
    path: Path
    source: Path | ResultFolder

    @property
    def folder(self) -> ResultFolder | None:
        """Folder that names the system; None where its file does.

        A file of a result folder stands for the folder, which gives it its name where
        the user named that too: ``asnorm/scores-dev``, but not ``scores-dev`` alone.
        """
        if isinstance(self.source, Path):
            return None
        is_alone = self.path.is_file() and self.path.parent.name in ("", "..")
        return None if is_alone else self.source

    def parts(self) -> list[str]:
        """Return the parts of the path of that folder or file."""
        if self.folder is None:
            return list(self.path.resolve().with_suffix("").parts)
        parts = list(self.folder.path.resolve().parts)
        method = self.folder.normalisation.partition(",")[0]
        if method and parts[-1] in _OF_VERIFY:
            parts[-1] = method  # verify.py's ztnorm holds any normalised scores
        return parts

    def choice(self) -> list[str]:
        """Return the words that tell the systems of one folder apart."""
        if self.folder is None:
            return []
        kind = "calibrated" if self.folder.takes_calibrated else "raw"
        return [kind, self.folder.groups()[0]]


def read_systems(
    results: Sequence[str],
    *,
    group: str | None = None,
    trials: Path | None = None,
    calibrated: bool | None = None,
    both: bool = False,
) -> list[System]:
    """Read every result; a folder with several experiments below becomes several.

    Parameters
    ----------
    results
        A score file or a result folder, perhaps as ``name=path``. The files
        ``scores-<group>`` and ``calibrated-<group>`` of a result folder stand for the
        folder with that choice.
    group
        Group of the figures; by default eval where it is there, else dev.
    trials
        A list of the same trials, for score files that do not say who speaks.
    calibrated
        Take the calibrated scores of a folder, or leave them aside; by default they
        are taken where verify.py wrote them.
    both
        Each folder with calibrated scores is two systems, one of its raw scores.

    Raises
    ------
    ReportError
        There are no scores, or two systems have one name.
    """
    places: list[_Place] = []
    for text in results:
        name, path = _named(text)
        places += [
            _Place(name, path, source)
            for source in _sources(path, group, calibrated=calibrated, both=both)
        ]
    names = _names(places)
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ReportError(
            f"several systems are called {twice[0]}; tell them apart by name=path"
        )
    return [
        _system_of_file(name, place.source, trials=trials)
        if isinstance(place.source, Path)
        else system_of(name, place.source, trials=trials)
        for name, place in zip(names, places, strict=True)
    ]


def input_files(results: Sequence[str]) -> list[Path]:
    """List the score files of results, and the files that say how they were made.

    Of folders, all groups are meant, calibrated or not.

    Raises
    ------
    ReportError
        A result is not there.
    """
    found: list[Path] = []
    for text in results:
        _, path = _named(text)
        folders = [path.parent] if path.is_file() else folders_at(path)
        files = [path] if path.is_file() else []
        if not files or folder_of(path):  # which brings its dev and references along
            files += [file for folder in folders for file in files_in(folder)]
        found += [*files, *map(provenance_file, files)]
    return found


def _named(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if not equals or Path(text).exists():
        name, path = "", text
    if not Path(path).exists():
        raise ReportError(
            f"{path} is not there; give a score file or a result folder of verify.py"
        )
    return name, Path(path)


def _sources(
    path: Path, group: str | None, *, calibrated: bool | None, both: bool
) -> list[Path | ResultFolder]:
    """Return a file, or the choices from the folders at or below a path."""
    if path.is_file():
        return [folder_of(path) or path]
    found: list[Path | ResultFolder] = []
    for folder in folders_at(path):
        asked = ResultFolder(folder, group, calibrated)
        if both and asked.takes_calibrated:
            found.append(replace(asked, calibrated=False))
        found.append(asked)
    if not found:
        raise ReportError(
            f"{path} holds no scores-dev or scores-eval; give the folder of results "
            "that verify.py named, or a score file"
        )
    return found


def _names(places: Sequence[_Place]) -> list[str]:
    """Given names, or as few of the last parts of each path as tell all apart.

    Of a name that is given to several, each gets what tells these apart behind it.
    """
    names = [place.given for place in places]
    for given in dict.fromkeys(names):
        index = [number for number, place in enumerate(places) if place.given == given]
        if given and len(index) == 1:
            continue
        short = _short([places[number] for number in index])
        for number, text in zip(index, short, strict=True):
            names[number] = " ".join([*filter(None, [given]), text])
    return names


def _short(places: Sequence[_Place]) -> list[str]:
    paths = [place.parts() for place in places]
    if len(places) == 1:
        (parts,) = paths
        # results/first/session/nonorm is called first.
        folder = places[0].folder
        deep = folder and folder.path.resolve().name in _OF_VERIFY and len(parts) > 3
        return [parts[-3] if deep else parts[-1]]
    folders = Counter(place.folder.path.resolve() for place in places if place.folder)
    if max(folders.values(), default=0) > 1:
        paths = [p + place.choice() for p, place in zip(paths, places, strict=True)]
    if len({len(parts) for parts in paths}) == 1 and len({*map(tuple, paths)}) > 1:
        columns = list(zip(*paths, strict=True))
        # What all share, such as the protocol, says nothing.
        told = [column for column in columns if len(set(column)) > 1]
        paths = [list(parts) for parts in zip(*told, strict=True)]
    for depth in range(1, max(map(len, paths)) + 1):
        names = ["/".join(parts[-depth:]) for parts in paths]
        if len(set(names)) == len(names):
            return names
    return ["/".join(parts) for parts in paths]


def conditions_only(systems: Sequence[System], titles: Sequence[str]) -> list[System]:
    """Keep the columns of metadata that are named; all where none is.

    Those that are named become conditions whatever their titles are.

    Raises
    ------
    ReportError
        No system has such a column.
    """
    known: dict[str, Names] = {}
    for system in systems:
        known.update(system.metadata)
    missing = [title for title in titles if title not in known]
    if missing:
        raise ReportError(
            f"no score file has a column {missing[0]!r}; the columns beside names and "
            f"scores are {', '.join(known) or 'none'}"
        )
    if not titles:
        return list(systems)
    return [
        replace(
            system,
            metadata={t: c for t, c in system.metadata.items() if t in titles},
            by_name=True,
        )
        for system in systems
    ]


def _system_of_file(name: str, path: Path, *, trials: Path | None) -> System:
    """Read scores, metadata, and the provenance that `bob pytorch score` wrote.

    The list has the same trials, for scores that do not say who speaks.
    """
    from bob.learn.pytorch.calibration.origin import read_provenance
    from bob.learn.pytorch.files import file_sha256
    from bob.learn.pytorch.report.provenance import (
        file_fact,
        made_in_words,
        settings_facts,
        trials_fact,
    )
    from bob.learn.pytorch.report.systems import System
    from bob.learn.pytorch.scorefiles import read_with_metadata

    table, metadata = read_with_metadata(path, trials=trials)
    sha256 = file_sha256(path)
    origin = Origin(read_provenance(path, sha256=sha256))
    calibrated = origin.is_calibrated
    return System(
        name,
        table,
        metadata=metadata,
        provenance=(
            ("Scores", file_fact(path, trials=len(table), sha256=sha256)),
            ("Trial list", trials_fact(table)),
            *settings_facts(origin.kept),
        ),
        scores=made_in_words(
            origin.normalisation, calibrated="calibrated" if calibrated else ""
        )
        if origin
        else "",
        calibrated=calibrated,
        notes=origin.notes,
    )
