"""Files that tests read and write."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def touch(folder: Path, *paths: str) -> None:
    """Make empty files and the folders above them."""
    write(folder, dict.fromkeys(paths, ""))


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """Write texts by path and make the folders above them; return the folder."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def from_json(path: str | Path) -> Any:
    """Read a file of JSON."""
    return json.loads(Path(path).read_text())
