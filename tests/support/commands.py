"""Commands as a user types them, run in this process."""

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
