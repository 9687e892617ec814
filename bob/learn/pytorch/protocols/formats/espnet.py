"""ESPnet's folders: ``trial.scp``, ``trial2.scp`` (``a*b path``), ``trial_label``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bob.learn.pytorch.metrics import Names
from bob.learn.pytorch.protocols.fast_trials import fast_columns
from bob.learn.pytorch.protocols.formats.kaldi import entries, plain_path, read_speakers
from bob.learn.pytorch.protocols.formats.named_database import NamedTrialDatabase
from bob.learn.pytorch.protocols.formats.trial_lists import LABELS, WORDS, TrialList
from bob.learn.pytorch.protocols.identities import first_folder
from bob.learn.pytorch.protocols.names import safe_name
from bob.learn.pytorch.protocols.trials import DatabaseError, Recording

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

ESPNET_FILES = ("trial.scp", "trial2.scp", "trial_label")


def espnet_database(
    folder: str | os.PathLike[str],
    *,
    protocol: str | None = None,
    original_directory: str | os.PathLike[str] | None = None,
) -> NamedTrialDatabase:
    """The trials of an ESPnet folder; see `named_trials`.

    Relative paths are seen from the original directory; without one from the folder, or
    from the working directory if the first recording is only there.

    Raises
    ------
    DatabaseError
        With file and line for what is wrong.
    """
    folder = Path(folder).resolve()
    lists = [_read(folder / name) for name in ESPNET_FILES]
    sides = [_paths(one, at) for at, one in enumerate(lists[:2])]
    listed = _listed(lists[2], lists[:2])
    start = _relative_start(folder, original_directory, next(iter(sides[0].values())))
    speakers = read_speakers(folder)
    enrolling, testing = (
        {
            name: Recording(
                safe_name(name), start / path, speakers.get(name, first_folder(name))
            )
            for name, path in paths.items()
        }
        for paths in sides
    )
    _check_same(folder, enrolling, testing)
    return NamedTrialDatabase(
        listed,
        {name: [item] for name, item in enrolling.items()},
        testing,
        protocol=protocol or folder.name,
        original_directory=start,
    )


class _List(NamedTuple):
    """What one of the files says of each trial, and on which line."""

    file: Path
    trials: Names
    texts: Names
    lines: NDArray[np.int64]

    def where(self, column: Names, code: int) -> str:
        """``file:line`` of the first line with a value, by its code."""
        return f"{self.file}:{self.lines[(column.codes == code).argmax()]}"


def _read(file: Path) -> _List:
    found = fast_columns(file, ("trial", "text")) if file.is_file() else None
    if found is not None:
        lines = np.arange(1, len(found["trial"]) + 1)
        return _List(file, found["trial"], found["text"], lines)
    rows = list(entries(file))
    numbers = [int(where.rpartition(":")[2]) for _, _, where in rows]
    return _List(
        file,
        Names.of(trial for trial, _, _ in rows),
        Names.of(text for _, text, _ in rows),
        np.array(numbers, dtype=np.int64),
    )


def _names(found: _List, at: int) -> Names:
    """The names on one side of each trial."""
    names = []
    for code, trial in enumerate(found.trials.distinct):
        pair = trial.split("*")
        if len(pair) != 2:
            raise DatabaseError(
                f"{found.where(found.trials, code)}: {trial!r}; expected two names "
                "with one * between: rename it"
            )
        names.append(pair[at])
    return Names.of(names).take(found.trials.codes)


def _paths(found: _List, at: int) -> dict[str, str]:
    """The path of each name on one side; lines are ``a*b path``."""
    names = _names(found, at)
    first = np.unique(names.codes, return_index=True)[1]
    path_of = found.texts.codes[first]
    differs = found.texts.codes != path_of[names.codes]
    if differs.any():
        line = int(differs.argmax())
        name = int(names.codes[line])
        here, before = (
            found.texts.distinct[code]
            for code in (found.texts.codes[line], path_of[name])
        )
        raise DatabaseError(
            f"{found.file}:{found.lines[line]}: {names.distinct[name]!r} is {here} "
            f"here and {before} further up; keep the line that is right"
        )
    return {
        name: plain_path(found.texts.distinct[path_of[code]],
                         f"{found.file}:{found.lines[first[code]]}")
        for code, name in enumerate(names.distinct)
    }  # fmt: skip


def _listed(found: _List, sides: Sequence[_List]) -> TrialList:
    if not found.lines.size:
        raise DatabaseError(f"{found.file} holds no trial; expected lines 'a*b 1'")
    for code, label in enumerate(found.texts.distinct):
        if label not in LABELS:
            raise DatabaseError(
                f"{found.where(found.texts, code)}: label {label!r}; expected one of "
                f"{', '.join(WORDS)}: correct the line"
            )
    for side in sides:
        # Commonly, all three files have the same trials in the same order.
        if found.trials.distinct == side.trials.distinct:
            continue
        known = frozenset(side.trials.distinct)
        for code, trial in enumerate(found.trials.distinct):
            if trial not in known:
                raise DatabaseError(
                    f"{found.where(found.trials, code)}: trial {trial!r} is not in "
                    f"{side.file}; add its recording there"
                )
    one, other = (_names(found, at) for at in (0, 1))
    labels = np.array([LABELS[label] for label in found.texts.distinct])
    return TrialList(
        found.file,
        one.distinct,
        other.distinct,
        one.codes.astype(np.int64),
        other.codes.astype(np.int64),
        labels[found.texts.codes],
        found.lines,
        label_first=False,
    )


def _relative_start(
    folder: Path, given: str | os.PathLike[str] | None, first: str
) -> Path:
    if given is not None:
        return Path(given)
    is_here = not (folder / first).exists() and Path(first).exists()
    return Path.cwd() if is_here else folder


def _check_same(
    folder: Path, enrolling: Mapping[str, Recording], testing: Mapping[str, Recording]
) -> None:
    for name in enrolling.keys() & testing.keys():
        if enrolling[name].path != testing[name].path:
            raise DatabaseError(
                f"{folder}: {name!r} is another recording in {ESPNET_FILES[0]} than in "
                f"{ESPNET_FILES[1]}"
            )
