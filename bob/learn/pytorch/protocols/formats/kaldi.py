"""Kaldi data folders: ``wav.scp``, ``utt2spk``, ``spk2utt``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from bob.learn.pytorch.audio.paths import refused_path, without_backslashes
from bob.learn.pytorch.protocols.lines import text_lines
from bob.learn.pytorch.protocols.names import SafeNames, safe_name, without_audio_suffix
from bob.learn.pytorch.protocols.speakers import (
    NAMES_BEGIN_WITH_SESSION,
    SpeakerDatabase,
    SpeakerRule,
    session_in_name,
)
from bob.learn.pytorch.protocols.trials import DatabaseError, Recording
from bob.learn.pytorch.protocols.writing import absolute_path, one_word, write_lines

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_EXPECTED = "lines 'id path' of a Kaldi data folder"


def write_data(
    folder: Path, recordings: Iterable[Recording], speakers: Mapping[str, str]
) -> None:
    """Write ``wav.scp``, ``utt2spk``, ``spk2utt``, sorted by bytes as Kaldi wants them.

    Keys name the utterances, and one may come twice; `speakers` maps keys to speakers.
    """
    by_key = {item.key: item for item in recordings}
    keys = sorted(by_key, key=_bytes)
    spoken: dict[str, list[str]] = {}
    for key in keys:
        spoken.setdefault(one_word(speakers[one_word(key)]), []).append(key)
    for name, lines in (
        ("wav.scp", (f"{key} {absolute_path(by_key[key])}" for key in keys)),
        ("utt2spk", (f"{key} {speakers[key]}" for key in keys)),
        ("spk2utt", (f"{name} {' '.join(spoken[name])}" for name in
                     sorted(spoken, key=_bytes))),
    ):  # fmt: skip
        write_lines(folder / name, lines)


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


@dataclass(frozen=True)
class DataFolder:
    """The content of a Kaldi data folder.

    Attributes
    ----------
    folder : Path
        The folder.
    files : mapping of str to str
        Utterance id -> path of its recording.
    speakers : mapping of str to str
        Utterance id -> speaker, as far as known.
    """

    folder: Path
    files: Mapping[str, str]
    speakers: Mapping[str, str]

    @cached_property
    def utterances(self) -> dict[str, list[str]]:
        """Speaker -> utterances, in the order of wav.scp."""
        found: dict[str, list[str]] = {}
        for utterance in self.files:
            if utterance in self.speakers:
                found.setdefault(self.speakers[utterance], []).append(utterance)
        return found

    def knows(self, names: Iterable[str]) -> bool:
        """Return whether each name is an utterance, or a speaker of some."""
        return all(name in self.files or name in self.utterances for name in names)

    def recordings(
        self, original_directory: str | os.PathLike[str] | None = None
    ) -> dict[str, Recording]:
        """Return utterance id -> recording; the id is its subject without a speaker.

        Relative paths are seen from `relative_start`.
        """
        first = next(iter(self.files.values()), "")
        start = relative_start(self.folder, original_directory, first)
        speaker = SafeNames("speaker")
        return {
            utterance: Recording(
                safe_name(without_audio_suffix(utterance)),
                start / without_backslashes(path, start),
                speaker(self.speakers.get(utterance, utterance)),
            )
            for utterance, path in self.files.items()
        }


def read_data_folder(folder: str | os.PathLike[str]) -> DataFolder:
    """Read ``wav.scp`` and, where they are, ``utt2spk`` or ``spk2utt``.

    Raises
    ------
    DatabaseError
        With file and line, for entries that are commands or parts of archives, ids
        that come twice or are unknown, and folders with ``segments``.
    """
    folder = Path(folder).resolve()
    if (folder / "segments").exists():
        raise DatabaseError(
            f"{folder / 'segments'}: utterances that are parts of recordings are not "
            "supported; cut them into files of their own and list these in wav.scp"
        )
    files: dict[str, str] = {}
    for number, (utterance, path) in entries(folder / "wav.scp"):
        plain_path(path, f"{folder / 'wav.scp'}:{number}")
        if utterance in files:
            raise DatabaseError(
                f"{folder / 'wav.scp'}:{number}: utterance {utterance!r} is listed "
                "twice; expected each once: take one line out"
            )
        files[utterance] = path
    if not files:
        raise DatabaseError(f"{folder / 'wav.scp'} is empty; expected lines 'id path'")
    return DataFolder(folder, files, read_speakers(folder, files))


def relative_start(
    folder: Path, given: str | os.PathLike[str] | None, first: str
) -> Path:
    """Return the folder that relative paths are seen from.

    It is the given one; else the data folder, or the working directory if the `first`
    recording is only there.
    """
    if given is not None:
        return Path(given)
    is_here = not (folder / first).exists() and Path(first).exists()
    return Path.cwd() if is_here else folder


def entries(path: Path) -> Iterator[tuple[int, tuple[str, str]]]:
    """Yield the line number, and the first field and the rest, of each line.

    Names of files need not be UTF-8; other bytes become surrogates.
    """
    for number, line in text_lines(path, expected=_EXPECTED, utf_8=False):
        fields = line.split(maxsplit=1)
        if len(fields) < 2:
            raise DatabaseError(
                f"{path}:{number}: {line.strip()!r} has one field; expected two, "
                "parted by a space: complete the line"
            )
        yield number, (fields[0], fields[1].rstrip())


def plain_path(path: str, where: str) -> str:
    """Return the same path, unless it is a command or a part of an archive."""
    if (reason := refused_path(path)) is not None:
        raise DatabaseError(f"{where}: {reason}")
    return path


def check_same(
    one: Mapping[str, Recording], other: Mapping[str, Recording], files: Sequence[Path]
) -> None:
    """Refuse an utterance that is another recording in the second file."""
    for utterance in one.keys() & other.keys():
        if one[utterance].path != other[utterance].path:
            raise DatabaseError(
                f"utterance {utterance!r} is another recording in {files[0]} than in "
                f"{files[1]}; give each recording its own id"
            )


def read_speakers(
    folder: Path, files: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Read utterance -> speaker of ``utt2spk`` or ``spk2utt``; empty without them.

    An utterance must have one speaker, and be among the `files` of wav.scp.
    """
    speakers: dict[str, str] = {}
    for utterance, speaker, where in _spoken(folder):
        if files is not None and utterance not in files:
            raise DatabaseError(
                f"{where}: utterance {utterance!r} is not in wav.scp; add it there, or "
                "take this line out (`utils/fix_data_dir.sh`)"
            )
        if speakers.setdefault(utterance, speaker) != speaker:
            raise DatabaseError(
                f"{where}: {utterance!r} is of speaker {speaker!r} here and of "
                f"{speakers[utterance]!r} further up; keep the line that is right"
            )
    return speakers


def _spoken(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Yield utterance, speaker and line."""
    by_utterance, by_speaker = folder / "utt2spk", folder / "spk2utt"
    if by_utterance.is_file():
        for number, (utterance, speaker) in entries(by_utterance):
            yield utterance, speaker, f"{by_utterance}:{number}"
    elif by_speaker.is_file():
        for number, (speaker, utterances) in entries(by_speaker):
            for utterance in utterances.split():
                yield utterance, speaker, f"{by_speaker}:{number}"


class KaldiFolderDatabase(SpeakerDatabase):
    """The recordings of a Kaldi data folder, with the protocol of a folder of speakers.

    The session is the first part of the utterance id (`session_in_name`) if the rule's
    layout is ``session-*``, and else not known.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        protocol: str | None = None,
        original_directory: str | os.PathLike[str] | None = None,
        rule: SpeakerRule | None = None,
    ) -> None:
        name = Path(folder).resolve().name
        super().__init__(name, folder, protocol=protocol, rule=rule)
        if self.rule.layout not in (None, NAMES_BEGIN_WITH_SESSION):
            raise DatabaseError(
                f"layout {self.rule.layout!r} was given, but the speakers of the Kaldi "
                f"data folder {folder} stand in its utt2spk: leave the layout out, or "
                f"give {NAMES_BEGIN_WITH_SESSION} if the ids of utterances begin with "
                "the session"
            )
        self._folder = folder
        self._given_directory = original_directory

    def spoken(self) -> list[Recording]:
        """Return every recording with its speaker and session, as in wav.scp."""
        data = read_data_folder(self._folder)
        missing = sorted(set(data.files) - set(data.speakers))
        if missing:
            raise DatabaseError(
                f"{data.folder}: the speaker of {len(missing)} utterance(s) is not "
                f"known, {', '.join(missing[:3])} among them; add them to utt2spk"
            )
        found = data.recordings(self._given_directory)
        if self.rule.layout is None:
            return list(found.values())
        sessions = {
            utterance: session_in_name(utterance, speaker=data.speakers[utterance])
            for utterance in found
        }
        return [
            replace(item, metadata={"session": session}) if session else item
            for item, session in zip(found.values(), sessions.values(), strict=True)
        ]


#: Reader of this format.
read = KaldiFolderDatabase
