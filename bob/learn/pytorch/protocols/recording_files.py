"""The files of a protocol: missing, empty, or twice the same."""

from __future__ import annotations

import stat
from collections import defaultdict
from typing import TYPE_CHECKING

from bob.learn.pytorch.files import file_sha256

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from bob.learn.pytorch.protocols.trials import Recording


def without_file(recordings: Iterable[Recording]) -> dict[str, tuple[str, ...]]:
    """The paths of recordings that are ``missing``, and of those that are ``empty``."""
    missing, empty = [], []
    for item in recordings:
        if item.path is None:
            continue
        try:
            found = item.path.stat()
        except OSError:
            missing.append(str(item.path))
            continue
        if not stat.S_ISREG(found.st_mode):
            missing.append(str(item.path))
        elif not found.st_size:
            empty.append(str(item.path))
    return {"missing": tuple(missing), "empty": tuple(empty)}


def same_contents(paths: Iterable[Path]) -> list[tuple[Path, ...]]:
    """Files of the same bytes, together; only files of one size are read."""
    by_size: dict[int, list[Path]] = defaultdict(list)
    for path in paths:
        if path.is_file() and path.stat().st_size:
            by_size[path.stat().st_size].append(path)
    by_digest: dict[str, list[Path]] = defaultdict(list)
    for alike in by_size.values():
        if len(alike) > 1:
            for path in alike:
                by_digest[file_sha256(path)].append(path)
    return [tuple(alike) for alike in by_digest.values() if len(alike) > 1]
