"""How much memory a recording needs that is embedded whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bob.learn.pytorch.audio.recording import TooLongRecording

if TYPE_CHECKING:
    from bob.learn.pytorch.embedder import Network

FRAMES_A_SECOND = 100
# Growth of the process for 240, 600 and 900 s of recording, with the network in float32
# and its front end in float64, on a CPU.
MB_A_SECOND = {"DltResNet": 2.6, "ResNet": 5.0, "CAMPPlus": 3.1}
# Of a network that has not been measured.
LARGEST_MB_A_SECOND = max(MB_A_SECOND.values())


def needed_mb(network: Network, *, frames: int) -> float:
    """Memory that a recording needs which is embedded whole, beside the network.

    Examples
    --------
    >>> from bob.learn.pytorch.architectures import CAMPPlus
    >>> needed_mb(CAMPPlus(), frames=60_000)
    1860.0
    """
    from bob.learn.pytorch.embedder import place_of

    slope = MB_A_SECOND.get(type(network).__name__, LARGEST_MB_A_SECOND)
    _, precision = place_of(network)
    values = max(1.0, precision.itemsize / 4)  # of float32
    return slope * values * frames / FRAMES_A_SECOND


def check_fits(
    network: Network, seconds: float, *, cap_mb: float, name: str | None, advice: str
) -> None:
    """Refuse a recording that needs more memory than it may.

    Parameters
    ----------
    network
        That it would go through as a whole.
    seconds
        Duration of the recording.
    cap_mb
        How much it may need.
    name
        Of the recording, for the message.
    advice
        The next step, for the message.

    Raises
    ------
    TooLongRecording
        It needs more.
    """
    needed = needed_mb(network, frames=round(seconds * FRAMES_A_SECOND))
    if needed <= cap_mb:
        return
    raise TooLongRecording(
        f"lasts {_duration(seconds)}, for which {type(network).__name__} needs about "
        f"{needed / 1000:.3g} GB of memory; up to {cap_mb / 1000:.3g} GB are allowed, "
        f"which is enough for {_duration(seconds * cap_mb / needed)}: {advice}",
        recording=name,
    )


def _duration(seconds: float) -> str:
    minutes = int(seconds / 60)
    if not minutes:
        return f"{seconds:.3g} s"
    return (
        f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
    )
