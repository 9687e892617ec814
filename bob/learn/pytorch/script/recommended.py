"""Needs of a model, by the name that stored embeddings have of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bob.learn.pytorch.store.reading import StoredEmbeddings

#: Of a model that is not known here, as of every template.
RECOMMENDED_SECONDS = 1.0


def recording_notes(
    stored: StoredEmbeddings, names: Mapping[str, int] | None = None
) -> list[str]:
    """Say which stored recordings are short, or of a lower rate, for their model.

    Parameters
    ----------
    names
        Rows of the store by name, of those that count; all by default.
    """
    from bob.learn.pytorch.audio.doubts import narrow_recordings, short_recordings

    model = stored.fingerprint.get("model", "the model")
    recommended, sample_rate = _needs_of(model)
    if names is None:
        names = {name: row for row, name in enumerate(stored.names)}
    seconds = {name: float(stored.seconds[row]) for name, row in names.items()}
    notes = short_recordings(seconds, recommended=recommended, model=model)
    if sample_rate:
        rates = {name: int(stored.sample_rates[row]) for name, row in names.items()}
        notes += narrow_recordings(rates, sample_rate=sample_rate, model=model)
    return notes


def _needs_of(model: str) -> tuple[float, int]:
    """Return recommended seconds, and the sampling rate; 0 where that is not known."""
    from bob.learn.pytorch.models.catalogue import MODELS
    from bob.learn.pytorch.templates.format.template import load, shipped

    for known in MODELS:
        if known.name == model:
            return known.recommended_seconds, known.sample_rate
    if model in shipped():
        template = load(model)
        return template.recommended_seconds, template.sample_rate
    return RECOMMENDED_SECONDS, 0
