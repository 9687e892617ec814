"""How long recordings last, mostly without decoding them."""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from bob.learn.pytorch.audio import RecordingError, files
from bob.learn.pytorch.audio.doubts import narrow_recordings, short_recordings
from bob.learn.pytorch.audio.files import NO_LENGTH_SAMPLES
from bob.learn.pytorch.experiment.components import OF_THE_RECORDING
from bob.learn.pytorch.experiment.configuration import ConfigurationError
from bob.learn.pytorch.files import is_same, source_of, write_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
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
    """Duration of each recording in seconds, by its key.

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
    before = _read(remembered)
    found: dict[str, float] = {}
    learnt: dict[str, list[Any]] = {}
    for recording in recordings:
        known_of, known = _remembered(before.get(recording.key))
        path = recording.path
        source = "" if path is None else source_of(path, known=known_of)
        gone = path is not None and not source
        seconds = 0.0
        if known and (gone or (is_same(known_of, source) and not force)):
            seconds = known
        else:
            seconds = _seconds(recording, database)
        if seconds > 0:
            found[recording.key] = seconds
        if seconds > 0 and source not in ("", known_of):
            learnt[recording.key] = [source, seconds]
    if learnt:
        write_text(remembered, json.dumps({**before, **learnt}))
    return found


def short_notes(component: object, recordings: Sequence[Recording]) -> list[str]:
    """Say which recordings are short, or of a lower rate, for the model of a component.

    Headers of files are read, and nothing is said of what a database loads itself, or
    of a component that says nothing of its model.
    """
    model = getattr(component, "model", None)
    recommended = getattr(model, "recommended_seconds", None)
    if model is None or recommended is None:
        return []
    seconds: dict[str, float] = {}
    rates: dict[str, int] = {}
    for recording in recordings:
        if recording.path is None or recording.own_loader:
            continue
        with suppress(RecordingError):
            length, rate, _ = files.info(recording.path)
            if length * rate < NO_LENGTH_SAMPLES:
                seconds[recording.key], rates[recording.key] = length, rate
    return [
        *short_recordings(seconds, recommended=recommended, model=model.name),
        *narrow_recordings(rates, sample_rate=model.sample_rate, model=model.name),
    ]


def _read(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError) as error:
        logger.warning("%s cannot be read (%s) and is written anew", path, error)
        return {}
    return content if isinstance(content, dict) else {}


def _remembered(entry: object) -> tuple[str, float]:
    """Return what a file held, as `source_of` says it, and the duration in seconds."""
    if not isinstance(entry, list) or len(entry) != 2:
        return "", 0.0
    of, seconds = entry
    if isinstance(of, dict):  # of before there were hashes
        of = f"{of.get('size')} {of.get('changed')}"
    return str(of), float(seconds)


def _seconds(recording: Recording, database: Database) -> float:
    """Zero for what cannot be read, of which the preprocessor tells."""
    try:
        if recording.path is not None and not recording.own_loader:
            return _of_file(recording.path)
        return _of_samples(recording, database)
    except OF_THE_RECORDING as error:
        if isinstance(error, ConfigurationError):
            raise
        logger.info("the duration of %s is not known: %s", recording.key, error)
        return 0.0


def _of_file(path: Path) -> float:
    seconds, rate, _ = files.info(path)
    if seconds * rate < NO_LENGTH_SAMPLES:
        return seconds
    return files.read(path, channel="mix").seconds


def _of_samples(recording: Recording, database: Database) -> float:
    """Of what a database loads in its own way."""
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
    return float(np.shape(samples)[-1] / rate)
