"""The stages that compare references with probes and write score files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bob.learn.pytorch.experiment import cohort, stored, trial_quality
from bob.learn.pytorch.experiment.configuration import ConfigurationError
from bob.learn.pytorch.experiment.fingerprint import digest
from bob.learn.pytorch.experiment.normalising import row_normaliser
from bob.learn.pytorch.experiment.score_origin import origin
from bob.learn.pytorch.files import beside, write_text
from bob.learn.pytorch.protocols.trials import Probe, Reference, Trials
from bob.learn.pytorch.scorefiles.quality import Measured, write_measures
from bob.learn.pytorch.scorefiles.writing import provenance_file, write_provenance

if TYPE_CHECKING:
    from pathlib import Path

    from bob.learn.pytorch.experiment.algorithms import Scorer
    from bob.learn.pytorch.experiment.experiment import Experiment, Vectors
    from bob.learn.pytorch.experiment.normalising import RowNormaliser

_PREVIOUS = ".previous"
#: Stands for the reference in lines; no name has it.
_SUBJECT = "\0"
_UNFINISHED = "unfinished"

#: Scores held in memory at once when every reference meets every probe.
_SCORES_AT_ONCE = 4_000_000


def compute(
    experiment: Experiment,
    group: str,
    trials: Trials,
    models: dict[str, Any],
    vectors: Vectors,
    seconds: Mapping[str, float],
) -> None:
    """Write one score file a reference: its probes in their order.

    With a normalisation, the normalised scores go to files of their own. Quality
    measures that the calibration asks for are written beside; ``seconds`` are the
    durations of recordings, by their keys.
    """
    probes = [usable(probe, vectors) for probe in trials.probes]
    good = np.array([bool(rows) for rows in probes], dtype=bool)
    scorer = experiment.algorithm.against([rows for rows in probes if rows])
    writers = [_Writer(kind, group, trials) for kind in experiment.kinds()]
    normalise = None
    if experiment.normalisation is not None:
        normalise = row_normaliser(
            experiment.normalisation,
            cohort.known(experiment.normalisation.cohorts[group], experiment, vectors),
            algorithm=experiment.algorithm,
            models=models,
            scorer=scorer,
            good=good,
            probe_names=[item.id for item in trials.probes],
            cohort_name=experiment.normalisation.cohorts[group].name,
        )
    blocks = (
        _dense(scorer, trials, models, good)
        if trials.pairs is None
        else _sparse(scorer, trials.references, trials.pairs, models, good)
    )
    for reference, chosen, values in blocks:
        writers[0].write(reference, chosen, values)
        if normalise is not None:
            normalised = normalise(reference.id, chosen, values)
            writers[1].write(reference, chosen, normalised)
    found = _measured(experiment, trials, vectors, seconds, normalise)
    for writer in writers:
        writer.finish(found)


def _measured(
    experiment: Experiment,
    trials: Trials,
    vectors: Vectors,
    seconds: Mapping[str, float],
    normaliser: RowNormaliser | None,
) -> Measured | None:
    """Quality measures that the calibration asks for; None if there are none."""
    how = experiment.calibration
    if how is None or not how.quality:
        return None
    means = None
    if normaliser is not None and "cohort_mean" in how.quality:
        means = normaliser.means([item.id for item in trials.references])
    return trial_quality.measure(
        trials, how.quality, vectors=vectors, seconds=seconds, means=means
    )


class _Writer:
    """Writes the score files of the references of a group."""

    def __init__(self, experiment: Experiment, group: str, trials: Trials) -> None:
        self._experiment, self._group, self._trials = experiment, group, trials
        self._made_by = experiment.layout.made_by(group)
        # What a line says of a probe is the same for every reference, and formatting
        # all lines of one at once takes half as long as one by one.
        self._lines = [
            f"{_SUBJECT} {_literal(probe.subject)} {_literal(probe.id)} %.8f\n"
            for probe in trials.probes
        ]
        self._all_lines = "".join(self._lines)
        self._written: set[Path] = set()
        # Until all are written, they are nobody's: a run may be killed in between.
        write_text(self._made_by, _UNFINISHED)

    def write(
        self, reference: Reference, chosen: Sequence[int], values: NDArray[np.float64]
    ) -> None:
        """Write the scores of a reference against the chosen probes."""
        lines = (
            self._all_lines
            if isinstance(chosen, range)
            else "".join([self._lines[index] for index in chosen])
        ).replace(_SUBJECT, _literal(reference.subject))
        path = self._experiment.layout.model_scores(self._group, reference.id)
        write_text(path, lines % tuple(values.tolist()))
        self._written.add(path)

    def finish(self, measured: Measured | None) -> None:
        """Remove what is of no reference, and say what made the rest."""
        layout = self._experiment.layout
        if measured is None:
            layout.measures(self._group).unlink(missing_ok=True)
        else:
            write_measures(measured, layout.measures(self._group))
        folder = layout.scores / self._group
        for path in folder.rglob("*.txt"):
            if path not in self._written:  # of a reference that is no more
                path.unlink()
        made_by = fingerprint(self._experiment, self._group, self._trials)
        write_text(self._made_by, made_by)


def fingerprint(experiment: Experiment, group: str, trials: Trials) -> str:
    """What determines the scores of a group: algorithm, references and probes."""
    layout = experiment.layout
    references = [
        stored.fingerprint(layout.model(group, item.id)) for item in trials.references
    ]
    probes = [
        stored.fingerprint(layout.stored(layout.extracted, recording.key))
        for probe in trials.probes
        for recording in probe.recordings
    ]
    made_by = [experiment.algorithm.scoring(), references, probes]
    if experiment.normalisation is not None:
        made_by.append(cohort.fingerprint(experiment.normalisation, group, experiment))
    return digest(made_by)


def refuse_outdated(experiment: Experiment, group: str, trials: Trials) -> None:
    """Refuse to leave out the computation of scores that do not fit any more.

    Raises
    ------
    ConfigurationError
        If another algorithm, or other references or probes made them, or the
        calibration asks for quality measures that they were made without.
    """
    path = experiment.layout.made_by(group)
    if path.exists() and path.read_text() != fingerprint(experiment, group, trials):
        raise ConfigurationError(
            f"score-computation is left out, but the scores in {path.parent} were made "
            "by another algorithm, from other references or probes, or not to the end; "
            "run without --skip-score-computation"
        )
    how = experiment.calibration
    if how is not None and how.quality and "calibration" not in experiment.skip:
        trial_quality.read_measures(experiment.layout.measures(group), how.quality)


def set_aside(experiment: Experiment, *, names: Sequence[str]) -> None:
    """Rename the results of an earlier run, so that they do not stand for this one's.

    They are there as ``<name>.previous`` until this run has results of its own.
    """
    for path in _results(experiment, names):
        if path.exists():
            path.replace(path.with_name(path.name + _PREVIOUS))


def restore_previous(experiment: Experiment, *, names: Sequence[str]) -> None:
    """Give what was set aside its name back."""
    for path in _results(experiment, names):
        previous = path.with_name(path.name + _PREVIOUS)
        if previous.exists() and not path.exists():
            previous.replace(path)


def forget_previous(experiment: Experiment, *, names: Sequence[str]) -> None:
    """Remove what was set aside."""
    for path in _results(experiment, names):
        path.with_name(path.name + _PREVIOUS).unlink(missing_ok=True)


def _results(experiment: Experiment, names: Sequence[str]) -> list[Path]:
    layout = experiment.layout
    groups = [
        path
        for group in experiment.groups
        for file in (layout.group_scores(group), layout.calibrated_scores(group))
        for path in (file, provenance_file(file))
    ]
    return [*groups, layout.calibration(), *(layout.scores / name for name in names)]


def _literal(name: str) -> str:
    """A name in a % template."""
    return name.replace("%", "%%")


def usable(probe: Probe, vectors: Vectors) -> list[NDArray[np.float64]]:
    """The features of a probe's recordings that have some."""
    return [vectors[item.key] for item in probe.recordings if item.key in vectors]


#: A reference, the positions of its probes, and their scores.
Block = tuple[Reference, Sequence[int], NDArray[np.float64]]


def _dense(
    scorer: Scorer, trials: Trials, models: dict[str, Any], good: NDArray[np.bool_]
) -> Iterator[Block]:
    """Every reference against every probe, many references in one product."""
    everyone = range(len(trials.probes))
    enrolled = [item for item in trials.references if item.id in models]
    at_once = max(1, _SCORES_AT_ONCE // max(1, len(trials.probes)))
    for start in range(0, len(enrolled), at_once):
        part = enrolled[start : start + at_once]
        block = scorer([models[item.id] for item in part], None)
        for reference, row in zip(part, block, strict=True):
            values = np.full(len(good), np.nan)
            values[good] = row
            yield reference, everyone, values
    for reference in trials.references:
        if reference.id not in models:
            yield reference, everyone, np.full(len(good), np.nan)


def _sparse(
    scorer: Scorer,
    references: Sequence[Reference],
    pairs: Sequence[NDArray[np.int64]],
    models: dict[str, Any],
    good: NDArray[np.bool_],
) -> Iterator[Block]:
    """Each reference against the probes that the protocol names for it."""
    # Position of each probe among the usable ones, which alone the scorer knows.
    position = np.cumsum(good) - 1
    for reference, indices in zip(references, pairs, strict=True):
        values = np.full(len(indices), np.nan)
        usable = good[indices]
        if reference.id in models and usable.any():
            chosen = position[indices[usable]]
            values[usable] = scorer([models[reference.id]], chosen)[0]
        yield reference, indices.tolist(), values


def concatenate(experiment: Experiment, group: str, trials: Trials) -> Path:
    """Join the files of all references, sorted by id, into the group's score file.

    Beside it, ``<score file>.json`` says what made it.
    """
    target = experiment.layout.group_scores(group)
    with (
        beside(target) as place,
        place.open("w", encoding="utf-8", errors="surrogateescape") as joined,
    ):
        for reference in sorted(trials.references, key=lambda item: item.id):
            path = experiment.layout.model_scores(group, reference.id)
            try:
                text = path.read_text("utf-8", "surrogateescape")
            except FileNotFoundError as error:
                raise ConfigurationError(
                    f"the scores of reference {reference.id} are not in {path}; "
                    "compute them first: run without --skip-score-computation"
                ) from error
            joined.write(
                _with_model(text, reference.id) if experiment.five_columns else text
            )
    write_provenance(target, origin(experiment, group, trials))
    return target


def _with_model(text: str, model: str) -> str:
    lines = (line.split(" ", 1) for line in text.splitlines())
    return "".join(f"{claimed} {model} {rest}\n" for claimed, rest in lines)
