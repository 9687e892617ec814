"""Many recordings, their embeddings, and which ones failed and why."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from bob.learn.pytorch.atomic import beside
from bob.learn.pytorch.audio import RecordingError, printable

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping

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

        Raises
        ------
        OSError
            It cannot be written, say for lack of space; a file there stays as it is.
        """
        # On a full disk, zipfile hides the reason when it writes to a file itself.
        content = io.BytesIO()
        np.savez(
            content,
            names=np.array(self.names, dtype=np.str_),
            embeddings=self.embeddings,
            failed=np.array(list(self.failures), dtype=np.str_),
            reasons=np.array(list(self.failures.values()), dtype=np.str_),
            made_by=np.array(json.dumps(dict(self.fingerprint))),
        )
        with beside(Path(path)) as place:
            place.write_bytes(content.getbuffer())

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
    extractor: Extractor,
    recordings: Mapping[str, object],
    *,
    progress: bool = False,
    when_stopped: Callable[[Collection], None] | None = None,
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
    when_stopped
        Gets what is done, when Ctrl-C or an error that is not a recording's fault ends
        the work; the other recordings are among its failures.
    """
    from tqdm import tqdm

    fingerprint = extractor.fingerprint()
    embeddings: dict[str, NDArray[np.float32]] = {}
    failures: dict[str, str] = {}
    shown = None if progress else True  # of tqdm: None is "on a terminal"
    try:
        for name, item in tqdm(recordings.items(), unit="recording", disable=shown):
            try:
                embeddings[name] = extractor.embed(item)
            except RecordingError as error:  # noqa: PERF203 - the network takes longer
                failures[name] = error.reason
    except BaseException:
        missing = [name for name in recordings if name not in embeddings | failures]
        failures.update(dict.fromkeys(missing, "was not reached"))
        if when_stopped is not None:
            when_stopped(_collected(embeddings, failures, fingerprint))
        raise
    return _collected(embeddings, failures, fingerprint)


def _collected(
    embeddings: Mapping[str, NDArray[np.float32]],
    failures: Mapping[str, str],
    fingerprint: Mapping[str, str],
) -> Collection:
    stacked = np.stack(list(embeddings.values())) if embeddings else np.zeros((0, 0))
    return Collection(
        tuple(embeddings), stacked.astype(np.float32), failures, fingerprint
    )


def read_list(path: str | os.PathLike[str]) -> dict[str, str]:
    """Recordings of a list: one path a line, or a name, a blank and a path.

    A path alone is its own name, with what is not UTF-8 escaped. Relative paths stay as
    they are. A line that is a path with blanks is one where that file exists. Lines
    that are empty or begin with '#' are skipped; for a file of such a name write './#'.

    Raises
    ------
    ValueError
        A name stands twice, or there is no recording.
    """
    recordings: dict[str, str] = {}
    place = printable(str(path))
    lines = Path(path).read_text("utf-8-sig", "surrogateescape").split("\n")
    for number, line in enumerate(lines, start=1):
        entry = line.strip()
        if not entry or entry.startswith("#"):
            continue
        name, *rest = entry.split(maxsplit=1)
        if not rest or Path(entry).exists():
            name, rest = entry, [entry]
        if printable(name) in recordings:
            raise ValueError(
                f"{place}, line {number}: {printable(name)} stands there twice"
            )
        recordings[printable(name)] = rest[0]
    if not recordings:
        raise ValueError(
            f"{place} names no recording; expected one path a line, or a name, a blank "
            "and a path"
        )
    return recordings
