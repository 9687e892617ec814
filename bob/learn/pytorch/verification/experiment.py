"""An experiment from recordings to score files, stage by stage.

Read :func:`run` first. Every stage looks at what an earlier run has stored and
computes what is missing, outdated (by its fingerprint) or forced.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bob.learn.pytorch.atomic import write_text
from bob.learn.pytorch.verification import enrolment, features, scores
from bob.learn.pytorch.verification.outcome import (
    BadRecordingsError,
    Failure,
    Outcome,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from bob.learn.pytorch.verification.algorithms import Algorithm
    from bob.learn.pytorch.verification.components import Extraction, Preprocessing
    from bob.learn.pytorch.verification.database import Database, Recording, Trials
    from bob.learn.pytorch.verification.layout import Layout

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Experiment:
    """Everything that a run needs, decided beforehand.

    Attributes
    ----------
    skip
        Stages to leave out, by their names in
        :data:`bob.learn.pytorch.verification.options.STAGES`.
    force
        Compute anew what is already stored.
    allow_missing
        Score without the recordings that cannot be used.
    five_columns
        Group score files carry the reference's id as second column.
    """

    database: Database
    preprocessing: Preprocessing
    extraction: Extraction
    algorithm: Algorithm
    layout: Layout
    groups: tuple[str, ...] = ("dev",)
    skip: frozenset[str] = frozenset()
    force: bool = False
    allow_missing: bool = False
    five_columns: bool = False


def tasks(experiment: Experiment) -> list[str]:
    """The stages that :func:`run` would execute, in order."""
    once = ["preprocessing", "extraction"]
    by_group = ["enrollment", "score-computation", "concatenation"]
    named = once + [
        f"{stage} of group {group}" for group in experiment.groups for stage in by_group
    ]
    return [name for name in named if name.split(" ")[0] not in experiment.skip]


def run(experiment: Experiment) -> Outcome:
    """Run an experiment, using what an earlier or interrupted run has finished.

    Returns
    -------
    Outcome
        Where the scores are and which recordings failed.

    Raises
    ------
    BadRecordingsError
        Before anything is scored, with all recordings that cannot be used,
        unless the experiment allows them.
    """
    outcome = Outcome()
    trials = {group: experiment.database.trials(group) for group in experiment.groups}
    recordings = _recordings(trials.values())
    if "preprocessing" not in experiment.skip:
        features.preprocess(experiment, recordings, outcome)
    if "extraction" not in experiment.skip:
        features.extract(experiment, recordings, outcome)
    _judge_failures(experiment, outcome)
    if experiment.skip >= {"enrollment", "score-computation"}:
        _concatenate(experiment, trials, outcome)
        return outcome

    vectors = features.load(experiment, recordings, outcome)
    _judge_failures(experiment, outcome)
    for group in experiment.groups:
        models = enrolment.enrol(experiment, group, trials[group], vectors, outcome)
        if "score-computation" not in experiment.skip:
            scores.compute(experiment, group, trials[group], models, vectors)
    _concatenate(experiment, trials, outcome)
    return outcome


def _concatenate(
    experiment: Experiment, trials: dict[str, Trials], outcome: Outcome
) -> None:
    if "concatenation" in experiment.skip:
        return
    for group in experiment.groups:
        outcome.score_files[group] = scores.concatenate(
            experiment, group, trials[group]
        )


def _recordings(groups: Iterable[Trials]) -> list[Recording]:
    """Every recording of the groups once, in the order of their first use."""
    by_key: dict[str, Recording] = {}
    for trials in groups:
        for recording in trials.recordings():
            by_key.setdefault(recording.key, recording)
    return list(by_key.values())


def _judge_failures(experiment: Experiment, outcome: Outcome) -> None:
    listed_in = experiment.layout.results / "failures.tsv"
    failures = list(outcome.failures.values())
    _list_failures(listed_in, failures)
    if failures and not experiment.allow_missing:
        raise BadRecordingsError(failures, listed_in)


def _list_failures(path: Path, failures: Iterable[Failure]) -> None:
    lines = [
        "\t".join((item.key, str(item.path or ""), item.stage, _one_line(item.reason)))
        for item in failures
    ]
    if lines:
        heading = "recording\tpath\tstage\treason"
        write_text(path, "\n".join((heading, *lines)) + "\n")
    else:
        path.unlink(missing_ok=True)


def _one_line(text: str) -> str:
    return " ".join(text.split())
