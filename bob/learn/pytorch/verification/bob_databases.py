"""Bob's databases, of the old days and of today, behind the small interface.

They are told by the methods they have, so nothing of Bob is imported here.
"""

# ruff: noqa: ANN401 - Bob's objects have no type but their methods

from __future__ import annotations

import functools
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bob.learn.pytorch.verification.database import (
    Database,
    DatabaseError,
    Probe,
    Recording,
    Reference,
    Trials,
)
from bob.learn.pytorch.verification.names import safe_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

#: Groups of Bob databases that train rather than test.
TRAINING_GROUPS = ("world", "optional_world_1", "optional_world_2", "train")

#: Loaders that hand out a file as it is: reading the path comes to the same.
_PLAIN_LOADERS = frozenset({"bob", "builtins", "pathlib", "posix", "soundfile"})

_SAMPLE_FIELDS = frozenset({"key", "path", "subject_id", "template_id", "data"})


def wrap(source: object, *, protocol: str | None = None) -> Database:
    """A Bob database behind the small interface.

    Raises
    ------
    DatabaseError
        If the object has neither interface, or not this protocol.
    """
    if hasattr(source, "references") and hasattr(source, "probes"):
        return SampleDatabase(source, protocol=protocol)
    if hasattr(source, "enroll_files") and hasattr(source, "probe_files"):
        return LegacyDatabase(source, protocol=protocol)
    raise DatabaseError(
        f"{type(source).__name__} object {source!r} is not a database: expected the "
        "methods references() and probes() (Bob today), model_ids(), enroll_files() "
        "and probe_files() (legacy Bob), groups() and trials() (this package), or the "
        "path of a folder, trial list or CSV file"
    )


class _BobDatabase:
    """What both interfaces share."""

    def __init__(self, wrapped: Any, *, protocol: str | None = None) -> None:
        self.wrapped = wrapped
        if protocol is not None:
            self.protocol = protocol

    @property
    def name(self) -> str:
        """What the Bob database calls itself."""
        return str(getattr(self.wrapped, "name", type(self.wrapped).__name__))

    @property
    def protocol(self) -> str | None:
        """The protocol the Bob database is set to."""
        protocol = getattr(self.wrapped, "protocol", None)
        return None if protocol is None else str(protocol)

    @protocol.setter
    def protocol(self, protocol: str) -> None:
        """The protocol the Bob database is set to."""
        try:
            self.wrapped.protocol = protocol
        except (ValueError, AttributeError) as error:
            raise DatabaseError(
                f"database {self.name} has no protocol {protocol!r}: {error}"
            ) from error

    @property
    def original_directory(self) -> str | None:
        """Folder of the recordings, where the Bob database says it."""
        directory = getattr(self.wrapped, "original_directory", None)
        return None if directory is None else str(directory)

    @original_directory.setter
    def original_directory(self, directory: str) -> None:
        self.wrapped.original_directory = directory

    @property
    def original_extension(self) -> str | None:
        """Suffix of the recordings, if the Bob database has one for all."""
        extension = getattr(self.wrapped, "original_extension", None)
        return extension if isinstance(extension, str) else None

    def groups(self) -> tuple[str, ...]:
        """``dev``, and whatever else the protocol has."""
        found = self._all_groups()
        return tuple(group for group in found if group not in TRAINING_GROUPS)

    def _all_groups(self) -> tuple[str, ...]:
        try:
            return tuple(sorted(self.wrapped.groups()))
        except (AttributeError, NotImplementedError, TypeError):
            return ("dev", "eval")

    def _check(self, group: str) -> None:
        if group not in self.groups():
            raise DatabaseError(
                f"database {self.name} has no group {group!r}; "
                f"it has {', '.join(self.groups()) or 'none'}"
            )


class LegacyDatabase(_BobDatabase):
    """A database of bob.bio.base up to version 4, such as ``FileListBioDatabase``."""

    def trials(self, group: str) -> Trials:
        """References, probes and who is compared with whom in a group."""
        self._check(group)
        dense = self._is_dense()
        model_ids = self._model_ids(group)
        references = tuple(self._reference(model_id, group) for model_id in model_ids)
        if dense:
            files = self._probe_files(None, group)
            return Trials(references, tuple(self._probe(file) for file in files))
        probes: dict[str, Probe] = {}
        position: dict[str, int] = {}
        pairs = []
        for model_id in model_ids:
            of_model = []
            for file in self._probe_files(model_id, group):
                name = str(file.id)
                if name not in position:
                    position[name] = len(position)
                    probes[name] = self._probe(file)
                of_model.append(position[name])
            pairs.append(np.array(of_model, dtype=np.int64))
        return Trials(
            references, tuple(probes.values()), _sparse(pairs, probes=len(probes))
        )

    def training(self) -> tuple[Recording, ...]:
        """Recordings to train on, if the protocol has some."""
        if not hasattr(self.wrapped, "training_files"):
            return ()
        if not set(TRAINING_GROUPS) & set(self._all_groups()):
            return ()
        return tuple(self._recording(file) for file in self.wrapped.training_files())

    def annotations(self, recording: Recording) -> object | None:
        """What the Bob database says about a recording."""
        read = getattr(self.wrapped, "annotations", None)
        if read is None:
            return None
        try:
            found: object | None = read(recording.source)
        except NotImplementedError:
            return None
        return found

    def _model_ids(self, group: str) -> list[Any]:
        if hasattr(self.wrapped, "model_ids"):
            found = self.wrapped.model_ids(group)
        else:
            found = self.wrapped.model_ids_with_protocol(
                groups=group, protocol=self.wrapped.protocol
            )
        return sorted(found)

    def _is_dense(self) -> bool:
        """Whether the database says itself that all probes meet all models."""
        says = getattr(self.wrapped, "uses_dense_probe_file", None)
        if says is None:
            return False
        try:
            return bool(says(self.wrapped.protocol))
        except ValueError as error:
            raise DatabaseError(
                f"database {self.name}: {error} Expected for_probes.lst or "
                "for_scores.lst in each group, or the argument "
                "use_dense_probe_file_list"
            ) from error

    def _probe_files(self, model_id: object | None, group: str) -> Sequence[Any]:
        sets = getattr(self.wrapped, "uses_probe_file_sets", False)
        if sets() if callable(sets) else sets:
            files: Sequence[Any] = self.wrapped.probe_file_sets(model_id, group)
        else:
            files = self.wrapped.probe_files(model_id, group)
        return files

    def _reference(self, model_id: Any, group: str) -> Reference:
        files = self.wrapped.enroll_files(model_id, group)
        if hasattr(self.wrapped, "client_id_from_model_id"):
            subject = self.wrapped.client_id_from_model_id(model_id, group)
        else:
            subject = files[0].client_id
        recordings = tuple(self._recording(file) for file in files)
        return Reference(safe_name(str(model_id)), safe_name(str(subject)), recordings)

    def _probe(self, file: Any) -> Probe:
        members = getattr(file, "files", [file])
        return Probe(
            safe_name(str(file.path)),
            safe_name(str(file.client_id)),
            tuple(self._recording(member) for member in members),
        )

    def _recording(self, file: Any) -> Recording:
        return Recording(
            key=safe_name(str(file.path)),
            path=self._path(file),
            subject=safe_name(str(file.client_id)),
            source=file,
            own_loader=_loads_itself(file),
        )

    def _path(self, file: Any) -> Path:
        directory = getattr(self.wrapped, "original_directory", None)
        extension = getattr(self.wrapped, "original_extension", None)
        if extension is None or isinstance(extension, str):
            candidates: Iterable[str | None] = [extension]
        else:
            candidates = list(extension) or [None]
        paths = [self._joined(file, directory, candidate) for candidate in candidates]
        return next((path for path in paths if path.is_file()), paths[0])

    @staticmethod
    def _joined(file: Any, directory: Any, extension: str | None) -> Path:
        if hasattr(file, "make_path"):
            return Path(file.make_path(directory, extension))
        return Path(str(directory or "")) / f"{file.path}{extension or ''}"


class SampleDatabase(_BobDatabase):
    """A database of today's Bob, such as ``CSVDatabase``: sets of samples."""

    def trials(self, group: str) -> Trials:
        """References, probes and who is compared with whom in a group."""
        self._check(group)
        references = tuple(
            Reference(
                safe_name(str(item.template_id)),
                safe_name(str(item.subject_id)),
                _recordings(item),
            )
            for item in self.wrapped.references(group)
        )
        sets = list(self.wrapped.probes(group))
        probes = tuple(_probe(item) for item in sets)
        if getattr(self.wrapped, "score_all_vs_all", False):
            return Trials(references, probes)
        return Trials(references, probes, self._pairs(references, sets))

    def _pairs(
        self, references: tuple[Reference, ...], probe_sets: Sequence[Any]
    ) -> tuple[NDArray[np.int64], ...] | None:
        position = {item.id: index for index, item in enumerate(references)}
        pairs: list[list[int]] = [[] for _ in references]
        for index, probe in enumerate(probe_sets):
            # Bob scores a pair once, however often it is listed.
            for reference in {safe_name(str(name)): None for name in probe.references}:
                if reference not in position:
                    raise DatabaseError(
                        f"database {self.name}: probe {probe.template_id} is to be "
                        f"compared with {reference!r}, which is not enrolled; check "
                        "for_matching.csv against for_enrolling.csv"
                    )
                pairs[position[reference]].append(index)
        arrays = [np.array(of_reference, dtype=np.int64) for of_reference in pairs]
        return _sparse(arrays, probes=len(probe_sets))

    def training(self) -> tuple[Recording, ...]:
        """Recordings to train on, if the protocol has some."""
        read = getattr(self.wrapped, "background_model_samples", None)
        samples = read() if read else []
        return tuple(_sample_recording(sample, None) for sample in samples)

    def annotations(self, recording: Recording) -> object | None:
        """What the Bob database says about a recording."""
        found: object | None = getattr(recording.source, "annotations", None)
        return found


def _probe(sample_set: Any) -> Probe:
    recordings = _recordings(sample_set)
    name = getattr(sample_set, "template_id", None)
    one = recordings[0].key if len(recordings) == 1 else None
    return Probe(
        one or safe_name(str(name)), safe_name(str(sample_set.subject_id)), recordings
    )


def _recordings(sample_set: Any) -> tuple[Recording, ...]:
    return tuple(_sample_recording(item, sample_set) for item in sample_set.samples)


def _sample_recording(sample: Any, sample_set: Any) -> Recording:
    path, own_loader = _audio_of(sample)
    subject = getattr(sample, "subject_id", None)
    if subject is None:
        subject = getattr(sample_set, "subject_id", "")
    return Recording(
        key=safe_name(str(sample.key)),
        path=path,
        subject=safe_name(str(subject)),
        source=sample,
        metadata=_metadata(sample),
        own_loader=own_loader,
    )


def _metadata(sample: Any) -> dict[str, str]:
    return {
        name: str(value)
        for name, value in vars(sample).items()
        if isinstance(value, (str, int, float))
        and not name.startswith("_")
        and name not in _SAMPLE_FIELDS
    }


def _audio_of(sample: Any) -> tuple[Path | None, bool]:
    """Where a sample's audio is, and whether the sample must be asked for it.

    The audio itself is not touched: Bob's samples decode when `data` is read.
    """
    attributes = vars(sample)
    if isinstance(attributes.get("data"), (str, os.PathLike)):
        return Path(attributes["data"]), False
    load = attributes.get("_load")
    if isinstance(load, functools.partial):
        arguments = [*load.args, *load.keywords.values()]
        paths = [item for item in arguments if isinstance(item, (str, os.PathLike))]
        if len(paths) == 1:
            plain = len(arguments) == 1 and _is_plain(load.func)
            return Path(paths[0]), not plain
    path = attributes.get("path")
    if isinstance(path, (str, os.PathLike)) and Path(path).is_file():
        return Path(path), True
    return None, True


def _is_plain(loader: Any) -> bool:
    return str(getattr(loader, "__module__", "")).split(".")[0] in _PLAIN_LOADERS


def _loads_itself(file: Any) -> bool:
    """Whether the class of a legacy file has a `load` that is not Bob's."""
    load = getattr(type(file), "load", None)
    return load is not None and not str(load.__module__).startswith("bob.")


def _sparse(
    pairs: Sequence[NDArray[np.int64]], *, probes: int
) -> tuple[NDArray[np.int64], ...] | None:
    """The pairs, or None if they are all there are."""
    everything = np.arange(probes)
    if all(np.array_equal(np.sort(of_one), everything) for of_one in pairs):
        return None
    return tuple(pairs)
