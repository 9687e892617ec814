"""What databases know of trials, beside what they know of the recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from bob.learn.pytorch.protocols.database import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bob.learn.pytorch.metrics import Names
    from bob.learn.pytorch.protocols.database import Database

Known = TypeVar("Known")


def trial_columns(database: Database, group: str) -> Mapping[str, Names]:
    """Title -> what is known of each trial, ``(trials,)``, such as a phone match.

    Trials are in the order of ``database.trials(group)``: by reference, and for each in
    the order of its probes. A database that knows such columns has a method
    ``trial_metadata(group)``.
    """
    method = getattr(database, "trial_metadata", None)
    found: Mapping[str, Names] = {} if method is None else method(group)
    return found


def labelled(item: Known, name: object) -> Known:
    """The same database or list, unless it is blind: has ``is_labelled``, and is not.

    Parameters
    ----------
    item : Database or TrialList
        Whatever may be without labels.
    name : object
        Its path or name, for the message.

    Raises
    ------
    DatabaseError
        Nothing says which trials are of one speaker.
    """
    if not getattr(item, "is_labelled", True):
        raise DatabaseError(
            f"{name} has no labels, so nothing says which trials are of one speaker; "
            "give their key (`bob pytorch score` does without, `protocol check` counts "
            "them)"
        )
    return item
