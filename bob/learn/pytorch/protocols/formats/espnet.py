"""ESPnet's folders: ``trial.scp``, ``trial2.scp`` (``a*b path``), ``trial_label``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.metrics import Names
from bob.learn.pytorch.protocols.columns import Columns, read_columns
from bob.learn.pytorch.protocols.formats.kaldi import (
    check_same,
    entries,
    plain_path,
    read_speakers,
    relative_start,
    write_data,
)
from bob.learn.pytorch.protocols.listed import (
    LABELS,
    WORDS,
    NamedTrialDatabase,
    TrialList,
    first_folder,
)
from bob.learn.pytorch.protocols.names import safe_name
from bob.learn.pytorch.protocols.trials import DatabaseError, Recording
from bob.learn.pytorch.protocols.writing import (
    Written,
    absolute_path,
    each_trial,
    groups_of_singles,
    write_lines,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from bob.learn.pytorch.protocols.trials import Database

LABELS_FILE = "trial_label"
_SIDES = ("trial.scp", "trial2.scp")


def read(
    path: str | os.PathLike[str],
    *,
    protocol: str | None = None,
    original_directory: str | os.PathLike[str] | None = None,
) -> NamedTrialDatabase:
    """Read the trials of an ESPnet folder.

    Relative paths are seen from the original directory; without one from the folder, or
    from the working directory if the first recording is only there.

    Raises
    ------
    DatabaseError
        With file and line for what is wrong.
    """
    folder = Path(path).resolve()
    tables = [_read(folder / name) for name in (*_SIDES, LABELS_FILE)]
    paths = [_paths(table, at) for at, table in enumerate(tables[:2])]
    listed = _listed(tables[2], tables[:2])
    start = relative_start(folder, original_directory, next(iter(paths[0].values())))
    speakers = read_speakers(folder)
    enrolling, testing = (
        {
            name: Recording(
                safe_name(name), start / place, speakers.get(name, first_folder(name))
            )
            for name, place in side.items()
        }
        for side in paths
    )
    check_same(enrolling, testing, [folder / name for name in _SIDES])
    return NamedTrialDatabase(
        listed,
        {name: [item] for name, item in enrolling.items()},
        testing,
        protocol=protocol or folder.name,
        original_directory=start,
    )


def write(database: Database, folder: Path) -> Written:
    """Write ``<group>/``: the three lists of trials, and the data folder."""
    groups = groups_of_singles(database, "espnet")
    for group, trials in groups.items():
        found = trials.recordings()
        starred = next((item.key for item in found if "*" in item.key), None)
        if starred is not None:
            raise DatabaseError(f"{starred!r}: ESPnet parts names by *; rename it")
        write_data(folder / group, found, {item.key: item.subject for item in found})
        rows = [
            (reference.recordings[0], probe.recordings[0], target)
            for reference, probe, target in each_trial(trials)
        ]
        texts = (
            (_SIDES[0], (absolute_path(one) for one, _, _ in rows)),
            (_SIDES[1], (absolute_path(other) for _, other, _ in rows)),
            (LABELS_FILE, (f"{target:d}" for _, _, target in rows)),
        )
        for name, column in texts:
            lines = (
                f"{one.key}*{other.key} {text}"
                for (one, other, _), text in zip(rows, column, strict=True)
            )
            write_lines(folder / group / name, lines)
    return Written({group: folder / group for group in groups})


def _read(file: Path) -> Columns:
    return read_columns(file, ("trial", "text"), entries(file))


def _names(found: Columns, at: int) -> Names:
    """Return the names on one side of each trial."""
    names = []
    trials = found.names["trial"]
    for code, trial in enumerate(trials.distinct):
        pair = trial.split("*")
        if len(pair) != 2:
            raise DatabaseError(
                f"{found.where('trial', code)}: {trial!r}; expected two names "
                "with one * between: rename it"
            )
        names.append(pair[at])
    return Names.of(names).take(trials.codes)


def _paths(found: Columns, at: int) -> dict[str, str]:
    """Return the path of each name on one side; lines are ``a*b path``."""
    names, texts = _names(found, at), found.names["text"]
    first = np.unique(names.codes, return_index=True)[1]
    path_of = texts.codes[first]
    differs = texts.codes != path_of[names.codes]
    if differs.any():
        line = int(differs.argmax())
        name = int(names.codes[line])
        here, before = (
            texts.distinct[code] for code in (texts.codes[line], path_of[name])
        )
        raise DatabaseError(
            f"{found.path}:{found.lines[line]}: {names.distinct[name]!r} is {here} "
            f"here and {before} further up; keep the line that is right"
        )
    return {
        name: plain_path(texts.distinct[path_of[code]],
                         f"{found.path}:{found.lines[first[code]]}")
        for code, name in enumerate(names.distinct)
    }  # fmt: skip


def _listed(found: Columns, sides: Sequence[Columns]) -> TrialList:
    trials, texts = found.names["trial"], found.names["text"]
    if not len(found):
        raise DatabaseError(f"{found.path} holds no trial; expected lines 'a*b 1'")
    for code, label in enumerate(texts.distinct):
        if label not in LABELS:
            raise DatabaseError(
                f"{found.where('text', code)}: label {label!r}; expected one of "
                f"{', '.join(WORDS)}: correct the line"
            )
    for side in sides:
        # Commonly, all three files have the same trials in the same order.
        if trials.distinct == side.names["trial"].distinct:
            continue
        known = frozenset(side.names["trial"].distinct)
        for code, trial in enumerate(trials.distinct):
            if trial not in known:
                raise DatabaseError(
                    f"{found.where('trial', code)}: trial {trial!r} is not in "
                    f"{side.path}; add its recording there"
                )
    names = {"enrolled": _names(found, 0), "tested": _names(found, 1), "label": texts}
    return TrialList.of(Columns(found.path, names, found.lines))
