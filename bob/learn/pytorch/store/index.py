"""Which names a store holds, for millions of them in little memory."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.files import content_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

_RECENT = 65_536  # new names that wait in a dictionary before they are sorted in


class NameIndex:
    """A number for each name; 24 bytes a name, where a dictionary takes 200.

    A name is known by 128 bits of its BLAKE2b hash. That two of ten million names share
    them has a probability of 1e-25.

    Parameters
    ----------
    hashes
        (names, 2): :func:`hashes_of` names.
    values
        (names,).
    """

    def __init__(self, hashes: NDArray[np.uint64], values: NDArray[np.uint64]) -> None:
        order = np.argsort(hashes[:, 0], kind="stable")
        self._high = hashes[order, 0]
        self._low = hashes[order, 1]
        self._values = values[order]
        self._recent: dict[bytes, int] = {}

    def get(self, name: str) -> int | None:
        """Value of a name, None where it is not known."""
        digest = _digest(name)
        value = self._recent.get(digest)
        if value is not None:
            return value
        high, low = np.frombuffer(digest, dtype="<u8")
        row = int(np.searchsorted(self._high, high))
        # Behind each other stand a name and what came later for it.
        while row < len(self._high) and self._high[row] == high:
            if self._low[row] == low:
                value = int(self._values[row])
            row += 1
        return value

    def put(self, name: str, value: int) -> None:
        """Set the value of a name."""
        self._recent[_digest(name)] = value
        if len(self._recent) >= _RECENT:
            self._sort_in()

    def _sort_in(self) -> None:
        hashes = np.frombuffer(b"".join(self._recent), dtype="<u8").reshape(-1, 2)
        values = np.fromiter(self._recent.values(), np.uint64, len(self._recent))
        high = np.concatenate([self._high, hashes[:, 0]])
        # Stable: of equal ones the later stays behind, and `get` takes that.
        order = np.argsort(high, kind="stable")
        self._high = high[order]
        self._low = np.concatenate([self._low, hashes[:, 1]])[order]
        self._values = np.concatenate([self._values, values])[order]
        self._recent = {}


def hashes_of(names: Iterable[str]) -> NDArray[np.uint64]:
    """Names -> (names, 2), the two halves of their hashes."""
    joined = b"".join(map(_digest, names))
    return np.frombuffer(joined, dtype="<u8").astype(np.uint64).reshape(-1, 2)


def state_of(source: str, *, failed: bool) -> int:
    """What is remembered of a record: 63 bits of its source's hash, and if it failed.

    Of a file, the content counts, wherever and since when it is. The bits are all 0
    where the source is unknown.
    """
    content = content_of(source).encode()
    known = int.from_bytes(blake2b(content, digest_size=8).digest(), "little")
    return ((known & ~1) if source else 0) | failed


def _digest(name: str) -> bytes:
    return blake2b(name.encode(), digest_size=16).digest()
