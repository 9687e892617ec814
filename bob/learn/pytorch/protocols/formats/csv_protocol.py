"""Protocols in CSV: Bob's folder of files, or one file that says it all.

The folder, as ``CSVDatabase`` of bob.bio.base 8 reads it::

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

The one file has a row for each recording and the columns ``path``, ``subject_id``,
``purpose`` (``enrol``, ``probe`` or ``train``) and, if wanted, ``group`` (default
``dev``), ``template_id`` (default: the subject enrols as one, each recording probes
alone) and ``key``. Paths are seen from the folder of the file.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bob.learn.pytorch.audio.paths import without_backslashes
from bob.learn.pytorch.protocols.formats.csv_matching import (
    MATCHING_FILE,
    PROBING_FILE,
    Matching,
    read_matching,
)
from bob.learn.pytorch.protocols.formats.csv_rows import Row, read_rows
from bob.learn.pytorch.protocols.names import SafeNames, safe_name
from bob.learn.pytorch.protocols.trials import (
    ENROLLING_FILE,
    DatabaseError,
    Probe,
    Recording,
    Reference,
    Trials,
    WithoutExtras,
    with_trials,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

    from bob.learn.pytorch.metrics import Names

logger = logging.getLogger(__name__)

TRAINING_FILE = "train/for_background_model.csv"
ZNORM_FILE = "train/for_znorm.csv"
TNORM_FILE = "train/for_tnorm.csv"

#: Where the recordings are: of a group, or beside protocols of all of them.
PROVENANCE_FILE = "protocol.json"

_PURPOSES = {"enrol": "enrol", "enroll": "enrol", "probe": "probe", "train": "train"}
#: What columns of recordings say themselves; others are metadata.
FIELDS = frozenset({"path", "key", "subject_id", "template_id", "purpose", "group"})


@dataclass(frozen=True)
class _Templates:
    """Rows that belong together, by template."""

    subjects: Mapping[str, str]
    recordings: Mapping[str, tuple[Recording, ...]]


class _CsvDatabase(WithoutExtras):
    """What both kinds of CSV protocol share."""

    name: str
    protocol: str | None
    original_directory: str | None

    def __init__(self) -> None:
        self._safe_subject = SafeNames("subject_id")

    def _recording(self, row: Row) -> Recording:
        path = row.fields.get("path") or row.get("key")
        path = without_backslashes(path, self.original_directory or "")
        return Recording(
            key=safe_name(row.fields.get("key") or path),
            path=Path(self.original_directory or "", path),
            subject=self._safe_subject(row.get("subject_id")),
            metadata={
                name: value
                for name, value in row.fields.items()
                if name not in FIELDS and value
            },
        )

    def _templates(self, rows: Iterable[tuple[str, Row]]) -> _Templates:
        """(template id, row) pairs -> templates, in the order they come up."""
        subjects: dict[str, str] = {}
        recordings: dict[str, list[Recording]] = {}
        for template, row in rows:
            recording = self._recording(row)
            if subjects.setdefault(template, recording.subject) != recording.subject:
                raise DatabaseError(
                    f"{row.where}: template {template!r} is of subject "
                    f"{recording.subject!r} here and of {subjects[template]!r} further "
                    "up; a template is of one subject"
                )
            recordings.setdefault(template, []).append(recording)
        return _Templates(
            subjects, {name: tuple(items) for name, items in recordings.items()}
        )


def _references(templates: _Templates) -> tuple[Reference, ...]:
    safe = SafeNames("template_id")
    return tuple(
        Reference(safe(name), templates.subjects[name], recordings)
        for name, recordings in templates.recordings.items()
    )


def _probes(templates: _Templates) -> tuple[Probe, ...]:
    safe = SafeNames("template_id")
    return tuple(
        Probe(
            recordings[0].key if len(recordings) == 1 else safe(name),
            templates.subjects[name],
            recordings,
        )
        for name, recordings in templates.recordings.items()
    )


class CsvProtocolDatabase(_CsvDatabase):
    """A Bob CSV protocol, read without Bob; see the top of this module.

    Parameters
    ----------
    root : path
        Folder of protocols, or that of one protocol.
    protocol : str, optional
        Which one; needed if there are several.
    original_directory : path, optional
        What paths are seen from. Default: what ``protocol.json`` says in the folder of
        a group, or else beside the protocols, or else the root.

    Raises
    ------
    DatabaseError
        If there is no such protocol; when used, with file and line for what is wrong.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        protocol: str | None = None,
        original_directory: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__()
        folder = Path(root).resolve()
        if any(folder.glob(f"*/{ENROLLING_FILE}")):
            folder, protocol = folder.parent, protocol or folder.name
        self._root = folder
        self.name = folder.name
        self.protocol: str | None = self._chosen(protocol)
        self.original_directory: str | None = str(
            original_directory or _stated_directory(folder, self._folder) or folder
        )

    def _chosen(self, protocol: str | None) -> str:
        found = sorted(
            {path.parents[1].name for path in self._root.glob(f"*/*/{ENROLLING_FILE}")}
        )
        if protocol in found:
            return protocol
        if protocol is None and len(found) == 1:
            return found[0]
        asked = "no protocol was named" if protocol is None else f"no {protocol!r}"
        raise DatabaseError(
            f"{self._root}: {asked}; it has the protocols {', '.join(found) or 'none'}"
        )

    @property
    def _folder(self) -> Path:
        return self._root / str(self.protocol)

    def groups(self) -> tuple[str, ...]:
        """``dev``, and whatever else the protocol has."""
        return tuple(
            sorted(
                path.parent.name for path in self._folder.glob(f"*/{ENROLLING_FILE}")
            )
        )

    def trials(self, group: str) -> Trials:
        """References, probes and who is compared with whom in a group."""
        if group not in self.groups():
            raise DatabaseError(
                f"{self._folder} has no group {group!r}; it has "
                f"{', '.join(self.groups())}"
            )
        enrolling = self._read(f"{group}/{ENROLLING_FILE}")
        probing = self._read(f"{group}/{PROBING_FILE}")
        pairs = None
        if self._is_sparse(group):
            self._warn_if_bob_ignores(group)
            pairs = self._matching(group, enrolling, probing).pairs
        return with_trials(
            Trials(_references(enrolling), _probes(probing), pairs),
            group=group,
            protocol=f"{self.protocol} of {self.name}",
            files=f"the CSV files in {self._folder / group}",
        )

    def trial_metadata(self, group: str) -> dict[str, Names]:
        """What ``for_matching.csv`` says of each trial, by title, in their order."""
        if not self._is_sparse(group):
            return {}
        enrolling = self._read(f"{group}/{ENROLLING_FILE}")
        probing = self._read(f"{group}/{PROBING_FILE}")
        return dict(self._matching(group, enrolling, probing).metadata)

    def _is_sparse(self, group: str) -> bool:
        return (self._folder / group / MATCHING_FILE).is_file()

    def _matching(
        self, group: str, enrolling: _Templates, probing: _Templates
    ) -> Matching:
        return read_matching(
            self._folder / group / MATCHING_FILE,
            list(enrolling.recordings),
            list(probing.recordings),
        )

    def training(self) -> tuple[Recording, ...]:
        """Recordings to train on, if the protocol has some."""
        path = self._folder / TRAINING_FILE
        if not path.is_file():
            return ()
        return tuple(self._recording(row) for row in read_rows(path, ["subject_id"]))

    def z_cohort(self) -> tuple[Probe, ...]:
        """Probes of other speakers, for z-norm; empty without ``for_znorm.csv``."""
        found = (self._folder / ZNORM_FILE).is_file()
        return _probes(self._read(ZNORM_FILE)) if found else ()

    def t_cohort(self) -> tuple[Reference, ...]:
        """References of other speakers, for t-norm; empty without ``for_tnorm.csv``."""
        found = (self._folder / TNORM_FILE).is_file()
        return _references(self._read(TNORM_FILE)) if found else ()

    def _read(self, name: str) -> _Templates:
        path = self._folder / name
        if not path.is_file():
            raise DatabaseError(f"{path} does not exist; a group needs it")
        rows = read_rows(path, ["subject_id", "template_id"])
        return self._templates((row.get("template_id"), row) for row in rows)

    def _warn_if_bob_ignores(self, group: str) -> None:
        if (
            "dev" in self.groups()
            and not (self._folder / "dev" / MATCHING_FILE).exists()
        ):
            logger.warning(
                "%s is followed here; bob bio pipeline would ignore it and compare all "
                "with all, since there is none in dev",
                self._folder / group / MATCHING_FILE,
            )


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


def read_recordings(
    path: Path, *, original_directory: str | os.PathLike[str] | None = None
) -> list[Recording]:
    """Every recording of a CSV file with ``path`` and ``subject_id``, whatever for."""
    reader = _CsvDatabase()
    reader.original_directory = str(original_directory or path.absolute().parent)
    return [reader._recording(row) for row in read_rows(path, ["path", "subject_id"])]


class CsvFileDatabase(_CsvDatabase):
    """A protocol in one CSV file; see the top of this module.

    Parameters
    ----------
    path : path
        The file.
    protocol : str, optional
        Names the results; default: the name of the file.
    original_directory : path, optional
        What paths are seen from; default: the folder of the file.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        protocol: str | None = None,
        original_directory: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__()
        self._path = Path(path).absolute()
        self.name = self._path.stem
        self.protocol: str | None = protocol or self._path.stem
        self.original_directory: str | None = str(
            original_directory or self._path.parent
        )
        self._rows = list(read_rows(self._path, ["path", "subject_id", "purpose"]))
        if not self._rows:
            raise DatabaseError(
                f"{self._path} holds no recording below its header; expected a row for "
                "each recording that enrols or probes"
            )
        for row in self._rows:
            if row.fields["purpose"] not in _PURPOSES:
                raise DatabaseError(
                    f"{row.where}: purpose {row.fields['purpose']!r}; expected enrol, "
                    "probe or train: correct the row"
                )

    def groups(self) -> tuple[str, ...]:
        """``dev``, and whatever else the protocol has."""
        groups = {_group(row) for row in self._rows if _purpose(row) != "train"}
        return tuple(sorted(groups))

    def trials(self, group: str) -> Trials:
        """References, probes and who is compared with whom in a group."""
        enrolling = [row for row in self._rows if _is_for(row, group, "enrol")]
        probing = [row for row in self._rows if _is_for(row, group, "probe")]
        if not enrolling or not probing:
            raise DatabaseError(
                f"{self._path}: group {group!r} has {len(enrolling)} rows that enrol "
                f"and {len(probing)} that probe; expected some of each "
                f"(groups: {', '.join(self.groups())})"
            )
        return Trials(
            _references(
                self._templates(
                    (row.fields.get("template_id") or row.get("subject_id"), row)
                    for row in enrolling
                )
            ),
            _probes(
                self._templates(
                    (row.fields.get("template_id") or self._recording(row).key, row)
                    for row in probing
                )
            ),
        )

    def training(self) -> tuple[Recording, ...]:
        """Recordings to train on, if the protocol has some."""
        return tuple(
            self._recording(row) for row in self._rows if _purpose(row) == "train"
        )


def _purpose(row: Row) -> str:
    return _PURPOSES[row.fields["purpose"]]


def _group(row: Row) -> str:
    return row.fields.get("group") or "dev"


def _is_for(row: Row, group: str, purpose: str) -> bool:
    return _group(row) == group and _purpose(row) == purpose
