"""Trials of any kind, with the rows of their recordings in stored embeddings."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.errors import ScoringError
from bob.learn.pytorch.experiment.named_embeddings import FAILED, Finder
from bob.learn.pytorch.metrics import Names, ScoreTable
from bob.learn.pytorch.protocols.formats.trial_list import read_trial_list
from bob.learn.pytorch.protocols.opening import as_database
from bob.learn.pytorch.protocols.trials import (
    file_of,
    in_common,
    self_trials,
    self_trials_note,
    trial_columns,
)
from bob.learn.pytorch.scorefiles.labels import speakers_of_labels

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from bob.learn.pytorch.protocols.listed import TrialList
    from bob.learn.pytorch.protocols.trials import (
        Database,
        Probe,
        Reference,
        Trials,
    )
    from bob.learn.pytorch.store.reading import StoredEmbeddings

    Positions = NDArray[np.int64]

_REFERENCE, _PROBE = "bio_ref_", "probe_"
#: Of score files that say nothing of speakers, the first for those that name no form.
_WITHOUT_LABELS = ("voxsrc", "kaldi", "csv")


@dataclass(frozen=True, eq=False)
class Side:
    """References, or probes.

    Attributes
    ----------
    names, subjects
        One each; in a blind list all subjects are empty.
    rows
        For each the rows of its recordings in the embeddings; `FAILED` for those that
        have none.
    metadata
        Further facts on each, by title.
    """

    names: Sequence[str]
    subjects: Sequence[str]
    rows: Sequence[Sequence[int]]
    metadata: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, eq=False)
class StoredTrials:
    """Trials, each between rows of embeddings.

    Attributes
    ----------
    references, probes
        Both sides.
    pairs
        Positions in the references and in the probes, ``(trials,)`` each, in the order
        of the list; None: every reference with every probe.
    notes
        Hints for the user, such as recordings without an embedding.
    columns
        Further facts on each trial, by title, in the order of the pairs.
    """

    references: Side
    probes: Side
    pairs: tuple[NDArray[np.int64], NDArray[np.int64]] | None
    notes: tuple[str, ...] = ()
    columns: Mapping[str, Names] = field(default_factory=dict)

    def rows_by_name(self, names: Sequence[str]) -> dict[str, int]:
        """Return the rows of the recordings of both sides that have an embedding."""
        sides = (self.references.rows, self.probes.rows)
        used = {row for side in sides for rows in side for row in rows if row >= 0}
        return {names[row]: row for row in sorted(used)}

    def __len__(self) -> int:
        if self.pairs is None:
            return len(self.references) * len(self.probes)
        return self.pairs[0].size

    @property
    def is_labelled(self) -> bool:
        """Return whether it is known which trials are of one speaker."""
        return not len(self.references) or any(self.references.subjects)

    def targets(self) -> int:
        """Count the trials of one speaker."""
        code: dict[str, int] = {}
        subjects = [
            np.array([code.setdefault(name, len(code)) for name in side.subjects], int)
            for side in (self.references, self.probes)
        ]
        if self.pairs is not None:
            left, right = (of[at] for of, at in zip(subjects, self.pairs, strict=True))
            return int(np.count_nonzero(left == right))
        left, right = (np.bincount(of, minlength=len(code)) for of in subjects)
        return int(left @ right)

    def form(self, path: Path, asked: str | None) -> str:
        """Return the form of their score file; refuse one that needs lacking labels."""
        if asked is None and path.suffix.lower() == ".csv":
            return "csv"
        if self.is_labelled:
            return asked or "five"
        if asked not in (None, *_WITHOUT_LABELS):
            raise ScoringError(
                f"these trials have no labels, and the form {asked!r} has a place for "
                f"them; choose one of {', '.join(_WITHOUT_LABELS)}",
                remedy="form",
            )
        return asked or _WITHOUT_LABELS[0]

    def table(
        self, scores: ArrayLike, first: Positions, second: Positions
    ) -> ScoreTable:
        """Return scores of trials between references and probes at these positions."""
        return ScoreTable.from_trials(
            scores,
            trials=(first, second),
            references=self.references.names,
            reference_subjects=self.references.subjects,
            probes=self.probes.names,
            probe_subjects=self.probes.subjects,
        )

    def metadata(self, first: Positions, second: Positions) -> dict[str, Names]:
        """Return what is known of each of these trials, by titles of Bob's score files.

        The references and probes at these positions have to be trials of the list if
        something is known of trials.
        """
        sides = {
            prefix + title: Names.of(values).take(at)
            for prefix, side, at in (
                (_REFERENCE, self.references, first),
                (_PROBE, self.probes, second),
            )
            for title, values in side.metadata.items()
        }
        if not self.columns:
            return sides
        at = self._places(first, second)
        return sides | {
            title: column.take(at) for title, column in self.columns.items()
        }

    def _places(self, first: Positions, second: Positions) -> Positions:
        """Return the positions of these trials in the list."""
        assert self.pairs is not None  # noqa: S101 - columns come with a list
        if first is self.pairs[0] and second is self.pairs[1]:
            return np.arange(first.size)
        codes = self.pairs[0] * len(self.probes) + self.pairs[1]
        order = np.argsort(codes, kind="stable")
        wanted = first * len(self.probes) + second
        return order[np.searchsorted(codes, wanted, sorter=order)]


def stored_trials(
    source: str | os.PathLike[str] | Database,
    embeddings: StoredEmbeddings,
    *,
    group: str | None = None,
    protocol: str | None = None,
    allow_missing: bool = False,
) -> StoredTrials:
    """Read trials, and find their recordings among embeddings.

    Parameters
    ----------
    source
        Whatever `as_database` reads. A list of pairs keeps its order and its names.
    group, protocol
        Of a source that has several.
    allow_missing
        Trials of recordings that the store does not know fail, as do those of
        recordings that it knows to have failed; otherwise they are an error.

    Raises
    ------
    DatabaseError
        The trials cannot be read; with file and line.
    ScoringError
        The store lacks recordings, or the group is missing or not said.
    """
    finder = Finder(embeddings)
    is_path = isinstance(source, str | os.PathLike)
    listed = _plain_list(Path(source), finder) if is_path else None  # type: ignore[arg-type]
    if listed is not None and protocol is None and group in (None, "dev"):
        trials = _of_list(listed, finder)
    else:
        database = as_database(source, protocol=protocol, blind=True)
        chosen = _group(database, group)
        trials = _of_database(database.trials(chosen), finder)
        trials = replace(trials, columns=trial_columns(database, chosen))
    said = source if is_path else getattr(source, "name", "the protocol")
    notes = finder.notes(said, allow_missing=allow_missing)
    return replace(trials, notes=(*notes, *_odd(trials, embeddings)))


def _odd(trials: StoredTrials, embeddings: StoredEmbeddings) -> Iterator[str]:
    """Say what makes error rates of these trials wrong, or leaves none."""
    references = _marks(trials.references, embeddings)
    probes = _marks(trials.probes, embeddings)
    first, second = self_trials(references, probes, trials.pairs)
    if first.size:
        names = trials.references.names[first[0]], trials.probes.names[second[0]]
        yield self_trials_note(first.size, *names)
    targets = trials.targets()
    for kind, count in (("target", targets), ("non-target", len(trials) - targets)):
        if trials.is_labelled and len(trials) and not count:
            yield f"there is no {kind} trial, so these scores have no error rate"


def _marks(side: Side, embeddings: StoredEmbeddings) -> list[list[Hashable]]:
    """Return what identifies the recordings of each: files, where names are paths."""
    known = cache(lambda row: file_of(embeddings.names[row]))
    return [[known(row) for row in rows if row != FAILED] for rows in side.rows]


def _plain_list(path: Path, finder: Finder) -> TrialList | None:
    """Read a list of pairs of recordings; None for everything else."""
    from bob.learn.pytorch.protocols.formats import kaldi_trials, sre

    if not path.is_file() or path.suffix.lower() == ".csv":
        return None
    if sre.is_it(path):
        return None
    listed = read_trial_list(path)
    if not kaldi_trials.is_it(path):
        return listed
    # Beside Kaldi's folders, a speaker may be enrolled with many recordings.
    return listed if all(map(finder.knows, listed.enrolled)) else None


def _of_list(listed: TrialList, finder: Finder) -> StoredTrials:
    first, second = listed.enrolled_at, listed.tested_at
    names = {
        "model": Names(listed.enrolled, first.astype(np.int32)),
        "probe": Names(listed.tested, second.astype(np.int32)),
    }
    nobody = [Names(("",), np.zeros(len(at), np.int32)) for at in (first, second)]
    speakers = (
        speakers_of_labels(listed.path, names, listed.target)
        if listed.is_labelled
        else nobody
    )
    placed = partial(os.path.join, listed.path.parent)
    sides = [
        Side(
            column.distinct,
            _one_each(column, speaker),
            [
                (row if row is not None else finder.row(name, placed(name)),)
                for name, row in finder.named(column.distinct)
            ],
        )
        for column, speaker in zip(names.values(), speakers, strict=True)
    ]
    return StoredTrials(sides[0], sides[1], (first, second))


def _one_each(names: Names, speakers: Names) -> list[str]:
    """Return the speaker of each distinct name, out of those of trials."""
    code = np.zeros(len(names.distinct), dtype=np.int64)
    code[names.codes] = speakers.codes
    return [speakers.distinct[at] for at in code.tolist()]


def _group(database: Database, group: str | None) -> str:
    groups = database.groups()
    chosen = groups[0] if group is None and len(groups) == 1 else group
    if chosen not in groups:
        asked = "none was chosen" if group is None else f"not {group!r}"
        raise ScoringError(
            f"{database.name} has the groups {', '.join(groups) or '(none)'}, and "
            f"{asked}; name one of them as group",
            remedy="group",
        )
    return chosen


def _of_database(trials: Trials, finder: Finder) -> StoredTrials:
    return StoredTrials(
        _side(trials.references, finder),
        _side(trials.probes, finder),
        None if trials.pairs is None else trials.positions(),
    )


def _side(items: Sequence[Reference | Probe], finder: Finder) -> Side:
    recordings = [item.recordings for item in items]
    titles = {title for some in recordings for item in some for title in item.metadata}
    return Side(
        [item.id for item in items],
        [item.subject for item in items],
        [
            [
                finder.row(item.key, None if item.path is None else str(item.path))
                for item in some
            ]
            for some in recordings
        ],
        {
            title: [
                in_common(item.metadata.get(title, "") for item in some)
                for some in recordings
            ]
            for title in sorted(titles)
        },
    )
