"""Commands as a user types them, run in this process."""

import json
from typing import Any

from click.testing import CliRunner, Result

from bob.learn.pytorch.script.pytorch import pytorch


def run(*words: object, typed: str = "") -> Result:
    """Run ``bob pytorch`` with words, which need not be texts."""
    return CliRunner().invoke(pytorch, [str(word) for word in words], input=typed)


def done(*words: object) -> str:
    """Run a command that has to succeed; return what it prints."""
    result = run(*words)
    assert result.exit_code == 0, result.output
    return result.output


def reported(*words: object, status: int = 0) -> Any:
    """Run a command with ``--json``, which ends with a status; return its report."""
    result = run(*words, "--json")
    assert result.exit_code == status, result.output
    return json.loads(result.stdout)


def refused(*words: object, status: int | None = None) -> str:
    """Run a command that has to refuse in words; return its message.

    The exit status is 1, or 2 where the command line itself is wrong; either, unless
    one is given.
    """
    result = run(*words)
    assert result.exit_code in ((1, 2) if status is None else (status,)), result.output
    assert isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    return result.stderr
