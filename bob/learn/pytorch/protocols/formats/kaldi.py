"""Kaldi data folders: ``wav.scp``, ``utt2spk``, ``spk2utt``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from bob.learn.pytorch.audio.paths import refused_path, without_backslashes
from bob.learn.pytorch.protocols.formats.folder import SpeakerDatabase
from bob.learn.pytorch.protocols.names import SafeNames, safe_name, without_audio_suffix
from bob.learn.pytorch.protocols.speaker_protocol import (
    NAMES_BEGIN_WITH_SESSION,
    SpeakerRule,
    SpokenIn,
    session_in_name,
    session_metadata,
)
from bob.learn.pytorch.protocols.text_lines import refuse_other_files
from bob.learn.pytorch.protocols.trials import DatabaseError, Recording

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping


@dataclass(frozen=True)
class DataFolder:
    """What the files of a Kaldi data folder say.

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
        """Utterance id -> recording; its subject is the id where no speaker is known.

        Relative paths are seen from the given folder; without one from the data
        folder, or from the working directory if the first recording is only there.
        """
        start = Path(original_directory or self.folder)
        if original_directory is None and self.files:
            first = next(iter(self.files.values()))
            if not (start / first).exists() and Path(first).exists():
                start = Path.cwd()
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
    for utterance, path, where in entries(folder / "wav.scp"):
        plain_path(path, where)
        if utterance in files:
            raise DatabaseError(
                f"{where}: utterance {utterance!r} is listed twice; expected each "
                "once: take one line out"
            )
        files[utterance] = path
    if not files:
        raise DatabaseError(f"{folder / 'wav.scp'} is empty; expected lines 'id path'")
    return DataFolder(folder, files, read_speakers(folder, files))


def entries(path: Path) -> Iterator[tuple[str, str, str]]:
    """(first field, the rest, file:line) of each line that is not empty."""
    refuse_other_files(path, expected="a Kaldi data folder")
    # Names of files need not be UTF-8.
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
        for number, line in enumerate(file, start=1):
            if "\0" in line:
                raise DatabaseError(
                    f"{path}:{number}: {line[:40]!r} is no text; expected lines 'id "
                    "path': give a list"
                )
            fields = line.split(maxsplit=1)
            if len(fields) == 2:
                yield fields[0], fields[1].rstrip(), f"{path}:{number}"
            elif fields:
                raise DatabaseError(
                    f"{path}:{number}: {line.strip()!r} has one field; expected two, "
                    "parted by a space: complete the line"
                )


def plain_path(path: str, where: str) -> str:
    """The same path; a command, or a part of an archive, is refused with its line."""
    if (reason := refused_path(path)) is not None:
        raise DatabaseError(f"{where}: {reason}")
    return path


def read_speakers(
    folder: Path, files: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Utterance -> speaker, from ``utt2spk`` or ``spk2utt``; empty without them.

    With the files of wav.scp, an utterance that is not among them is refused.
    """
    speakers: dict[str, str] = {}
    if (folder / "utt2spk").is_file():
        listed = entries(folder / "utt2spk")
    else:
        listed = _turned_round(folder / "spk2utt")
    for utterance, speaker, where in listed:
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


def _turned_round(spk2utt: Path) -> Iterator[tuple[str, str, str]]:
    if spk2utt.is_file():
        for speaker, utterances, where in entries(spk2utt):
            for utterance in utterances.split():
                yield utterance, speaker, where


class KaldiFolderDatabase(SpeakerDatabase):
    """The recordings of a Kaldi data folder by speaker, with the default protocol.

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

    def spoken(self) -> list[SpokenIn]:
        """Every recording with its speaker and session, in the order of wav.scp."""
        data = read_data_folder(self._folder)
        missing = sorted(set(data.files) - set(data.speakers))
        if missing:
            raise DatabaseError(
                f"{data.folder}: the speaker of {len(missing)} utterance(s) is not "
                f"known, {', '.join(missing[:3])} among them; add them to utt2spk"
            )
        found = []
        for utterance, item in data.recordings(self._given_directory).items():
            session = None
            if self.rule.layout is not None:
                session = session_in_name(utterance, speaker=data.speakers[utterance])
            told = replace(
                item, metadata={**item.metadata, **session_metadata(session)}
            )
            found.append(SpokenIn(told, session))
        return found
