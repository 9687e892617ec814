"""Quality measures of the references and probes of a group, kept beside its scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from bob.learn.pytorch.errors import ScoringError
from bob.learn.pytorch.experiment.configuration import ConfigurationError
from bob.learn.pytorch.scorefiles import quality
from bob.learn.pytorch.scorefiles.quality import Measured, measured_sides
from bob.learn.pytorch.scoring import magnitudes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from bob.learn.pytorch.experiment.experiment import Vectors
    from bob.learn.pytorch.metrics import ScoreTable
    from bob.learn.pytorch.protocols.trials import Probe, Recording, Reference, Trials

    FloatArray: TypeAlias = NDArray[np.float64]


def measure(
    trials: Trials,
    measures: Sequence[str],
    *,
    vectors: Vectors,
    seconds: Mapping[str, float],
    means: tuple[FloatArray, FloatArray] | None = None,
) -> Measured:
    """Measure references and probes as `bob pytorch score --quality` does.

    Parameters
    ----------
    measures
        ``duration`` in seconds (all recordings together), ``magnitude`` of the
        embedding (mean of several), ``cohort_mean``.
    vectors
        By key of the recording; those that cannot be used are absent.
    seconds
        Durations, by key of the recording.
    means
        What each reference, and each probe, scores against the cohort on average.

    Raises
    ------
    ConfigurationError
        The duration of a recording that is used is not known.
    """

    def side(
        items: Sequence[Reference | Probe], mean: FloatArray | None
    ) -> dict[str, dict[str, float]]:
        used = [[r for r in item.recordings if r.key in vectors] for item in items]
        if "duration" in measures:
            _require_durations([r for part in used for r in part], seconds)
        keys = [[recording.key for recording in part] for part in used]
        lengths = {}
        if "magnitude" in measures:
            lengths = {
                key: float(magnitudes(vectors[key]).mean())
                for part in keys
                for key in part
            }
        columns = measured_sides(
            measures, keys, seconds=seconds, lengths=lengths, means=mean
        )
        ids = [item.id for item in items]
        return {
            name: dict(zip(ids, column, strict=True))
            for name, column in columns.items()
        }

    of_references, of_probes = means or (None, None)
    return Measured(side(trials.references, of_references),
                    side(trials.probes, of_probes))  # fmt: skip


def _require_durations(used: Sequence[Recording], seconds: Mapping[str, float]) -> None:
    unknown = [recording for recording in used if recording.key not in seconds]
    if unknown:
        first = unknown[0]
        raise ConfigurationError(
            f"how long {len(unknown)} of the recordings last cannot be told, such as "
            f"{first.path or first.key}; leave duration out of calibration_quality"
        )


def read_measures(path: Path, measures: Sequence[str]) -> Measured:
    """Read some of the measures that a run has written beside its scores.

    Raises
    ------
    ConfigurationError
        The file is not there, lacks a measure, or is something else.
    """
    try:
        return quality.read_measures(path, measures)
    except ScoringError as error:
        raise ConfigurationError(str(error)) from error


def of_trials(
    found: Measured, table: ScoreTable, trials: Trials, *, path: Path
) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Measures of the reference and of the probe of each line of a score file.

    Parameters
    ----------
    table
        The score file: trials by the sorted ids of the references, and for each of
        these in the order of its probes.
    path
        Of the score file, for messages.

    Returns
    -------
    dict
        Measure -> ``(trials,)`` and ``(trials,)``.

    Raises
    ------
    ConfigurationError
        The measures, or the score file, are of other trials.
    """
    ids = [item.id for item in trials.probes]
    first, second = _positions(trials)
    if not _are_probes(table, ids, second):
        raise ConfigurationError(
            f"{path} is not of the trials of the database, so it cannot be told which "
            "recordings its scores are of; run without --skip-concatenation"
        )
    references = [item.id for item in trials.references]
    try:
        return {
            name: (
                np.array([found.references[name][item] for item in references])[first],
                np.array([found.probes[name][item] for item in ids])[second],
            )
            for name in found.references
        }
    except KeyError as error:
        raise ConfigurationError(
            f"of {error} in {path} there are no quality measures; run without "
            "--skip-score-computation"
        ) from error


def _positions(trials: Trials) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Of the reference and of the probe of each trial, as score files are sorted."""
    names = [item.id for item in trials.references]
    order = sorted(range(len(names)), key=names.__getitem__)
    everyone = np.arange(len(trials.probes), dtype=np.int64)
    chosen = [everyone if trials.pairs is None else trials.pairs[at] for at in order]
    counts = [len(part) for part in chosen]
    return np.repeat(np.array(order, dtype=np.intp), counts), np.concatenate(chosen)


def _are_probes(table: ScoreTable, ids: list[str], second: NDArray[np.int64]) -> bool:
    if len(table) != second.size:
        return False
    code = {name: at for at, name in enumerate(dict.fromkeys(ids))}
    expected = np.array([code[name] for name in ids])[second]
    there = np.array([code.get(name, -1) for name in table.probe.distinct])
    return bool((there[table.probe.codes] == expected).all())
