"""Lists of trials as a database; see `trial_lines` for what they look like."""

from __future__ import annotations

import os
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from bob.learn.pytorch.protocols.formats.trial_lines import (
    LABELS,
    WORDS,
    TrialList,
    is_trial_list,
    read_trial_list,
)
from bob.learn.pytorch.protocols.formats.voxceleb import about
from bob.learn.pytorch.protocols.identities import first_folder, subjects_of
from bob.learn.pytorch.protocols.names import (
    audio_suffix,
    existing_spelling,
    readable_spelling,
    recording_keys,
    relative_paths,
    safe_name,
)
from bob.learn.pytorch.protocols.trials import (
    DatabaseError,
    Probe,
    Recording,
    Reference,
    Trials,
    WithoutExtras,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "LABELS",
    "WORDS",
    "TrialList",
    "TrialListDatabase",
    "first_folder",
    "is_trial_list",
    "read_trial_list",
    "subjects_of",
]


class TrialListDatabase(WithoutExtras):
    """Trials between recordings that are named by their paths.

    Every recording that enrols is a reference of its own. Its subject is the first
    folder of its path if that explains all labels (VoxCeleb's ``id10270/…``);
    otherwise recordings are of one speaker when target trials join them, and of nobody
    in a blind list. Spellings of one path are one recording, and absolute paths count
    from the folder they share. Where the first recording is not there, but is with
    another suffix of a recording, or with one at all, all are looked for with that:
    the lists of VoxCeleb2 name files that have to be converted.

    Parameters
    ----------
    lists : mapping of str to TrialList or path
        A list for each group; one list alone is commonly ``dev``.
    protocol : str, optional
        Names the results; default: the name of the first list.
    original_directory : path, optional
        Folder that the paths are relative to. Default: that of the first list, or
        ``wav`` in it if the first recording is found there only.
    """

    def __init__(
        self,
        lists: Mapping[str, TrialList | str | os.PathLike[str]],
        *,
        protocol: str | None = None,
        original_directory: str | os.PathLike[str] | None = None,
    ) -> None:
        self._lists = {
            group: item if isinstance(item, TrialList) else read_trial_list(item)
            for group, item in lists.items()
        }
        first = next(iter(self._lists.values()))
        self.name = first.path.stem
        self.protocol: str | None = protocol or first.path.stem
        self.original_directory: str | None = str(
            original_directory or _folder_of_recordings(first)
        )

    def groups(self) -> tuple[str, ...]:
        """``dev``, and whatever else the protocol has."""
        return tuple(self._lists)

    @property
    def is_labelled(self) -> bool:
        """Return whether all lists have labels."""
        return all(item.is_labelled for item in self._lists.values())

    @property
    def notes(self) -> tuple[str, ...]:
        """Name VoxCeleb's lists among these, and the suffix of the files."""
        notes = [note for item in self._lists.values() for note in about(item)]
        if self._suffixes is not None:
            listed, found = self._suffixes
            notes.append(
                f"recordings are looked for as {found}, and the list has "
                f"{listed or 'no suffix'}"
            )
        return tuple(notes)

    def trials(self, group: str) -> Trials:
        """References, probes and who is compared with whom in a group."""
        if group not in self._lists:
            raise DatabaseError(
                f"trial list {self.name} has no group {group!r}; it has "
                f"{', '.join(self.groups())} (a list alone is dev)"
            )
        listed = self._lists[group].renamed(self._relative)
        names = tuple(dict.fromkeys((*listed.enrolled, *listed.tested)))
        proposed = [first_folder(name) for name in names]
        subjects = subjects_of(
            listed, (names, proposed), (listed.enrolled, listed.tested)
        )
        # A path that is parsed once takes half as long as a folder and a name.
        placed = partial(os.path.join, self.original_directory or "")
        recordings = {
            name: Recording(
                self._keys[name],
                Path(placed(self._file_name(self._spelled[name]))),
                safe_name(subject),
            )
            for name, subject in subjects.items()
        }
        return Trials(
            tuple(
                Reference(item.key, item.subject, (item,))
                for item in (recordings[name] for name in listed.enrolled)
            ),
            tuple(
                Probe(item.key, item.subject, (item,))
                for item in (recordings[name] for name in listed.tested)
            ),
            listed.pairs(),
        )

    @cached_property
    def _relative(self) -> dict[str, str]:
        names: dict[str, None] = {}
        for listed in self._lists.values():
            names.update(dict.fromkeys((*listed.enrolled, *listed.tested)))
        return relative_paths(names, folder=self.original_directory or "")

    @cached_property
    def _spelled(self) -> dict[str, str]:
        """How the list spells a recording first: what is opened."""
        spelled: dict[str, str] = {}
        for name, relative in self._relative.items():
            spelled.setdefault(relative, name)
        return spelled

    @cached_property
    def _suffixes(self) -> tuple[str, str] | None:
        """The suffix in the list, and that of the files; None where it is the same."""
        first = next(iter(self._spelled.values()))
        found = readable_spelling(Path(self.original_directory or ""), first)
        if found is None or audio_suffix(found) == audio_suffix(first):
            return None
        return audio_suffix(first), audio_suffix(found)

    def _file_name(self, name: str) -> str:
        listed, found = self._suffixes or ("", "")
        if found and audio_suffix(name) == listed:
            name = name.removesuffix(listed) + found
        return existing_spelling(Path(self.original_directory or ""), name)

    @cached_property
    def _keys(self) -> dict[str, str]:
        return recording_keys(self._spelled)


def _folder_of_recordings(listed: TrialList) -> Path:
    folder = listed.path.absolute().parent
    below = folder / "wav"
    first = listed.enrolled[0]
    if readable_spelling(folder, first) or not readable_spelling(below, first):
        return folder
    return below
