"""Functions as they were called before the redesign; they go with the next release."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bob.learn.pytorch.audio import TooLongRecording
from bob.learn.pytorch.comparing import Comparison
from bob.learn.pytorch.comparing import compare as _compare
from bob.learn.pytorch.inference.embedding import FRAMES_A_SECOND, needed_mb
from bob.learn.pytorch.inference.engine import check_choice as check
from bob.learn.pytorch.inference.engine import choose

if TYPE_CHECKING:
    from bob.learn.pytorch.models.embedder import Network

__all__ = ["check", "check_fits", "chosen_precision", "compare"]


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
