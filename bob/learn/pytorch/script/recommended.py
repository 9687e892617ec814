"""Notes on stored recordings that are too short or too narrow for their model."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bob.learn.pytorch.store.reading import StoredEmbeddings


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
    from bob.learn.pytorch.preprocessor.audio.loading import needs_of

    model = stored.fingerprint.get("model", "the model")
    recommended, sample_rate = needs_of(model)
    if names is None:
        names = {name: row for row, name in enumerate(stored.names)}
    seconds = {name: float(stored.seconds[row]) for name, row in names.items()}
    notes = short_recordings(seconds, recommended=recommended, model=model)
    if sample_rate:
        rates = {name: int(stored.sample_rates[row]) for name, row in names.items()}
        notes += narrow_recordings(rates, sample_rate=sample_rate, model=model)
    return notes
