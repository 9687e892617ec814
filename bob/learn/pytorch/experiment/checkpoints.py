"""Embeddings where `bob bio pipeline simple` looks for them, before it runs.

Bob's pipeline hands an extractor one probe at a time, and keeps each embedding in a
file, ``<output>/<step>/<key>.h5``; where there is a file, it computes nothing. So
whoever writes these files beforehand computes in batches, in processes or on Dask.

Bob's files do not say what made them. These do, and are made anew when the recording or
the extractor has changed. The references that Bob enrolled from the old ones are
removed then, as Bob would go on with them.
"""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bob.learn.pytorch.errors import UserError
from bob.learn.pytorch.experiment import fingerprint, from_store, stored
from bob.learn.pytorch.experiment.configuration import (
    ConfigurationError,
    resolve,
    run_files,
)
from bob.learn.pytorch.files import before_hashes, clear_up, content_of
from bob.learn.pytorch.printing import printable
from bob.learn.pytorch.progress import bar
from bob.learn.pytorch.protocols.opening import as_database
from bob.learn.pytorch.store import arrays

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bob.learn.pytorch.inference.extract import Extraction, ManyExtractor
    from bob.learn.pytorch.parallel.sharing import Workers
    from bob.learn.pytorch.protocols.trials import Database, Recording

#: Where Bob keeps enrolled references, beside the folders of the steps.
REFERENCES = "biometric_references"


class CheckpointError(UserError, ValueError):
    """Bob's files cannot be written; the message says which and why."""


class Checkpoint(NamedTuple):
    """The file that Bob looks for, and the recording that it is of."""

    path: str
    file: Path


@dataclass(frozen=True)
class Plan:
    """The files of one database and one step of a pipeline.

    Attributes
    ----------
    output
        Folder that Bob is given with ``--output``, or ``--checkpoint-dir``.
    step
        Name of the step in Bob's pipeline, and of its folder.
    checkpoints
        By the name that the recording has in a store.
    left_to_bob
        Keys of recordings that only the database can load: Bob embeds those itself.
    """

    output: Path
    step: str
    checkpoints: dict[str, Checkpoint] = field(default_factory=dict)
    left_to_bob: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """Folder of the files."""
        return self.output / self.step


@dataclass(frozen=True)
class Filled:
    """Counts of what was done.

    Attributes
    ----------
    run
        How many embeddings were computed now, and which recordings failed.
    written
        How many files were written; the others were right already.
    removed
        Files of recordings that cannot be used now.
    references_removed
        How many of Bob's references were removed: it enrols them again.
    """

    run: Extraction
    written: int
    removed: tuple[Path, ...]
    references_removed: int


def named_database(text: str, *, protocol: str | None = None) -> Database:
    """Return the database that a text names, in Bob's words or those of verify.py.

    Parameters
    ----------
    text
        An entry point of group ``bob.bio.database``, a Python file or module that
        defines ``database``, or whatever path `as_database` takes.
    protocol
        As that of `as_database`.

    Raises
    ------
    ConfigurationError, DatabaseError
        It names none, or one that cannot be read.
    """
    return as_database(resolve("database", text, known=_known), protocol=protocol)


def _known(text: str) -> object | None:
    """Find what `resolve` does not know: paths of recordings or lists, and modules."""
    path = Path(text).expanduser()
    if path.exists():
        return path if path.suffix != ".py" else None
    if text in entry_points(group="bob.bio.database").names or not _is_module(text):
        return None
    variables = run_files([text])
    if variables.get("database") is None:
        raise ConfigurationError(
            f"module {text} defines no variable 'database'; name one that does, or an "
            "entry point of group bob.bio.database"
        )
    found: object = variables["database"]
    return found


def _is_module(text: str) -> bool:
    if not all(part.isidentifier() for part in text.split(".")):
        return False
    try:
        return importlib.util.find_spec(text) is not None
    except (ImportError, ValueError):
        return False


def plan(
    database: Database, output: Path, *, step: str, groups: Sequence[str] = ()
) -> Plan:
    """Say which file Bob will look for, for every recording of a database.

    Parameters
    ----------
    output
        Folder that Bob is given with ``--output``, or ``--checkpoint-dir``.
    step
        Name of the step in Bob's pipeline; in ours, that of the trained model.
    groups
        Some of ``dev`` and ``eval``; empty for all that the database has.

    Raises
    ------
    CheckpointError
        Bob would refuse a key, or two recordings would share a file.
    DatabaseError
        The database has not this group, or no trials in it.
    """
    planned = Plan(output, step)
    left = dict.fromkeys(
        key
        for group in groups or database.groups()
        for recording in database.trials(group).recordings()
        if (key := _add(planned, recording, database)) is not None
    )
    return Plan(output, step, planned.checkpoints, tuple(left))


def _add(planned: Plan, recording: Recording, database: Database) -> str | None:
    """Plan the file of a recording, or return its key where Bob has to make it."""
    key = _bob_key(recording)
    if recording.path is None or recording.own_loader:
        return key
    # Databases of Bob may part their files into folders.
    hashed = getattr(getattr(database, "wrapped", database), "hash_fn", None)
    folder = planned.folder / (hashed(key) if hashed is not None else "")
    new = Checkpoint(str(recording.path), folder / f"{key}.h5")
    first = planned.checkpoints.setdefault(recording.key, new)
    if first != new:
        raise CheckpointError(
            f"the key {key!r} is of {first.path} and of {new.path}, and Bob would take "
            "the embedding of one for the other; each recording needs a key of its own"
        )
    return None


def _bob_key(recording: Recording) -> str:
    """Return the key that Bob names the file after; it may have blanks, ours not."""
    key = str(getattr(recording.source, "key", recording.key))
    # Bob's own condition; it also meets keys such as `a..b`.
    if key.startswith(os.sep) or ".." in key:
        raise CheckpointError(
            f"Bob names files after keys, and refuses the key {key!r} of "
            f"{recording.path} as it begins with {os.sep!r} or contains '..': give the "
            "database relative keys, or let `bob pytorch protocol` write it anew"
        )
    return key


def fill(
    planned: Plan, extractor: ManyExtractor, *, store: Path, workers: Workers
) -> Filled:
    """Make the embeddings that a store lacks, and of them the files that Bob lacks.

    A run that was stopped, in whatever way, is taken up by the next. Recordings that
    fail have no file: Bob tries them itself, and counts them as failure to acquire.

    Parameters
    ----------
    store
        File with embeddings by key, as verify.py's; made where there is none.
    workers
        Processes that compute.

    Raises
    ------
    CheckpointError
        The files cannot be written; those that are there are whole.
    StoreError
        Another extractor filled the store, or it cannot be written.
    WorkersError
        Processes or Dask workers die while they load the network.
    """
    recordings = {name: item.path for name, item in planned.checkpoints.items()}
    filled = from_store.fill(store, extractor, recordings, workers=workers)
    try:
        return _brought_up_to_date(planned, filled, extractor.fingerprint())
    # h5py says RuntimeError where a dataset cannot be written.
    except (OSError, RuntimeError) as error:
        raise CheckpointError(
            f"{planned.folder} cannot be written ({error}); make room or name another "
            f"place. All embeddings are in {store}: the same command goes on from there"
        ) from error


def _brought_up_to_date(
    planned: Plan,
    filled: from_store.InStore,
    made_by: dict[str, str],
) -> Filled:
    content, row = filled.content, filled.rows
    outdated = []
    for name, (_, file) in planned.checkpoints.items():
        if name in row:
            source = content.sources[row[name]]
            mark = fingerprint.of_step(made_by, content_of(source))
            if not _is_current(file, mark, made_by, source):
                outdated.append((file, row[name], mark))
    left_over = tuple(
        item.file
        for name, item in planned.checkpoints.items()
        if name not in row and item.file.exists()
    )
    references = 0
    if outdated or left_over:
        clear_up(planned.folder)
        # First: a run that ends here leaves no reference of what is replaced.
        references = _remove_references(planned)
    for file in left_over:
        file.unlink()
    for file, number, mark in bar(outdated, total=len(outdated), unit="file"):
        with stored.writing(file, mark) as place:
            arrays.write(content.embeddings[number], place)
    return Filled(filled.run, len(outdated), left_over, references)


def _is_current(file: Path, mark: str, made_by: dict[str, str], source: str) -> bool:
    """Return whether a file holds the embedding that the store has of a recording.

    One without a checksum gets the full record.
    """
    made = stored.mark(file)
    before = partial(fingerprint.of_step, made_by, before_hashes(source))
    if made is None or not made.stands_for(mark, before=before):
        return False
    if mark not in (made.fingerprint, made.accepted):
        stored.accept(file, mark, source)
    return stored.is_whole(file)


def _remove_references(planned: Plan) -> int:
    """Remove what Bob enrolled for our pipelines, whose files name the model."""
    folder = planned.output / REFERENCES
    files = list(folder.rglob(f"*.{planned.step}.h5"))
    for file in files:
        file.unlink(missing_ok=True)
    return len(files)


def failures_of(planned: Plan, filled: Filled) -> dict[str, str]:
    """Key of each recording that could not be used -> its path and the reason."""
    return {
        name: f"{printable(planned.checkpoints[name].path)}: {why}"
        for name, why in filled.run.failures.items()
    }
