"""Names that fit into score lines and output files."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: What `soundfile` decodes, by suffix.
AUDIO_SUFFIXES = frozenset(
    {
        ".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif", ".aifc",
        ".au", ".snd", ".caf", ".w64", ".rf64", ".sph", ".nist",
    }
)  # fmt: skip

_UNSAFE = re.compile(r"\s|^/+|(?<![^/])\.\.?(?![^/])")


def safe_name(name: str) -> str:
    """A name without white space that stays inside the folder it is joined to.

    Score lines are split at white space, and output files are named after keys. What
    is unsafe is written like in a web address; a safe name stays as it is.

    Examples
    --------
    >>> safe_name("Ann Lee/session 1/a.wav")
    'Ann%20Lee/session%201/a.wav'
    >>> safe_name("../corpus/a")
    '%2E%2E/corpus/a'
    """
    if not _UNSAFE.search(name):
        return name
    return _UNSAFE.sub(_escaped, name)


def _escaped(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match.group().encode())


def without_audio_suffix(name: str) -> str:
    """The name less its suffix, if that is the suffix of a recording."""
    suffix = PurePosixPath(name).suffix
    return name[: -len(suffix)] if suffix.lower() in AUDIO_SUFFIXES else name


def recording_keys(paths: Sequence[str]) -> dict[str, str]:
    """Path of each recording -> its key: relative, safe, without the audio suffix.

    The suffix stays where two paths differ in nothing else; absolute paths lose the
    folder that all of them share.
    """
    relative = dict(zip(paths, _relative(paths), strict=True))
    uses = Counter(without_audio_suffix(name) for name in relative.values())
    keys = {}
    for path, name in relative.items():
        stem = without_audio_suffix(name)
        keys[path] = safe_name(stem if uses[stem] == 1 else name)
    return keys


def _relative(paths: Sequence[str]) -> Iterable[str]:
    normal = [os.path.normpath(path) for path in paths]
    outside = [path for path in normal if path.startswith(("/", ".."))]
    if not outside:
        return normal
    here = Path.cwd()
    absolute = [os.path.normpath(here / path) for path in normal]
    shared = os.path.commonpath({Path(path).parent for path in absolute})
    return [os.path.relpath(path, shared) for path in absolute]
