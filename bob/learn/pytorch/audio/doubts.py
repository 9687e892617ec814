"""Signs that a recording holds little speech, seen without a speech detector.

Duration, sampling rate and level are looked at, nothing else. Music, babble and noise
whose level moves as that of speech does pass; so does speech of one syllable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

#: Recordings that a note names.
SHOWN = 5
_FRAME_SECONDS = 0.02
#: Of 351 recordings of read speech, the level of one varies less (it is drowned in
#: noise); that of 20 ms of white noise varies by 1 to 2 dB.
_STEADY_DB = 3.0
#: So far below its loud parts, no speech is counted; pauses make up at most 55 % there,
#: and 74 % of spoken digits.
_QUIET_DB, _MOSTLY_QUIET = 35.0, 0.8
_MOSTLY_ZEROS = 0.5
# Of less, half a second, the level says nothing.
_FEWEST_FRAMES = 25


def short_recordings(
    seconds: Mapping[str, float], *, recommended: float, model: str
) -> list[str]:
    """Say how many recordings are shorter than a model needs, and name the worst.

    Parameters
    ----------
    seconds
        Duration by name; NaN where it is not known.
    recommended
        Seconds below which an embedding of the model says little.

    Examples
    --------
    >>> short_recordings({"a": 0.3, "b": 4.0}, recommended=1.0, model="toy")
    ['1 of 2 recordings lasts less than 1 s, below which an embedding of toy says \
little: a (0.30 s)']
    """
    short = sorted((each, name) for name, each in seconds.items() if each < recommended)
    if not short:
        return []
    named = [f"{name} ({each:.2f} s)" for each, name in short[:SHOWN]]
    what = "the shortest are " if len(short) > SHOWN else ""
    verb = "lasts" if len(short) == 1 else "last"
    return [
        f"{len(short):,} of {len(seconds):,} recordings {verb} less than "
        f"{recommended:g} s, below which an embedding of {model} says little: "
        f"{what}{', '.join(named)}"
    ]


def narrow_recordings(
    rates: Mapping[str, int], *, sample_rate: int, model: str
) -> list[str]:
    """Say how many recordings have a lower sampling rate than a model was trained on.

    Parameters
    ----------
    rates
        Hertz by name; 0 where it is not known.
    sample_rate
        That of the model.

    Examples
    --------
    >>> narrow_recordings({"a": 8000, "b": 16000}, sample_rate=16000, model="toy")
    ['of 2 recordings, 1 with a sampling rate below the 16000 Hz of toy (8000 Hz): the \
band above half of it is missing, and scores are lower']
    """
    low = [rate for rate in rates.values() if 0 < rate < sample_rate]
    if not low:
        return []
    told = ", ".join(f"{rate} Hz" for rate in sorted(set(low))[:SHOWN])
    return [
        f"of {len(rates):,} recordings, {len(low):,} with a sampling rate below the "
        f"{sample_rate} Hz of {model} ({told}): the band above half of it is missing, "
        "and scores are lower"
    ]


def little_speech(samples: ArrayLike, *, rate: float) -> str:
    """Say why a recording looks as if it held little speech; empty if it does not.

    Parameters
    ----------
    samples
        ``(time,)``, not all of them equal.
    rate
        In hertz.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(0, 0.1, 32000)
    >>> little_speech(np.append(noise, np.zeros(60000)), rate=16000)
    '65 % of it is digital silence'
    >>> little_speech(noise, rate=16000)[:19]
    'its level is steady'
    """
    every = np.asarray(samples)
    size = max(1, round(_FRAME_SECONDS * rate))
    frames = every[: every.size // size * size].reshape(-1, size)
    return _doubt(frames) if len(frames) >= _FEWEST_FRAMES else ""


def _doubt(frames: NDArray[np.float64]) -> str:
    """Say the same of ``(frames, samples)``."""
    sounds = frames.max(axis=1) != frames.min(axis=1)
    zeros = 1 - np.count_nonzero(sounds) / len(frames)
    if zeros > _MOSTLY_ZEROS:
        return f"{100 * zeros:.0f} % of it is digital silence"
    energy = np.einsum("ft,ft->f", frames, frames)[sounds] / frames.shape[1]
    levels = 10 * np.log10(energy + 1e-12)
    low, high = np.percentile(levels, (5, 99))
    if high - low < _STEADY_DB:
        return (
            f"its level is steady (within {high - low:.0f} dB), as that of noise or a "
            "tone is, and of speech is not"
        )
    quiet = np.count_nonzero(levels < high - _QUIET_DB) / len(frames) + zeros
    if quiet > _MOSTLY_QUIET:
        return (
            f"{100 * quiet:.0f} % of it is silent, or {_QUIET_DB:.0f} dB and more "
            "below its loud parts"
        )
    return ""


def level_notes(doubts: Mapping[str, str]) -> list[str]:
    """Say which recordings may hold little speech; only the first are named."""
    if not doubts:
        return []
    named = [f"{name} ({why})" for name, why in list(doubts.items())[:SHOWN]]
    more = f" and {len(doubts) - SHOWN:,} more" if len(doubts) > SHOWN else ""
    return [
        f"by the level alone, {len(doubts):,} of the recordings that were read may "
        f"hold little speech: {', '.join(named)}{more}"
    ]
