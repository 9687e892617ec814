"""Names that fit into score lines and output files."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from bob.learn.pytorch.audio.paths import (
    AUDIO_SUFFIXES,
    UNREADABLE_SUFFIXES,
    is_from_windows,
)
from bob.learn.pytorch.protocols.trials import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Iterable

_SUFFIXES = AUDIO_SUFFIXES | UNREADABLE_SUFFIXES

#: White space, folders that lead elsewhere, bytes of file names that are not UTF-8.
_UNSAFE = re.compile(r"\s|^/+|(?<![^/])\.\.?(?![^/])|[\udc80-\udcff]")


def safe_name(name: str) -> str:
    """Return a name without white space that stays inside the folder it is joined to.

    Score lines are split at white space, and output files are named after keys. What
    is unsafe is written like in a web address; a safe name stays as it is, so that it
    survives being written and read again. `SafeNames` sees to it that ``a b`` and
    ``a%20b`` do not become one.

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
    found = match.group().encode(errors="surrogateescape")
    return "".join(f"%{byte:02X}" for byte in found)


class SafeNames:
    """`safe_name` for names that must stay apart, such as those of speakers.

    Parameters
    ----------
    kind : str
        The kind of thing that has a name, for the message.
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._names: dict[str, str] = {}

    def __call__(self, name: str) -> str:
        """Return the safe name.

        Raises
        ------
        DatabaseError
            Another name before was made the same: one would be lost in the other.
        """
        safe = safe_name(name)
        first = self._names.setdefault(safe, name)
        if first != name:
            raise DatabaseError(
                f"{self._kind}s {first!r} and {name!r} are both written as {safe!r} in "
                "score files: rename one of them"
            )
        return safe


def audio_suffix(name: str) -> str:
    """Return the suffix of a name, if that is one of a recording, readable or not."""
    stem, point, suffix = name.rpartition(".")
    is_audio = f"{point}{suffix}".lower() in _SUFFIXES
    # A hidden file has no suffix: its name begins with the point.
    return f".{suffix}" if is_audio and stem and not stem.endswith("/") else ""


def without_audio_suffix(name: str) -> str:
    """Return the name less its suffix, if that is a recording's, readable or not."""
    return name[: len(name) - len(audio_suffix(name))]


def loose_spelling(name: str) -> str:
    """Return a name to look up: no suffix, one Unicode form, no backslashes.

    Systems write ``é`` as one character or as two, and Windows parts folders otherwise.
    """
    bare = without_audio_suffix(name)
    if not bare.isascii():
        bare = unicodedata.normalize("NFC", bare)
    return bare.replace("\\", "/") if is_from_windows(bare) else bare


def readable_spelling(folder: Path, name: str) -> str | None:
    """Return the name of a recording in a folder, perhaps with a readable suffix."""
    name = existing_spelling(folder, name)
    if (folder / name).exists():
        return name
    stem = without_audio_suffix(name)
    spelled = (
        f"{stem}{suffix}"
        for lower in sorted(AUDIO_SUFFIXES)
        for suffix in (lower, lower.upper())
    )
    return next((other for other in spelled if (folder / other).is_file()), None)


def existing_spelling(folder: Path, name: str) -> str:
    """Return a name, in the other Unicode form if only that form is there."""
    if name.isascii() or (folder / name).exists():
        return name
    forms = (unicodedata.normalize(form, name) for form in ("NFC", "NFD"))
    return next((form for form in forms if (folder / form).exists()), name)


def recording_keys(paths: Iterable[str]) -> dict[str, str]:
    """Return path -> key of each recording: relative, safe, without the audio suffix.

    The suffix stays where two paths differ in nothing else; absolute paths lose the
    folder that all of them share. Spellings of one path have one key.

    Raises
    ------
    DatabaseError
        Two recordings would have one key (see `SafeNames`).
    """
    relative = relative_paths(paths)
    names = set(relative.values())
    uses = Counter(without_audio_suffix(name) for name in names)
    safe = SafeNames("recording")
    keys = {}
    for path, name in relative.items():
        stem = without_audio_suffix(name)
        alone = uses[stem] == 1 and (stem == name or stem not in names)
        keys[path] = safe(stem if alone else name)
    return keys


def relative_paths(
    paths: Iterable[str], *, folder: str | os.PathLike[str] = "."
) -> dict[str, str]:
    """Return each spelling of a path -> one spelling for all of them.

    Parameters
    ----------
    paths : iterable of str
        Absolute, or seen from `folder`.
    folder : path
        Folder that relative paths start from.

    Returns
    -------
    dict of str to str
        Paths as seen from `folder`; if some lead out of it or are absolute, as seen
        from the folder that all recordings share.
    """
    normal = {path: os.path.normpath(path) for path in paths}
    if not any(path.startswith(("/", "..")) for path in normal.values()):
        return normal
    here = Path(folder).absolute()
    absolute = {path: os.path.normpath(here / path) for path in normal}
    shared = os.path.commonpath({Path(path).parent for path in absolute.values()})
    return {path: os.path.relpath(place, shared) for path, place in absolute.items()}
