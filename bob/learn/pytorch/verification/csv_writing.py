"""Any database written as a Bob CSV protocol, for Bob's commands and for sharing."""

from __future__ import annotations

import contextlib
import csv
import json
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import numpy as np

from bob.learn.pytorch.atomic import beside
from bob.learn.pytorch.verification.csv_protocol import (
    MATCHING_FILE,
    PROBING_FILE,
    PROVENANCE_FILE,
    TNORM_FILE,
    TRAINING_FILE,
    ZNORM_FILE,
)
from bob.learn.pytorch.verification.database import (
    ENROLLING_FILE,
    Database,
    DatabaseError,
    Probe,
    Recording,
    Reference,
    Trials,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

#: Beside the protocols: the same protocol as a configuration for Bob's commands.
CONFIGURATION_FILE = "bob_database.py"

_CONFIGURATION = '''\
"""The protocol {protocol} for `bob bio pipeline simple` and verify.py."""

from bob.bio.base.database import CSVDatabase, FileSampleLoader

# Each sample holds the path: whatever extracts the embedding decodes it, once.
database = CSVDatabase(
    name={name!r},
    protocol={protocol!r},
    dataset_protocols_path={root!r},
    transformer=FileSampleLoader(
        data_loader=str, dataset_original_directory={original_directory!r}
    ),
)
'''


def write_csv_protocol(
    database: Database,
    folder: str | os.PathLike[str],
    *,
    protocol: str | None = None,
) -> Path:
    """Write a database as ``<folder>/<protocol>/{dev,eval}/for_….csv``.

    Beside the protocol, ``protocol.json`` says where the recordings are, and
    ``bob_database.py`` is the protocol as a configuration for Bob's commands.
    An earlier protocol of that name is replaced, file by file.

    Parameters
    ----------
    database : Database
        What to write. A trial that is listed twice is written once, as Bob scores
        it; probes without a trial are left out, as Bob stops at them.
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
        If a recording has no path, or two recordings share a key.
    """
    root = Path(folder).resolve()
    name = protocol or database.protocol or "default"
    groups = {group: database.trials(group) for group in database.groups()}
    training = database.training()
    cohorts = _cohorts(database)
    directory = common_folder(
        [
            *training,
            *_recordings(groups.values()),
            *(
                r
                for items in cohorts.values()
                for item in items
                for r in item.recordings
            ),
        ]
    )
    sparse = any(trials.pairs is not None for trials in groups.values())
    ids = _reference_ids(groups)
    for group, trials in groups.items():
        _write_group(root / name / group, trials, ids[group], directory, sparse=sparse)
    header = ("path", "key", "subject_id")
    lines = [_line(item, item.subject, directory) for item in training]
    _write_or_remove(root / name / TRAINING_FILE, header, lines)
    for file, items in cohorts.items():
        lines_of = _lines_of(((item.id, item) for item in items), directory)
        _write_or_remove(root / name / file, (*header, "template_id"), list(lines_of))
    _write_companions(root, name, database.name, directory)
    return root


def _cohorts(database: Database) -> dict[str, Sequence[Reference | Probe]]:
    """What databases with cohorts normalise scores with."""
    found: dict[str, Sequence[Reference | Probe]] = {}
    for file, method in ((ZNORM_FILE, "z_cohort"), (TNORM_FILE, "t_cohort")):
        found[file] = getattr(database, method, tuple)()
    return found


def _lines_of(
    named: Iterable[tuple[str, Reference | Probe]], directory: Path
) -> Iterator[tuple[str, ...]]:
    for name, item in named:
        for recording in item.recordings:
            yield (*_line(recording, item.subject, directory), name)


def _write_group(
    folder: Path,
    trials: Trials,
    ids: Sequence[str],
    directory: Path,
    *,
    sparse: bool,
) -> None:
    pairs = all_pairs(trials) if sparse else None
    used = (
        range(len(trials.probes))
        if pairs is None
        else np.unique(np.concatenate([*pairs, np.zeros(0, dtype=np.int64)]))
    )
    header = ("path", "key", "subject_id", "template_id")
    _write(
        folder / ENROLLING_FILE,
        header,
        _lines_of(zip(ids, trials.references, strict=True), directory),
    )
    probes = dict.fromkeys(trials.probes[index] for index in used)
    _write(
        folder / PROBING_FILE,
        header,
        _lines_of(((probe.id, probe) for probe in probes), directory),
    )
    matches = _matches(trials, ids, pairs)
    _write_or_remove(
        folder / MATCHING_FILE, ("enroll_template_id", "probe_template_id"), matches
    )


def _matches(
    trials: Trials, ids: Sequence[str], pairs: Sequence[NDArray[np.int64]] | None
) -> list[tuple[str, str]]:
    if pairs is None:
        return []
    return [
        (name, trials.probes[probe].id)
        for name, of_reference in zip(ids, pairs, strict=True)
        for probe in dict.fromkeys(of_reference.tolist())
    ]


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


def _line(recording: Recording, subject: str, directory: Path) -> tuple[str, str, str]:
    return relative_to(recording, directory), recording.key, subject


def relative_to(recording: Recording, directory: Path) -> str:
    """The path of a recording as seen from a folder that it is below."""
    path = os.path.abspath(str(recording.path))  # noqa: PTH100 - three times as fast
    return path[len(str(directory)) :].lstrip("/")


def _write_companions(root: Path, protocol: str, name: str, directory: Path) -> None:
    with replacing(root / PROVENANCE_FILE) as file:
        json.dump(
            {"database": name, "original_directory": str(directory)}, file, indent=2
        )
        file.write("\n")
    with replacing(root / CONFIGURATION_FILE) as file:
        file.write(
            _CONFIGURATION.format(
                name=name,
                protocol=protocol,
                root=str(root),
                original_directory=str(directory),
            )
        )


def _write(path: Path, header: Sequence[str], lines: Iterable[Sequence[str]]) -> None:
    with replacing(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(lines)


def _write_or_remove(
    path: Path, header: Sequence[str], lines: Sequence[Sequence[str]]
) -> None:
    """Without lines, no file: an earlier one must not speak for this protocol."""
    if lines:
        _write(path, header, lines)
    else:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[TextIO]:
    """A text file written beside the real one and renamed when it is whole."""
    with (
        beside(path) as place,
        place.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        yield file
