"""A folder of speakers: ``speaker/…/recording.flac``."""

from __future__ import annotations

import abc
import logging
import os
from collections import Counter, defaultdict
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from bob.learn.pytorch.audio.paths import (
    AUDIO_SUFFIXES,
    UNREADABLE_SUFFIXES,
)
from bob.learn.pytorch.protocols.lists_within import lists_within
from bob.learn.pytorch.protocols.names import SafeNames, recording_keys
from bob.learn.pytorch.protocols.speaker_protocol import (
    NAMES_BEGIN_WITH_SESSION,
    SpeakerProtocol,
    SpeakerRule,
    SpokenIn,
    make_protocol,
    session_in_name,
    session_metadata,
)
from bob.learn.pytorch.protocols.trials import (
    DatabaseError,
    Recording,
    Trials,
    WithoutExtras,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

logger = logging.getLogger(__name__)

_LEVELS = ("speaker", "session", "*")


class SpeakerDatabase(WithoutExtras, abc.ABC):
    """Recordings known by speaker and session; see `speaker_protocol` for the rest.

    Parameters
    ----------
    name : str
        Short name for logs.
    original_directory : path
        Folder of the recordings.
    protocol : str, optional
        What enrols and what probes, one of `PROTOCOLS` in `speaker_protocol`; default:
        sessions, if there are several.
    rule : SpeakerRule, optional
        How many recordings enrol, which are too short, what the folders mean.
    """

    def __init__(
        self,
        name: str,
        original_directory: str | os.PathLike[str],
        *,
        protocol: str | None = None,
        rule: SpeakerRule | None = None,
    ) -> None:
        self.name = name
        self.original_directory: str | None = str(Path(original_directory).resolve())
        if not isinstance(rule, SpeakerRule | None):
            raise DatabaseError(
                f"rule {rule!r}; expected a SpeakerRule, like "
                "SpeakerRule(layout='session/speaker')"
            )
        self.rule = rule or SpeakerRule()
        self._protocol = protocol

    @property
    def protocol(self) -> str | None:
        """Return what enrols speakers, such as ``session`` or ``recording``."""
        return self._made.name

    @protocol.setter
    def protocol(self, protocol: str | None) -> None:
        self._protocol = protocol
        self.__dict__.pop("_made", None)

    @property
    def notes(self) -> tuple[str, ...]:
        """In words, how the protocol came about."""
        return self._made.notes

    @property
    def doubts(self) -> tuple[str, ...]:
        """Those of the notes that make error rates look better than they are."""
        return self._made.doubts

    def groups(self) -> tuple[str, ...]:
        """``dev``, and whatever else the protocol has."""
        return tuple(self._made.trials)

    def trials(self, group: str) -> Trials:
        """References, probes and who is compared with whom in a group."""
        if group not in self._made.trials:
            raise DatabaseError(
                f"{self.original_directory} has no group {group!r}; it has "
                f"{', '.join(self.groups())} (four speakers or more make dev and eval "
                "in the protocols session and recording)"
            )
        return self._made.trials[group]

    @abc.abstractmethod
    def spoken(self) -> list[SpokenIn]:
        """Every recording with its speaker and session."""

    def long_enough(self) -> tuple[list[SpokenIn], int]:
        """Recordings of the rule's minimum duration, and how many are shorter.

        Raises
        ------
        DatabaseError
            If all of them are.
        """
        recordings = self.spoken()
        found = [item for item in recordings if self._is_long_enough(item)]
        dropped = len(recordings) - len(found)
        if not found:
            raise DatabaseError(
                f"all {dropped} recordings in {self.original_directory} are shorter "
                f"than {self.rule.minimum_seconds:g} s; choose a smaller minimum "
                "duration"
            )
        return found, dropped

    @cached_property
    def _made(self) -> SpeakerProtocol:
        long_enough, dropped = self.long_enough()
        note = f"{dropped} recording(s) under {self.rule.minimum_seconds:g} s left out"
        try:
            made = make_protocol(
                long_enough,
                name=self._protocol,
                enrol_count=self.rule.enrol_count,
            )
        except DatabaseError as error:
            reason = f"{self.original_directory}: {error}"
            raise DatabaseError(f"{reason} ({note})" if dropped else reason) from error
        if not dropped:
            return made
        return replace(made, notes=(*made.notes, note))

    def _is_long_enough(self, item: SpokenIn) -> bool:
        path = item.recording.path
        if not self.rule.minimum_seconds or path is None:
            return True
        from bob.learn.pytorch.audio import RecordingError, files

        try:
            seconds = files.info(path)[0]
        except RecordingError:
            return True  # the experiment says what is wrong with it
        return seconds >= self.rule.minimum_seconds


class FolderDatabase(SpeakerDatabase):
    """A folder of speakers, at any depth below it their recordings.

    The first folder level names the speaker, unless the rule's `layout` says
    otherwise. The session is the folder below the speaker's, if there is one; a part
    of the file's name is (`session_in_name`) where the layout says so. Hidden files and
    other files than recordings are passed over; those of recordings that cannot be read
    are told of.

    Parameters
    ----------
    folder : path
        Where the speakers are.
    protocol, rule
        See `SpeakerDatabase`.

    Raises
    ------
    DatabaseError
        When first used, if no speaker or no recording is found.
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

    def spoken(self) -> list[SpokenIn]:
        """Every recording with its speaker and session, in the order of paths."""
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

    def _spoken(self, path: str, key: str, safe: SafeNames) -> SpokenIn:
        folder = Path(self.original_directory or "")
        *parents, file_name = path.split("/")
        named = dict(zip(self._levels, parents, strict=False))
        speaker = named["speaker"]
        if self._names_tell:
            session = session_in_name(Path(file_name).stem, speaker=speaker)
        else:
            below = parents[len(self._levels) : len(self._levels) + 1]
            session = named.get("session") or next(iter(below), None)
        recording = Recording(
            key, folder / path, safe(speaker), metadata=session_metadata(session)
        )
        return SpokenIn(recording, session)

    def _report(self, found: list[str], deep_enough: list[str]) -> None:
        layout = f"{'/'.join(self._levels)}/…/recording"
        if not deep_enough:
            folder = Path(self.original_directory or "")
            raise DatabaseError(
                f"no recordings in {folder}: expected {layout} with "
                f"one of the suffixes {' '.join(sorted(AUDIO_SUFFIXES))}; "
                f"found {_what_is_in(folder, found)}"
            )
        shallow = [path for path in found if path.count("/") < len(self._levels)]
        if shallow:
            logger.warning(
                "%d recording(s) of %s are not in a folder %s and are passed over: %s",
                len(shallow), self.original_directory, layout, ", ".join(shallow[:3]),
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
            "%d recording(s) in %s are left out, since such files cannot be read (%s); "
            "convert them to FLAC or WAV, such as by `ffmpeg -i x.m4a x.flac`",
            sum(found.values()), folder, counts,
        )  # fmt: skip


def _files_below(folder: Path) -> Iterator[str]:
    """Paths relative to the folder, with forward slashes, in sorted order."""
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


def _what_is_in(folder: Path, recordings: list[str]) -> str:
    if recordings:
        return f"{len(recordings)} recording(s) less deep, like {recordings[0]}"
    suffixes = Counter(
        Path(name).suffix or "no suffix"
        for _, _, names in os.walk(folder)
        for name in names
    )
    listed = ", ".join(f"{count} x {name}" for name, count in suffixes.most_common(5))
    lists = ", ".join(map(str, lists_within(folder)))
    others = f"; there are lists of trials: give one of them ({lists})" if lists else ""
    return f"{listed or 'no files'}{others}"
