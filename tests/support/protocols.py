"""Protocols that tests make and look at."""

from collections.abc import Collection, Mapping
from typing import Any

from bob.learn.pytorch.protocols.trials import Recording, Trials, WithoutExtras


class Made(WithoutExtras):
    """A database of trials by group."""

    name = protocol = "made"
    original_directory = None

    def __init__(
        self, groups: Mapping[str, Trials], *, training: Collection[Recording] = ()
    ) -> None:
        """Hold trials by group, and a training set."""
        self._groups, self._training = groups, training

    def groups(self) -> tuple[str, ...]:
        return tuple(self._groups)

    def trials(self, group: str) -> Trials:
        return self._groups[group]

    def training(self) -> Collection[Recording]:
        return self._training


class Described(Made):
    """That, and what is known of each trial: columns by group."""

    def __init__(
        self, groups: Mapping[str, Trials], columns: Mapping[str, Any]
    ) -> None:
        """Hold trials and columns."""
        super().__init__(groups)
        self._columns = columns

    def trial_metadata(self, group: str) -> Any:
        return self._columns[group]


def triples(trials: Trials) -> list[tuple[str, str, bool]]:
    """Return (reference, probe, same subject) in the order of the trials."""
    return [
        (reference.id, probe.id, reference.subject == probe.subject)
        for reference, listed in zip(trials.references, trials.pairs, strict=True)
        for probe in (trials.probes[index] for index in listed)
    ]
