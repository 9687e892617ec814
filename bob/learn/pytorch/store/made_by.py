"""Fingerprints of embeddings: what made them, and whether two stores go together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bob.learn.pytorch.store.records import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: Settings that matter to some recordings only: to those of several channels, and to
#: those that are cut into chunks. The source of a recording says it, where they did.
OF_SOME = ("channel", "chunk_seconds")


def of_all(fingerprint: Mapping[str, str]) -> dict[str, str]:
    """Return what every embedding depends on: all but the settings `OF_SOME`."""
    return {key: said for key, said in fingerprint.items() if key not in OF_SOME}


def of_some(fingerprint: Mapping[str, str]) -> dict[str, str]:
    """Return the settings `OF_SOME` that were given a value."""
    return {key: fingerprint[key] for key in OF_SOME if _said(fingerprint, key)}


def differing(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """Return the keys by which every embedding of one is other than of the other."""
    left, right = of_all(one), of_all(other)
    return sorted(key for key in {*left, *right} if left.get(key) != right.get(key))


def refuse_mixture(
    path: Path, stored: Mapping[str, str], given: Mapping[str, str]
) -> None:
    """Refuse to add embeddings to a store that were made in another way than its own.

    A store that was made before recordings said which settings matter to them has the
    settings `OF_SOME` among what made all: they may be others only if they had no
    value, so that they cannot have mattered.

    Raises
    ------
    StoreError
        With what differs.
    """
    before = of_some(stored)
    keys = differing(stored, given)
    keys += [key for key, said in before.items() if given.get(key) != said]
    if keys:
        told = "; ".join(
            f"{key} is {stored.get(key, 'not said')!r} there and "
            f"{given.get(key, 'not said')!r} now"
            for key in sorted(keys)
        )
        raise StoreError(
            f"{path} holds embeddings that were made differently: {told}. Write to "
            "another store, or choose what made these"
        )


def _said(fingerprint: Mapping[str, str], key: str) -> bool:
    return fingerprint.get(key, "None") != "None"
