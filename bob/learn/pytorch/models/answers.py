"""Answers of servers: headers of a file, and what may come instead of one."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from bob.learn.pytorch.models.errors import DownloadError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: Limit in bytes of a file whose size is not published.
LARGEST_BYTES = 16 << 30

_COUNT = "[0-9]{1,15}"
_VALIDATOR = re.compile("[\x20-\x7e]{1,300}")
_HEAD_BYTES = 4096
_ERROR_BYTES = 1 << 16
_ERROR_KEYS = {"detail", "error", "errors", "fault", "message"}


def announced_bytes(headers: Mapping[str, str]) -> int | None:
    """Return the size in bytes that a server announces; None where it does not.

    Raises
    ------
    DownloadError
        The header is malformed, or announces a coding of the file.
    """
    coding = headers.get("Content-Encoding", "identity")
    if coding.strip().lower() not in ("", "identity"):
        raise DownloadError(
            f"the server sends it in the Content-Encoding {coding!r}; expected the "
            f"file itself, for which it was asked"
        )
    text = headers.get("Content-Length")
    if text is None:
        return None
    said = {one.strip() for one in text.split(",")}
    if len(said) != 1 or not re.fullmatch(_COUNT, count := said.pop()):
        raise DownloadError(
            f"the server's Content-Length is {_shown(text)}; expected a count of bytes"
        )
    return int(count)


def range_start(headers: Mapping[str, str]) -> tuple[int, int | None] | None:
    """Return the first byte of a range and the size of the file, if that is known.

    None stands for a Content-Range that is missing or malformed.
    """
    text = headers.get("Content-Range", "")
    found = re.fullmatch(rf"bytes ({_COUNT})-{_COUNT}/({_COUNT}|\*)", text)
    if found is None:
        return None
    return int(found[1]), None if found[2] == "*" else int(found[2])


def validator(headers: Mapping[str, str]) -> str | None:
    """Return what makes a server continue this very file only: its ETag or its date.

    A malformed one is as none, since it would have to be sent back.
    """
    tag = headers.get("ETag", "")
    for said in ("" if tag.startswith("W/") else tag, headers.get("Last-Modified", "")):
        if _VALIDATOR.fullmatch(said):
            return said
    return None


def refuse_other_kinds(path: Path) -> None:
    """Refuse what servers send instead of a file.

    Raises
    ------
    DownloadError
        It is empty, a web page, a pointer of git-lfs, or an error in JSON.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not start:
        raise DownloadError("an empty file came")
    if start.startswith(b"<"):
        raise DownloadError(
            f"a web page came instead of the file ({head[:64]!r}…); a proxy or a login "
            f"may stand in between"
        )
    if start.startswith(b"version https://git-lfs"):
        raise DownloadError(
            "a pointer of git-lfs came instead of the file; expected the address of "
            "the file itself, which has /resolve/ or /media/ where this one has /raw/"
        )
    if start.startswith(b"{") and path.stat().st_size <= _ERROR_BYTES:
        _refuse_json_error(path)


def _refuse_json_error(path: Path) -> None:
    content = path.read_bytes()
    try:
        said = json.loads(content)
    except (ValueError, RecursionError):
        return
    if _ERROR_KEYS & said.keys():
        raise DownloadError(f"an error came instead of the file ({content[:200]!r})")


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}…")
