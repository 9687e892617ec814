"""Trials between names whose recordings are known: SRE's tables and ESPnet's folders.

SRE
    A table of trials (NIST's ``…trial_key.tsv``, or ``…trials.tsv``, which is blind
    where the speakers of segments are not known), and beside it one of enrolment
    (``…enrollment.tsv``) and perhaps one of segments (``…segment_key.tsv``); see
    `sre_tables` and `sre_files`. Segments are files in the folder of the tables, or in
    ``enrollment/`` and ``test/`` there or in ``../data``.
ESPnet
    A folder with ``trial.scp``, ``trial2.scp`` (``a*b path``) and ``trial_label``
    (``a*b 1``).

References
----------
NIST, "2018 Speaker Recognition Evaluation Plan", section 6 (format of the tables).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bob.learn.pytorch.protocols.formats.espnet import espnet_database
from bob.learn.pytorch.protocols.formats.named_database import NamedTrialDatabase
from bob.learn.pytorch.protocols.formats.sre_files import (
    Models,
    enrolment_beside,
    read_segments,
    read_sre_list,
)
from bob.learn.pytorch.protocols.formats.sre_tables import read_sre_table
from bob.learn.pytorch.protocols.names import recording_keys, safe_name
from bob.learn.pytorch.protocols.trials import DatabaseError, Recording

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

__all__ = ["NamedTrialDatabase", "espnet_database", "sre_database"]


def sre_database(
    path: str | os.PathLike[str],
    *,
    enrolment: str | os.PathLike[str] | None = None,
    segments: str | os.PathLike[str] | None = None,
    protocol: str | None = None,
    original_directory: str | os.PathLike[str] | None = None,
) -> NamedTrialDatabase:
    """The trials of an SRE table; see the top of this module.

    Parameters
    ----------
    path : path
        The trials, commonly with their key.
    enrolment : path, optional
        Which segments enrol a model; default: the table beside the trials that has
        ``enrol`` in its name.
    segments : path, optional
        Who speaks in a segment, and what else is known of it; default: the table
        beside the trials that has ``segment`` in its name, if there is one.
    protocol, original_directory
        See `NamedTrialDatabase`.

    Raises
    ------
    DatabaseError
        With file and line for what is wrong.
    """
    path = Path(path)
    if enrolment is None and "enrol" in path.name.lower():
        raise DatabaseError(
            f"{path} says by its name which segments enrol a model; give the table of "
            "the trials, beside which it is found"
        )
    known = read_segments(path, segments)
    enrols = read_sre_table(Path(enrolment or enrolment_beside(path)), label=False)
    models = Models(enrols, known)
    listed = read_sre_list(path, models, known)
    folder = Path(original_directory or path.absolute().parent)
    enrolled = enrols.columns["segment"].distinct
    keys, paths = _recordings(folder, enrolled, listed.tested)
    tested = {
        name: Recording(
            keys[name],
            paths[name],
            known.subject(name) or safe_name(name),
            metadata=known.metadata(name),
        )
        for name in listed.tested
    }
    enrolling = {
        model: [
            Recording(
                keys[name],
                paths[name],
                models.subject(model) or safe_name(name),
                metadata=metadata,
            )
            for name, metadata in models.segments(model).items()
        ]
        for model in listed.enrolled
    }
    return NamedTrialDatabase(
        listed, enrolling, tested, protocol=protocol, original_directory=folder
    )


def _recordings(
    folder: Path, enrolled: Sequence[str], tested: Sequence[str]
) -> tuple[dict[str, str], dict[str, Path]]:
    """The key and the path of each segment."""
    start = _start(folder, enrolled[0], "enrollment")
    paths = {name: start / name for name in enrolled}
    start = _start(folder, tested[0], "test")
    paths.update({name: start / name for name in tested if name not in paths})
    return recording_keys(paths), paths


def _start(folder: Path, segment: str, role: str) -> Path:
    """Where segments of a role are: the first place that has this one."""
    places = (
        folder,
        folder / role,
        *(folder.parent / "data" / at for at in ("", role)),
    )
    return next((place for place in places if (place / segment).is_file()), folder)
