"""Programs of Python in a process of their own."""

import subprocess
import sys
from pathlib import Path


def printed_by(program: str, *, cwd: Path | None = None) -> str:
    """Run a program that has to succeed; return what it prints."""
    ran = subprocess.run(
        [sys.executable, "-c", program],
        check=True, capture_output=True, text=True, cwd=cwd,
    )  # fmt: skip
    return ran.stdout.strip()
