"""Files of the web that tests fetch from this machine."""

import hashlib
from pathlib import Path
from typing import Any

from bob.learn.pytorch.models.catalogue import WebFile, WheelFile

ZEROS = "0" * 64


def sha256(body: bytes) -> str:
    """Return the hash that is published with a file."""
    return hashlib.sha256(body).hexdigest()


def web_file(*urls: str, **known: Any) -> WebFile:
    """Return toy.pth at some addresses, of which nothing else is known."""
    unknown = {"file_name": "toy.pth", "sha256": None, "size": None}
    return WebFile(urls=urls, **{**unknown, **known})


def wheel_file(**known: Any) -> WheelFile:
    """Return toy.pt in the wheel of a package that no index has."""
    wheel = {"wheel_name": "toyspeaker-1.0-py3-none-any.whl", "wheel_sha256": ZEROS}
    inside = {"member": "toy.pt", "file_name": "toy.pt", "sha256": ZEROS, "size": 0}
    said = {"project": "toyspeaker", "version": "1.0", "licence": "none"}
    return WheelFile(**{**said, **wheel, **inside, **known})


def left_in(folder: Path) -> list[str]:
    """Return the names of files, without locks."""
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")
