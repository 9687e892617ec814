"""Protocols in a folder of CSV files, as ``CSVDatabase`` of bob.bio.base 8 reads them.

::

    <root>/<protocol>/dev/for_enrolling.csv    path,key,subject_id,template_id
                          for_probing.csv      path,key,subject_id,template_id
                          for_matching.csv     enroll_template_id,probe_template_id
                      eval/…
                      train/for_background_model.csv   path,key,subject_id
                            for_znorm.csv              as for_probing.csv
                            for_tnorm.csv              as for_enrolling.csv

``for_matching.csv`` is optional: without it, all probes meet all references. ``key``
is optional as well and defaults to the path. Other columns become metadata, of the
recording or of the trial. Rows of one ``template_id`` belong together.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from bob.learn.pytorch.printing import write_rows
from bob.learn.pytorch.protocols.formats.csv_file import FIELDS, CsvRecordings
from bob.learn.pytorch.protocols.formats.matching import (
    MATCHING_FILE,
    PROBING_FILE,
    Matching,
    matching_rows,
    read_matching,
)
from bob.learn.pytorch.protocols.lines import Row, read_rows
from bob.learn.pytorch.protocols.names import SafeNames
from bob.learn.pytorch.protocols.trials import (
    ENROLLING_FILE,
    Database,
    DatabaseError,
    Probe,
    Recording,
    Reference,
    Trials,
    WithoutExtras,
    chosen,
    trial_columns,
    with_trials,
)
from bob.learn.pytorch.protocols.writing import (
    Written,
    common_folder,
    relative_to,
    replacing,
    replacing_folder,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from bob.learn.pytorch.metrics import Names

    _Rows: TypeAlias = Sequence[tuple[str, Row]]

logger = logging.getLogger(__name__)

TRAINING_FILE = "train/for_background_model.csv"
ZNORM_FILE = "train/for_znorm.csv"
TNORM_FILE = "train/for_tnorm.csv"

#: Folder of the recordings: of a group, or beside protocols of all of them.
PROVENANCE_FILE = "protocol.json"

#: Beside the protocols: the last one as a configuration for Bob's commands.
CONFIGURATION_FILE = "bob_database.py"

_HEADER = ("path", "key", "subject_id", "template_id")
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


class CsvProtocolDatabase(WithoutExtras):
    """A Bob CSV protocol, read without Bob; see the top of this module.

    Parameters
    ----------
    root : path
        Folder of protocols, or that of one protocol.
    protocol : str, optional
        Name of the protocol; needed if there are several.
    original_directory : path, optional
        Folder that paths are seen from. Default: that of ``protocol.json`` in the
        folder of a group, or else beside the protocols, or else the root.

    Raises
    ------
    DatabaseError
        There is no such protocol; when used, with file and line for what is wrong.
    """

    knows_speakers = True

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        protocol: str | None = None,
        original_directory: str | os.PathLike[str] | None = None,
    ) -> None:
        self._subjects = SafeNames("subject_id")
        folder = Path(root).resolve()
        if any(folder.glob(f"*/{ENROLLING_FILE}")):
            folder, protocol = folder.parent, protocol or folder.name
        self._root = folder
        self.name = folder.name
        found = {path.parents[1].name for path in folder.glob(f"*/*/{ENROLLING_FILE}")}
        self.protocol: str | None = chosen(
            sorted(found), protocol, where=folder, kind="protocols"
        )
        self.original_directory: str | None = str(
            original_directory or _stated_directory(folder, self._folder) or folder
        )

    @property
    def _folder(self) -> Path:
        return self._root / str(self.protocol)

    @property
    def _made(self) -> CsvRecordings:
        return CsvRecordings(self.original_directory or "", self._subjects)

    def groups(self) -> tuple[str, ...]:
        """Return the groups that have a ``for_enrolling.csv``."""
        found = self._folder.glob(f"*/{ENROLLING_FILE}")
        return tuple(sorted(path.parent.name for path in found))

    def trials(self, group: str) -> Trials:
        """Return the references, probes and trials of a group."""
        if group not in self.groups():
            raise DatabaseError(
                f"{self._folder} has no group {group!r}; it has "
                f"{', '.join(self.groups())}"
            )
        enrolling, probing = self._sides(group)
        pairs = None
        if self._is_sparse(group):
            self._warn_if_bob_ignores(group)
            pairs = self._matching(group, enrolling, probing).pairs
        made = self._made
        return with_trials(
            Trials(made.references(enrolling), made.probes(probing), pairs),
            group=group,
            protocol=f"{self.protocol} of {self.name}",
            files=f"the CSV files in {self._folder / group}",
        )

    def trial_metadata(self, group: str) -> dict[str, Names]:
        """Return title -> metadata of each trial, ``(trials,)``, as in `trials`."""
        if not self._is_sparse(group):
            return {}
        return dict(self._matching(group, *self._sides(group)).metadata)

    def _is_sparse(self, group: str) -> bool:
        return (self._folder / group / MATCHING_FILE).is_file()

    def _sides(self, group: str) -> tuple[_Rows, _Rows]:
        enrolling = list(self._rows(f"{group}/{ENROLLING_FILE}"))
        return enrolling, list(self._rows(f"{group}/{PROBING_FILE}"))

    def _matching(self, group: str, *sides: _Rows) -> Matching:
        ids = [list(dict.fromkeys(name for name, _ in side)) for side in sides]
        return read_matching(self._folder / group / MATCHING_FILE, ids[0], ids[1])

    def training(self) -> tuple[Recording, ...]:
        """Return recordings to train on; empty without ``for_background_model.csv``."""
        path = self._folder / TRAINING_FILE
        rows = read_rows(path, ["subject_id"]) if path.is_file() else ()
        return tuple(map(self._made.recording, rows))

    def z_cohort(self) -> tuple[Probe, ...]:
        """Return cohort probes, for z-norm; empty without ``for_znorm.csv``."""
        found = (self._folder / ZNORM_FILE).is_file()
        return self._made.probes(self._rows(ZNORM_FILE)) if found else ()

    def t_cohort(self) -> tuple[Reference, ...]:
        """Return cohort references, for t-norm; empty without ``for_tnorm.csv``."""
        found = (self._folder / TNORM_FILE).is_file()
        return self._made.references(self._rows(TNORM_FILE)) if found else ()

    def _rows(self, name: str) -> Iterator[tuple[str, Row]]:
        path = self._folder / name
        if not path.is_file():
            raise DatabaseError(f"{path} does not exist; a group needs it")
        for row in read_rows(path, ["subject_id", "template_id"]):
            yield row.get("template_id"), row

    def _warn_if_bob_ignores(self, group: str) -> None:
        if "dev" in self.groups() and not self._is_sparse("dev"):
            logger.warning(
                "%s is followed here; bob bio pipeline would ignore it and compare all "
                "with all, since there is none in dev",
                self._folder / group / MATCHING_FILE,
            )


#: Reader of this format.
read = CsvProtocolDatabase


def _stated_directory(root: Path, protocol: Path) -> str | None:
    found = [*sorted(protocol.glob(f"*/{PROVENANCE_FILE}")), root / PROVENANCE_FILE]
    path = found[0]
    if not path.is_file():
        return None
    try:
        stated = json.loads(path.read_text(encoding="utf-8-sig"))
        return str(root / stated["original_directory"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DatabaseError(
            f"{path}: expected a JSON object with 'original_directory' ({error}); "
            "write the protocol again, or remove the file"
        ) from error


def write(database: Database, folder: Path) -> Written:
    """Write a protocol; see `write_csv_protocol`."""
    return Written(
        dict.fromkeys(database.groups(), write_csv_protocol(database, folder))
    )


def write_csv_protocol(
    database: Database,
    folder: str | os.PathLike[str],
    *,
    protocol: str | None = None,
) -> Path:
    """Write a database as ``<folder>/<protocol>/{dev,eval}/for_….csv``.

    With each group, ``protocol.json`` has the folder of the recordings; beside the
    protocols, ``bob_database.py`` is the one that was written last, as a configuration
    for Bob's commands. An earlier protocol of that name is replaced as a whole, and is
    there until the new one is complete.

    Parameters
    ----------
    database : Database
        The database to write, with the metadata of recordings and trials as columns. A
        trial that is listed twice is written once, as Bob scores it; probes without a
        trial are left out, as Bob stops at them.
    folder : path
        Folder of protocols; it is made. Hand it to `as_database`, or to
        ``CSVDatabase(dataset_protocols_path=…)``.
    protocol : str, optional
        Name of the protocol; default: the database's, or ``default``.

    Raises
    ------
    DatabaseError
        A recording has no path, two recordings share a key, or other files than those
        of a protocol lie where it is written.
    """
    root = Path(folder).resolve()
    name = protocol or database.protocol or "default"
    place = _folder_of_protocol(root, name)
    groups = {group: database.trials(group) for group in database.groups()}
    training = database.training()
    cohorts: dict[str, Sequence[Reference | Probe]] = {
        ZNORM_FILE: getattr(database, "z_cohort", tuple)(),
        TNORM_FILE: getattr(database, "t_cohort", tuple)(),
    }
    compared = [
        *(item for trials in groups.values() for item in trials.recordings()),
        *(item for some in cohorts.values() for one in some for item in one.recordings),
    ]
    layout = _Layout(common_folder([*training, *compared]), _titles(compared))
    ids = _reference_ids(groups)
    sparse = any(trials.pairs is not None for trials in groups.values())
    with replacing_folder(place) as made:
        for group, trials in groups.items():
            columns = trial_columns(database, group) if sparse else None
            _write_group(made / group, trials, ids[group], layout, columns)
            _write_provenance(made / group, database.name, layout.directory)
        own = _Layout(layout.directory, _titles(training))
        lines = [own.line(item, item.subject) for item in training]
        if lines:
            _write(made / TRAINING_FILE, (*_HEADER[:-1], *own.titles), lines)
        for file, items in cohorts.items():
            if items:
                layout.write(made / file, ((item.id, item) for item in items))
    _write_configuration(root, name, database.name, layout)
    return root


def _folder_of_protocol(root: Path, name: str) -> Path:
    """Return the folder of a protocol below a root, if it may be written there."""
    if name in ("", ".", "..") or "/" in name:
        raise DatabaseError(
            f"a protocol {name!r} cannot be a folder in {root}; give it a name without "
            "a slash"
        )
    place = (root / name).resolve()
    if place.exists() and not place.is_dir():
        raise DatabaseError(f"{place} is a file; write into another folder")
    other = next(_others(place), None)
    if other is not None:
        raise DatabaseError(
            f"{other} is no part of a protocol and would be lost with {place}, which "
            "is replaced as a whole; write into another folder, or give the protocol "
            "another name"
        )
    return place


def _others(place: Path) -> Iterator[Path]:
    """Yield files that nobody but the user can make again."""
    for path in place.rglob("*"):
        within = path.relative_to(place).parts
        is_ours = path.match("for_*.csv") or path.name == PROVENANCE_FILE
        # File managers and network drives leave these by themselves.
        is_litter = path.name.startswith(".") or path.name == "Thumbs.db"
        if path.is_dir() or is_litter:
            continue
        if not (len(within) == 2 and is_ours):
            yield path


@dataclass(frozen=True)
class _Layout:
    """The folder that paths are seen from, and the columns of metadata."""

    directory: Path
    titles: tuple[str, ...]

    def line(
        self, recording: Recording, subject: str, *template: str
    ) -> tuple[str, ...]:
        place = relative_to(recording, self.directory)
        known = (recording.metadata.get(title, "") for title in self.titles)
        return (place, recording.key, subject, *template, *known)

    def write(self, path: Path, named: Iterable[tuple[str, Reference | Probe]]) -> None:
        lines = (
            self.line(recording, item.subject, name)
            for name, item in named
            for recording in item.recordings
        )
        _write(path, (*_HEADER, *self.titles), lines)


def _titles(recordings: Iterable[Recording]) -> tuple[str, ...]:
    """Return the columns of metadata, in the order they come up."""
    titles = tuple(dict.fromkeys(name for item in recordings for name in item.metadata))
    taken = FIELDS.intersection(titles)
    if taken:
        raise DatabaseError(
            f"recordings have metadata called {', '.join(sorted(taken))}, as a CSV "
            "protocol calls columns of its own; give them other titles"
        )
    return titles


def _write_group(
    folder: Path,
    trials: Trials,
    ids: Sequence[str],
    layout: _Layout,
    columns: Mapping[str, Names] | None,
) -> None:
    probes = dict.fromkeys(trials.probes)
    if columns is not None:
        header, rows, used = matching_rows(trials, ids, columns)
        if rows:
            _write(folder / MATCHING_FILE, header, rows)
        probes = dict.fromkeys(trials.probes[at] for at in np.unique(used).tolist())
    layout.write(folder / ENROLLING_FILE, zip(ids, trials.references, strict=True))
    layout.write(folder / PROBING_FILE, ((probe.id, probe) for probe in probes))


def _reference_ids(groups: Mapping[str, Trials]) -> dict[str, list[str]]:
    """Return ids that no two groups share: Bob would mix up their templates."""
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


def _write_provenance(folder: Path, name: str, directory: Path) -> None:
    # Bob takes whatever lies beside the groups for another one.
    with replacing(folder / PROVENANCE_FILE) as file:
        json.dump(
            {"database": name, "original_directory": str(directory)}, file, indent=2
        )
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
        write_rows(file, chain([header], lines))
