"""Lists of trials in a folder that is none of speakers, for whoever gave the folder."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from bob.learn.pytorch.protocols.formats.sre_tables import is_segment_key, is_sre_table
from bob.learn.pytorch.protocols.formats.trial_lists import is_trial_list
from bob.learn.pytorch.protocols.trials import ENROLLING_FILE, DatabaseError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Files that are looked at.
_MOST_FILES = 1000
_SUFFIXES = frozenset({"", ".txt", ".tsv", ".kaldi", ".lst", ".trials"})


def lists_within(folder: Path, *, most: int = 3) -> tuple[Path, ...]:
    """What in a folder, up to three levels down, `as_database` reads.

    Parameters
    ----------
    folder : Path
        Where to look.
    most : int
        Of how many the paths are returned.

    Returns
    -------
    tuple of Path
        Lists of trials, and folders of ESPnet and of Bob, in sorted order.
    """
    depths = ("*", "*/*", "*/*/*")
    files = (
        path
        for pattern in depths
        for path in sorted(folder.glob(pattern))
        if path.is_file() and not path.name.startswith(".")
    )
    found = dict.fromkeys(_readable(islice(files, _MOST_FILES)))
    # A list with its labels comes before the same one without.
    ranked = sorted(found, key=lambda path: ("key" not in path.name, str(path)))
    return tuple(ranked[:most])


def _readable(files: Iterator[Path]) -> Iterator[Path]:
    for path in files:
        if path.name == "trial_label":
            yield path.parent
        elif path.name == ENROLLING_FILE:
            yield path.parents[1]
        elif path.suffix.lower() in _SUFFIXES and _is_list(path):
            yield path


def _is_list(path: Path) -> bool:
    if "enrol" in path.name.lower() or is_segment_key(path):
        return False
    try:
        return is_sre_table(path) or is_trial_list(path)
    except DatabaseError:
        return False
