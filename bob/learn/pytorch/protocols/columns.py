"""Columns of text files: names stored once, numbers as numbers.

Arrow parses a million lines in a fifth of a second. It is asked only where its answer
is that of Python's own reading, line by line; `Unsure` says that it may not be, and
the careful reader, which knows the number of each line, has the last word.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from bob.learn.pytorch.metrics import Names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

#: Smaller files are read by Python before Arrow is imported.
SMALLEST_FILE = 1 << 20

#: Bytes at a time: about half a million lines.
BLOCK_BYTES = 1 << 25


@dataclass(frozen=True, eq=False)
class Columns:
    """Columns of a text file.

    Attributes
    ----------
    path : Path
        The file.
    names : mapping of str to Names
        Columns by their titles, ``(lines,)`` each.
    lines : (lines,) array of int
        Line numbers, from 1.
    """

    path: Path
    names: Mapping[str, Names]
    lines: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.lines)

    def where(self, title: str, code: int) -> str:
        """Return ``file:line`` of the first line with a value, by its code."""
        at = (self.names[title].codes == code).argmax()
        return f"{self.path}:{self.lines[at]}"


def read_columns(
    path: Path,
    titles: Sequence[str | None],
    rows: Iterable[tuple[int, Sequence[str]]],
    *,
    skipped: int = 0,
    separator: str | None = None,
    fits: Callable[[Mapping[str, Names]], bool] | None = None,
) -> Columns:
    """Read the columns of a list: by Arrow where that is sure, else row by row.

    Parameters
    ----------
    path : Path
        The list.
    titles : sequence of str or None
        Name of each column; None: passed over.
    rows : iterable of (int, sequence of str)
        The careful reader: line number and fields of each row. It is only begun where
        Arrow is not sure, and raises the errors.
    skipped : int
        Lines before the first row, such as a headline.
    separator : str, optional
        One character. Default: a space or a tab, whichever parts the first row.
    fits : callable, optional
        Takes the columns that Arrow read; false: read row by row after all.

    Raises
    ------
    DatabaseError
        Whatever `rows` raises.
    """
    found = _by_arrow(path, titles, skipped=skipped, separator=separator)
    if found is not None and (fits is None or fits(found)):
        count = len(next(iter(found.values())))
        return Columns(path, found, np.arange(skipped + 1, skipped + 1 + count))
    lines: list[int] = []
    values: list[list[str]] = [[] for _ in titles]
    for number, fields in rows:
        lines.append(number)
        for column, field in zip(values, fields, strict=True):
            column.append(field)
    named = zip(titles, values, strict=True)
    names = {title: Names.of(column) for title, column in named if title is not None}
    return Columns(path, names, np.array(lines, dtype=np.int64))


def _by_arrow(
    path: Path,
    titles: Sequence[str | None],
    *,
    skipped: int,
    separator: str | None,
) -> dict[str, Names] | None:
    """Read a list in which every line is a row; None: read it row by row."""
    if not path.is_file() or path.stat().st_size < SMALLEST_FILE:
        return None
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        first = next(islice(file, skipped, None), "")
    separator = separator or one_separator(first, len(titles))
    layout = Layout(tuple(titles), separator, number=None, skipped=skipped)
    joined = Joined()
    try:
        for block in fast_blocks(path, layout):
            joined.add(block)
    except Unsure:
        return None
    names = joined.names
    # With a blank line, the number of a row would not be that of its line.
    whole = bool(names) and len(next(iter(names.values()))) == _lines(path) - skipped
    leading = next(title for title in titles if title is not None)
    return names if whole and _is_plain(names, leading) else None


def _lines(path: Path) -> int:
    count, last = 0, b"\n"
    with path.open("rb") as file:
        while block := file.read(1 << 22):
            count += block.count(b"\n")
            last = block[-1:]
    return count + (last != b"\n")


def _is_plain(names: Mapping[str, Names], first: str) -> bool:
    """Return whether no line is a comment and every name is UTF-8."""
    if any(name.startswith("#") for name in names[first].distinct):
        return False
    try:
        for column in names.values():
            "".join(column.distinct).encode()
    except UnicodeEncodeError:
        return False
    return True


class Unsure(Exception):  # noqa: N818 - no error: the careful reader goes on
    """Arrow may read this file otherwise than Python does."""


@dataclass(frozen=True)
class Layout:
    """The columns of a line.

    Attributes
    ----------
    columns : tuple of str or None
        Name of each column; None: passed over.
    separator : str
        One character, or ``""`` for any white space.
    number : str or None
        The column that holds numbers.
    skipped : int
        Lines before the first one.
    """

    columns: tuple[str | None, ...]
    separator: str = ""
    number: str | None = "score"
    skipped: int = 0


@dataclass(frozen=True)
class Block:
    """Some lines of a file.

    Attributes
    ----------
    names : mapping of str to Names
        Columns ``(lines,)``.
    numbers : (lines,) array of float64 or None
        The column of numbers.
    """

    names: Mapping[str, Names]
    numbers: NDArray[np.float64] | None

    def __len__(self) -> int:
        return len(next(iter(self.names.values())))

    def after(self, lines: int) -> Block:
        """Return the block without its first lines."""
        kept = slice(lines, None)
        return Block(
            {
                name: Names(column.distinct, column.codes[kept])
                for name, column in self.names.items()
            },
            None if self.numbers is None else self.numbers[kept],
        )


class Joined:
    """Columns of names that come in blocks, joined into one."""

    def __init__(self) -> None:
        self._code: dict[str, dict[str, int]] = {}
        self._codes: dict[str, list[NDArray[np.int32]]] = {}
        self._numbers: list[NDArray[np.float64]] = []

    def add(self, block: Block) -> None:
        """Append a block."""
        for name, column in block.names.items():
            code = self._code.setdefault(name, {})
            if not code:
                code.update(zip(column.distinct, range(len(column)), strict=False))
                self._codes[name] = [column.codes]
                continue
            place = np.fromiter(
                (code.setdefault(item, len(code)) for item in column.distinct),
                np.int32,
                len(column.distinct),
            )
            self._codes[name].append(place[column.codes])
        if block.numbers is not None:
            self._numbers.append(block.numbers)

    @property
    def names(self) -> dict[str, Names]:
        """Each column of names."""
        return {
            name: Names(tuple(self._code[name]), np.concatenate(codes))
            for name, codes in self._codes.items()
        }

    @property
    def numbers(self) -> NDArray[np.float64]:
        """The column of numbers, ``(lines,)``; empty without one."""
        return np.concatenate([np.zeros(0), *self._numbers])


def one_separator(line: str, columns: int) -> str:
    """Return the character that parts a line into so many columns, or ``""``."""
    text = line.rstrip("\r\n")
    fitting = (mark for mark in (" ", "\t") if len(text.split(mark)) == columns)
    return next(fitting, "")


def fast_blocks(path: Path, layout: Layout) -> Iterator[Block]:
    """Yield a file in blocks, read by Arrow in bounded memory.

    Raises
    ------
    Unsure
        The file is small, does not fit, or Python may read it otherwise.
    """
    if not layout.separator or path.stat().st_size < SMALLEST_FILE:
        raise Unsure
    import pyarrow  # type: ignore[import-untyped]

    try:
        for lines in _pieces(path, layout):
            yield _block(_parsed(lines, layout), layout)
    except (pyarrow.ArrowInvalid, pyarrow.ArrowKeyError) as error:
        raise Unsure from error


def _pieces(path: Path, layout: Layout) -> Iterator[bytes]:
    """Yield whole lines; Arrow's own streams read 32 blocks ahead."""
    with path.open("rb") as file:
        for _ in range(layout.skipped):
            file.readline()
        first, rest = not layout.skipped, b""
        while block := file.read(BLOCK_BYTES):
            end = block.rfind(b"\n") + 1
            if not end:
                raise Unsure
            yield _checked(rest + block[:end], layout, first=first)
            first, rest = False, block[end:]
        if rest:
            yield _checked(rest, layout, first=first)


def _checked(lines: bytes, layout: Layout, *, first: bool) -> bytes:
    # A line may end inside of quotes, and only in front of a file is a byte order mark
    # no part of a name.
    quoted = layout.separator == "," and lines.count(b'"') % 2
    if quoted or (lines.startswith(BOM_UTF8) and not first):
        raise Unsure
    return lines


def _parsed(lines: bytes, layout: Layout) -> Any:  # noqa: ANN401 - pyarrow has no types
    """Return a record batch of the columns that have names."""
    import pyarrow
    from pyarrow import csv

    titles = [f"{place}" for place in range(len(layout.columns))]
    used = {
        title: name
        for title, name in zip(titles, layout.columns, strict=True)
        if name is not None
    }
    text = pyarrow.dictionary(pyarrow.int32(), pyarrow.binary())
    table = csv.read_csv(
        pyarrow.BufferReader(lines),
        read_options=csv.ReadOptions(
            column_names=titles, block_size=len(lines) + 1, use_threads=False
        ),
        parse_options=csv.ParseOptions(
            delimiter=layout.separator,
            quote_char='"' if layout.separator == "," else False,
        ),
        convert_options=csv.ConvertOptions(
            column_types={
                title: pyarrow.float64() if name == layout.number else text
                for title, name in used.items()
            },
            include_columns=list(used),
            # Names of files need not be UTF-8.
            check_utf8=False,
            null_values=[],
        ),
    )
    batches = table.to_batches()
    if len(batches) != 1:
        raise Unsure
    return batches[0]


def _block(batch: Any, layout: Layout) -> Block:  # noqa: ANN401 - pyarrow has no types
    names: dict[str, Names] = {}
    numbers: NDArray[np.float64] | None = None
    used = [name for name in layout.columns if name is not None]
    for name, column in zip(used, batch.columns, strict=True):
        if column.null_count:
            raise Unsure
        if name == layout.number:
            numbers = column.to_numpy(zero_copy_only=False)
        else:
            distinct = tuple(
                item.decode("utf-8", "surrogateescape")
                for item in column.dictionary.to_pylist()
            )
            _check(distinct, layout)
            codes = column.indices.to_numpy(zero_copy_only=False).astype(np.int32)
            names[name] = Names(distinct, codes)
    return Block(names, numbers)


def _check(distinct: Sequence[str], layout: Layout) -> None:
    """Refuse names that Python's reading would have cut, or quoted otherwise."""
    if layout.separator == ",":
        odd = any(mark in name for name in distinct for mark in '"\r\n\0')
    else:
        # Names in one string: white space in any of them makes more of them.
        joined = "\n".join(distinct)
        odd = joined.split() != list(distinct) or "\0" in joined
    if odd:
        raise Unsure


def is_number(text: str) -> bool:
    """Return whether a text is a number as files have them, nan and inf included.

    Python also takes ``1_0`` for 10, and digits of other scripts; no other program
    that reads scores does.
    """
    if "_" in text or not text.isascii():
        return False
    try:
        float(text)
    except ValueError:
        return False
    return True
