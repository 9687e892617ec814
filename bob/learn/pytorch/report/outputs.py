"""Files of a report, by what their names end in, and players of recordings in them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias
from urllib.parse import quote, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from bob.learn.pytorch.report.systems import Report

# How tables are written: for people, for LaTeX, for programs.
Form: TypeAlias = Literal["text", "latex", "csv"]

#: Tables that a user can ask for by name, in the order of the page.
TABLES = ("systems", "points", "comparisons", "conditions", "failures")
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
        from bob.learn.pytorch.report.plots import save_pictures

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
        Of `TABLES`; by default all, and of CSV, which holds one table, ``systems``.
    """
    from bob.learn.pytorch.report import tables
    from bob.learn.pytorch.report.figure_tables import all_tables

    write = {"text": tables.as_text, "latex": tables.as_latex, "csv": tables.as_csv}
    chosen = keys or (TABLES if form != "csv" else ("systems",))
    return "\n".join(
        write[form](table).rstrip("\n") + "\n"
        for table in all_tables(report)
        if table.key in chosen
    )


class Player:
    """Address of a recording that is a local file, by its name in the trials.

    Parameters
    ----------
    folders
        Where names may lie, with or without the suffix of a recording.
    page
        The address is relative to its folder for recordings below that.
    embed
        The address holds the recording itself, and only one below the folders: a page
        is sent to others, and names in score files may be anyone's.

    Attributes
    ----------
    outside
        Names of recordings that are not embedded for that.
    """

    def __init__(
        self, folders: Sequence[Path], *, page: Path, embed: bool = False
    ) -> None:
        self._folders = [folder.resolve() for folder in folders]
        self._home = page.resolve().parent
        self._address = self._embedded if embed else self._linked
        self._embed = embed
        self._known: dict[str, str | None] = {}
        self.outside: list[str] = []

    def __call__(self, name: str) -> str | None:
        """Return the address, or None where there is no such file."""
        if name not in self._known:
            path = self._found(name)
            if path is not None and self._embed and not self._is_below(path):
                self.outside.append(name)
                path = None
            self._known[name] = None if path is None else self._address(path)
        return self._known[name]

    def _is_below(self, path: Path) -> bool:
        """Return whether a name leads into a folder; links in it are its owner's."""
        plain = os.path.normpath(path)
        return any(Path(plain).is_relative_to(folder) for folder in self._folders)

    def _found(self, name: str) -> Path | None:
        from bob.learn.pytorch.audio.paths import AUDIO_SUFFIXES

        name = urlsplit(name).path if name.startswith("file:") else name
        for text in dict.fromkeys((name, unquote(name))):
            for folder in self._folders:
                path = folder / text  # an absolute name stands for itself
                if path.suffix.lower() in AUDIO_SUFFIXES and path.is_file():
                    return path
                for suffix in sorted(AUDIO_SUFFIXES):
                    longer = path.with_name(path.name + suffix) if path.name else path
                    if longer.is_file():
                        return longer
        return None

    def _linked(self, path: Path) -> str:
        if path.is_relative_to(self._home):
            return quote(path.relative_to(self._home).as_posix())
        return path.as_uri()

    def _embedded(self, path: Path) -> str:
        import base64
        import mimetypes

        kind = mimetypes.guess_type(path.name)[0] or "audio/wav"
        data = base64.b64encode(path.read_bytes()).decode("ascii")
        return f"data:{kind};base64,{data}"
