"""Python processes that find no code in the folder where the user works."""

from __future__ import annotations

import sys

# `-P` is new in Python 3.11. What `-c` looks through first is the working folder, which
# is the empty entry: it goes before anything is imported.
_FIRST = "import sys; sys.path[:] = filter(None, sys.path); "


def python(code: str, *arguments: str) -> list[str]:
    """Return a command that runs code in this Python, away from the working folder.

    A file there that is called like a module, such as ``pip.py``, is not run. Folders
    that the user named in ``PYTHONPATH`` count as ever.
    """
    warnings = [f"-W{option}" for option in sys.warnoptions]
    isolated = ["-I"] if sys.flags.isolated else []
    return [sys.executable, *isolated, *warnings, "-c", _FIRST + code, *arguments]
