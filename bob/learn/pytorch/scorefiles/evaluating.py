"""Evaluate score files: the door to `bob.learn.pytorch.metrics.evaluate` for paths."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from bob.learn.pytorch.errors import ScoringError
from bob.learn.pytorch.metrics import (
    ScoreStream,
    ScoreTable,
    find_costs,
    trial_conditions,
)
from bob.learn.pytorch.metrics import evaluate as _evaluate
from bob.learn.pytorch.scorefiles.forms import UnlabelledError
from bob.learn.pytorch.scorefiles.reading import (
    labelled_scores,
    read_scores,
    read_with_metadata,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bob.learn.pytorch.metrics import CostFunction, Evaluation, Names
    from bob.learn.pytorch.metrics.evaluation import Scores
    from bob.learn.pytorch.scorefiles.reading import ScoredTrials

    Place: TypeAlias = str | os.PathLike[str]


class ColumnError(ScoringError):
    """A column of metadata is not there, or does not part the trials."""

    parameter = "by"


def evaluate(
    scores: Scores | ScoredTrials | Place,
    *,
    trials: Place | None = None,
    dev: Scores | ScoredTrials | Place | None = None,
    by: Sequence[str] | str = (),
    versus: Sequence[Place | Scores | ScoredTrials] | Place = (),
    **options: Any,  # noqa: ANN401 - cost, calibrated, conditions, resamples, seed
) -> Evaluation:
    """Return every figure of scores, with intervals over their speakers.

    Parameters
    ----------
    scores
        A score file of any form; or a `ScoreTable`, or what `score` returned; or the
        scores of target and of non-target trials, natural log-likelihood ratios for
        actDCF and Cllr.
    trials
        A list with the labels, for files that have none.
    dev
        Other scores of the same system, which give a threshold.
    by
        Columns of a file (CSV) or of ``trials`` whose classes are evaluated each;
        gender joins bio_ref_gender and probe_gender. One may be given as a text.
    versus
        Score files of other systems on the same trials, or what `score` returned.
    options
        See `bob.learn.pytorch.metrics.evaluate`; ``cost`` may be a text for
        `find_costs`, or several.

    Raises
    ------
    ScoreFileError
        A line of a file does not fit: the message has its number.
    ColumnError
        There is no such column, or it does not part the trials.
    ScoringError
        The scores are of no such kind, or scores in memory come with what only a file
        has.
    MetricError
        The other systems have other trials.

    Examples
    --------
    >>> evaluate(([3.0, 1.5, 0.5], [-2.0, 1.0, -1.0])).eer
    0.3333333333333333
    """
    by = (by,) if isinstance(by, str) else by
    versus = (versus,) if isinstance(versus, str | os.PathLike) else versus
    if "cost" in options:
        options["cost"] = _costs(options["cost"])
    threshold_of: Any = dev
    if isinstance(dev, str | os.PathLike):
        threshold_of = _dev(dev, trials)
    elif dev is not None:
        threshold_of = _in_memory(dev, "dev")
    others = {
        os.fspath(one) if isinstance(one, str | os.PathLike) else f"system {number}":
        read_scores(one, trials=trials)
        if isinstance(one, str | os.PathLike)
        else _in_memory(one, "versus")
        for number, one in enumerate(versus, start=2)
    }  # fmt: skip
    path = scores if isinstance(scores, str | os.PathLike) else None
    if by and path is None:
        path = getattr(scores, "path", None)  # of scores that were written
    if path is not None:
        table, metadata = read_with_metadata(path, trials=trials)
        found = _conditions(Path(path), metadata, by)
        if found:
            options["conditions"] = found
    else:
        _refuse_for_memory(by, trials, (dev, *versus))
        table = _in_memory(scores, "scores")
    return _evaluate(table, dev=threshold_of, versus=others, **options)


def _refuse_for_memory(
    by: Sequence[str], trials: Place | None, others: Sequence[object]
) -> None:
    """Refuse what only files have, of scores in memory."""
    if by:
        raise ColumnError(
            f"scores in memory have no column {by[0]}; write them into a CSV file, "
            "and evaluate that"
        )
    if trials is not None and not any(isinstance(x, str | os.PathLike) for x in others):
        raise ScoringError(
            f"the list of trials {os.fspath(trials)} has labels for a score file, and "
            "scores in memory have their own; leave it out, or give the path of a file",
            parameter="trials",
        )


def _in_memory(scores: Any, parameter: str) -> Any:  # noqa: ANN401 - any kind
    """Return a table of trials, or the scores of target and of non-target trials."""
    if isinstance(scores, ScoreTable):
        return scores
    if isinstance(getattr(scores, "table", None), ScoreTable):
        return scores.table
    try:
        kinds = [np.asarray(one, dtype=np.float64) for one in scores]
    except (TypeError, ValueError):
        kinds = []
    if len(kinds) != 2 or not all(kind.ndim for kind in kinds):
        raise ScoringError(
            f"{parameter} came as {type(scores).__name__} {scores!r:.60}; expected a "
            "score file, what `score` returned, or the scores of target and of "
            "non-target trials: (targets, non_targets)",
            parameter=parameter,
        )
    return tuple(kinds)


def _costs(given: Any) -> Any:  # noqa: ANN401 - texts, or costs
    """Return detection costs, of texts such as "p0.05" too."""
    if isinstance(given, str):
        return find_costs(given)
    if isinstance(given, list | tuple):
        return tuple(_costs(one) for one in given)
    return given


def evaluate_in_bounded_memory(
    path: Place, *, trials: Place | None = None, cost: CostFunction | None = None
) -> Evaluation:
    """Return the figures of a score file of any length, without intervals.

    A list of its trials has the labels, where the file has none.

    Raises
    ------
    ScoreFileError
        A line does not fit: the message has its number.
    """
    with ScoreStream() as stream:
        for scores, is_target in labelled_scores(path, trials=trials):
            stream.add_trials(scores, is_target)
        return stream.evaluation(cost=cost)


def _dev(path: Place, trials: Place | None) -> ScoreTable:
    """Read scores that give a threshold; the list may be of the other trials."""
    try:
        return read_scores(path, trials=trials)
    except UnlabelledError:
        if trials is None:
            raise
        return read_scores(path)


def _conditions(
    path: Path, metadata: Mapping[str, Names], wanted: Sequence[str]
) -> dict[str, Names]:
    """Return the class of each trial, of the columns that were asked for."""
    found: dict[str, Names] = {}
    for name in wanted:
        titles = [name, f"bio_ref_{name}", f"probe_{name}"]
        columns = {title: metadata[title] for title in titles if title in metadata}
        if not columns:
            raise ColumnError(
                f"{path} has no column {name}; it has "
                f"{', '.join(metadata) or 'no columns beside those of its trials'}; a "
                "protocol with such a column may be given as the list of trials"
            )
        classes = trial_conditions(columns, by_name=True)
        if not classes:
            raise ColumnError(
                f"the column {name} of {path} does not part its trials into classes: "
                "it has one value, or more than 12 that are no numbers; give a column "
                "of numbers, or of fewer classes"
            )
        found.update(classes)
    return found
