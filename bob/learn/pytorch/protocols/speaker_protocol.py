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
    whoever speaks and in whichever session.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING, Literal, get_args

from bob.learn.pytorch.protocols.all_pairs import all_pairs
from bob.learn.pytorch.protocols.trials import (
    DatabaseError,
    Probe,
    Recording,
    Reference,
    Trials,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

EnrolFrom = Literal["session", "recording"]

ALL_PAIRS = "all-pairs"
_ONE_GROUP = "-one-group"
#: Names of protocols.
PROTOCOLS = (
    *get_args(EnrolFrom),
    *(f"{unit}{_ONE_GROUP}" for unit in get_args(EnrolFrom)),
    ALL_PAIRS,
)
#: Ends a layout where the names of files, or utterances, begin with the session.
NAMES_BEGIN_WITH_SESSION = "session-*"

#: One letters-and-digits part of a file name, then a separator and something else.
_FIRST_PART = re.compile(r"([-_. ]*[^-_. ]+)[-_. ]+[^-_. ]")

_FEWEST_SPEAKERS_TO_SPLIT = 4


@dataclass(frozen=True)
class SpeakerRule:
    """How a folder of speakers becomes a protocol.

    Attributes
    ----------
    layout : str, optional
        What the folder levels mean, outermost first: ``speaker`` (default),
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


def _check_type(
    name: str, value: object, types: tuple[type, ...], expected: str
) -> None:
    if not isinstance(value, types):
        raise DatabaseError(
            f"{name} is {value!r}, a {type(value).__name__}; expected {expected}"
        )


@dataclass(frozen=True)
class SpokenIn:
    """A recording and the session it is from, None if that is not known."""

    recording: Recording
    session: str | None


@dataclass(frozen=True)
class SpeakerProtocol:
    """Trials of each group, in words how they came about, and what that puts in doubt.

    Doubts are among the notes too.
    """

    name: str
    trials: Mapping[str, Trials]
    notes: tuple[str, ...]
    doubts: tuple[str, ...] = ()


def session_in_name(name: str, *, speaker: str) -> str | None:
    """The session a file name tells: its first part, less the speaker's name.

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


def session_metadata(session: str | None) -> dict[str, str]:
    """What a recording says of its session, as columns of CSV do."""
    return {"session": session} if session else {}


def make_protocol(
    recordings: Iterable[SpokenIn],
    *,
    name: str | None = None,
    enrol_count: int | None = None,
) -> SpeakerProtocol:
    """Split speakers and recordings as this module says.

    Parameters
    ----------
    recordings : iterable of SpokenIn
        In any order; keys decide.
    name : str, optional
        One of `PROTOCOLS`. Default: by session if at least half of the speakers with
        two recordings or more have two sessions or more, else by recording.
    enrol_count : int, optional
        Recordings that enrol a speaker; default: the first session, or recording.

    Raises
    ------
    DatabaseError
        If there is no such rule, or nobody can be enrolled.
    """
    speakers = _by_speaker(recordings)
    if _checked(name) == ALL_PAIRS:
        return _of_all_pairs(speakers.values(), enrol_count)
    by = _enrol_from(name) or _choose(speakers.values())
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


def _of_all_pairs(
    speakers: Iterable[Sequence[SpokenIn]], enrol_count: int | None
) -> SpeakerProtocol:
    if enrol_count not in (None, 1):
        raise DatabaseError(
            f"{enrol_count} recordings cannot enrol in the protocol {ALL_PAIRS}, where "
            "each does by itself; leave the enrolment count out"
        )
    items = [item.recording for some in speakers for item in some]
    items.sort(key=lambda item: item.key)
    note = f"each of {len(items)} recordings meets each other one once"
    return SpeakerProtocol(ALL_PAIRS, {"dev": all_pairs(items)}, (note,))


def _by_speaker(recordings: Iterable[SpokenIn]) -> dict[str, list[SpokenIn]]:
    speakers: dict[str, list[SpokenIn]] = {}
    for item in sorted(recordings, key=lambda item: item.recording.key):
        speakers.setdefault(item.recording.subject, []).append(item)
    return dict(sorted(speakers.items()))


def _checked(name: str | None) -> str | None:
    if name is None or name in PROTOCOLS:
        return name
    raise DatabaseError(
        f"a folder of speakers has no protocol {name!r}; expected one of "
        f"{', '.join(PROTOCOLS)}, or none to let the sessions decide"
    )


def _enrol_from(name: str | None) -> EnrolFrom | None:
    unit = (name or "").removesuffix(_ONE_GROUP)
    return next((known for known in get_args(EnrolFrom) if known == unit), None)


def _choose(speakers: Iterable[Sequence[SpokenIn]]) -> EnrolFrom:
    sessions = [
        len({item.session for item in items} - {None})
        for items in speakers
        if len(items) > 1
    ]
    several = sum(count > 1 for count in sessions)
    return "session" if several and 2 * several >= len(sessions) else "recording"


def _units(items: Sequence[SpokenIn], by: EnrolFrom) -> list[list[Recording]]:
    """What enrols or probes as a whole: sessions, or single recordings."""
    units: dict[str, list[Recording]] = {}
    for item in items:
        own = f"/{item.recording.key}"  # no session has a slash in front
        unit = own if by == "recording" else (item.session or own)
        units.setdefault(unit, []).append(item.recording)
    return list(units.values())


def _divide(
    units: Sequence[Sequence[Recording]], count: int | None
) -> tuple[list[Recording], list[Recording]]:
    """(what enrols, what probes); units that are begun for the former do not probe."""
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
    by: EnrolFrom,
    enrol_count: int | None,
    impostors: Sequence[str],
    *,
    groups: tuple[str, ...],
    asked: bool,
) -> list[str]:
    amount = "all recordings" if enrol_count is None else f"{enrol_count} recording(s)"
    first = {
        "session": f"{amount} of the first session(s) enrol, the other sessions probe",
        "recording": f"the first {enrol_count or 1} recording(s) enrol, the rest probe",
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
            f"{len(impostors)} speaker(s) with too few {by}s only probe, as "
            f"impostors: {', '.join(impostors[:5])}{' …' if impostors[5:] else ''}"
        )
    return notes


def _session_notes(
    by: EnrolFrom, speakers: Iterable[Sequence[SpokenIn]]
) -> Iterator[str]:
    items = [item for some in speakers for item in some]
    unknown = sum(item.session is None for item in items)
    if by == "session" and unknown:
        yield (
            f"the session of {unknown} recording(s) is not known: each is taken for "
            "one of its own"
        )
    elif unknown == len(items):
        yield (
            "sessions are not known, so a target trial may be won by the room and the "
            "microphone: if folders or names tell them, give a layout "
            f"(speaker/session, session/speaker, speaker/{NAMES_BEGIN_WITH_SESSION})"
        )
