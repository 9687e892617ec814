"""Files that tests read and write."""

import json
from pathlib import Path
from typing import Any


def from_json(path: str | Path) -> Any:
    """Read a file of JSON."""
    return json.loads(Path(path).read_text())
