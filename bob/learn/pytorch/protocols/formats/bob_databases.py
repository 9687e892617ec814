"""Bob's databases, legacy and today's, behind the interface of `Database`.

They are recognised by their methods, so nothing of Bob is imported here, and nothing is
decoded.
"""

# ruff: noqa: ANN401 - Bob's objects have no type but their methods

from __future__ import annotations

import csv
import functools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bob.learn.pytorch.protocols.names import SafeNames, safe_name
from bob.learn.pytorch.protocols.trials import (
    Database,
    DatabaseError,
    Probe,
    Recording,
    Reference,
    Trials,
    with_trials,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    Cohort = tuple[tuple[Reference, ...], tuple[Probe, ...]]

#: Groups of Bob databases that train rather than test.
_TRAINING_GROUPS = ("world", "optional_world_1", "optional_world_2", "train")

#: What a Bob database raises where its files are missing, broken or of another form.
_THEIR_ERRORS = (
    ValueError, LookupError, OSError, AttributeError, RuntimeError, csv.Error,
)  # fmt: skip

#: Loaders that hand out a file as it is: reading the path comes to the same.
_PLAIN_LOADERS = frozenset({"bob", "builtins", "pathlib", "posix", "soundfile"})

_SAMPLE_FIELDS = frozenset({"key", "path", "subject_id", "template_id", "data"})


def wrap(source: object, *, protocol: str | None = None) -> Database:
    """Return a Bob database of either interface behind that of `Database`."""
    if hasattr(source, "references") and hasattr(source, "probes"):
        return _SampleDatabase(source, protocol=protocol)
    if hasattr(source, "enroll_files") and hasattr(source, "probe_files"):
        return _LegacyDatabase(source, protocol=protocol)
    raise DatabaseError(
        f"{type(source).__name__} object {source!r} is not a database: expected the "
        "methods references() and probes() (Bob today), model_ids(), enroll_files() "
        "and probe_files() (legacy Bob), groups() and trials() (this package), or the "
        "path of a folder, trial list or CSV file"
    )


class _BobDatabase:
    """Parts that both interfaces share."""

    def __init__(self, wrapped: Any, *, protocol: str | None = None) -> None:
        self.wrapped = wrapped
        self._safe_subject = SafeNames("subject")
        if protocol is not None:
            self.protocol = protocol

    @property
    def name(self) -> str:
        """Name of the Bob database."""
        return str(getattr(self.wrapped, "name", type(self.wrapped).__name__))

    @property
    def protocol(self) -> str | None:
        """Protocol that the Bob database is set to."""
        protocol = getattr(self.wrapped, "protocol", None)
        return None if protocol is None else str(protocol)

    @protocol.setter
    def protocol(self, protocol: str) -> None:
        try:
            self.wrapped.protocol = protocol
        except (ValueError, AttributeError) as error:
            raise DatabaseError(
                f"database {self.name} has no protocol {protocol!r}: {error}"
            ) from error

    @property
    def original_directory(self) -> str | None:
        """Folder of the recordings, None if the Bob database has none."""
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
        """Return the groups of the protocol, without those for training."""
        found = self._all_groups()
        return tuple(group for group in found if group not in _TRAINING_GROUPS)

    def _all_groups(self) -> tuple[str, ...]:
        try:
            return tuple(sorted(self.wrapped.groups()))
        except (AttributeError, NotImplementedError, TypeError):
            return ("dev", "eval")
        except _THEIR_ERRORS as error:
            raise self._failed("groups", error) from error

    def _check(self, group: str) -> None:
        if group not in self.groups():
            raise DatabaseError(
                f"database {self.name} has no group {group!r}; it has "
                f"{', '.join(self.groups()) or 'none'} {self._looked_into()}"
            )

    def _looked_into(self) -> str:
        base = getattr(self.wrapped, "dataset_protocols_path", None)
        if hasattr(self.wrapped, "get_base_directory"):
            base = self.wrapped.get_base_directory()
        if base is None:
            return f"(protocol {self.protocol!r})"
        folder = Path(base, self.protocol or "")
        is_there = "" if folder.exists() else ", which does not exist"
        return f"(protocol {self.protocol!r}, looked for in {folder}{is_there})"

    def _with_trials(self, trials: Trials, group: str) -> Trials:
        return with_trials(
            trials,
            group=group,
            protocol=f"{self.protocol or 'without a name'} of {self.name}",
            files=f"the files of the database {self._looked_into()}",
        )

    def _ask(self, method: str, *arguments: object, **keywords: object) -> Any:
        """Return the answer of a method, its errors as `DatabaseError`."""
        ask = getattr(self.wrapped, method)
        try:
            answer = ask(*arguments, **keywords)
            return list(answer) if isinstance(answer, Iterator) else answer
        except DatabaseError:
            raise
        except _THEIR_ERRORS as error:
            raise self._failed(method, error) from error

    def _failed(self, method: str, error: Exception) -> DatabaseError:
        said = str(error).replace("\ufeff", "<byte order mark>")
        return DatabaseError(
            f"{type(self.wrapped).__name__} {self.name} stops in {method}() with "
            f"{type(error).__name__}: {said}; check its files {self._looked_into()}: "
            "names of columns, commas between them, no byte order mark"
        )


class _LegacyDatabase(_BobDatabase):
    """A database of bob.bio.base up to version 4, such as ``FileListBioDatabase``."""

    def trials(self, group: str) -> Trials:
        """Return the references, probes and trials of a group."""
        self._check(group)
        dense = self._is_dense()
        model_ids = self._model_ids(group)
        references = tuple(self._reference(model_id, group) for model_id in model_ids)
        if dense:
            files = self._probe_files(None, group)
            probed = tuple(self.probe(file) for file in files)
            return self._with_trials(Trials(references, probed), group)
        position: dict[str, int] = {}
        probes: list[Probe] = []
        pairs = []
        for model_id in model_ids:
            files = self._probe_files(model_id, group)
            for file in files:
                if position.setdefault(str(file.id), len(probes)) == len(probes):
                    probes.append(self.probe(file))
            of_model = [position[str(file.id)] for file in files]
            pairs.append(np.array(of_model, dtype=np.int64))
        listed = _sparse(pairs, probes=len(probes))
        return self._with_trials(Trials(references, tuple(probes), listed), group)

    def training(self) -> tuple[Recording, ...]:
        """Return the recordings to train on, empty without any."""
        if not hasattr(self.wrapped, "training_files"):
            return ()
        if not set(_TRAINING_GROUPS) & set(self._all_groups()):
            return ()
        return tuple(self.recording(file) for file in self._ask("training_files"))

    def annotations(self, recording: Recording) -> object | None:
        """Return the annotations of a recording, None without any."""
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
            found = self._ask("model_ids", group)
        else:
            found = self._ask(
                "model_ids_with_protocol", groups=group, protocol=self.wrapped.protocol
            )
        return sorted(found)

    def _is_dense(self) -> bool:
        """Return whether the database states that all probes meet all models."""
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
            files: Sequence[Any] = self._ask("probe_file_sets", model_id, group)
        else:
            files = self._ask("probe_files", model_id, group)
        return files

    def _reference(self, model_id: Any, group: str) -> Reference:
        files = self._ask("enroll_files", model_id, group)
        if not files:
            raise DatabaseError(
                f"database {self.name} has no files to enrol {model_id!r} of group "
                f"{group} with {self._looked_into()}"
            )
        if hasattr(self.wrapped, "client_id_from_model_id"):
            subject = self._ask("client_id_from_model_id", model_id, group)
        else:
            subject = files[0].client_id
        name, subject = safe_name(str(model_id)), self._safe_subject(str(subject))
        return Reference(name, subject, tuple(map(self.recording, files)))

    def probe(self, file: Any) -> Probe:
        """Return a file, or a set of files, under test."""
        members = getattr(file, "files", [file])
        subject = self._safe_subject(str(file.client_id))
        return Probe(
            safe_name(str(file.path)), subject, tuple(map(self.recording, members))
        )

    def recording(self, file: Any) -> Recording:
        """Return the recording of a file."""
        load = getattr(type(file), "load", None)
        own = load is not None and not str(load.__module__).startswith("bob.")
        return Recording(
            key=safe_name(str(file.path)),
            path=self._path(file),
            subject=self._safe_subject(str(file.client_id)),
            source=file,
            own_loader=own,
        )

    def _path(self, file: Any) -> Path:
        directory = getattr(self.wrapped, "original_directory", None)
        extension = getattr(self.wrapped, "original_extension", None)
        candidates: list[str | None] = [extension]
        if extension is not None and not isinstance(extension, str):
            candidates = list(extension) or [None]
        if hasattr(file, "make_path"):
            paths = [Path(file.make_path(directory, each)) for each in candidates]
        else:
            folder = Path(str(directory or ""))
            paths = [folder / f"{file.path}{each or ''}" for each in candidates]
        return next((path for path in paths if path.is_file()), paths[0])

    def cohort(self, group: str) -> Cohort:
        """Return the cohort of ``for_tnorm.lst`` and ``for_znorm.lst``."""
        bobs: Any = self.wrapped
        if not hasattr(bobs, "t_model_ids") or not hasattr(bobs, "z_probe_files"):
            return (), ()
        has_lists = getattr(bobs, "implements_zt", None)
        if has_lists is not None and not has_lists(bobs.protocol, [group]):
            return (), ()
        references = (
            (name, tuple(map(self.recording, bobs.t_enroll_files(name, group))))
            for name in sorted(bobs.t_model_ids(group))
        )
        return _cohort(references, map(self.probe, bobs.z_probe_files(group)))


class _SampleDatabase(_BobDatabase):
    """A database of today's Bob, such as ``CSVDatabase``: sets of samples."""

    def trials(self, group: str) -> Trials:
        """Return the references, probes and trials of a group."""
        self._check(group)
        references = tuple(
            Reference(
                safe_name(str(item.template_id)),
                self._safe_subject(str(item.subject_id)),
                self.recordings(item),
            )
            for item in self._ask("references", group)
        )
        sets = list(self._ask("probes", group))
        probes = tuple(self.probe(item) for item in sets)
        dense = getattr(self.wrapped, "score_all_vs_all", False)
        pairs = None if dense else self._pairs(references, sets)
        return self._with_trials(Trials(references, probes, pairs), group)

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
        """Return the recordings to train on, empty without any."""
        if not hasattr(self.wrapped, "background_model_samples"):
            return ()
        samples = self._ask("background_model_samples")
        return tuple(self.recording(sample, None) for sample in samples)

    def annotations(self, recording: Recording) -> object | None:
        """Return the annotations of a recording, None without any."""
        found: object | None = getattr(recording.source, "annotations", None)
        return found

    def probe(self, sample_set: Any) -> Probe:
        """Return a set of samples under test."""
        recordings = self.recordings(sample_set)
        name = safe_name(str(getattr(sample_set, "template_id", None)))
        name = recordings[0].key if len(recordings) == 1 else name
        subject = self._safe_subject(str(sample_set.subject_id))
        return Probe(name, subject, recordings)

    def recordings(self, sample_set: Any) -> tuple[Recording, ...]:
        """Return the recordings of a set of samples."""
        return tuple(self.recording(item, sample_set) for item in sample_set.samples)

    def recording(self, sample: Any, sample_set: Any) -> Recording:
        """Return the recording of a sample, its subject that of the set by default."""
        path, own_loader = _audio_of(sample)
        subject = getattr(sample, "subject_id", None)
        if subject is None:
            subject = getattr(sample_set, "subject_id", "")
        return Recording(
            key=safe_name(str(sample.key)),
            path=path,
            subject=self._safe_subject(str(subject)),
            source=sample,
            metadata=_metadata_of(sample),
            own_loader=own_loader,
        )

    def cohort(self, group: str) -> Cohort:
        """Return the cohort of ``train/for_tnorm.csv`` and ``train/for_znorm.csv``."""
        bobs: Any = self.wrapped
        if not hasattr(bobs, "treferences") or not hasattr(bobs, "zprobes"):
            return (), ()
        enrolled = bobs.treferences() or ()
        references = ((item.template_id, self.recordings(item)) for item in enrolled)
        return _cohort(references, map(self.probe, bobs.zprobes(group) or ()))


def _cohort(
    references: Iterable[tuple[object, tuple[Recording, ...]]], probes: Iterable[Probe]
) -> Cohort:
    made = (
        Reference(safe_name(str(name)), recordings[0].subject, recordings)
        for name, recordings in references
    )
    return tuple(made), tuple(probes)


def bob_cohort(database: Database, group: str) -> Cohort:
    """Return references for t-norm and probes for z-norm; empty without both lists."""
    if isinstance(database, _LegacyDatabase | _SampleDatabase):
        return database.cohort(group)
    return (), ()


def _sparse(
    pairs: Sequence[NDArray[np.int64]], *, probes: int
) -> tuple[NDArray[np.int64], ...] | None:
    """Return the pairs, or None if all probes meet all references."""
    everything = np.arange(probes)
    if all(np.array_equal(np.sort(of_one), everything) for of_one in pairs):
        return None
    return tuple(pairs)


def _metadata_of(sample: Any) -> dict[str, str]:
    """Return the other attributes of a sample."""
    return {
        name: str(value)
        for name, value in vars(sample).items()
        if isinstance(value, (str, int, float))
        and not name.startswith("_")
        and name not in _SAMPLE_FIELDS
    }


def _audio_of(sample: Any) -> tuple[Path | None, bool]:
    """Return the file of a sample's audio, and whether the sample must be asked for it.

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
            maker = str(getattr(load.func, "__module__", "")).split(".")[0]
            return Path(paths[0]), len(arguments) > 1 or maker not in _PLAIN_LOADERS
    path = attributes.get("path")
    if isinstance(path, (str, os.PathLike)) and Path(path).is_file():
        return Path(path), True
    return None, True
