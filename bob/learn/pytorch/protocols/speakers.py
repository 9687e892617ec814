"""A default protocol for recordings that come with nothing but their speakers.

Speakers
    In sorted order they go to ``dev`` and ``eval`` in turn, so the two share nobody.
    With fewer than four speakers who can be enrolled, all are ``dev``: a group needs
    two for a non-target trial.
Enrolment
    One reference a speaker. Where sessions are known (``session``), it is enrolled
    with the first of them and probed with the others, so that no target trial can be
    won by the room or the microphone. Otherwise (``recording``) it is enrolled with
    the first recording and probed with the rest. Asking for more enrolment
    recordings uses further sessions; what is left of a session that enrols is not
    used at all.
Too few recordings
    A speaker with nothing left to probe with is not enrolled: the recordings probe
    the other references as an impostor.
One group
    ``session-one-group`` and ``recording-one-group`` leave all speakers in ``dev``.
All pairs
    ``all-pairs`` compares each recording with each other one once, in ``dev``,
    of any speaker and session.
"""

from __future__ import annotations

import abc
import re
from dataclasses import dataclass, replace
from functools import cached_property
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.printing import counted
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
    from collections.abc import Iterable, Iterator, Mapping, Sequence

ALL_PAIRS = "all-pairs"
_ONE_GROUP = "-one-group"
#: Names of protocols.
PROTOCOLS = (
    *("session", "recording"),
    *(f"session{_ONE_GROUP}", f"recording{_ONE_GROUP}"),
    ALL_PAIRS,
)
#: Ends a layout where the names of files, or utterances, begin with the session.
NAMES_BEGIN_WITH_SESSION = "session-*"

#: One letters-and-digits part of a file name, then a separator and something else.
_FIRST_PART = re.compile(r"([-_. ]*[^-_. ]+)[-_. ]+[^-_. ]")

_FEWEST_SPEAKERS_TO_SPLIT = 4


@dataclass(frozen=True)
class SpeakerRule:
    """The rule that makes a protocol of a folder of speakers.

    Attributes
    ----------
    layout : str, optional
        Meaning of the folder levels, outermost first: ``speaker`` (default),
        ``session/speaker``, ``speaker/session``; ``*`` for a level without meaning.
        ``speaker/session-*`` takes the first part of the file's name for the session
        (``friday`` in ``friday-1.flac``), ``session-*`` that of Kaldi's utterances.
    enrol_count : int, optional
        Recordings that enrol a speaker. Default: all of the first session, or one.
    minimum_seconds : float
        Shorter recordings are left out. Zero: nothing is opened to find out.
    """

    layout: str | None = None
    enrol_count: int | None = None
    minimum_seconds: float = 0.0

    def __post_init__(self) -> None:
        nothing = type(None)
        _check_type("layout", self.layout, (str, nothing), "text: session/speaker")
        _check_type("enrol_count", self.enrol_count, (Integral, nothing), "an int")
        _check_type("minimum_seconds", self.minimum_seconds, (Real,), "a number")
        if self.enrol_count is not None and self.enrol_count < 1:
            raise DatabaseError(
                f"{self.enrol_count} recordings cannot enrol a speaker; "
                "expected 1 or more"
            )
        if not self.minimum_seconds >= 0:
            raise DatabaseError(
                f"minimum duration {self.minimum_seconds} s; expected 0 or more seconds"
            )

    @classmethod
    def given(
        cls,
        layout: str | None = None,
        enrol_count: int | None = None,
        minimum_seconds: float | None = None,
    ) -> SpeakerRule | None:
        """Return the rule of the values that are given; None where there is none."""
        if (layout, enrol_count, minimum_seconds) == (None, None, None):
            return None
        return cls(layout, enrol_count, minimum_seconds or 0.0)


def _check_type(
    name: str, value: object, types: tuple[type, ...], expected: str
) -> None:
    if not isinstance(value, types):
        raise DatabaseError(
            f"{name} is {value!r}, a {type(value).__name__}; expected {expected}"
        )


@dataclass(frozen=True)
class SpeakerProtocol:
    """Trials of each group, notes on the rule in words, and those that raise doubts."""

    name: str
    trials: Mapping[str, Trials]
    notes: tuple[str, ...]
    doubts: tuple[str, ...] = ()


def session_in_name(name: str, *, speaker: str) -> str | None:
    """Return the session in a file name: its first part, less the speaker's name.

    It may as well be a number of the utterance, so only a layout asks for it.

    Examples
    --------
    >>> session_in_name("1688-142285-0000", speaker="1688")
    '142285'
    >>> session_in_name("9f581faa5ece-1820884-1869535", speaker="strauss")
    '9f581faa5ece'
    >>> session_in_name("hello", speaker="strauss") is None
    True
    """
    begins_with_speaker = re.match(re.escape(speaker) + "[-_. ]", name)
    rest = name[len(speaker) + 1 :] if begins_with_speaker else name
    found = _FIRST_PART.match(rest)
    return found.group(1) if found else None


def make_protocol(
    recordings: Iterable[Recording],
    *,
    name: str | None = None,
    enrol_count: int | None = None,
) -> SpeakerProtocol:
    """Split speakers and recordings as the top of this module says.

    Parameters
    ----------
    recordings : iterable of Recording
        In any order; keys decide. Metadata ``session`` tell sessions apart.
    name : str, optional
        One of `PROTOCOLS`. Default: by session if at least half of the speakers with
        two recordings or more have two sessions or more, else by recording.
    enrol_count : int, optional
        Recordings that enrol a speaker; default: the first session, or recording.
    """
    if name not in (None, *PROTOCOLS):
        raise DatabaseError(
            f"a folder of speakers has no protocol {name!r}; expected one of "
            f"{', '.join(PROTOCOLS)}, or none to let the sessions decide"
        )
    speakers = _by_speaker(recordings)
    if name == ALL_PAIRS:
        return _all_pairs(speakers, enrol_count)
    by = (name or _choose(speakers.values())).removesuffix(_ONE_GROUP)
    units = {speaker: _units(items, by) for speaker, items in speakers.items()}
    enrolled = {}
    for speaker, parts in units.items():
        enrolment, probes = _divide(parts, enrol_count)
        if probes:
            enrolled[speaker] = (enrolment, probes)
    if not enrolled:
        raise DatabaseError(
            f"none of {len(speakers)} speakers can be enrolled by {by}: each needs "
            f"{enrol_count or 'one'} to enrol and at least one other {by} to probe with"
        )
    impostors = [speaker for speaker in speakers if speaker not in enrolled]
    is_split = not (name or "").endswith(_ONE_GROUP)
    groups = {
        group: _trials(names, enrolled, units)
        for group, names in _split(list(enrolled), impostors, at_all=is_split).items()
    }
    notes = _notes(by, enrol_count, impostors, groups=tuple(groups), asked=is_split)
    doubts = tuple(_session_notes(by, speakers.values()))
    return SpeakerProtocol(name or by, groups, (*notes, *doubts), doubts)


def _all_pairs(
    speakers: Mapping[str, Sequence[Recording]], enrol_count: int | None
) -> SpeakerProtocol:
    """Compare each pair of recordings once: a, b and c make a-b, a-c and b-c."""
    if enrol_count not in (None, 1):
        raise DatabaseError(
            f"{enrol_count} recordings cannot enrol in the protocol {ALL_PAIRS}, where "
            "each does by itself; leave the enrolment count out"
        )
    items = sorted((item for some in speakers.values() for item in some), key=_key)
    if not 1 < len(speakers) < len(items):
        raise DatabaseError(
            f"there are {len(items)} recordings of {len(speakers)} speakers; pairs of "
            "one speaker and of two take two speakers, and two recordings of one of "
            "them"
        )
    probes = np.arange(len(items) - 1)
    trials = Trials(
        tuple(Reference(item.key, item.subject, (item,)) for item in items[:-1]),
        tuple(Probe(item.key, item.subject, (item,)) for item in items[1:]),
        tuple(probes[first:] for first in probes),
    )
    note = f"each of {len(items)} recordings meets each other one once"
    return SpeakerProtocol(ALL_PAIRS, {"dev": trials}, (note,))


def _key(recording: Recording) -> str:
    return recording.key


def _by_speaker(recordings: Iterable[Recording]) -> dict[str, list[Recording]]:
    speakers: dict[str, list[Recording]] = {}
    for item in sorted(recordings, key=_key):
        speakers.setdefault(item.subject, []).append(item)
    return dict(sorted(speakers.items()))


def _choose(speakers: Iterable[Sequence[Recording]]) -> str:
    sessions = [
        len({_session(item) for item in items} - {None})
        for items in speakers
        if len(items) > 1
    ]
    several = sum(count > 1 for count in sessions)
    return "session" if several and 2 * several >= len(sessions) else "recording"


def _session(recording: Recording) -> str | None:
    return recording.metadata.get("session")


def _units(items: Sequence[Recording], by: str) -> list[list[Recording]]:
    """Group recordings that enrol or probe as a whole: sessions, or single ones."""
    units: dict[str, list[Recording]] = {}
    for item in items:
        own = f"/{item.key}"  # no session has a slash in front
        unit = own if by == "recording" else (_session(item) or own)
        units.setdefault(unit, []).append(item)
    return list(units.values())


def _divide(
    units: Sequence[Sequence[Recording]], count: int | None
) -> tuple[list[Recording], list[Recording]]:
    """Return (enrolment, probes); a unit that is begun for enrolment does not probe."""
    enrolment: list[Recording] = []
    used = 0
    while used < len(units) and (not used or len(enrolment) < (count or 1)):
        enrolment.extend(units[used])
        used += 1
    if len(enrolment) < (count or 1):
        return [], []
    probes = [recording for unit in units[used:] for recording in unit]
    return enrolment[:count], probes


def _split(
    enrolled: Sequence[str], impostors: Sequence[str], *, at_all: bool
) -> dict[str, list[str]]:
    if not at_all or len(enrolled) < _FEWEST_SPEAKERS_TO_SPLIT:
        return {"dev": sorted([*enrolled, *impostors])}
    return {
        "dev": sorted([*enrolled[0::2], *impostors[0::2]]),
        "eval": sorted([*enrolled[1::2], *impostors[1::2]]),
    }


def _trials(
    names: Sequence[str],
    enrolled: Mapping[str, tuple[list[Recording], list[Recording]]],
    units: Mapping[str, list[list[Recording]]],
) -> Trials:
    references = []
    probes: list[Recording] = []
    for name in names:
        if name in enrolled:
            enrolment, others = enrolled[name]
            references.append(Reference(name, name, tuple(enrolment)))
            probes.extend(others)
        else:
            probes.extend(recording for unit in units[name] for recording in unit)
    return Trials(
        tuple(references),
        tuple(Probe(item.key, item.subject, (item,)) for item in probes),
    )


def _notes(
    by: str,
    enrol_count: int | None,
    impostors: Sequence[str],
    *,
    groups: tuple[str, ...],
    asked: bool,
) -> list[str]:
    amount = (
        "all recordings" if enrol_count is None else counted(enrol_count, "recording")
    )
    first = {
        "session": f"{amount} of the first session enrol{'s' * (enrol_count == 1)}, "
        "the other sessions probe",
        "recording": "the first recording enrols, the rest probe"
        if (enrol_count or 1) == 1
        else f"the first {enrol_count} recordings enrol, the rest probe",
    }
    notes = [first[by]]
    if "eval" in groups:
        notes.append("speakers in sorted order go to dev and eval in turn")
    elif asked:
        notes.append("too few speakers to split: all of them are dev")
    else:
        notes.append("all speakers are dev")
    if impostors:
        notes.append(
            f"{counted(len(impostors), 'speaker')} with too few {by}s only probe, as "
            f"impostors: {', '.join(impostors[:5])}{' …' if impostors[5:] else ''}"
        )
    return notes


def _session_notes(by: str, speakers: Iterable[Sequence[Recording]]) -> Iterator[str]:
    items = [item for some in speakers for item in some]
    unknown = sum(_session(item) is None for item in items)
    if by == "session" and unknown:
        yield (
            f"the session of {counted(unknown, 'recording')} is not known: each counts "
            "as another session"
        )
    elif unknown == len(items):
        yield (
            "sessions are not known, so a target trial may be won by the room and the "
            "microphone: if folders or names tell them, give a layout "
            f"(speaker/session, session/speaker, speaker/{NAMES_BEGIN_WITH_SESSION})"
        )


class SpeakerDatabase(WithoutExtras, abc.ABC):
    """Recordings known by speaker and session, with the protocol of this module.

    Parameters
    ----------
    name : str
        Short name for logs.
    original_directory, protocol, rule
        See `opening.read_protocol`.
    """

    knows_speakers = True

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
        """The unit that enrols speakers, such as ``session`` or ``recording``."""
        return self._made.name

    @protocol.setter
    def protocol(self, protocol: str | None) -> None:
        self._protocol = protocol
        self.__dict__.pop("_made", None)

    @property
    def notes(self) -> tuple[str, ...]:
        """The rule of the protocol, in words."""
        return self._made.notes

    @property
    def doubts(self) -> tuple[str, ...]:
        """Notes on what makes error rates look better than they are."""
        return self._made.doubts

    def groups(self) -> tuple[str, ...]:
        """Return ``dev``, and ``eval`` if speakers are split."""
        return tuple(self._made.trials)

    def trials(self, group: str) -> Trials:
        """Return the references, probes and trials of a group."""
        if group not in self._made.trials:
            raise DatabaseError(
                f"{self.original_directory} has no group {group!r}; it has "
                f"{', '.join(self.groups())} (four speakers or more make dev and eval "
                "in the protocols session and recording)"
            )
        return self._made.trials[group]

    @abc.abstractmethod
    def spoken(self) -> list[Recording]:
        """Return every recording, its session in the metadata."""

    def long_enough(self) -> tuple[list[Recording], int]:
        """Return recordings of the minimum duration, and the number of shorter ones."""
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
        kept, dropped = self.long_enough()
        note = (
            f"{counted(dropped, 'recording')} under {self.rule.minimum_seconds:g} s "
            "left out"
        )
        try:
            made = make_protocol(
                kept, name=self._protocol, enrol_count=self.rule.enrol_count
            )
        except DatabaseError as error:
            reason = f"{self.original_directory}: {error}"
            raise DatabaseError(f"{reason} ({note})" if dropped else reason) from error
        if not dropped:
            return made
        return replace(made, notes=(*made.notes, note))

    def _is_long_enough(self, recording: Recording) -> bool:
        if not self.rule.minimum_seconds or recording.path is None:
            return True
        from bob.learn.pytorch.audio import RecordingError, files

        try:
            seconds = files.info(recording.path)[0]
        except RecordingError:
            return True  # the experiment says what is wrong with it
        return seconds >= self.rule.minimum_seconds
