"""Embeddings and trials -> score files, raw or normalised by a cohort."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np

from bob.learn.pytorch.errors import ScoringError
from bob.learn.pytorch.experiment.cohort_scores import AgainstCohort
from bob.learn.pytorch.experiment.comparer import Comparer, Models
from bob.learn.pytorch.experiment.named_embeddings import refuse_other_model
from bob.learn.pytorch.experiment.stored_trials import Side, StoredTrials
from bob.learn.pytorch.files import beside, write_text
from bob.learn.pytorch.scorefiles.quality import as_text, measured_sides
from bob.learn.pytorch.scorefiles.writing import write_blocks, write_provenance
from bob.learn.pytorch.scoring import magnitudes, score_into_file

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from bob.learn.pytorch.experiment.cohort_scores import Cohort, Normaliser
    from bob.learn.pytorch.metrics import Names, ScoreTable
    from bob.learn.pytorch.store.reading import StoredEmbeddings

    FloatArray: TypeAlias = NDArray[np.float64]
    Positions: TypeAlias = NDArray[np.int64]
    # Scores of some trials, and which references and probes they are of.
    Part: TypeAlias = tuple[FloatArray, Positions, Positions]

Quality: TypeAlias = Literal["duration", "magnitude", "cohort_mean"]
QUALITIES = get_args(Quality)

# Trials of all with all that are scored and written at a time.
TRIALS_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Scored:
    """What was written.

    Attributes
    ----------
    path
        The score file; beside it, with ``.json``, is where its scores come from.
    trials, failures
        Counts; failures are trials without a score.
    notes
        What a user should know.
    """

    path: Path
    trials: int
    failures: int
    notes: tuple[str, ...] = ()


def score_trials(
    trials: StoredTrials,
    embeddings: StoredEmbeddings,
    path: str | os.PathLike[str],
    *,
    comparer: Comparer | None = None,
    cohort: Cohort | None = None,
    form: str | None = None,
    quality: Sequence[Quality] = (),
    provenance: Mapping[str, Any] | None = None,
) -> Scored:
    """Score trials into a file, in bounded memory where all meet all.

    Parameters
    ----------
    path
        Is there whole or not at all; beside it ``<path>.json`` says what made it.
    comparer
        The measure; by default the cosine.
    cohort
        Normalises the scores.
    form
        See `write_scores`; by default ``csv`` for a name that ends so, else ``five``,
        or ``voxsrc`` (``score enrolled tested``) for trials without labels.
    quality
        Written as columns of CSV, ``bio_ref_duration`` and ``probe_duration``, for
        calibration: ``duration`` in seconds (all enrolment together), ``magnitude`` of
        the embedding (mean of several), ``cohort_mean`` (needs a cohort).
    provenance
        Kept in the file beside.

    Raises
    ------
    ScoringError
        The cohort does not fit, or the form has no place for quality measures.
    ScoreFileError
        A name does not fit into the form.
    """
    path = Path(path)
    comparer = comparer or Comparer()
    form = trials.form(path, form)
    _check_quality(quality, form=form, cohort=cohort)
    parts, means = _parts(trials, embeddings, comparer, cohort, quality)
    columns = _quality_columns(trials, embeddings, quality, means)
    known = replace(
        trials,
        references=_with(trials.references, columns[0]),
        probes=_with(trials.probes, columns[1]),
    )
    count = failures = 0

    def blocks() -> Iterator[tuple[ScoreTable, dict[str, Names]]]:
        nonlocal count, failures
        for scores, first, second in parts:
            table = known.table(scores, first, second)
            count += len(table)
            failures += table.failures
            yield table, known.metadata(first, second) if form == "csv" else {}

    write_blocks(path, blocks(), form=form)
    sizes = sorted({len(rows) for rows in trials.references.rows})
    enrolled = f"{sizes[0]} to {sizes[-1]}" if sizes[1:] else str(*sizes)
    told = {"enrolment recordings": enrolled, **(provenance or {})}
    _write_provenance(path, embeddings, comparer, cohort, told)
    return Scored(path, count, failures, trials.notes)


def _parts(
    trials: StoredTrials,
    embeddings: StoredEmbeddings,
    comparer: Comparer,
    cohort: Cohort | None,
    quality: Sequence[Quality],
) -> tuple[Iterator[Part], tuple[FloatArray, FloatArray] | None]:
    """Return scores a part at a time, and cohort means if they are asked for."""
    rows = trials.references.rows, trials.probes.rows
    if cohort is None and trials.pairs is not None:
        scores = comparer.listed(embeddings.embeddings, *rows, trials.pairs)
        return iter([(scores, *trials.pairs)]), None
    left = comparer.references(embeddings.embeddings, rows[0])
    right = comparer.probes(embeddings.embeddings, rows[1])
    statistics = means = None
    if cohort is not None:
        refuse_other_model(embeddings, cohort.embeddings)
        names = trials.references.names, trials.probes.names
        against = AgainstCohort(comparer, left, right, cohort, names)
        statistics = against.normaliser()
        if "cohort_mean" in quality:
            means = against.means
    return _scored(trials, comparer, (left, right), statistics), means


def score_everything(
    embeddings: StoredEmbeddings,
    path: str | os.PathLike[str],
    *,
    comparer: Comparer | None = None,
) -> Scored:
    """Every recording of a store with every other: ``(recordings, recordings)``.

    Parameters
    ----------
    path
        A file ``.npy`` of float32, which may be larger than memory. Beside it are the
        names of its rows and columns, ``<path>.names``, one a line; a run that is
        killed may leave the matrix without them, and never beside those of another.
    """
    path = Path(path)
    comparer = comparer or Comparer()
    rows = [[row] for row in range(len(embeddings.names))]
    models = comparer.probes(embeddings.embeddings, rows)

    def compare(left: FloatArray, right: FloatArray) -> FloatArray:
        return comparer.dense(
            Models(left, np.ones(len(left), np.int64)),
            Models(right, np.ones(len(right), np.int64)),
        )

    if not rows:
        raise ScoringError(f"{embeddings.path} holds no embedding to compare")
    broken = [name for name in embeddings.names if len(name.splitlines()) > 1]
    if broken:
        raise ScoringError(
            f"{embeddings.path} holds {broken[0]!r}, whose line break would make two "
            "lines of its name beside the matrix; rename the recording"
        )
    names = Path(f"{path}.names")
    # Names of another matrix would be taken for those of this one. So the old ones go
    # before the new matrix comes, and the new ones, written by then, come last.
    with beside(names) as list_of_names:
        write_text(list_of_names, "".join(f"{name}\n" for name in embeddings.names))
        with beside(path) as matrix:
            score_into_file(models.rows, models.rows, path=matrix, score=compare)
            names.unlink(missing_ok=True)
    lost = int(np.isnan(models.rows).any(axis=1).sum())
    failed = len(rows) ** 2 - (len(rows) - lost) ** 2
    return Scored(path, len(rows) ** 2, failed, (f"names of rows: {names}",))


def _check_quality(quality: Sequence[str], *, form: str, cohort: Cohort | None) -> None:
    if quality and form != "csv":
        raise ScoringError(
            f"quality measures are columns of CSV, and the form is {form}; let the "
            "name of the file end in .csv"
        )
    if "cohort_mean" in quality and cohort is None:
        raise ScoringError(
            "cohort_mean is the mean score against a cohort, and there is none; "
            "normalise by one (score-norm)"
        )


def _scored(
    trials: StoredTrials,
    comparer: Comparer,
    sides: tuple[Models, Models],
    statistics: Normaliser | None,
) -> Iterator[Part]:
    """Some trials at a time."""
    left, right = sides
    if trials.pairs is not None:
        scores = comparer.pairs(left, right, trials.pairs)
        if statistics is not None:
            scores = statistics(scores, trials.pairs)
        yield scores, *trials.pairs
        return
    height = max(1, TRIALS_AT_ONCE // max(1, len(right)))
    for start in range(0, len(left), height):
        stop = min(start + height, len(left))
        scores = comparer.dense(left.take(start, stop), right)
        if statistics is not None:
            scores = statistics.part(start, stop)(scores, None)
        first = np.repeat(np.arange(start, stop), len(right))
        second = np.tile(np.arange(len(right)), stop - start)
        yield scores.ravel(), first, second


def _with(side: Side, columns: Mapping[str, Sequence[str]]) -> Side:
    return Side(side.names, side.subjects, side.rows, {**side.metadata, **columns})


def _quality_columns(
    trials: StoredTrials,
    embeddings: StoredEmbeddings,
    quality: Sequence[str],
    means: tuple[FloatArray, FloatArray] | None,
) -> list[dict[str, list[str]]]:
    """Quality of each reference and of each probe, as text."""
    if not quality:
        return [{}, {}]
    seconds = embeddings.seconds.tolist()
    lengths = (
        magnitudes(embeddings.embeddings).tolist() if "magnitude" in quality else []
    )
    found = []
    for side, mean in zip(
        (trials.references, trials.probes), means or (None, None), strict=True
    ):
        usable = [[row for row in rows if row >= 0] for rows in side.rows]
        columns = measured_sides(
            quality, usable, seconds=seconds, lengths=lengths, means=mean
        )
        found.append(
            {name: list(map(as_text, column)) for name, column in columns.items()}
        )
    return found


def _write_provenance(
    path: Path,
    embeddings: StoredEmbeddings,
    comparer: Comparer,
    cohort: Cohort | None,
    provenance: Mapping[str, Any],
) -> None:
    told: dict[str, Any] = {
        "made_by": dict(embeddings.fingerprint),
        "measure": comparer.name,
        "enrolment": comparer.enrolment,
        "mean_subtracted": comparer.mean is not None,
        "normalisation": "none",
        **provenance,
    }
    if cohort is not None:
        top = cohort.adaptive_top
        told["normalisation"] = cohort.kind + (f", top {top}" if top else "")
        told["cohort"] = str(cohort.embeddings.path)
        told["cohort_size"] = str(len(cohort.groups()))
    write_provenance(path, told)
