"""Stored embeddings and trials -> scores, raw or normalised by a cohort."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from bob.learn.pytorch.calibration.origin import Origin, write_provenance
from bob.learn.pytorch.errors import ScoringError
from bob.learn.pytorch.experiment.backends import backend_of
from bob.learn.pytorch.experiment.named_embeddings import refuse_other_model
from bob.learn.pytorch.experiment.stored_speakers import StoredCohort, cohort_of
from bob.learn.pytorch.experiment.stored_trials import Side, StoredTrials, stored_trials
from bob.learn.pytorch.files import beside, write_text
from bob.learn.pytorch.scorefiles import read_scores
from bob.learn.pytorch.scorefiles.quality import as_text, measured_sides
from bob.learn.pytorch.scorefiles.writing import write_blocks
from bob.learn.pytorch.scoring import (
    CohortNormaliser,
    Cosine,
    PldaBackend,
    magnitudes,
    score_into_file,
)
from bob.learn.pytorch.scoring.backend import PreparedRows, RowBackend
from bob.learn.pytorch.store import read_embeddings
from bob.learn.pytorch.store.reading import StoredEmbeddings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from bob.learn.pytorch.choices import Quality
    from bob.learn.pytorch.metrics import Names, ScoreTable
    from bob.learn.pytorch.protocols.trials import Database

    FloatArray: TypeAlias = NDArray[np.float64]
    Positions: TypeAlias = NDArray[np.int64]
    # Scores of some trials, and the references and probes they are of.
    Part: TypeAlias = tuple[FloatArray, Positions, Positions]

# Trials of all with all that are scored and written at a time.
TRIALS_AT_ONCE = 1 << 20


@dataclass(frozen=True, eq=False)
class Scored:
    """Scores in a file.

    Attributes
    ----------
    path
        The file; None where there is none.
    trials, failures
        Counts; failures are trials without a score.
    notes
        Hints for the user, such as recordings without an embedding.
    """

    path: Path | None
    trials: int
    failures: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Scores(Scored):
    """Scores of trials, in memory or in a file, and their origin.

    Attributes
    ----------
    provenance
        Store, trials, model, measure and normalisation, as JSON values; they stand
        beside a score file with ``.json``.
    """

    provenance: Mapping[str, Any] = field(default_factory=dict)
    known: ScoreTable | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        failed = f", {self.failures} of them nan" if self.failures else ""
        where = f" in {self.path}" if self.path else ""
        return f"<Scores of {self.trials} trials{failed}{where}>"

    @cached_property
    def table(self) -> ScoreTable:
        """Trials and scores; those of a file are read on first use."""
        if self.known is not None:
            return self.known
        assert self.path is not None  # noqa: S101 - one of both is there
        return read_scores(self.path)


def score(  # noqa: PLR0913 - all but two have a default
    store: StoredEmbeddings | str | os.PathLike[str],
    trials: StoredTrials | Database | str | os.PathLike[str],
    *,
    backend: RowBackend | PldaBackend | str | os.PathLike[str] = "cosine",
    enrolment: str = "mean",
    cohort: StoredCohort | StoredEmbeddings | str | os.PathLike[str] | None = None,
    normalisation: str | None = None,
    cohort_top: int | None = None,
    group: str | None = None,
    protocol: str | None = None,
    allow_missing: bool = False,
    output: str | os.PathLike[str] | None = None,
    form: str | None = None,
    quality: Sequence[Quality] = (),
    provenance: Mapping[str, Any] | None = None,
) -> Scores:
    """Score trials between stored embeddings; higher means more alike.

    Parameters
    ----------
    store
        Embeddings, or a file of them.
    trials
        A list, or whatever `stored_trials` reads, with ``group``, ``protocol`` and
        ``allow_missing``; what it has read; or what `read_protocol` returned.
    backend
        ``cosine`` or ``euclidean``, a PLDA model or its file ``.npz``, or a backend of
        `bob.learn.pytorch.scoring`, which brings its own enrolment.
    enrolment
        Of references of several recordings, see
        `bob.learn.pytorch.scoring.backend.RowBackend`.
    cohort
        Impostor speakers that normalise the scores: embeddings, a file of them, or a
        cohort of `cohort_of`, which brings its own normalisation.
    normalisation
        With a cohort: ``z-norm``, ``t-norm``, ``s-norm``, ``zt-norm`` or ``as-norm``,
        the default.
    cohort_top
        Number of highest cohort scores that ``as-norm`` takes. By default 300.
    output
        Score file, which is there whole or not at all, made in bounded memory where
        every reference is scored against every probe. Beside it ``<output>.json`` keeps
        the origin. None keeps the scores in memory.
    form
        Of the output, see `write_scores`; by default ``csv`` for a name that ends so,
        else ``five``, or ``voxsrc`` (``score enrolled tested``) for trials without
        labels.
    quality
        Written as columns of CSV, ``bio_ref_duration`` and ``probe_duration``, for
        calibration: ``duration`` in seconds (all enrolment together), ``magnitude`` of
        the embedding (mean of several), ``cohort_mean`` (needs a cohort).
    provenance
        Further facts on the origin.

    Returns
    -------
    Scores
        Its ``table`` has the trials with their scores ``(trials,)``, nan where a trial
        failed; ``notes`` has hints, such as recordings without an embedding.

    Raises
    ------
    UserError
        A file cannot be read, or embeddings, trials and cohort do not go together; a
        name, or a quality measure, has no place in the form.

    Examples
    --------
    >>> scores = score("voxceleb1.h5", "veri_test2.txt")  # doctest: +SKIP
    >>> scores.table.curve().equal_error_rate()  # doctest: +SKIP
    0.0213
    """
    told = {
        "store": None if isinstance(store, StoredEmbeddings) else os.fspath(store),
        "trials": os.fspath(trials) if isinstance(trials, str | os.PathLike) else None,
        "group": group,
        "protocol": protocol,
    }
    given = {name: value for name, value in told.items() if value}
    if not isinstance(store, StoredEmbeddings):
        store = read_embeddings(store)
    if not isinstance(trials, StoredTrials):
        trials = stored_trials(
            trials, store, group=group, protocol=protocol, allow_missing=allow_missing
        )
    if not isinstance(backend, RowBackend):
        backend = backend_of(backend, enrolment=enrolment, embeddings=store)
    known = _cohort(cohort, {"normalisation": normalisation, "cohort_top": cohort_top})
    scoring = _Scoring(trials, store, backend, known, {**given, **(provenance or {})})
    return scoring.scores() if output is None else scoring.write(output, form, quality)


def _cohort(
    given: StoredCohort | StoredEmbeddings | str | os.PathLike[str] | None,
    options: Mapping[str, Any],
) -> StoredCohort | None:
    asked = {name: value for name, value in options.items() if value is not None}
    if given is None and asked:
        raise ScoringError(
            f"{next(iter(asked))} is {next(iter(asked.values()))!r}, and scores are "
            "normalised by a cohort; give one, or leave this out",
            remedy="cohort",
        )
    if isinstance(given, StoredCohort) and asked:
        raise ScoringError(
            f"{next(iter(asked))} is {next(iter(asked.values()))!r}, and this cohort "
            "has its own; give it to cohort_of"
        )
    if given is None or isinstance(given, StoredCohort):
        return given
    if not isinstance(given, StoredEmbeddings):
        given = read_embeddings(given)
    if "cohort_top" in asked:
        asked["top"] = asked.pop("cohort_top")
    return cohort_of(given, **asked)


def score_everything(
    embeddings: StoredEmbeddings,
    path: str | os.PathLike[str],
    *,
    backend: RowBackend | None = None,
) -> Scored:
    """Score every recording of a store with every other: ``(recordings, recordings)``.

    Parameters
    ----------
    path
        A file ``.npy`` of float32, which may be larger than memory. Beside it are the
        names of its rows and columns, ``<path>.names``, one a line; a run that is
        killed may leave the matrix without them, and never beside those of another.
    """
    path = Path(path)
    backend = backend or Cosine()
    rows = [[row] for row in range(len(embeddings.names))]
    models = backend.probes(embeddings.embeddings, rows)

    def compare(left: FloatArray, right: FloatArray) -> FloatArray:
        return backend.matrix(
            PreparedRows(left, np.ones(len(left), np.int64)),
            PreparedRows(right, np.ones(len(right), np.int64)),
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


@dataclass(frozen=True, eq=False)
class _Scoring:
    """Trials of stored embeddings, a backend for them, and a cohort if there is one."""

    trials: StoredTrials
    embeddings: StoredEmbeddings
    backend: RowBackend
    cohort: StoredCohort | None = None
    told: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.cohort is not None:
            refuse_other_model(self.embeddings, self.cohort.embeddings)
            _ = self._normaliser  # which refuses a cohort that is too small

    @cached_property
    def _sides(self) -> tuple[PreparedRows, PreparedRows]:
        rows = self.embeddings.embeddings
        return (
            self.backend.enrol(rows, self.trials.references.rows),
            self.backend.probes(rows, self.trials.probes.rows),
        )

    @cached_property
    def _normaliser(self) -> CohortNormaliser | None:
        if self.cohort is None:
            return None
        names = self.trials.references.names, self.trials.probes.names
        return self.cohort.normaliser(self.backend, *self._sides, names)

    def parts(self) -> Iterator[Part]:
        """Score some trials at a time."""
        trials, normalise = self.trials, self._normaliser
        if trials.pairs is not None:
            rows = trials.references.rows, trials.probes.rows
            if normalise is None:
                found = self.backend.listed(
                    self.embeddings.embeddings, *rows, trials.pairs
                )
            else:
                found = self.backend.pairs(*self._sides, trials.pairs)
                found = normalise(found, pairs=trials.pairs)
            yield found, *trials.pairs
            return
        left, right = self._sides
        blocks = self.backend.blocks(left, right, at_once=TRIALS_AT_ONCE)
        for part, scores in blocks:
            if normalise is not None:
                scores = normalise(scores, part=part)  # noqa: PLW2901
            first = np.repeat(np.arange(part.start, part.stop), len(right))
            second = np.tile(np.arange(len(right)), part.stop - part.start)
            yield scores.ravel(), first, second

    def scores(self) -> Scores:
        """Score all trials in memory."""
        parts = [*self.parts(), (np.zeros(0), *np.zeros((2, 0), np.int64))]
        table = self.trials.table(*map(np.concatenate, zip(*parts, strict=True)))
        return Scores(
            None, len(table), table.failures, self.trials.notes, self.provenance(),
            table,
        )  # fmt: skip

    def write(
        self,
        output: str | os.PathLike[str],
        asked: str | None,
        quality: Sequence[Quality],
    ) -> Scores:
        """Score into a file of a form, some trials at a time."""
        path, trials = Path(output), self.trials
        form = trials.form(path, asked)
        _check_quality(quality, form=form, cohort=self.cohort)
        normaliser = self._normaliser if "cohort_mean" in quality else None
        means = normaliser.means if normaliser else None
        columns = _quality_columns(trials, self.embeddings, quality, means)
        known = replace(
            trials,
            references=_with(trials.references, columns[0]),
            probes=_with(trials.probes, columns[1]),
        )
        count = failures = 0

        def blocks() -> Iterator[tuple[ScoreTable, dict[str, Names]]]:
            nonlocal count, failures
            for scores, first, second in self.parts():
                table = known.table(scores, first, second)
                count += len(table)
                failures += table.failures
                yield table, known.metadata(first, second) if form == "csv" else {}

        write_blocks(path, blocks(), form=form)
        provenance = self.provenance()
        write_provenance(path, provenance)
        return Scores(path, count, failures, trials.notes, provenance)

    def provenance(self) -> dict[str, Any]:
        """Return the origin of the scores, as JSON values."""
        cohort, normaliser = self.cohort, self._normaliser
        of_cohort = {}
        if cohort is not None:
            of_cohort["cohort"] = str(cohort.embeddings.path)
            of_cohort["cohort_size"] = str(len(cohort.members))
        made = Origin.of_scores(
            self.embeddings.fingerprint,
            self.backend.name,
            enrolment=self.backend.enrolment,
            sizes=map(len, self.trials.references.rows),
            mean_subtracted=getattr(self.backend, "mean", None) is not None,
            normalisation=cohort.normalisation if cohort else "none",
            top=normaliser.adaptive_top if normaliser else None,
        )
        return {**made.kept, **self.told, **of_cohort}


def _check_quality(
    quality: Sequence[str], *, form: str, cohort: StoredCohort | None
) -> None:
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


def _with(side: Side, columns: Mapping[str, Sequence[str]]) -> Side:
    return Side(side.names, side.subjects, side.rows, {**side.metadata, **columns})


def _quality_columns(
    trials: StoredTrials,
    embeddings: StoredEmbeddings,
    quality: Sequence[str],
    means: tuple[FloatArray, FloatArray] | None,
) -> list[dict[str, list[str]]]:
    """Return quality measures of each reference and of each probe, as text."""
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
