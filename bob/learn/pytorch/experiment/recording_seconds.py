"""Durations of recordings, mostly without decoding them."""

from __future__ import annotations

import json
import logging
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bob.learn.pytorch.audio import files
from bob.learn.pytorch.audio.doubts import narrow_recordings, short_recordings
from bob.learn.pytorch.audio.files import NO_LENGTH_SAMPLES
from bob.learn.pytorch.experiment.components import OF_THE_RECORDING
from bob.learn.pytorch.experiment.configuration import ConfigurationError
from bob.learn.pytorch.files import is_same, remembered_source, write_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from bob.learn.pytorch.protocols.trials import Database, Recording

logger = logging.getLogger(__name__)


def recording_seconds(
    recordings: Sequence[Recording],
    *,
    database: Database,
    remembered: Path,
    force: bool = False,
) -> dict[str, float]:
    """Return the duration of each recording in seconds, by its key.

    Taken from the header of its file. What cannot be read, or lasts no time, is absent.

    Parameters
    ----------
    database
        Loads the recordings that only it can load, which are decoded for this.
    remembered
        File of the durations that were found before: one counts as long as its
        recording has not changed, and where the recording is there no more.
    force
        Look at every recording that is there.

    Raises
    ------
    ConfigurationError
        A recording has no file, and nothing says its sampling rate.
    """
    found = _lengths(recordings, partial(_length, database), remembered, force=force)
    return {key: length.seconds for key, length in found.items()}


def short_notes(
    component: object, recordings: Sequence[Recording], *, remembered: Path
) -> list[str]:
    """Say which recordings are short, or of a lower rate, for the model of a component.

    Headers of files are read once, and nothing is said of what a database loads itself,
    or of a component that says nothing of its model.

    Parameters
    ----------
    remembered
        As that of `recording_seconds`.
    """
    model = getattr(component, "model", None)
    recommended = getattr(model, "recommended_seconds", None)
    if model is None or recommended is None:
        return []
    plain = [
        item for item in recordings if item.path is not None and not item.own_loader
    ]
    found = {
        key: length
        for key, length in _lengths(plain, _of_header, remembered, rates=True).items()
        if length.rate
    }
    seconds = {key: length.seconds for key, length in found.items()}
    rates = {key: length.rate for key, length in found.items()}
    return [
        *short_recordings(seconds, recommended=recommended, model=model.name),
        *narrow_recordings(rates, sample_rate=model.sample_rate, model=model.name),
    ]


class _Length(NamedTuple):
    """Seconds and hertz of a recording; 0 hertz where no header says both."""

    seconds: float = 0.0
    rate: int = 0


def _lengths(
    recordings: Sequence[Recording],
    look: Callable[[Recording], _Length],
    remembered: Path,
    *,
    rates: bool = False,
    force: bool = False,
) -> dict[str, _Length]:
    """Return the lengths that are known, or found by looking, and remember them.

    With `rates`, a recording is looked at whose rate is not remembered.
    """
    before = _read(remembered)
    found: dict[str, _Length] = {}
    learnt: dict[str, list[Any]] = {}
    for recording in recordings:
        known_of, known = _remembered(before.get(recording.key))
        path = recording.path
        source = "" if path is None else remembered_source(path, known=known_of)
        gone = path is not None and not source
        serves = known.seconds and (known.rate or not rates)
        if not (serves and (gone or (is_same(known_of, source) and not force))):
            known, known_of = _looked_at(recording, look), ""
        if known.seconds > 0:
            found[recording.key] = known
            if source not in ("", known_of):
                learnt[recording.key] = [source, *known]
    if learnt:
        write_text(remembered, json.dumps({**before, **learnt}))
    return found


def _looked_at(recording: Recording, look: Callable[[Recording], _Length]) -> _Length:
    """Return zeros for what cannot be read, of which the preprocessor tells."""
    try:
        return look(recording)
    except OF_THE_RECORDING as error:
        if isinstance(error, ConfigurationError):
            raise
        logger.info("the duration of %s is not known: %s", recording.key, error)
        return _Length()


def _read(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError) as error:
        logger.warning("%s cannot be read (%s) and is written anew", path, error)
        return {}
    return content if isinstance(content, dict) else {}


def _remembered(entry: object) -> tuple[str, _Length]:
    """Return what a file held, as `source_of` says it, and its length."""
    if not isinstance(entry, list) or len(entry) not in (2, 3):
        return "", _Length()
    of, seconds, *rate = entry
    if isinstance(of, dict):  # of before there were hashes
        of = f"{of.get('size')} {of.get('changed')}"
    return str(of), _Length(float(seconds), *map(int, rate))


def _length(database: Database, recording: Recording) -> _Length:
    if recording.path is None or recording.own_loader:
        return _of_samples(recording, database)
    found = _of_header(recording)
    if found.rate:
        return found
    return _Length(files.read(recording.path, channel="mix").seconds)


def _of_header(recording: Recording) -> _Length:
    """Return zeros where the header does not say how long the recording is."""
    assert recording.path is not None  # noqa: S101 - the callers have looked
    seconds, rate, _ = files.info(recording.path)
    return _Length(seconds, rate) if seconds * rate < NO_LENGTH_SAMPLES else _Length()


def _of_samples(recording: Recording, database: Database) -> _Length:
    """Ask what a database loads in its own way."""
    source: Any = recording.source
    if hasattr(source, "make_path"):
        directory, extension = database.original_directory, database.original_extension
        rate, samples = source.load(directory, extension)
    else:
        rate = getattr(source, "rate", None)
        if rate is None:
            raise ConfigurationError(
                f"how long {recording.key} lasts cannot be told: the database "
                f"{database.name} names no file of it, and no sampling rate; leave "
                "duration out of calibration_quality"
            )
        samples = source.data
    return _Length(float(np.shape(samples)[-1] / rate))
