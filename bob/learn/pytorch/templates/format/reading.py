"""A file -> what its JSON holds; anything else is refused with a reason."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, NoReturn

from bob.learn.pytorch.printing import printable
from bob.learn.pytorch.templates.format.errors import InvalidTemplate
from bob.learn.pytorch.templates.format.schema import COMMENT, inside, walk

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LARGEST_BYTES = 10_000_000


def read(path: Path) -> object:
    """What a file of JSON holds.

    Stricter than JSON: UTF-8 without a byte order mark, finite numbers, and no key
    twice, but for comments.

    Raises
    ------
    InvalidTemplate
        It cannot be read, or is no such file.
    """
    text = _decoded(path)
    if not text.strip():
        refuse(path, ["it is empty; `bob pytorch template new` writes a start"])
    try:
        content = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
    except json.JSONDecodeError as error:
        refuse(path, [_syntax(error)])
    except RecursionError:
        refuse(path, ["lists and objects are nested too deep"])
    except ValueError as error:  # of the hooks, and numbers of thousands of digits
        refuse(path, [str(error)])
    twice = [
        f"{inside(place, key)}: the key {key!r} is there more than once; keep one"
        for place, held in walk(content)
        if isinstance(held, _Repeating)
        for key in held.repeated
    ]
    if twice:
        refuse(path, twice)
    return content


def refuse(where: Path | str, found: Sequence[str]) -> NoReturn:
    """Say of a file everything that is wrong with it.

    Raises
    ------
    InvalidTemplate
        Always.
    """
    name = printable(str(where))
    if len(found) == 1:
        raise InvalidTemplate(f"{name} is no valid template: {found[0]}")
    lines = "".join(f"\n  {problem}" for problem in found)
    raise InvalidTemplate(
        f"{name} is no valid template, for {len(found)} reasons:{lines}"
    )


class _Repeating(dict[str, Any]):
    """A JSON object with the same key twice; the last counts, as in JSON."""

    repeated: tuple[str, ...] = ()


def _decoded(path: Path) -> str:
    """The text of a file.

    Raises
    ------
    InvalidTemplate
        There is none, or it is no text.
    """
    try:
        if not path.is_file():
            kind = "a folder" if path.is_dir() else "no regular file"
            refuse(path, [f"it is {kind}; expected a file of JSON"])
        if path.stat().st_size > LARGEST_BYTES:
            refuse(path, [f"it has more than {LARGEST_BYTES // 10**6} MB"])
        raw = path.read_bytes()
    except OSError as error:
        refuse(path, [f"it cannot be read ({error.strerror}); see `ls -ld` of it"])
    if raw.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        refuse(
            path,
            [
                "it begins with a byte order mark, as some editors write it; save it "
                "as UTF-8 without one"
            ],
        )
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        refuse(
            path,
            [f"byte {raw[error.start]:#04x} in line {line} is no UTF-8; save it so"],
        )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) == len(pairs):
        return content
    keys = [key for key, _ in pairs if not key.startswith(COMMENT)]
    marked = _Repeating(content)
    marked.repeated = tuple(key for key in content if keys.count(key) > 1)
    return marked


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number of JSON; expected a finite one")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text} is too large; expected a finite one")
    return number


def _syntax(error: json.JSONDecodeError) -> str:
    """Where a text ceases to be JSON, with the line."""
    line = error.doc.splitlines()[error.lineno - 1 : error.lineno]
    shown = line[0].strip()[:70] if line else "the end of the file"
    text = f"line {error.lineno}, column {error.colno}: no JSON: {error.msg}: {shown}"
    rest = error.doc[error.pos :].lstrip()
    before = error.doc[: error.pos].rstrip()
    if rest.startswith(("//", "#", "/*")):
        text += '; a comment is a key that begins with //: "// why": "..."'
    elif rest.startswith("'"):
        text += "; JSON has double quotes"
    elif rest.startswith(("}", "]")) and before.endswith(","):
        text += "; there is no comma before the end of a list or an object"
    return text
