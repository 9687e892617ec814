"""Faults of a protocol, found before anything is computed on it.

An *error* makes figures wrong or an experiment stop, a *warning* makes them doubtful, a
*note* is worth knowing.
"""

from __future__ import annotations

import stat
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from bob.learn.pytorch.files import file_sha256
from bob.learn.pytorch.metrics.reliability import RULE_OF_THIRTY
from bob.learn.pytorch.protocols.counts import (
    GroupSummary,
    TrialCounts,
    count_trials,
    first_of,
    summarise_trials,
)
from bob.learn.pytorch.protocols.trials import trial_columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from bob.learn.pytorch.metrics import Names
    from bob.learn.pytorch.protocols.trials import Database, Recording, Trials

Severity: TypeAlias = Literal["error", "warning", "note"]

#: More of the target trials than this from one speaker, and more than twice its share.
_LARGE_SHARE = 0.25

_MOST_CONDITIONS = 20


@dataclass(frozen=True)
class Finding:
    """Something about a protocol.

    Attributes
    ----------
    severity : str
        ``error``, ``warning`` or ``note``; see the top of this module.
    kind : str
        One word for it, such as ``missing``.
    group : str
        The group; two with a comma if it is between them.
    count : int
        Number of trials, recordings or speakers.
    text : str
        The finding in words.
    examples : tuple of str
        All trials, recordings or speakers concerned.
    """

    severity: Severity
    kind: str
    group: str
    count: int
    text: str
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class GroupStatistics:
    """Counts of one group, and their spread.

    Attributes
    ----------
    summary : GroupSummary
        The counts.
    target_share : float
        Target trials as a fraction of all trials.
    target_trials_per_speaker, enrolment_recordings : (least, median, most)
        Over enrolled speakers, and over references.
    conditions : mapping
        Column of metadata with few values -> value -> count of recordings.
    trial_conditions : mapping
        The same for columns of trials, with counts of trials.
    """

    summary: GroupSummary
    target_share: float
    target_trials_per_speaker: tuple[float, float, float]
    enrolment_recordings: tuple[float, float, float]
    conditions: Mapping[str, Mapping[str, int]]
    trial_conditions: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the statistics for JSON, the counts on top."""
        rest = {
            name: value for name, value in asdict(self).items() if name != "summary"
        }
        return {**asdict(self.summary), **rest}

    def as_lines(self, group: str) -> Iterator[str]:
        """Yield lines for people."""
        yield f"{group}: {self.summary.in_words()}"
        spreads = {"enrolment recordings per reference": self.enrolment_recordings}
        if not self.summary.unlabelled_trials:
            targets = {"target trials per speaker": self.target_trials_per_speaker}
            spreads = targets | spreads
        for name, (least, median, most) in spreads.items():
            yield f"  {name}: {least:g} to {most:g}, median {median:g}"
        for counted, conditions in (
            ("recordings", self.conditions),
            ("trials", self.trial_conditions),
        ):
            for name, values in conditions.items():
                counts = (f"{n} {value or 'unknown'}" for value, n in values.items())
                yield f"  {counted} by {name}: {', '.join(counts)}"


@dataclass(frozen=True)
class ProtocolReport:
    """Result of `check`: statistics by group, and findings, errors first."""

    groups: Mapping[str, GroupStatistics]
    findings: tuple[Finding, ...]

    @property
    def is_sound(self) -> bool:
        """True if there is no error among the findings."""
        return all(item.severity != "error" for item in self.findings)

    def as_dict(self) -> dict[str, Any]:
        """Return all for JSON."""
        return {
            "groups": {name: found.as_dict() for name, found in self.groups.items()},
            "findings": [asdict(finding) for finding in self.findings],
            "sound": self.is_sound,
        }

    def as_lines(self) -> Iterator[str]:
        """Yield lines for people, with the first examples of each finding."""
        for group, found in self.groups.items():
            yield from found.as_lines(group)
        for finding in self.findings:
            yield f"{finding.severity}: {finding.group}: {finding.text}"
            yield from first_of(finding.examples)
        if not self.findings:
            yield "nothing is wrong with it"


def check(
    databases: Mapping[str, Database], *, contents: bool = False
) -> ProtocolReport:
    """Look for what would make the results of a protocol wrong.

    Parameters
    ----------
    databases : mapping of str to Database
        By name. Groups of several, such as two trial lists, are compared with each
        other as ``dev`` and ``eval`` of one are, and called ``<name> <group>``.
    contents : bool
        Also look for recordings of the same contents, for which files of one size are
        read.

    Returns
    -------
    ProtocolReport
        Without ``contents``, no recording is opened.
    """
    statistics: dict[str, GroupStatistics] = {}
    sets: dict[str, Sequence[Recording]] = {}
    training: dict[str, Sequence[Recording]] = {}
    empty: list[Finding] = []
    within: list[Finding] = []
    for name, database in databases.items():
        prefix = f"{name} " if len(databases) > 1 else ""
        if not database.groups():
            text = "no recording enrols or probes, so nothing is compared"
            empty.append(Finding("error", "trials", name, 0, text))
        for group in database.groups():
            title = prefix + group
            trials = database.trials(group)
            counts = count_trials(trials)
            statistics[title] = _statistics(
                trials, counts, trial_columns(database, group)
            )
            sets[title] = trials.recordings()
            within += _within(title, trials, counts, statistics[title].summary)
        if found := database.training():
            training[f"{prefix}train"] = found
    sets |= training
    findings = [
        *empty,
        *_between(sets),
        *within,
        *_without_file(sets),
        *(_contents(sets) if contents else ()),
    ]
    rank = {"error": 0, "warning": 1, "note": 2}
    return ProtocolReport(
        statistics, tuple(sorted(findings, key=lambda item: rank[item.severity]))
    )


def _statistics(
    trials: Trials, counts: TrialCounts, columns: Mapping[str, Names]
) -> GroupStatistics:
    summary = summarise_trials(trials)
    total = max(1, trials.count())
    return GroupStatistics(
        summary,
        summary.target_trials / total,
        _spread(counts.targets_by_speaker.values()),
        _spread(len(item.recordings) for item in trials.references),
        _conditions(trials.recordings()),
        _trial_conditions(columns),
    )


def _spread(values: Iterable[int]) -> tuple[float, float, float]:
    found = np.array(list(values), dtype=np.float64)
    if not found.size:
        return (0.0, 0.0, 0.0)
    return float(found.min()), float(np.median(found)), float(found.max())


def _conditions(recordings: Sequence[Recording]) -> dict[str, dict[str, int]]:
    columns: dict[str, Counter[str]] = {}
    for item in recordings:
        for name, value in item.metadata.items():
            columns.setdefault(name, Counter())[value] += 1
    return {
        name: dict(values.most_common())
        for name, values in columns.items()
        if len(values) <= _MOST_CONDITIONS
    }


def _trial_conditions(columns: Mapping[str, Names]) -> dict[str, dict[str, int]]:
    counted = {
        title: Counter(
            dict(zip(column.distinct, np.bincount(column.codes).tolist(), strict=True))
        )
        for title, column in columns.items()
        if len(column.distinct) <= _MOST_CONDITIONS
    }
    return {title: dict(values.most_common()) for title, values in counted.items()}


def _on(
    severity: Severity, kind: str, group: str, text: str, examples: Sequence[str]
) -> Iterator[Finding]:
    """Yield a finding on these examples, if there are any; their count opens it."""
    if examples:
        count = len(examples)
        yield Finding(severity, kind, group, count, f"{count} {text}", tuple(examples))


def _between(sets: Mapping[str, Sequence[Recording]]) -> Iterator[Finding]:
    """Yield speakers and recordings that two groups share."""
    for one, other in combinations(sets, 2):
        both, where = f"{one}, {other}", f"are in {one} and in {other}"
        speakers = {item.subject for item in sets[one] if item.subject} & {
            item.subject for item in sets[other]
        }
        yield from _on(
            "error", "speakers", both,
            f"speakers {where}: what is set on one of them is not tested by the other",
            sorted(speakers),
        )  # fmt: skip
        paths = {str(item.path) for item in sets[one] if item.path} & {
            str(item.path) for item in sets[other] if item.path
        }
        yield from _on(
            "error", "recordings", both, f"recordings {where}", sorted(paths)
        )


def _within(
    group: str, trials: Trials, counts: TrialCounts, summary: GroupSummary
) -> Iterator[Finding]:
    """Yield findings on the trials of one group."""
    if summary.unlabelled_trials:
        yield Finding(
            "note", "labels", group, summary.unlabelled_trials,
            f"{summary.unlabelled_trials} trials have no labels: they can be scored, "
            "and which of them are of one speaker is not known",
        )  # fmt: skip
    for kind, number in _numbers(summary):
        if not number and not summary.unlabelled_trials:
            text = f"no {kind} trial: there is no error rate"
            yield Finding("error", "trials", group, 0, text)
    for severity, kind, examples, text in _KINDS:
        yield from _on(severity, kind, group, text, getattr(counts, examples))
    uses = Counter(str(item.path) for item in trials.recordings() if item.path)
    repeated = [path for path, number in uses.items() if number > 1]
    text = "files stand for several recordings"
    yield from _on("warning", "duplicates", group, text, repeated)
    yield from _imbalance(group, counts, summary)


def _numbers(summary: GroupSummary) -> tuple[tuple[str, int], ...]:
    return (
        ("target", summary.target_trials),
        ("non-target", summary.non_target_trials),
    )


_KINDS: tuple[tuple[Severity, str, str, str], ...] = (
    ("error", "self-trials", "self_trials",
     "trials compare a recording with itself, which no impostor could match"),
    ("warning", "duplicates", "repeated",
     "trials come more than once; they count as often here, and once in Bob"),
    ("note", "duplicates", "mirrored",
     "trials come in both directions, which count double for most similarities"),
    ("warning", "sessions", "one_session",
     "target trials are of one session, which the room and the microphone win"),
    ("warning", "unused", "probes_without_trial",
     "probes are in no trial; Bob stops at them"),
    ("warning", "unused", "references_without_trial", "references are in no trial"),
    ("note", "imbalance", "references_without_target",
     "references have no target trial"),
)  # fmt: skip


def _imbalance(
    group: str, counts: TrialCounts, summary: GroupSummary
) -> Iterator[Finding]:
    targets = summary.target_trials
    by_speaker = counts.targets_by_speaker
    if targets and len(by_speaker) > 1:
        name, most = max(by_speaker.items(), key=lambda item: item[1])
        share = most / targets
        if share > max(_LARGE_SHARE, 2 / len(by_speaker)):
            yield Finding(
                "warning", "imbalance", group, most,
                f"{share:.0%} of the target trials are of speaker {name}: the error "
                "rate is mostly that speaker's", (name,),
            )  # fmt: skip
    for kind, number in _numbers(summary):
        if 0 < number < 10 * RULE_OF_THIRTY:
            yield Finding(
                "note", "few", group, number,
                f"{number} {kind} trials: {_rough_below(number)} "
                f"(Doddington's rule of {RULE_OF_THIRTY})",
            )  # fmt: skip


def _rough_below(number: int) -> str:
    if number <= RULE_OF_THIRTY:
        return (
            f"no rate is reliable, since even if all are wrong it comes from no more "
            f"than {RULE_OF_THIRTY} errors"
        )
    return (
        f"rates under {RULE_OF_THIRTY / number:.0%} come from fewer than "
        f"{RULE_OF_THIRTY} errors and are rough"
    )


def _without_file(sets: Mapping[str, Sequence[Recording]]) -> Iterator[Finding]:
    """Yield recordings that are not there, or are empty."""
    for group, recordings in sets.items():
        found: dict[str, list[str]] = {"missing": [], "empty": []}
        for item in recordings:
            if item.path is not None and (state := _state(item.path)):
                found[state].append(str(item.path))
        for state, paths in found.items():
            verb = "recording is" if len(paths) == 1 else "recordings are"
            yield from _on("error", state, group, f"{verb} {state}", paths)


def _state(path: Path) -> str:
    try:
        found = path.stat()
    except OSError:
        return "missing"
    if not stat.S_ISREG(found.st_mode):
        return "missing"
    return "" if found.st_size else "empty"


def _contents(sets: Mapping[str, Sequence[Recording]]) -> Iterator[Finding]:
    everything = {
        item.path: (group, item)
        for group, recordings in sets.items()
        for item in recordings
        if item.path is not None
    }
    for paths in _same_contents(everything):
        items = [everything[path] for path in paths]
        groups = dict.fromkeys(group for group, _ in items)
        speakers = {item.subject for _, item in items}
        wrong = len(groups) > 1 or len(speakers) > 1
        yield from _on(
            "error" if wrong else "warning", "duplicates", ", ".join(groups),
            f"recordings of {len(speakers)} speaker(s) have the same contents",
            [str(path) for path in paths],
        )  # fmt: skip


def _same_contents(paths: Iterable[Path]) -> list[tuple[Path, ...]]:
    """Return files of the same bytes, together; only files of one size are read."""
    by_size: dict[int, list[Path]] = defaultdict(list)
    for path in paths:
        if path.is_file() and path.stat().st_size:
            by_size[path.stat().st_size].append(path)
    by_digest: dict[str, list[Path]] = defaultdict(list)
    for alike in by_size.values():
        if len(alike) > 1:
            for path in alike:
                by_digest[file_sha256(path)].append(path)
    return [tuple(alike) for alike in by_digest.values() if len(alike) > 1]
