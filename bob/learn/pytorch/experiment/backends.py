"""Backends that score stored embeddings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from bob.learn.pytorch.errors import ScoringError
from bob.learn.pytorch.experiment.named_embeddings import (
    refuse_other_model,
)
from bob.learn.pytorch.scoring import Plda, PldaBackend
from bob.learn.pytorch.scoring.backend import MEASURES
from bob.learn.pytorch.store import read_embeddings

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

    from bob.learn.pytorch.scoring.backend import RowBackend
    from bob.learn.pytorch.store.reading import StoredEmbeddings

    FloatArray: TypeAlias = NDArray[np.float64]


def backend_of(
    measure: PldaBackend | str | os.PathLike[str] = "cosine",
    *,
    enrolment: str = "mean",
    mean: FloatArray | None = None,
    embeddings: StoredEmbeddings | None = None,
) -> RowBackend:
    """Return the backend of a measure and an enrolment.

    Parameters
    ----------
    measure
        ``cosine``, ``euclidean``, a PLDA model, or its file ``.npz``.
    enrolment
        See `bob.learn.pytorch.scoring.backend.RowBackend`.
    mean
        ``(dimensions,)``, subtracted from all embeddings first; not for PLDA.
    embeddings
        What a PLDA model in a file has to fit.

    Raises
    ------
    ScoringError
        There is no such measure or enrolment, or they do not go together.
    """
    if not isinstance(measure, PldaBackend) and str(measure) in MEASURES:
        return MEASURES[str(measure)](enrolment=enrolment, mean=mean)
    if mean is not None:
        raise ScoringError(
            "a PLDA model brings its own mean and length normalisation; enrol by "
            "mean, scores or max, and subtract nothing"
        )
    if not isinstance(measure, PldaBackend):
        if Path(measure).suffix.lower() != ".npz":
            raise ScoringError(
                f"the measure is {str(measure)!r}; choose one of "
                f"{', '.join(MEASURES)}, or a file .npz of a PLDA model"
            )
        measure = plda_for(embeddings, measure)
    return Plda(model=measure, enrolment=enrolment)


def plda_for(
    embeddings: StoredEmbeddings | None, path: str | os.PathLike[str]
) -> PldaBackend:
    """Read a PLDA model of embeddings like these; refuse one of another length."""
    try:
        model = PldaBackend.load(Path(path))
    except ValueError as error:
        raise ScoringError(str(error)) from error
    if embeddings is None:
        return model
    wanted, given = model.projection.mean.size, embeddings.embeddings.shape[1]
    if wanted != given:
        raise ScoringError(
            f"{path} is of embeddings of {wanted} numbers, and {embeddings.path} has "
            f"{given}; train one on embeddings of the same model"
        )
    return model


def mean_of(path: str | os.PathLike[str], *, alike: StoredEmbeddings) -> FloatArray:
    """Return the mean embedding of a file of the same model: ``(dimensions,)``."""
    others = read_embeddings(path)
    refuse_other_model(alike, others)
    if not others.names:
        raise ScoringError(f"{path} holds no embedding to take a mean of")
    mean: FloatArray = others.embeddings.mean(axis=0, dtype=np.float64)
    return mean
