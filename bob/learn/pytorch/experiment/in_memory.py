"""Scores of trials from embeddings that are in memory, without files in between."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.experiment.algorithms import NAMED
from bob.learn.pytorch.metrics import ScoreTable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    from bob.learn.pytorch.protocols.trials import Probe, Reference, Trials


def score_trials(
    trials: Trials, embeddings: Mapping[str, ArrayLike], *, algorithm: str = "cosine"
) -> ScoreTable:
    """Score every trial, as verify.py would.

    Parameters
    ----------
    embeddings
        ``(dimensions,)`` by key of the recording. Recordings without one are left out
        of references and probes; what has none left scores NaN.
    algorithm
        Its name; see `bob.learn.pytorch.experiment.algorithms.NAMED`.
    """
    similarity = NAMED[algorithm]
    usable = [_rows(probe, embeddings) for probe in trials.probes]
    scorer = similarity.against([rows for rows in usable if rows])
    # Where a usable probe stands among those that the scorer knows.
    place = np.cumsum([bool(rows) for rows in usable]) - 1
    good = np.array([bool(rows) for rows in usable], dtype=bool)
    everything = np.arange(len(trials.probes))
    pairs = trials.pairs or [everything] * len(trials.references)
    scores = []
    for reference, probes in zip(trials.references, pairs, strict=True):
        values = np.full(len(probes), np.nan)
        rows = _rows(reference, embeddings)
        known = good[probes]
        if rows and known.any():
            model = similarity.enrol(rows)
            values[known] = scorer([model], place[probes[known]])[0]
        scores.append(values)
    counts = [len(probes) for probes in pairs]
    return ScoreTable.from_trials(
        np.concatenate(scores),
        trials=(np.repeat(np.arange(len(counts)), counts), np.concatenate(pairs)),
        references=[item.id for item in trials.references],
        reference_subjects=[item.subject for item in trials.references],
        probes=[item.id for item in trials.probes],
        probe_subjects=[item.subject for item in trials.probes],
    )


def _rows(
    item: Reference | Probe, embeddings: Mapping[str, ArrayLike]
) -> list[NDArray[np.float64]]:
    """(1, dimensions) of each recording that has an embedding."""
    keys = [recording.key for recording in item.recordings]
    return [
        np.asarray(embeddings[key], dtype=np.float64)[np.newaxis]
        for key in keys
        if key in embeddings
    ]
