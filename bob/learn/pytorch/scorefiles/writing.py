"""Score files in blocks, with the other columns of Bob's CSV, and what made them."""

from __future__ import annotations

import json
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bob.learn.pytorch.files import beside, file_sha256, write_text
from bob.learn.pytorch.scorefiles.layouts import CSV_COLUMNS
from bob.learn.pytorch.scorefiles.reading import BLOCK_TRIALS, score_lines

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping

    from bob.learn.pytorch.metrics import Names, ScoreTable


def write_blocks(
    path: str | os.PathLike[str],
    blocks: Iterable[tuple[ScoreTable, Mapping[str, Names]]],
    *,
    form: str,
) -> Path:
    """Write tables of scores, one after the other, into one file.

    Parameters
    ----------
    path
        Is there whole or not at all.
    blocks
        Tables of some trials; with the form ``csv``, what else is known of each trial,
        by title, the same titles in each block.
    form
        See `write_scores`.

    Raises
    ------
    ScoreFileError
        A name does not fit into the form, or it needs names that the table lacks.
    """
    path = Path(path)
    with (
        beside(path) as place,
        place.open("x", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        for number, (table, metadata) in enumerate(blocks):
            lines = _lines(table, metadata, form=form)
            # The headline stands once, as the first piece of the first block.
            file.writelines(islice(lines, int(form == "csv" and number > 0), None))
    return path


def provenance_file(scores: Path) -> Path:
    """Where it stands what made a score file: ``<scores>.json``."""
    return scores.with_name(f"{scores.name}.json")


def write_provenance(scores: Path, told: Mapping[str, Any]) -> None:
    """Write beside a score file what made it, with the hash that it goes with.

    Parameters
    ----------
    told
        JSON values; ``made_by`` is the fingerprint of the embeddings, and ``measure``,
        ``enrolment``, ``mean_subtracted``, ``normalisation``, ``cohort``,
        ``cohort_size`` and ``enrolment recordings`` are what calibrations go by.
    """
    content = {
        "scores": scores.name,
        "sha256": file_sha256(scores),
        **told,
        "bob.learn.pytorch": version("bob.learn.pytorch"),
    }
    write_text(provenance_file(scores), json.dumps(content, indent=2) + "\n")


def read_provenance(scores: Path, *, sha256: str | None = None) -> dict[str, Any]:
    """Read what made a score file, as long as it is said of these very scores.

    Parameters
    ----------
    sha256
        Of the score file, 64 hexadecimal digits, where it is known already.

    Returns
    -------
    dict
        The JSON values of `write_provenance` without the hash; empty where there is no
        such file, it cannot be read as JSON, or the scores have changed since.
    """
    try:
        content = json.loads(provenance_file(scores).read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(content, dict):
        return {}
    of_these = content.pop("sha256", "") == (sha256 or file_sha256(scores))
    return content if of_these else {}


def _lines(
    table: ScoreTable, metadata: Mapping[str, Names], *, form: str
) -> Iterator[str]:
    if form != "csv" or not metadata:
        return score_lines(table, form=form)  # type: ignore[arg-type]  # it refuses others
    return _wide_lines(table, metadata)


def _wide_lines(table: ScoreTable, metadata: Mapping[str, Names]) -> Iterator[str]:
    titles = list(CSV_COLUMNS.values())
    yield ",".join([*titles[:-1], *map(_quoted, metadata), titles[-1]]) + "\n"
    columns = [table.probe, table.real, table.model or table.claimed, table.claimed]
    columns += metadata.values()
    texts = [[_quoted(name) for name in column.distinct] for column in columns]
    for start in range(0, len(table), BLOCK_TRIALS):
        part = slice(start, start + BLOCK_TRIALS)
        fields = [
            [distinct[code] for code in column.codes[part].tolist()]
            for distinct, column in zip(texts, columns, strict=True)
        ]
        fields.append(list(map(repr, table.score[part].tolist())))
        yield "\n".join(map(",".join, zip(*fields, strict=True))) + "\n"


def _quoted(name: str) -> str:
    if any(character in name for character in ',"\r\n'):
        return '"' + name.replace('"', '""') + '"'
    return name
