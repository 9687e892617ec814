"""The JSON of a template: read strictly, checked by its schema, described in messages.

`schema.json` says what each key may be, for this module and for editors; what keys must
be together stands in `rules.py`.
"""

from __future__ import annotations

import difflib
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from bob.learn.pytorch.printing import printable
from bob.learn.pytorch.templates.format.errors import InvalidTemplate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

_LARGEST_BYTES = 10_000_000


def read(path: Path) -> object:
    """Read a file of JSON.

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
        f"{_inside(place, key)}: the key {key!r} is there more than once; keep one"
        for place, held in _walk(content)
        if isinstance(held, _Repeating)
        for key in held.repeated
    ]
    if twice:
        refuse(path, twice)
    return content


def refuse(where: Path | str, found: Sequence[str]) -> NoReturn:
    """Say of a file everything that is wrong with it."""
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
    try:
        if not path.is_file():
            kind = "a folder" if path.is_dir() else "no regular file"
            refuse(path, [f"it is {kind}; expected a file of JSON"])
        if path.stat().st_size > _LARGEST_BYTES:
            refuse(path, [f"it has more than {_LARGEST_BYTES // 10**6} MB"])
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
    keys = [key for key, _ in pairs if not key.startswith(_COMMENT)]
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
    """Say where a text ceases to be JSON, with the line."""
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


_COMMENT = "//"
"""A key that begins with this is a comment, whatever it holds."""

_PATH = Path(__file__).with_name("schema.json")
_TYPES = {
    "array": "a list",
    "integer": "a whole number",
    "null": "null",
    "number": "a number",
    "object": "an object",
    "string": "text",
}
_LONGEST_SHOWN = 60


@dataclass(frozen=True)
class _Problem:
    """A problem at one place of the JSON, such as "$.weights[0].sha256"."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


def problems(content: object) -> list[_Problem]:
    """Everything that is wrong with the content of a template; nothing is run.

    Examples
    --------
    >>> for problem in problems({"sampl_rate": 16000})[-1:]:
    ...     print(problem)
    $.sampl_rate: unknown key 'sampl_rate'; the nearest is 'sample_rate'
    """
    if not isinstance(content, dict):
        return [
            _Problem(
                "$", f"got {_described(content)}; expected one object with keys, {{…}}"
            )
        ]
    if unusable := list(_unusable_text(content)):
        return unusable
    from bob.learn.pytorch.templates.format.rules import broken_rules

    faults = list(_faults(content))
    found = [problem for fault in faults for problem in _problems(fault)]
    wrong = {str(fault.keys[0]) for fault in faults if fault.keys}
    found.extend(_Problem(*rule) for rule in broken_rules(content, wrong))
    return list(dict.fromkeys(found))  # a missing key counts once for each of them


def without_comments(content: Any) -> Any:  # noqa: ANN401 - any JSON goes in and out
    """Return the content without its comments, at every level.

    Examples
    --------
    >>> without_comments({"// why": "louder", "limits": {"//": "", "seconds": 9}})
    {'limits': {'seconds': 9}}
    """
    if isinstance(content, dict):
        return {
            key: without_comments(value)
            for key, value in content.items()
            if not key.startswith(_COMMENT)
        }
    if isinstance(content, list):
        return [without_comments(value) for value in content]
    return content


def _inside(path: str, key: str | int) -> str:
    """Return the path of what a key or a place in a list holds."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if key.isidentifier() else f"{path}[{json.dumps(key)}]"


def _walk(content: object) -> Iterator[tuple[str, object]]:
    """Every value with its path, from the top; comments and what is in them not."""
    waiting = [("$", content)]
    while waiting:
        path, value = waiting.pop()
        yield path, value
        pairs: Iterable[tuple[Any, object]] = ()
        if isinstance(value, dict):
            pairs = [
                (key, held)
                for key, held in value.items()
                if not str(key).startswith(_COMMENT)
            ]
        elif isinstance(value, list):
            pairs = enumerate(value)
        waiting.extend(
            reversed([(_inside(path, key), held) for key, held in pairs]),
        )


def _described(value: object) -> str:
    """Say in a few words what came."""
    if value is None or isinstance(value, bool):
        text = json.dumps(value)
    elif isinstance(value, str):
        text = f"the text {_shortened(repr(value))}" if value else "an empty text"
    elif isinstance(value, list):
        text = f"a list of {len(value)}" if value else "an empty list"
    elif isinstance(value, dict):
        text = "an object"
    elif isinstance(value, int | float):
        text = f"the number {_shortened(repr(value))}"
    else:
        text = f"a {type(value).__name__} of Python"
    return text


def nearest(word: str, words: Iterable[str]) -> str:
    """End a message about an unknown word: with the nearest, or with all."""
    allowed = [repr(other) for other in words]
    near = difflib.get_close_matches(repr(word.lower()), allowed, n=1, cutoff=0.6)
    if near:
        return f"the nearest is {near[0]}"
    return f"allowed here: {', '.join(allowed) or 'nothing'}"


def _unusable_text(content: dict[str, object]) -> Iterator[_Problem]:
    """Text that no file name, no command and no pipe can carry."""
    for path, value in _walk(content):
        if isinstance(value, dict):
            for key in value:
                if not isinstance(key, str):
                    yield _Problem(path, f"got the key {key!r}; expected text as keys")
        elif isinstance(value, str) and re.search("[\0\ud800-\udfff]", value):
            shown = _shortened(ascii(value))
            yield _Problem(
                path,
                f"got the text {shown} with a character that is no text (\\u0000, or "
                "half of a surrogate pair); take it out",
            )


def _faults(content: dict[str, Any]) -> Iterator[_Fault]:
    """Yield what `schema.json` does not allow."""
    # jsonschema takes a while to import, and most commands never read a template.
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    # The standard takes 16000.0 for a whole number; Python code would not.
    types = Draft202012Validator.TYPE_CHECKER.redefine(
        "integer",
        lambda _, value: isinstance(value, int) and not isinstance(value, bool),
    )
    validator: Any = extend(  # type: ignore[no-untyped-call]
        Draft202012Validator, type_checker=types
    )
    schema = json.loads(_PATH.read_text(encoding="utf-8"))
    for error in validator(schema).iter_errors(content):
        yield _Fault(
            keys=tuple(error.absolute_path),
            came=error.instance,
            keyword=error.validator,
            allowed=error.validator_value,
            schema=error.schema,
        )


@dataclass(frozen=True)
class _Fault:
    """An error of jsonschema: `keyword` of the schema, such as "minimum", is broken."""

    keys: tuple[str | int, ...]
    came: Any
    keyword: str
    allowed: Any
    schema: dict[str, Any]

    @property
    def path(self) -> str:
        path = "$"
        for key in self.keys:
            path = _inside(path, key)
        return path

    @property
    def meaning(self) -> str:
        return str(self.schema.get("description", ""))


def _problems(fault: _Fault) -> list[_Problem]:
    if fault.keyword == "additionalProperties":
        return _unknown_keys(fault)
    if fault.keyword == "required":
        return _missing_keys(fault)
    message = f"got {_described(fault.came)}; expected {_expected(fault)}"
    if fault.keyword != "pattern" and fault.meaning:
        message += f" ({fault.meaning})"
    return [_Problem(fault.path, message + _advice(fault))]


def _unknown_keys(fault: _Fault) -> list[_Problem]:
    known = fault.schema["properties"]
    return [
        _Problem(
            _inside(fault.path, key), f"unknown key {key!r}; {nearest(key, known)}"
        )
        for key in fault.came
        if key not in known and not key.startswith(_COMMENT)
    ]


def _missing_keys(fault: _Fault) -> list[_Problem]:
    known = fault.schema["properties"]
    return [
        _Problem(
            fault.path, f"the key {key!r} is missing: {known[key].get('description')}"
        )
        for key in fault.allowed
        if key not in fault.came
    ]


def _expected(fault: _Fault) -> str:
    """Say what the schema allows there."""
    in_words: dict[str, Callable[[], str]] = {
        "type": lambda: _types(fault.allowed),
        "enum": lambda: "one of " + ", ".join(map(repr, fault.allowed)),
        "const": lambda: repr(fault.allowed),
        "pattern": lambda: fault.meaning,
        "minLength": lambda: "text that is not empty",
        "minItems": lambda: "a list that is not empty",
        "minimum": lambda: _range(fault.schema),
        "maximum": lambda: _range(fault.schema),
        "exclusiveMinimum": lambda: _range(fault.schema),
    }
    return in_words[fault.keyword]()


def _types(allowed: str | list[str]) -> str:
    names = [allowed] if isinstance(allowed, str) else allowed
    return " or ".join(_TYPES[name] for name in names)


def _range(schema: dict[str, Any]) -> str:
    low = (
        f"more than {schema['exclusiveMinimum']}"
        if "exclusiveMinimum" in schema
        else f"at least {schema['minimum']}"
    )
    return f"{low} and at most {schema['maximum']}" if "maximum" in schema else low


def _advice(fault: _Fault) -> str:
    """Say what to write instead, where that is plain."""
    came, allowed = fault.came, fault.allowed
    if fault.keyword == "enum" and isinstance(came, str):
        near = difflib.get_close_matches(came.lower(), allowed, n=1)
        return f"; the nearest is {near[0]!r}" if near else ""
    if fault.keyword == "const":
        return "; a newer bob.learn.pytorch may know it"
    if fault.keyword == "pattern" and "hexadecimal" in fault.meaning:
        return f"; it has {len(came)} characters"
    return _other_type(came, allowed) if fault.keyword == "type" else ""


def _other_type(came: object, allowed: str | list[str]) -> str:
    if isinstance(came, str) and allowed == "array":
        return f"; write [{_shortened(json.dumps(came, ensure_ascii=False))}]"
    if isinstance(came, str) and allowed in ("integer", "number"):
        return "; write it without quotes" if re.fullmatch(r"[\d.]+", came) else ""
    if isinstance(came, float) and came.is_integer() and allowed == "integer":
        return f"; write {int(came)}"
    return ""


def _shortened(text: str) -> str:
    if len(text) <= _LONGEST_SHOWN:
        return text
    return text[: _LONGEST_SHOWN - 4] + "..." + text[-1]
