"""Stages that compare references with probes and write score files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bob.learn.pytorch.calibration.origin import (
    Origin,
    provenance_file,
    write_provenance,
)
from bob.learn.pytorch.experiment import stored
from bob.learn.pytorch.experiment.algorithms import NAMED, Algorithm, Similarity
from bob.learn.pytorch.experiment.cohort import (
    fingerprint,
    normaliser_of,
)
from bob.learn.pytorch.experiment.configuration import ConfigurationError
from bob.learn.pytorch.experiment.experiment import usable_vectors
from bob.learn.pytorch.experiment.fingerprint import digest
from bob.learn.pytorch.files import beside, write_text
from bob.learn.pytorch.metrics import ScoreTable
from bob.learn.pytorch.models.errors import WeightsError
from bob.learn.pytorch.scorefiles.quality import (
    Measured,
    measure,
    read_measures,
    write_measures,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

    from bob.learn.pytorch.experiment.components import Preprocessing
    from bob.learn.pytorch.experiment.experiment import Experiment, Vectors
    from bob.learn.pytorch.protocols.trials import Reference, Trials
    from bob.learn.pytorch.scoring import CohortNormaliser
    from bob.learn.pytorch.scoring.backend import FloatArray, Pairs, Prepared

_PREVIOUS = ".previous"
#: Stands for the reference in lines; no name has it.
_SUBJECT = "\0"
_UNFINISHED = "unfinished"
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")

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
    measures that the calibration asks for are written beside.
    """
    algorithm = experiment.algorithm
    sides = _sides(algorithm, trials, models, vectors)
    writers = [_Writer(kind, group, trials) for kind in experiment.kinds()]
    normaliser = None
    if experiment.normalisation is not None:
        normaliser = normaliser_of(
            experiment.normalisation, experiment, group, trials, vectors, sides
        )
    for part, raw, pairs in _scored(algorithm, trials, sides):
        kinds = [raw]
        if normaliser is not None:
            kinds.append(normaliser(raw, pairs=pairs, part=part))
        for writer, scores in zip(writers, kinds, strict=True):
            for row in _rows(trials, part, scores):
                writer.write(*row)
    measured = _measured(experiment, trials, vectors, seconds, normaliser)
    for writer in writers:
        writer.finish(measured)


def _measured(
    experiment: Experiment,
    trials: Trials,
    vectors: Vectors,
    seconds: Mapping[str, float],
    normaliser: CohortNormaliser | None,
) -> Measured | None:
    """Measure the quality that the calibration asks for, None if it asks for none."""
    how = experiment.calibration
    if how is None or not how.quality:
        return None
    means = None
    if normaliser is not None and "cohort_mean" in how.quality:
        means = normaliser.means
    return measure(trials, how.quality, vectors=vectors, seconds=seconds, means=means)


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
        made_by = _fingerprint(self._experiment, self._group, self._trials)
        write_text(self._made_by, made_by)


def _fingerprint(experiment: Experiment, group: str, trials: Trials) -> str:
    """Return what determines the scores: algorithm, references and probes."""
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
        made_by.append(fingerprint(experiment.normalisation, group, experiment))
    return digest(made_by)


def refuse_outdated(experiment: Experiment, group: str, trials: Trials) -> None:
    """Refuse to leave out the computation of scores that do not fit any more."""
    path = experiment.layout.made_by(group)
    if path.exists() and path.read_text() != _fingerprint(experiment, group, trials):
        raise ConfigurationError(
            f"score-computation is left out, but the scores in {path.parent} were made "
            "by another algorithm, from other references or probes, or not to the end; "
            "run without --skip-score-computation"
        )
    how = experiment.calibration
    if how is not None and how.quality and "calibration" not in experiment.skip:
        read_measures(experiment.layout.measures(group), how.quality)


@dataclass(frozen=True)
class PreviousResults:
    """Results of an earlier run, so that they do not stand for those of this one.

    They are there as ``<name>.previous`` until this run has results of its own.
    """

    experiment: Experiment
    names: Sequence[str]

    def set_aside(self) -> None:
        """Give results of the usual names another one."""
        for path in self._paths():
            if path.exists():
                path.replace(path.with_name(path.name + _PREVIOUS))

    def restore(self) -> None:
        """Give the results that were set aside their names back."""
        for path in self._paths():
            previous = path.with_name(path.name + _PREVIOUS)
            if previous.exists() and not path.exists():
                previous.replace(path)

    def forget(self) -> None:
        """Remove the results that were set aside."""
        for path in self._paths():
            path.with_name(path.name + _PREVIOUS).unlink(missing_ok=True)

    def _paths(self) -> list[Path]:
        layout = self.experiment.layout
        files = [
            path
            for group in self.experiment.groups
            for file in (layout.group_scores(group), layout.calibrated_scores(group))
            for path in (file, provenance_file(file))
        ]
        reports = (layout.scores / name for name in self.names)
        return [*files, layout.calibration(), *reports]


def _literal(name: str) -> str:
    """Escape a name for a % template."""
    return name.replace("%", "%%")


def _sides(
    algorithm: Algorithm,
    trials: Trials,
    models: Mapping[str, Any],
    vectors: Mapping[str, Any],
) -> tuple[Prepared, Prepared]:
    """Prepare references, of which models are known by their ids, and probes."""
    return (
        algorithm.references([models.get(item.id) for item in trials.references]),
        algorithm.probes([usable_vectors(probe, vectors) for probe in trials.probes]),
    )


def _scored(
    algorithm: Algorithm, trials: Trials, sides: tuple[Prepared, Prepared]
) -> Iterator[tuple[slice, FloatArray, Pairs | None]]:
    """Score all with all, some references at a time, or all listed pairs at once."""
    if trials.pairs is not None:
        pairs = trials.positions()
        yield slice(None), algorithm.pairs(*sides, pairs), pairs
        return
    for part, scores in algorithm.blocks(*sides, at_once=_SCORES_AT_ONCE):
        yield part, scores, None


def _rows(
    trials: Trials, part: slice, scores: FloatArray
) -> Iterator[tuple[Reference, Sequence[int], FloatArray]]:
    """Yield each reference, the positions of its probes, and their scores."""
    everyone = range(len(trials.probes))
    if trials.pairs is None:
        for reference, row in zip(trials.references[part], scores, strict=True):
            yield reference, everyone, row
        return
    start = 0
    for reference, chosen in zip(trials.references, trials.pairs, strict=True):
        yield reference, chosen.tolist(), scores[start : start + len(chosen)]
        start += len(chosen)


def score_trials(trials: Trials, embeddings: Mapping[str, ArrayLike]) -> ScoreTable:
    """Score trials of embeddings in memory by cosines, as verify.py would.

    Parameters
    ----------
    embeddings
        ``(dimensions,)`` by key of the recording. Recordings without one are left out
        of references and probes; trials of nothing else score NaN.
    """
    algorithm = NAMED["cosine"]
    vectors = {
        key: np.asarray(row, dtype=np.float64)[np.newaxis]
        for key, row in embeddings.items()
    }
    models = {
        item.id: algorithm.enrol(rows)
        for item in trials.references
        if (rows := usable_vectors(item, vectors))
    }
    sides = _sides(algorithm, trials, models, vectors)
    found = [scores.ravel() for _, scores, _ in _scored(algorithm, trials, sides)]
    return ScoreTable.from_trials(
        np.concatenate(found),
        trials=trials.positions(),
        references=[item.id for item in trials.references],
        reference_subjects=[item.subject for item in trials.references],
        probes=[item.id for item in trials.probes],
        probe_subjects=[item.subject for item in trials.probes],
    )


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
            if experiment.five_columns:
                lines = (line.split(" ", 1) for line in text.splitlines())
                text = "".join(
                    f"{claimed} {reference.id} {rest}\n" for claimed, rest in lines
                )
            joined.write(text)
    write_provenance(target, origin(experiment, group, trials))
    return target


def origin(experiment: Experiment, group: str, trials: Trials) -> dict[str, Any]:
    """Return what `write_provenance` keeps of the scores of a group, as JSON values.

    The experiment is that of the raw scores, or of the normalised ones; see `kinds`.
    """
    database, algorithm = experiment.database, experiment.algorithm
    enrolled_by = None
    if isinstance(algorithm, Similarity):
        enrolled_by = algorithm.engine.enrolment
    normalised: dict[str, Any] = {}
    if (how := experiment.normalisation) is not None:
        cohort = how.cohorts[group]
        of_cohort = {"cohort": cohort.name, "cohort_size": str(len(cohort.probes))}
        normalised = {"normalisation": how.method, "top": how.top, "cohort": of_cohort}
    made = Origin.of_scores(
        _made_by(experiment.preprocessing),
        _measure(experiment),
        enrolment=enrolled_by,
        sizes=[len(reference.recordings) for reference in trials.references],
        **normalised,
    )
    return {
        **made.kept,
        "database": database.name,
        "protocol": str(database.protocol),
        "group": group,
    }


def _made_by(preprocessing: Preprocessing) -> dict[str, str]:
    """Return the fingerprint of an extractor, as stores of embeddings have it."""
    component = preprocessing.component
    if not getattr(component, "embeds_in_batches", False):
        return {"model": named(component)}
    try:
        # Kept by the preprocessing: hashing large weights takes seconds.
        own = preprocessing.made_by()["own"]
    except WeightsError:  # they are not here, and the embeddings are
        return {"model": component.model.name}
    # What names a file stands there with its state.
    return {key: item[0] if isinstance(item, list) else item
            for key, item in own.items()}  # fmt: skip


def _measure(experiment: Experiment) -> str:
    """``cosine`` is that of the embeddings themselves, which other commands compute."""
    algorithm = experiment.algorithm
    plain = (
        isinstance(algorithm, Similarity)
        and algorithm.measure == "cosine"
        and (algorithm.scale, algorithm.offset) == (1.0, 0.0)
    )
    measure = "cosine" if plain else named(algorithm)
    extractor, layout = experiment.extraction.component, experiment.layout
    if layout.extracted == layout.preprocessed or _changes_nothing(extractor):
        return measure
    return f"{measure} of what {named(extractor)} makes"


def _changes_nothing(extractor: Any) -> bool:
    """Return whether it is ``CallableExtractor(lambda x: x)``, by its code."""
    function = getattr(extractor, "callable", None)
    code = getattr(function, "__code__", None)
    return code is not None and code.co_code == (lambda x: x).__code__.co_code


def named(component: object) -> str:
    """Return a component in words, without its place in memory, which changes."""
    return _ADDRESS.sub("", str(component))
