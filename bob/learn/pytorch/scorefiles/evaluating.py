"""Evaluate score files: the door to `bob.learn.pytorch.metrics.evaluate` for paths."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from bob.learn.pytorch.errors import ScoringError
from bob.learn.pytorch.metrics import ScoreStream, ScoreTable, trial_conditions
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
    by: Sequence[str] = (),
    versus: Sequence[Place] = (),
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
        gender joins bio_ref_gender and probe_gender.
    versus
        Score files of other systems on the same trials.
    options
        See `bob.learn.pytorch.metrics.evaluate`.

    Raises
    ------
    ScoreFileError
        A line of a file does not fit: the message has its number.
    ColumnError
        There is no such column, or it does not part the trials.
    MetricError
        The other systems have other trials.

    Examples
    --------
    >>> evaluate(([3.0, 1.5, 0.5], [-2.0, 1.0, -1.0])).eer
    0.3333333333333333
    """
    others = _dev(dev, trials) if isinstance(dev, str | os.PathLike) else _table(dev)
    if not isinstance(scores, str | os.PathLike):
        return _evaluate(_table(scores), dev=others, **options)
    table, metadata = read_with_metadata(scores, trials=trials)
    return _evaluate(
        table,
        dev=others,
        conditions=_conditions(Path(scores), metadata, by),
        versus={os.fspath(path): read_scores(path, trials=trials) for path in versus},
        **options,
    )


def _table(scores: Any) -> Any:  # noqa: ANN401 - all that `evaluate` takes
    """Return the table of trials that were scored in memory; all else as it is."""
    return getattr(scores, "table", scores)


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
