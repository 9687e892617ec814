"""Programs of Python in a process of their own."""

import subprocess
import sys


def printed_by(program: str) -> str:
    """Run a program that has to succeed; return what it prints."""
    ran = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    return ran.stdout.strip()
