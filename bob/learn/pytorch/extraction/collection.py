"""Many recordings, their embeddings, and which ones failed and why."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from bob.learn.pytorch.atomic import beside
from bob.learn.pytorch.audio import RecordingError

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from numpy.typing import NDArray


class Extractor(Protocol):
    """What makes an embedding of a recording."""

    @property
    def channel(self) -> Any:  # noqa: ANN401
        """Which channel it takes."""

    def embed(self, recording: Any, /) -> NDArray[np.float32]:  # noqa: ANN401
        """One recording -> (dimensions,)."""

    def fingerprint(self) -> dict[str, str]:
        """Everything that its embeddings depend on."""


@dataclass(frozen=True, eq=False)
class Collection:
    """Embeddings by name.

    Attributes
    ----------
    names
        Of the recordings that gave an embedding.
    embeddings
        (names, dimensions) in the same order.
    failures
        Name and reason of every other recording.
    fingerprint
        What made the embeddings.
    """

    names: tuple[str, ...]
    embeddings: NDArray[np.float32]
    failures: Mapping[str, str] = field(default_factory=dict)
    fingerprint: Mapping[str, str] = field(default_factory=dict)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write an npz file, beside and renamed.

        It holds `names`, `embeddings`, `failed`, `reasons` and `made_by`, the last as
        JSON; `numpy.load` opens it without running code.
        """
        with beside(Path(path)) as place, place.open("wb") as file:
            np.savez(
                file,
                names=np.array(self.names, dtype=np.str_),
                embeddings=self.embeddings,
                failed=np.array(list(self.failures), dtype=np.str_),
                reasons=np.array(list(self.failures.values()), dtype=np.str_),
                made_by=np.array(json.dumps(dict(self.fingerprint))),
            )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Collection:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as file:
            return cls(
                names=tuple(file["names"].tolist()),
                embeddings=file["embeddings"],
                failures=dict(
                    zip(file["failed"].tolist(), file["reasons"].tolist(), strict=True)
                ),
                fingerprint=json.loads(str(file["made_by"])),
            )


def collect(
    extractor: Extractor, recordings: Mapping[str, object], *, progress: bool = False
) -> Collection:
    """Embed every recording; one that cannot be used does not stop the others.

    Parameters
    ----------
    extractor
        Makes the embeddings.
    recordings
        By name: paths, or what else the extractor takes.
    progress
        Whether to show a bar with counts and remaining time, on a terminal.
    """
    from tqdm import tqdm

    embeddings: dict[str, NDArray[np.float32]] = {}
    failures: dict[str, str] = {}
    shown = None if progress else True  # of tqdm: None is "on a terminal"
    for name, recording in tqdm(recordings.items(), unit="recording", disable=shown):
        try:
            embeddings[name] = extractor.embed(recording)
        except RecordingError as error:  # noqa: PERF203 - the network takes far longer
            failures[name] = error.reason
    stacked = np.stack(list(embeddings.values())) if embeddings else np.zeros((0, 0))
    return Collection(
        tuple(embeddings),
        stacked.astype(np.float32),
        failures,
        extractor.fingerprint(),
    )


def read_list(path: str | os.PathLike[str]) -> dict[str, str]:
    """Recordings of a list: one path a line, or a name, a blank and a path.

    A path alone is its own name. Relative paths stay as they are. A line that is a
    path with blanks is one where that file exists.

    Raises
    ------
    ValueError
        A name stands twice.
    """
    recordings: dict[str, str] = {}
    for number, line in enumerate(Path(path).read_text("utf-8").splitlines(), start=1):
        entry = line.strip()
        if not entry:
            continue
        name, _, rest = entry.partition(" ")
        if not rest or Path(entry).exists():
            name, rest = entry, entry
        if name in recordings:
            raise ValueError(f"{path}, line {number}: {name} stands there twice")
        recordings[name] = rest.strip()
    return recordings
