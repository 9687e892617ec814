"""The part of a file that has come so far, so that a download can go on from there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class PartialFile:
    """`<file>.part` with the first bytes, and `<file>.part.json` on whose they are.

    Both stay when a download ends early, also when the process is killed; the next
    process goes on from there.
    """

    def __init__(self, destination: Path) -> None:
        self.path = destination.with_name(destination.name + ".part")
        self._note = destination.with_name(destination.name + ".part.json")

    @property
    def size(self) -> int:
        """Bytes that have come."""
        return self.path.stat().st_size if self.path.is_file() else 0

    @property
    def total(self) -> int | None:
        """Bytes of the whole file, as its server announced them."""
        total = self._noted().get("total")
        return total if isinstance(total, int) else None

    def validator(self, url: str) -> str | None:
        """What makes a server continue this very file only: its ETag or its date."""
        noted = self._noted()
        said = noted.get("validator") if noted.get("url") == url else None
        return said if isinstance(said, str) else None

    def continues(self, url: str, *, hash_known: bool) -> bool:
        """Return whether the part may be continued from this address.

        Without a validator a changed file would be joined to the old one unnoticed,
        unless its hash is known.
        """
        if self._noted().get("url") != url or self.size == 0:
            return False
        return hash_known or self.validator(url) is not None

    def begin(self, url: str, *, total: int | None, validator: str | None) -> None:
        """Start anew with what a server says of the file."""
        self.discard()
        noted = {"url": url, "validator": validator, "total": total}
        self._note.write_text(json.dumps(noted), encoding="utf-8")

    def discard(self) -> None:
        """Forget what has come."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def _noted(self) -> dict[str, object]:
        try:
            noted = json.loads(self._note.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        return noted if isinstance(noted, dict) else {}
