"""Trials between names, and the recordings that each name stands for."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from bob.learn.pytorch.protocols.identities import subjects_of
from bob.learn.pytorch.protocols.names import safe_name
from bob.learn.pytorch.protocols.trials import (
    DatabaseError,
    Probe,
    Recording,
    Reference,
    Trials,
    WithoutExtras,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping, Sequence

    from bob.learn.pytorch.metrics import Names
    from bob.learn.pytorch.protocols.formats.trial_lists import TrialList


class NamedTrialDatabase(WithoutExtras):
    """A trial list, and what each of its names stands for.

    Parameters
    ----------
    listed : TrialList
        The trials.
    enrolling : mapping of str to sequence of Recording
        What enrols, by enrolled name.
    testing : mapping of str to Recording
        What probes, by tested name.
    protocol : str, optional
        Names the results; default: the name of the list.
    original_directory : path
        Where the recordings are.
    """

    def __init__(
        self,
        listed: TrialList,
        enrolling: Mapping[str, Sequence[Recording]],
        testing: Mapping[str, Recording],
        *,
        protocol: str | None = None,
        original_directory: str | os.PathLike[str],
    ) -> None:
        self._listed = listed
        self._enrolling = enrolling
        self._testing = testing
        self.name = listed.path.parent.resolve().name
        self.protocol: str | None = protocol or listed.path.stem
        self.original_directory: str | None = str(original_directory)

    def groups(self) -> tuple[str, ...]:
        """``dev``."""
        return ("dev",)

    @property
    def is_labelled(self) -> bool:
        """Whether the list has labels."""
        return self._listed.is_labelled

    def trials(self, group: str) -> Trials:
        """References, probes and who is compared with whom in a group."""
        if group != "dev":
            raise DatabaseError(
                f"{self._listed.path} has no group {group!r}; a trial list alone is dev"
            )
        return self._trials

    @cached_property
    def _trials(self) -> Trials:
        enrolled_by, tested_by = self._subjects()
        return Trials(
            tuple(
                Reference(safe_name(name), who, _of(who, self._enrolling[name]))
                for name, who in zip(self._listed.enrolled, enrolled_by, strict=True)
            ),
            tuple(
                Probe(self._testing[name].key, who, _of(who, [self._testing[name]]))
                for name, who in zip(self._listed.tested, tested_by, strict=True)
            ),
            self._listed.pairs(),
        )

    def trial_metadata(self, group: str) -> dict[str, Names]:
        """What else is known of each trial, in the order of `trials`, by title."""
        self.trials(group)
        return self._listed.metadata_of_pairs()

    def _subjects(self) -> tuple[list[str], list[str]]:
        """The subjects of both sides, such that every label is explained."""
        proposed: dict[str, str] = {}
        sides: tuple[list[str], list[str]] = ([], [])
        for name in self._listed.enrolled:
            recordings = self._enrolling[name]
            alone = len(recordings) == 1
            sides[0].append(recordings[0].key if alone else f"model {name}")
            proposed[sides[0][-1]] = recordings[0].subject
        for name in self._listed.tested:
            item = self._testing[name]
            sides[1].append(item.key)
            proposed[item.key] = item.subject
        found = subjects_of(
            self._listed, (list(proposed), list(proposed.values())), sides
        )
        named = {name: safe_name(subject) for name, subject in found.items()}
        return [named[name] for name in sides[0]], [named[name] for name in sides[1]]


def _of(subject: str, recordings: Iterable[Recording]) -> tuple[Recording, ...]:
    return tuple(replace(item, subject=subject) for item in recordings)
