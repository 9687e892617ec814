"""How much memory a recording needs that is embedded whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bob.learn.pytorch.audio.recording import TooLongRecording

if TYPE_CHECKING:
    from bob.learn.pytorch.models.embedder import Network

FRAMES_A_SECOND = 100
# Growth of the process for 60, 150 and 300 s of recording, in MB a second, on a CPU;
# front ends compute in float64. In float32 and half precision a network is folded, in
# float64 it is as published.
WAYS = ("float32", "float64", "onnxruntime")
MB_A_SECOND = {
    "DltResNet": (2.8, 8.1, 3.5),
    "ResNet": (4.4, 11.0, 5.5),
    "CAMPPlus": (2.7, 14.8, 6.0),
}
# Of a network that has not been measured.
LARGEST_MB_A_SECOND = tuple(map(max, zip(*MB_A_SECOND.values(), strict=True)))


def needed_mb(network: Network, *, frames: int, way: str) -> float:
    """Memory that a recording needs which is embedded whole, beside the network.

    Parameters
    ----------
    frames
        Of 10 ms.
    way
        One of `WAYS`.

    Examples
    --------
    >>> from bob.learn.pytorch.architectures import CAMPPlus
    >>> needed_mb(CAMPPlus(), frames=60_000, way="float32")
    1620.0
    """
    slopes = MB_A_SECOND.get(type(network).__name__, LARGEST_MB_A_SECOND)
    slope: float = slopes[WAYS.index(way)]
    return slope * frames / FRAMES_A_SECOND


def check_fits(
    network: Network,
    seconds: float,
    *,
    way: str,
    cap_mb: float,
    name: str | None,
    advice: str,
) -> None:
    """Refuse a recording that needs more memory than it may.

    Parameters
    ----------
    network
        That it would go through as a whole.
    seconds
        Duration of the recording.
    way
        One of `WAYS`.
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
    needed = needed_mb(network, frames=round(seconds * FRAMES_A_SECOND), way=way)
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
