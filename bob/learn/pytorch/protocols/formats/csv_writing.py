"""Any database written as a Bob CSV protocol, for Bob's commands and for sharing."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import numpy as np

from bob.learn.pytorch.csv_rows import write_rows
from bob.learn.pytorch.files import beside
from bob.learn.pytorch.protocols.formats.csv_folders import (
    folder_of_protocol,
    replacing_folder,
)
from bob.learn.pytorch.protocols.formats.csv_matching import (
    MATCHING_COLUMNS,
    MATCHING_FILE,
    PROBING_FILE,
)
from bob.learn.pytorch.protocols.formats.csv_protocol import (
    FIELDS,
    PROVENANCE_FILE,
    TNORM_FILE,
    TRAINING_FILE,
    ZNORM_FILE,
)
from bob.learn.pytorch.protocols.trials import (
    ENROLLING_FILE,
    Database,
    DatabaseError,
    Probe,
    Recording,
    Reference,
    Trials,
    trial_columns,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from bob.learn.pytorch.metrics import Names

_HEADER = ("path", "key", "subject_id", "template_id")

#: Beside the protocols: the last one as a configuration for Bob's commands.
CONFIGURATION_FILE = "bob_database.py"

_CONFIGURATION = '''\
"""A protocol for `bob bio pipeline simple` and verify.py."""

from bob.bio.base.database import CSVDatabase, FileSampleLoader

# Each sample holds the path: whatever extracts the embedding decodes it, once.
database = CSVDatabase(
    name={name!r},
    protocol={protocol!r},
    dataset_protocols_path={root!r},
    transformer=FileSampleLoader(
        data_loader=str, dataset_original_directory={original_directory!r}
    ),
{metadata})
'''


def write_csv_protocol(
    database: Database,
    folder: str | os.PathLike[str],
    *,
    protocol: str | None = None,
) -> Path:
    """Write a database as ``<folder>/<protocol>/{dev,eval}/for_….csv``.

    With each group, ``protocol.json`` says where the recordings are; beside the
    protocols, ``bob_database.py`` is the one that was written last, as a configuration
    for Bob's commands. An earlier protocol of that name is replaced as a
    whole, and is there until the new one is complete.

    Parameters
    ----------
    database : Database
        What to write, with the metadata of recordings and trials as columns. A trial
        that is listed twice is written once, as Bob scores it; probes without a trial
        are left out, as Bob stops at them.
    folder : path
        Where protocols are kept; it is made. Hand it to `as_database`, or to
        ``CSVDatabase(dataset_protocols_path=…)``.
    protocol : str, optional
        Name of the protocol; default: the database's, or ``default``.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    DatabaseError
        If a recording has no path, two recordings share a key, or other files than
        those of a protocol lie where it is written.
    """
    root = Path(folder).resolve()
    name = protocol or database.protocol or "default"
    place = folder_of_protocol(root, name)
    groups = {group: database.trials(group) for group in database.groups()}
    training = database.training()
    cohorts = _cohorts(database)
    compared = [*_recordings(groups.values()), *_members(cohorts.values())]
    layout = _Layout(common_folder([*training, *compared]), _titles(compared))
    sparse = any(trials.pairs is not None for trials in groups.values())
    ids = _reference_ids(groups)
    with replacing_folder(place) as made:
        for group, trials in groups.items():
            matches = (
                _matches(trials, ids[group], trial_columns(database, group))
                if sparse
                else None
            )
            _write_group(made / group, trials, ids[group], layout, matches)
        _write_training(made, training, layout.directory)
        for file, items in cohorts.items():
            lines_of = layout.lines((item.id, item) for item in items)
            _write_if_any(made / file, layout.header, list(lines_of))
        _write_provenance(made, groups, database.name, layout.directory)
    _write_configuration(root, name, database.name, layout)
    return root


@dataclass(frozen=True)
class _Layout:
    """How a recording is written: as seen from a folder, with columns of metadata."""

    directory: Path
    titles: tuple[str, ...]

    @property
    def header(self) -> tuple[str, ...]:
        return (*_HEADER, *self.titles)

    def line(
        self, recording: Recording, subject: str, *template: str
    ) -> tuple[str, ...]:
        place = relative_to(recording, self.directory)
        known = (recording.metadata.get(title, "") for title in self.titles)
        return (place, recording.key, subject, *template, *known)

    def lines(
        self, named: Iterable[tuple[str, Reference | Probe]]
    ) -> Iterator[tuple[str, ...]]:
        for name, item in named:
            for recording in item.recordings:
                yield self.line(recording, item.subject, name)


def _titles(recordings: Iterable[Recording]) -> tuple[str, ...]:
    """The columns of metadata, in the order they come up."""
    titles = tuple(dict.fromkeys(name for item in recordings for name in item.metadata))
    taken = FIELDS.intersection(titles)
    if taken:
        raise DatabaseError(
            f"recordings have metadata called {', '.join(sorted(taken))}, as a CSV "
            "protocol calls columns of its own; give them other titles"
        )
    return titles


def _write_training(
    folder: Path, recordings: Sequence[Recording], directory: Path
) -> None:
    layout = _Layout(directory, _titles(recordings))
    lines = [layout.line(item, item.subject) for item in recordings]
    _write_if_any(folder / TRAINING_FILE, (*_HEADER[:-1], *layout.titles), lines)


def _cohorts(database: Database) -> dict[str, Sequence[Reference | Probe]]:
    """What databases with cohorts normalise scores with."""
    found: dict[str, Sequence[Reference | Probe]] = {}
    for file, method in ((ZNORM_FILE, "z_cohort"), (TNORM_FILE, "t_cohort")):
        found[file] = getattr(database, method, tuple)()
    return found


def _members(cohorts: Iterable[Sequence[Reference | Probe]]) -> Iterator[Recording]:
    for items in cohorts:
        for item in items:
            yield from item.recordings


def _write_group(
    folder: Path,
    trials: Trials,
    ids: Sequence[str],
    layout: _Layout,
    matches: _Matches | None,
) -> None:
    used: Iterable[int] = range(len(trials.probes))
    if matches is not None:
        used = np.unique(matches.probes).tolist()
    _write(
        folder / ENROLLING_FILE,
        layout.header,
        layout.lines(zip(ids, trials.references, strict=True)),
    )
    probes = dict.fromkeys(trials.probes[index] for index in used)
    _write(
        folder / PROBING_FILE,
        layout.header,
        layout.lines((probe.id, probe) for probe in probes),
    )
    header, lines = ((), []) if matches is None else (matches.header, matches.lines)
    _write_if_any(folder / MATCHING_FILE, header, lines)


@dataclass(frozen=True)
class _Matches:
    """The lines of ``for_matching.csv``, and the probes that are in them."""

    header: tuple[str, ...]
    lines: list[tuple[str, ...]]
    probes: NDArray[np.int64]


def _matches(
    trials: Trials, ids: Sequence[str], columns: Mapping[str, Names]
) -> _Matches:
    """Each trial once, where it comes first."""
    pairs = all_pairs(trials)
    first = np.repeat(np.arange(len(pairs)), [len(listed) for listed in pairs])
    second = np.concatenate([np.zeros(0, dtype=np.int64), *pairs])
    # A probe may be there twice, with one id.
    code: dict[str, int] = {}
    probe = np.array([code.setdefault(item.id, len(code)) for item in trials.probes])
    codes = first * max(1, len(code)) + (probe[second] if second.size else second)
    kept = np.sort(np.unique(codes, return_index=True)[1])
    first, second = first[kept], second[kept]
    taken = [title for title in columns if title in MATCHING_COLUMNS]
    if taken:
        raise DatabaseError(
            f"trials have metadata called {', '.join(taken)}, as {MATCHING_FILE} calls "
            "columns of its own; give them other titles"
        )
    lines = zip(
        [ids[at] for at in first.tolist()],
        [trials.probes[at].id for at in second.tolist()],
        *(column.take(kept).tolist() for column in columns.values()),
        strict=True,
    )
    return _Matches((*MATCHING_COLUMNS, *columns), list(lines), second)


def all_pairs(trials: Trials) -> Sequence[NDArray[np.int64]]:
    """For each reference its probes, also where all meet all."""
    if trials.pairs is not None:
        return trials.pairs
    return [np.arange(len(trials.probes))] * len(trials.references)


def _recordings(groups: Iterable[Trials]) -> Iterator[Recording]:
    for trials in groups:
        yield from trials.recordings()


def common_folder(recordings: Sequence[Recording]) -> Path:
    """The folder that all recordings are below; checks their paths and keys."""
    if not recordings:
        raise DatabaseError("the database has no recordings: there is nothing to write")
    paths: dict[str, str] = {}
    for recording in recordings:
        if recording.path is None:
            raise DatabaseError(
                f"recording {recording.key!r} has no path: its database loads it in a "
                "way of its own, which a CSV protocol cannot say"
            )
        path = os.path.abspath(recording.path)  # noqa: PTH100 - three times as fast
        if paths.setdefault(recording.key, path) != path:
            raise DatabaseError(
                f"key {recording.key!r} is both {path} and {paths[recording.key]}; a "
                "CSV protocol needs a key of its own for each recording"
            )
    folders = {os.path.dirname(path) for path in paths.values()}  # noqa: PTH120 - so too
    return Path(os.path.commonpath(folders))


def _reference_ids(groups: Mapping[str, Trials]) -> dict[str, list[str]]:
    """Ids that no two groups share: Bob would score one with the other's templates."""
    uses = Counter(
        name
        for trials in groups.values()
        for name in {reference.id for reference in trials.references}
    )
    return {
        group: [
            reference.id if uses[reference.id] == 1 else f"{group}-{reference.id}"
            for reference in trials.references
        ]
        for group, trials in groups.items()
    }


def relative_to(recording: Recording, directory: Path) -> str:
    """The path of a recording as seen from a folder that it is below."""
    path = os.path.abspath(str(recording.path))  # noqa: PTH100 - three times as fast
    return path[len(str(directory)) :].lstrip("/")


def _write_provenance(
    folder: Path, groups: Iterable[str], name: str, directory: Path
) -> None:
    told = {"database": name, "original_directory": str(directory)}
    # Bob takes whatever lies beside the groups for another one.
    for group in groups:
        with replacing(folder / group / PROVENANCE_FILE) as file:
            json.dump(told, file, indent=2)
            file.write("\n")


def _write_configuration(root: Path, protocol: str, name: str, layout: _Layout) -> None:
    told = f"    templates_metadata={list(layout.titles)!r},\n" if layout.titles else ""
    with replacing(root / CONFIGURATION_FILE) as file:
        file.write(
            _CONFIGURATION.format(
                name=name,
                protocol=protocol,
                root=str(root),
                original_directory=str(layout.directory),
                metadata=told,
            )
        )


def _write(path: Path, header: Sequence[str], lines: Iterable[Sequence[str]]) -> None:
    with replacing(path) as file:
        write_rows(file, itertools.chain([header], lines))


def _write_if_any(
    path: Path, header: Sequence[str], lines: Sequence[Sequence[str]]
) -> None:
    if lines:
        _write(path, header, lines)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[TextIO]:
    """A text file written beside the real one and renamed when it is whole."""
    with (
        beside(path) as place,
        place.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        yield file
