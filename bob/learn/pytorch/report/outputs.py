"""The figures of systems, written into files by what their names end in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from bob.learn.pytorch.report.systems import Report

# How tables are written: for people, for LaTeX, for programs.
Form: TypeAlias = Literal["text", "latex", "csv"]

_TABLES: dict[str, Form] = {".csv": "csv", ".tex": "latex", ".txt": "text"}
_PICTURES = (".pdf", ".png")
#: What a name may end in, in lower or upper case.
ENDINGS = (".html", *_PICTURES, *_TABLES)


def write_output(
    path: Path,
    report: Report,
    *,
    tables: Collection[str] = (),
    title: str = "Speaker verification report",
    made_by: Sequence[tuple[str, str]] = (),
    worst: int = 10,
    player: Callable[[str], str | None] = lambda _: None,
) -> None:
    """Write a page (``.html``), pictures (``.pdf``, ``.png``) or tables.

    The file is there whole or not at all.

    Parameters
    ----------
    path
        Ends in one of `ENDINGS`.
    tables
        Which ones, of files of tables; see `tables_as`.
    title, made_by, worst, player
        Of a page; see `bob.learn.pytorch.report.page.as_page`.

    Raises
    ------
    ValueError
        The name ends in something else.
    OSError
        The file cannot be written.
    """
    from bob.learn.pytorch.files import write_text

    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise ValueError(f"{path} ends in none of {', '.join(ENDINGS)}; rename it")
    if ending in _PICTURES:
        from bob.learn.pytorch.report.pictures import save_pictures

        save_pictures(path, report)
    elif ending in _TABLES:
        write_text(path, tables_as(_TABLES[ending], report, tables))
    else:
        from bob.learn.pytorch.report.page import as_page

        text = as_page(report, title=title, made_by=made_by, worst=worst, player=player)
        write_text(path, text)


def tables_as(form: Form, report: Report, keys: Collection[str] = ()) -> str:
    """Write the tables that have rows, one after the other.

    Parameters
    ----------
    keys
        Of `bob.learn.pytorch.report.figure_tables.KEYS`; by default all, and of CSV,
        which holds one table, ``systems``.
    """
    from bob.learn.pytorch.report import tables
    from bob.learn.pytorch.report.figure_tables import KEYS, all_tables

    write = {"text": tables.as_text, "latex": tables.as_latex, "csv": tables.as_csv}
    chosen = keys or (KEYS if form != "csv" else ("systems",))
    return "\n".join(
        write[form](table).rstrip("\n") + "\n"
        for table in all_tables(report)
        if table.key in chosen
    )
