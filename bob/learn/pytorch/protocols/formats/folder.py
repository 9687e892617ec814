"""Folders of speakers: ``speaker/…/recording.flac``."""

from __future__ import annotations

import logging
import os
from collections import Counter, defaultdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from bob.learn.pytorch.audio.paths import (
    AUDIO_SUFFIXES,
    UNREADABLE_SUFFIXES,
)
from bob.learn.pytorch.printing import counted
from bob.learn.pytorch.protocols.names import SafeNames, recording_keys
from bob.learn.pytorch.protocols.speakers import (
    NAMES_BEGIN_WITH_SESSION,
    SpeakerDatabase,
    SpeakerRule,
    session_in_name,
)
from bob.learn.pytorch.protocols.trials import (
    ENROLLING_FILE,
    DatabaseError,
    Recording,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

logger = logging.getLogger(__name__)

_LEVELS = ("speaker", "session", "*")

#: Files that are looked at to find lists of trials, and their suffixes.
_MOST_FILES = 1000
_LIST_SUFFIXES = frozenset({"", ".txt", ".tsv", ".kaldi", ".lst", ".trials"})


def read(
    path: Path,
    *,
    protocol: str | None = None,
    original_directory: str | os.PathLike[str] | None = None,
    rule: SpeakerRule | None = None,
) -> FolderDatabase:
    """Read a folder of speakers, which holds the recordings itself."""
    if original_directory is not None:
        raise DatabaseError(
            f"{path} is read as a folder of speakers, which holds the recordings "
            f"itself: leave out the original directory {str(original_directory)!r}"
        )
    return FolderDatabase(path, protocol=protocol, rule=rule)


class FolderDatabase(SpeakerDatabase):
    """A folder of speakers, at any depth below it their recordings.

    The first folder level names the speaker, unless the rule's `layout` says
    otherwise. The session is the folder below the speaker's, if there is one; a part
    of the file's name is (`session_in_name`) where the layout says so. Hidden files and
    other files than recordings are passed over, with a warning for recordings that
    cannot be read.

    Parameters
    ----------
    folder : path
        Folder of the speakers.
    protocol, rule
        See `SpeakerDatabase`.

    Raises
    ------
    DatabaseError
        On first use: no speaker or no recording is found.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        protocol: str | None = None,
        rule: SpeakerRule | None = None,
    ) -> None:
        super().__init__(
            Path(folder).resolve().name, folder, protocol=protocol, rule=rule
        )
        self._levels = _levels(self.rule.layout or "speaker")
        self._names_tell = self._levels[-1] == NAMES_BEGIN_WITH_SESSION
        if self._names_tell:
            self._levels.pop()

    def spoken(self) -> list[Recording]:
        """Return every recording with its speaker and session, sorted by path."""
        folder = Path(self.original_directory or "")
        files = list(_files_below(folder))
        found = [path for path in files if _suffix(path) in AUDIO_SUFFIXES]
        warn_of_unreadable(files, folder)
        deep_enough = [path for path in found if path.count("/") >= len(self._levels)]
        self._report(found, deep_enough)
        keys = recording_keys(deep_enough)
        self._warn_about_swapped_levels(deep_enough)
        safe = SafeNames("speaker")
        return [self._spoken(path, keys[path], safe) for path in deep_enough]

    def _spoken(self, path: str, key: str, safe: SafeNames) -> Recording:
        folder = Path(self.original_directory or "")
        *parents, file_name = path.split("/")
        named = dict(zip(self._levels, parents, strict=False))
        speaker = named["speaker"]
        if self._names_tell:
            session = session_in_name(Path(file_name).stem, speaker=speaker)
        else:
            below = parents[len(self._levels) : len(self._levels) + 1]
            session = named.get("session") or next(iter(below), None)
        metadata = {"session": session} if session else {}
        return Recording(key, folder / path, safe(speaker), metadata=metadata)

    def _report(self, found: list[str], deep_enough: list[str]) -> None:
        layout = f"{'/'.join(self._levels)}/…/recording"
        if not deep_enough:
            folder = Path(self.original_directory or "")
            raise DatabaseError(
                f"no recordings in {folder}: expected {layout} with "
                f"one of the suffixes {' '.join(sorted(AUDIO_SUFFIXES))}; "
                f"found {_content(folder, found)}"
            )
        shallow = [path for path in found if path.count("/") < len(self._levels)]
        if shallow:
            logger.warning(
                "%s of %s not in a folder %s and passed over: %s",
                counted(len(shallow), "recording"), self.original_directory, layout,
                ", ".join(shallow[:3]),
            )  # fmt: skip

    def _warn_about_swapped_levels(self, paths: list[str]) -> None:
        if self.rule.layout is not None:
            return
        above: dict[str, set[str]] = defaultdict(set)
        for path in paths:
            if path.count("/") > 1:
                outer, inner = path.split("/")[:2]
                above[inner].add(outer)
        shared = sorted(name for name, outer in above.items() if len(outer) > 1)
        speakers = {path.split("/")[0] for path in paths}
        if len(shared) > len(speakers):
            logger.warning(
                "folders like %s are in several of the %d first-level folders of %s, "
                "which are taken as the speakers; if these are the speakers, give the "
                "layout 'session/speaker'",
                ", ".join(shared[:3]), len(speakers), self.original_directory,
            )  # fmt: skip


def _levels(layout: str) -> list[str]:
    levels = layout.strip("/").split("/")
    folders = levels[:-1] if levels[-1] == NAMES_BEGIN_WITH_SESSION else levels
    unknown = [level for level in folders if level not in _LEVELS]
    sessions = sum(level.startswith("session") for level in levels)
    if unknown or levels.count("speaker") != 1 or sessions > 1:
        raise DatabaseError(
            f"layout {layout!r}; expected one word a folder level out of "
            f"{', '.join(_LEVELS)}, with speaker once and session at most once, like "
            f"session/speaker; {NAMES_BEGIN_WITH_SESSION} at its end is for names of "
            "files that begin with the session"
        )
    return levels


def _suffix(path: str) -> str:
    return Path(path).suffix.lower()


def warn_of_unreadable(paths: Iterable[str], folder: Path) -> None:
    """Warn of recordings that are passed over since their coding cannot be read."""
    found = Counter(filter(UNREADABLE_SUFFIXES.__contains__, map(_suffix, paths)))
    if found:
        counts = ", ".join(f"{count} x {name}" for name, count in found.most_common())
        logger.warning(
            "%s in %s left out, since such files cannot be read (%s); "
            "convert them to FLAC or WAV, such as by `ffmpeg -i x.m4a x.flac`",
            counted(sum(found.values()), "recording"), folder, counts,
        )  # fmt: skip


def _files_below(folder: Path) -> Iterator[str]:
    """Yield paths relative to the folder, with forward slashes, in sorted order."""
    if not folder.is_dir():
        raise DatabaseError(f"folder of speakers {folder} does not exist")
    seen: set[Path] = set()
    for parent, folders, names in os.walk(folder, followlinks=True):
        here = Path(parent).resolve()
        if here in seen:  # a link back up the tree, or a folder linked twice
            folders.clear()
            continue
        seen.add(here)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                yield Path(parent, name).relative_to(folder).as_posix()


def _content(folder: Path, recordings: list[str]) -> str:
    if recordings:
        return (
            f"{counted(len(recordings), 'recording')} less deep, like {recordings[0]}"
        )
    suffixes = Counter(
        Path(name).suffix or "no suffix"
        for _, _, names in os.walk(folder)
        for name in names
    )
    listed = ", ".join(f"{count} x {name}" for name, count in suffixes.most_common(5))
    lists = ", ".join(map(str, _lists_within(folder)))
    others = f"; there are lists of trials: give one of them ({lists})" if lists else ""
    return f"{listed or 'no files'}{others}"


def _lists_within(folder: Path) -> tuple[Path, ...]:
    """Return up to three lists of trials in a folder, up to three levels down.

    They are files, and folders of ESPnet and of Bob. A list with labels comes before
    the same one without.
    """
    files = (
        path
        for pattern in ("*", "*/*", "*/*/*")
        for path in sorted(folder.glob(pattern))
        if path.is_file() and not path.name.startswith(".")
    )
    found = dict.fromkeys(_readable(islice(files, _MOST_FILES)))
    ranked = sorted(found, key=lambda path: ("key" not in path.name, str(path)))
    return tuple(ranked[:3])


def _readable(files: Iterator[Path]) -> Iterator[Path]:
    from bob.learn.pytorch.protocols.formats import espnet, sre, trial_list

    for path in files:
        if path.name == espnet.LABELS_FILE:
            yield path.parent
        elif path.name == ENROLLING_FILE:
            yield path.parents[1]
        elif (
            path.suffix.lower() in _LIST_SUFFIXES
            and "enrol" not in path.name.lower()
            and not sre.describes_segments(path)
            and (sre.is_it(path) or trial_list.is_it(path))
        ):
            yield path
