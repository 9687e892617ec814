"""NIST's tables of trials and of enrolment: ``modelid segmentid side targettype``."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

from bob.learn.pytorch.verification.database import DatabaseError
from bob.learn.pytorch.verification.trial_lists import LABELS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_TITLES = {
    "modelid": "model",
    "model_id": "model",
    "model": "model",
    "segmentid": "segment",
    "segment_id": "segment",
    "segment": "segment",
    "side": "side",
    "channel": "side",
    "targettype": "label",
}
_PLAIN = ("model", "segment", "side", "label")
_SIDES = {"a": True, "1": True, "b": False, "2": False}


@dataclass(frozen=True)
class SreRow:
    """One line: a model, a segment, and whether they are of one speaker."""

    model: str
    segment: str
    target: bool
    path: Path
    line: int


def is_sre_table(path: Path) -> bool:
    """Whether the first line is a headline of NIST's, or has a model, segment and side.

    A line of three with a label is a trial list, whatever its third column is called.
    """
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        fields = file.readline().split()
    if _is_headline(fields):
        return True
    return (
        len(fields) in (3, 4)
        and fields[2].lower() in ("a", "b")
        and all(field in LABELS for field in fields[3:])
        and fields[0] not in LABELS
    )


def _is_headline(fields: Sequence[str]) -> bool:
    return [_TITLES.get(field.lower()) for field in fields[:2]] == ["model", "segment"]


def read_sre_table(path: Path, *, label: bool) -> list[SreRow]:
    """Read a table of trials, or of enrolment.

    Parameters
    ----------
    path : Path
        The table, parted by tabs or spaces; with a headline or, in this order, model,
        segment, side and label.
    label : bool
        Whether it has to say which trials are of one speaker.

    Raises
    ------
    DatabaseError
        With file and line for what is wrong.
    """
    rows: list[SreRow] = []
    columns: tuple[str | None, ...] | None = None
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, start=1):
                where = f"{path}:{number}"
                # A field may be empty where a tab parts them.
                fields = line.strip("\r\n").split("\t" if "\t" in line else None)
                if not line.strip():
                    continue
                if columns is None:
                    columns = _columns(fields, where, label=label)
                    if _is_headline(fields):
                        continue
                rows.append(_row(fields, columns, path, number))
    except UnicodeDecodeError as error:
        raise DatabaseError(f"{path} is not a text file in UTF-8: {error}") from error
    if not rows:
        raise DatabaseError(
            f"{path} is empty; expected a headline modelid, segmentid, side"
            f"{', targettype' if label else ''} and lines"
        )
    return rows


def _columns(
    fields: Sequence[str], where: str, *, label: bool
) -> tuple[str | None, ...]:
    found: tuple[str | None, ...] = (
        tuple(_TITLES.get(field.lower()) for field in fields)
        if _is_headline(fields)
        else _PLAIN[: len(fields)]
    )
    if label and "label" not in found:
        raise DatabaseError(
            f"{where}: no column targettype, so nothing says which trials are of one "
            "speaker; give the key of these trials (…trial_key.tsv)"
        )
    if not {"model", "segment"} <= set(found):
        raise DatabaseError(
            f"{where}: {' '.join(fields)!r}; expected modelid, segmentid and side"
        )
    return found


def _row(
    fields: Sequence[str], columns: Sequence[str | None], path: Path, line: int
) -> SreRow:
    where = f"{path}:{line}"
    if len(fields) != len(columns):
        raise DatabaseError(
            f"{where}: {len(fields)} fields, expected {len(columns)} as in the first "
            "line"
        )
    named = dict(zip(columns, fields, strict=True))
    model, segment = named["model"], named["segment"]
    label = named.get("label", "target")
    if not model or not segment:
        raise DatabaseError(f"{where}: the model or the segment is empty")
    if label not in LABELS:
        raise DatabaseError(
            f"{where}: targettype {label!r}; expected target or nontarget"
        )
    _check_side(named.get("side") or "a", segment, where)
    return SreRow(model, segment, LABELS[label], path, line)


def _check_side(side: str, segment: str, where: str) -> None:
    is_first = _SIDES.get(side.lower())
    if is_first is None:
        raise DatabaseError(f"{where}: side {side!r}; expected a or b")
    if not is_first:
        raise DatabaseError(
            f"{where}: side {side} of {segment!r} is the second channel of a file: "
            f"put it into a file of its own (`sox {segment} … remix 2`) and call that "
            "side a"
        )


def _shared(one: str, other: str) -> int:
    """How many characters two names begin with alike."""
    alike = (a == b for a, b in zip(one, other, strict=False))
    return sum(1 for _ in takewhile(bool, alike))


def enrolment_beside(trials: Path) -> Path:
    """The table beside that of the trials that says which segments enrol a model.

    Raises
    ------
    DatabaseError
        There is none, or which of several cannot be seen from the names.
    """
    found = [
        path
        for path in sorted(trials.absolute().parent.iterdir())
        if "enrol" in path.name.lower() and path.is_file() and path.name != trials.name
    ]
    # sre18_dev_trial_key.tsv goes with sre18_dev_enrollment.tsv.
    shared = [_shared(path.name, trials.name) for path in found]
    best = [path for path, n in zip(found, shared, strict=True) if n == max(shared)]
    if len(best) == 1:
        return best[0]
    what = "none" if not best else ", ".join(path.name for path in best)
    raise DatabaseError(
        f"{trials}: one table beside it has to say which segments enrol a model, with "
        f"enrol in its name (modelid, segmentid, side); there is {what}"
    )
