"""An experiment from recordings to score files, stage by stage.

Read :func:`run` first. Every stage looks at what an earlier run has stored and
computes what is missing, outdated (by its fingerprint) or forced.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bob.learn.pytorch.errors import ScoringError
from bob.learn.pytorch.experiment import stored
from bob.learn.pytorch.experiment.cohort import cohort_recordings
from bob.learn.pytorch.experiment.components import Preprocessing
from bob.learn.pytorch.experiment.configuration import ConfigurationError
from bob.learn.pytorch.experiment.dev_calibration import calibrate_from_dev
from bob.learn.pytorch.experiment.experiment import BadRecordingsError, Outcome
from bob.learn.pytorch.experiment.features import load as load_features
from bob.learn.pytorch.experiment.features import make as make_features
from bob.learn.pytorch.experiment.fingerprint import digest
from bob.learn.pytorch.experiment.recording_seconds import (
    recording_seconds,
    short_notes,
)
from bob.learn.pytorch.experiment.scores import (
    PreviousResults,
    compute,
    concatenate,
    refuse_outdated,
)
from bob.learn.pytorch.files import clear_up, locked
from bob.learn.pytorch.protocols.trials import (
    DatabaseError,
    self_trials_notes,
    with_trials,
)
from bob.learn.pytorch.scorefiles.failures import read_failures, write_failures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from bob.learn.pytorch.experiment.experiment import Experiment, Vectors
    from bob.learn.pytorch.protocols.trials import (
        Database,
        Recording,
        Reference,
        Trials,
    )

logger = logging.getLogger(__name__)

#: What a report of the scores leaves beside them.
REPORT_FILES = ("report.json", "report.txt", "det.png")


def tasks(experiment: Experiment) -> list[str]:
    """Return the stages that are executed, in order."""
    by_group = ("enrollment", "score-computation", "concatenation")
    named = [
        "preprocessing",
        "extraction",
        *(
            f"{stage} of group {group}"
            for group in experiment.groups
            for stage in by_group
        ),
        *(["calibration"] if experiment.calibration is not None else []),
        "report",
    ]
    return [name for name in named if name.split(" ")[0] not in experiment.skip]


def run(
    experiment: Experiment, *, finish: Callable[[Outcome], object] | None = None
) -> Outcome:
    """Run an experiment, using what an earlier or interrupted run has finished.

    Parameters
    ----------
    finish
        Called with the outcome while no other run can touch the files, for example
        to report the scores.

    Returns
    -------
    Outcome
        Where the scores are and which recordings failed.

    Raises
    ------
    BadRecordingsError
        Before anything is scored, with all recordings that cannot be used,
        unless the experiment allows them and others are left.
    ConfigurationError, ScoringError
        If a stage is left out whose result is not there or is outdated.
    DatabaseError
        If two recordings would share a file.
    """
    folder = experiment.layout.temporary
    # Two runs do not write into each other's files; the second waits.
    told = f"another run works in {folder}; waiting until it ends"
    with locked(folder / ".lock", waiting=told, level=logging.WARNING):
        clear_up(folder)
        clear_up(experiment.layout.results)
        try:
            outcome = _run(experiment)
        except (ConfigurationError, ScoringError):
            # Nothing was computed: the results of the run before it still stand.
            for kind in experiment.kinds():
                PreviousResults(kind, REPORT_FILES).restore()
            raise
        if finish is not None:
            finish(outcome)
        return outcome


def _run(experiment: Experiment) -> Outcome:
    outcome = Outcome()
    for note in getattr(experiment.database, "notes", ()):
        logger.info("%s: %s", experiment.database.name, note)
    trials = {group: _trials(experiment.database, group) for group in experiment.groups}
    recordings = _one_file_each(
        item for group in trials.values() for item in group.recordings()
    )
    seconds = _durations(experiment, recordings)
    joins = "concatenation" not in experiment.skip
    if joins:
        for kind in experiment.kinds():
            PreviousResults(kind, REPORT_FILES).set_aside()
    cohort_members = _make_all_features(experiment, recordings, outcome)
    if experiment.skip >= {"enrollment", "score-computation"}:
        _remember_failures(experiment, outcome)
    else:
        _score(experiment, trials, [recordings, cohort_members], outcome, seconds)
    for kind in experiment.kinds():
        outcome.files_of(kind).update(_joined(kind, trials))
    if joins:
        for kind in experiment.kinds():
            PreviousResults(kind, REPORT_FILES).forget()
    _calibrate(experiment, outcome)
    return outcome


def _calibrate(experiment: Experiment, outcome: Outcome) -> None:
    if experiment.calibration is None or "calibration" in experiment.skip:
        return
    for kind in experiment.kinds():
        calibrate_from_dev(kind, outcome.files_of(kind), experiment.calibration)


def _durations(
    experiment: Experiment, recordings: Sequence[Recording]
) -> Mapping[str, float]:
    """Return seconds by key, if the calibration asks for them."""
    how = experiment.calibration
    wanted = how is not None and "duration" in how.quality
    if not wanted or "score-computation" in experiment.skip:
        return {}
    return recording_seconds(
        recordings,
        database=experiment.database,
        remembered=experiment.layout.durations(),
        force=experiment.force,
    )


def _joined(experiment: Experiment, trials: Mapping[str, Trials]) -> dict[str, Path]:
    """Return the score file of each group, as far as there is one."""
    files = {}
    for group in experiment.groups:
        path = experiment.layout.group_scores(group)
        if "score-computation" in experiment.skip:
            refuse_outdated(experiment, group, trials[group])
        if "concatenation" not in experiment.skip:
            concatenate(experiment, group, trials[group])
        if path.exists():
            files[group] = path
    return files


def _trials(database: Database, group: str) -> Trials:
    protocol = f"{database.protocol} of {database.name}"
    trials = database.trials(group)
    for note in self_trials_notes(trials):
        logger.warning("group %s: %s", group, note)
    return with_trials(trials, group=group, protocol=protocol, files="the database")


def _make_all_features(
    experiment: Experiment, recordings: Sequence[Recording], outcome: Outcome
) -> list[Recording]:
    """Features of the trials and of the cohorts; returns the cohorts' recordings."""
    make_features(experiment, recordings, outcome)
    cohort_members: list[Recording] = []
    how = experiment.normalisation
    for database, members in cohort_recordings(how, experiment) if how else ():
        of_cohort = replace(
            experiment,
            preprocessing=Preprocessing(experiment.preprocessing.component, database),
        )
        made = Outcome()
        _one_file_each([*recordings, *members])
        make_features(of_cohort, members, made)
        outcome.add(made)
        cohort_members += members
    if not experiment.skip >= {"preprocessing", "extraction"}:
        _judge_failures(experiment, [recordings, cohort_members], outcome)
    return cohort_members


def _score(
    experiment: Experiment,
    trials: Mapping[str, Trials],
    parts: Sequence[Sequence[Recording]],
    outcome: Outcome,
    seconds: Mapping[str, float],
) -> None:
    outcome.notes += getattr(experiment.database, "doubts", ())
    if hasattr(experiment.preprocessing.component, "model"):
        outcome.notes += short_notes(
            experiment.preprocessing.component,
            parts[0],
            remembered=experiment.layout.durations(),
        )
    for note in outcome.notes:
        logger.warning("%s", note)
    everyone = {item.key: item for part in parts for item in part}
    vectors = load_features(experiment, list(everyone.values()), outcome)
    _judge_failures(experiment, parts, outcome)
    for group in experiment.groups:
        models = enrol(experiment, group, trials[group], vectors, outcome)
        if "score-computation" not in experiment.skip:
            compute(experiment, group, trials[group], models, vectors, seconds)


def enrol(
    experiment: Experiment,
    group: str,
    trials: Trials,
    vectors: Vectors,
    outcome: Outcome,
) -> dict[str, Any]:
    """Enrol every reference of a group from its usable recordings, by id.

    References without any are absent, and so are their files.
    """
    models: dict[str, Any] = {}
    for reference in trials.references:
        path = experiment.layout.model(group, reference.id)
        keys = [item.key for item in reference.recordings if item.key in vectors]
        _tell_of_missing(group, reference, len(keys), outcome)
        if "enrollment" in experiment.skip:
            if keys:
                models[reference.id] = _left_before(experiment, path, keys)
        elif keys:
            models[reference.id] = _enrolled(experiment, path, keys, vectors)
        else:
            path.unlink(missing_ok=True)
    return models


def _left_before(experiment: Experiment, path: Path, keys: list[str]) -> Any:
    """Read a reference of an earlier run."""
    present = stored.fingerprint(path)
    if present is None:
        raise ConfigurationError(
            f"enrollment is left out, but there is no reference in {path}; run without "
            "--skip-enrollment"
        )
    if present not in ("", _fingerprint(experiment, keys)):
        raise ConfigurationError(
            f"enrollment is left out, but {path} was enrolled from other embeddings or "
            "by another algorithm; run without --skip-enrollment"
        )
    if not stored.is_whole(path):
        raise ConfigurationError(
            f"enrollment is left out, but {path} is damaged; run without "
            "--skip-enrollment"
        )
    return experiment.algorithm.read_model(path)


def _fingerprint(experiment: Experiment, keys: list[str]) -> str:
    layout = experiment.layout
    # The vectors are read from these files, so their fingerprints say it all.
    made_from = [
        stored.fingerprint(layout.stored(layout.extracted, key)) for key in keys
    ]
    by = experiment.algorithm.fingerprint()
    return digest({"from": made_from, "algorithm": by})


def _enrolled(
    experiment: Experiment, path: Path, keys: list[str], vectors: Vectors
) -> Any:
    algorithm = experiment.algorithm
    fingerprint = _fingerprint(experiment, keys)
    is_there = not experiment.force and stored.fingerprint(path) == fingerprint
    if is_there and stored.is_whole(path):
        return algorithm.read_model(path)
    model = algorithm.enrol([vectors[key] for key in keys])
    with stored.writing(path, fingerprint) as place:
        algorithm.write_model(model, place)
    return model


def _tell_of_missing(
    group: str, reference: Reference, used: int, outcome: Outcome
) -> None:
    named = len(reference.recordings)
    if used == named:
        return
    outcome.weakened[f"{group}/{reference.id}"] = (used, named)
    if used:
        logger.warning(
            "reference %s of group %s is enrolled from %d of its %d recordings, since "
            "the others cannot be used",
            reference.id,
            group,
            used,
            named,
        )
    else:
        logger.warning(
            "reference %s of group %s has no usable recording: its scores are nan",
            reference.id,
            group,
        )


def _one_file_each(recordings: Iterable[Recording]) -> list[Recording]:
    """Every recording once, in the order of first use, refusing two of one key."""
    by_key: dict[str, Recording] = {}
    for recording in recordings:
        first = by_key.setdefault(recording.key, recording)
        if first.path != recording.path:
            raise DatabaseError(
                f"two recordings are called {recording.key!r}, one in each group: "
                f"{first.path} and {recording.path}; their embeddings would take "
                "each other's place, so give them different keys"
            )
    return list(by_key.values())


def _judge_failures(
    experiment: Experiment, parts: Sequence[Sequence[Recording]], outcome: Outcome
) -> None:
    """Parts are the recordings of the trials, and those of cohorts."""
    listed_in = _list_of_failures(experiment)
    failures = list(outcome.failures.values())
    if failures:
        write_failures(listed_in, failures)
    else:
        listed_in.unlink(missing_ok=True)
    nothing_left = any(
        part and all(item.key in outcome.failures for item in part) for part in parts
    )
    if nothing_left or (failures and not experiment.allow_missing):
        total = len({item.key for part in parts for item in part})
        raise BadRecordingsError(failures, listed_in, total=total)


def _list_of_failures(experiment: Experiment) -> Path:
    return experiment.layout.results / "failures.tsv"


def _remember_failures(experiment: Experiment, outcome: Outcome) -> None:
    """Count those that failed before, where no recording was looked at."""
    path = _list_of_failures(experiment)
    if not outcome.failures:
        outcome.failures |= {item.key: item for item in read_failures(path)}
