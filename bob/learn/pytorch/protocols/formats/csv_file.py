"""Protocols in one CSV file, with a row for each recording.

Columns are ``path``, ``subject_id``, ``purpose`` (``enrol``, ``probe`` or ``train``)
and, if wanted, ``group`` (default ``dev``), ``template_id`` (default: the subject
enrols as one, each recording probes alone) and ``key`` (default: the path). Rows of one
``template_id`` belong together; other columns become metadata of the recording. Paths
are seen from the folder of the file.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bob.learn.pytorch.audio.paths import without_backslashes
from bob.learn.pytorch.protocols.formats.trial_list import is_table
from bob.learn.pytorch.protocols.lines import Row, read_rows
from bob.learn.pytorch.protocols.names import SafeNames, safe_name
from bob.learn.pytorch.protocols.trials import (
    DatabaseError,
    Probe,
    Recording,
    Reference,
    Trials,
    WithoutExtras,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

_PURPOSES = {"enrol": "enrol", "enroll": "enrol", "probe": "probe", "train": "train"}
#: Columns of a recording itself; others are metadata.
FIELDS = frozenset({"path", "key", "subject_id", "template_id", "purpose", "group"})


def is_it(path: Path) -> bool:
    """Return whether a file is called ``….csv`` and is no table of trials."""
    return path.suffix.lower() == ".csv" and not is_table(path)


class CsvRecordings:
    """Rows of CSV made into recordings, references and probes.

    Parameters
    ----------
    original_directory : path
        Folder that paths are seen from.
    subjects : SafeNames, optional
        Subjects of all files of a database, which must stay apart.
    """

    def __init__(
        self,
        original_directory: str | os.PathLike[str],
        subjects: SafeNames | None = None,
    ) -> None:
        self._folder = original_directory
        self._safe_subject = subjects or SafeNames("subject_id")

    def recording(self, row: Row) -> Recording:
        """Return the recording of a row, if its path and subject are there."""
        path = row.fields.get("path") or row.get("key")
        path = without_backslashes(path, self._folder)
        return Recording(
            key=safe_name(row.fields.get("key") or path),
            path=Path(self._folder, path),
            subject=self._safe_subject(row.get("subject_id")),
            metadata={
                name: value
                for name, value in row.fields.items()
                if name not in FIELDS and value
            },
        )

    def references(self, rows: Iterable[tuple[str, Row]]) -> tuple[Reference, ...]:
        """Return the references of (template id, row) pairs, in their order."""
        safe = SafeNames("template_id")
        return tuple(
            Reference(safe(name), items[0].subject, tuple(items))
            for name, items in self._templates(rows).items()
        )

    def probes(self, rows: Iterable[tuple[str, Row]]) -> tuple[Probe, ...]:
        """Return the probes of (template id, row) pairs, in their order.

        A probe of one recording is called by its key.
        """
        safe = SafeNames("template_id")
        return tuple(
            Probe(items[0].key if len(items) == 1 else safe(name),
                  items[0].subject, tuple(items))
            for name, items in self._templates(rows).items()
        )  # fmt: skip

    def _templates(self, rows: Iterable[tuple[str, Row]]) -> dict[str, list[Recording]]:
        found: dict[str, list[Recording]] = {}
        for template, row in rows:
            recording = self.recording(row)
            items = found.setdefault(template, [])
            if items and items[0].subject != recording.subject:
                raise DatabaseError(
                    f"{row.where}: template {template!r} is of subject "
                    f"{recording.subject!r} here and of {items[0].subject!r} further "
                    "up; a template is of one subject"
                )
            items.append(recording)
        return found


def read_recordings(
    path: Path, *, original_directory: str | os.PathLike[str] | None = None
) -> list[Recording]:
    """Read every recording of a file with ``path`` and ``subject_id``."""
    rows = CsvRecordings(original_directory or path.absolute().parent)
    return [rows.recording(row) for row in read_rows(path, ["path", "subject_id"])]


class CsvFileDatabase(WithoutExtras):
    """A protocol in one CSV file; see the top of this module.

    Parameters
    ----------
    path : path
        The file.
    protocol : str, optional
        Names the results; default: the name of the file.
    original_directory : path, optional
        Folder that paths are seen from; default: the folder of the file.

    Raises
    ------
    DatabaseError
        With file and line for what is wrong.
    """

    knows_speakers = True

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        protocol: str | None = None,
        original_directory: str | os.PathLike[str] | None = None,
    ) -> None:
        self._subjects = SafeNames("subject_id")
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
        """Return the groups with rows that enrol or probe."""
        groups = {_group(row) for row in self._rows if _purpose(row) != "train"}
        return tuple(sorted(groups))

    def trials(self, group: str) -> Trials:
        """Return the references, probes and trials of a group."""
        rows = [row for row in self._rows if _group(row) == group]
        enrolling = [row for row in rows if _purpose(row) == "enrol"]
        probing = [row for row in rows if _purpose(row) == "probe"]
        if not enrolling or not probing:
            raise DatabaseError(
                f"{self._path}: group {group!r} has {len(enrolling)} rows that enrol "
                f"and {len(probing)} that probe; expected some of each "
                f"(groups: {', '.join(self.groups())})"
            )
        made = self._made
        return Trials(
            made.references(
                (row.fields.get("template_id") or row.get("subject_id"), row)
                for row in enrolling
            ),
            made.probes(
                (row.fields.get("template_id") or made.recording(row).key, row)
                for row in probing
            ),
        )

    def training(self) -> tuple[Recording, ...]:
        """Return the recordings to train on."""
        rows = (row for row in self._rows if _purpose(row) == "train")
        return tuple(map(self._made.recording, rows))

    @property
    def _made(self) -> CsvRecordings:
        return CsvRecordings(self.original_directory or "", self._subjects)


#: Reader of this format.
read = CsvFileDatabase


def _purpose(row: Row) -> str:
    return _PURPOSES[row.fields["purpose"]]


def _group(row: Row) -> str:
    return row.fields.get("group") or "dev"
