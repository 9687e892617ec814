"""Functions as they were called before the redesign, until the next release."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bob.learn.pytorch.audio import TooLongRecording
from bob.learn.pytorch.comparing import Comparison
from bob.learn.pytorch.comparing import compare as _compare
from bob.learn.pytorch.experiment import stored_scores
from bob.learn.pytorch.experiment.backends import backend_of
from bob.learn.pytorch.experiment.stored_speakers import StoredCohort
from bob.learn.pytorch.experiment.stored_speakers import cohort_of as _cohort_of
from bob.learn.pytorch.inference.embedding import FRAMES_A_SECOND, needed_mb
from bob.learn.pytorch.inference.engine import check_choice as check
from bob.learn.pytorch.inference.engine import choose

if TYPE_CHECKING:
    from pathlib import Path

    from bob.learn.pytorch.experiment.stored_trials import StoredTrials
    from bob.learn.pytorch.models.embedder import Network
    from bob.learn.pytorch.scoring import PldaBackend
    from bob.learn.pytorch.scoring.backend import FloatArray, RowBackend
    from bob.learn.pytorch.store.reading import StoredEmbeddings

__all__ = [
    "Comparer",
    "check",
    "check_fits",
    "chosen_precision",
    "cohort_of",
    "compare",
    "score_trials",
]


def compare(extractor: Any, first: Any, second: Any) -> Comparison:  # noqa: ANN401
    """Compare two recordings: `bob.learn.pytorch.compare` with `model` first."""
    return _compare(first, second, model=extractor)


def chosen_precision(precision: str, device: str) -> str:
    """Return the precision of `bob.learn.pytorch.inference.choose`."""
    return choose("torch", precision, device)["precision"]


def check_fits(
    network: Network,
    seconds: float,
    *,
    way: str,
    cap_mb: float,
    name: str | None,
    advice: str,
) -> None:
    """Refuse a recording that needs more memory than `cap_mb`.

    Raises
    ------
    TooLongRecording
        It needs more, by `needed_mb`.
    """
    needed = needed_mb(network, frames=round(seconds * FRAMES_A_SECOND), way=way)
    if needed > cap_mb:
        raise TooLongRecording(
            f"lasts {seconds:.3g} s, for which {type(network).__name__} needs about "
            f"{needed / 1000:.3g} GB of memory, and {cap_mb / 1000:.3g} GB are "
            f"allowed: {advice}",
            recording=name,
        )


def Comparer(  # noqa: N802 - its name was a class
    measure: str = "cosine",
    plda: PldaBackend | None = None,
    enrolment: str = "mean",
    mean: FloatArray | None = None,
) -> RowBackend:
    """Return the backend of `bob.learn.pytorch.experiment.backends.backend_of`."""
    return backend_of(plda or measure, enrolment=enrolment, mean=mean)


def cohort_of(
    embeddings: StoredEmbeddings,
    *,
    kind: str = "as",
    **options: Any,  # noqa: ANN401 - those of today
) -> StoredCohort:
    """Return a cohort whose normalisation is called `kind`."""
    return _cohort_of(embeddings, normalisation=kind, **options)


def score_trials(
    trials: StoredTrials,
    embeddings: StoredEmbeddings,
    path: str | Path,
    *,
    comparer: RowBackend | None = None,
    **options: Any,  # noqa: ANN401 - those of today
) -> stored_scores.Scores:
    """Score into a file: `bob.learn.pytorch.score` with `output`."""
    backend = comparer or "cosine"
    return stored_scores.score(
        embeddings, trials, output=path, backend=backend, **options
    )
