"""`bob pytorch`, or without Bob `python -m bob.learn.pytorch`."""

from __future__ import annotations

import importlib
from typing import Any

import click

from bob.learn.pytorch.script.door import Group
from bob.learn.pytorch.script.terminal import (
    escape_streams,
    lines_kept,
    take_back_interrupts,
)
from bob.learn.pytorch.settings import let_idle_threads_sleep

# Imported by name when asked for: what one command needs, the others do not wait for.
COMMANDS = (
    "calibrate",
    "checkpoints",
    "compare",
    "demo",
    "embed",
    "fuse",
    "metrics",
    "models",
    "plda",
    "protocol",
    "report",
    "score",
    "score-norm",
    "store",
    "template",
)


class Commands(Group):
    """Commands, each in the module of its first word."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,  # noqa: ANN401 - click's
    ) -> click.Context:
        """Begin, with all that will be printed escaped."""
        escape_streams()
        with lines_kept():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's
        """Run the command."""
        with lines_kept():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's
        """Return the names, sorted."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the module of a command."""
        if cmd_name not in COMMANDS:
            return None
        # `score-norm` stands beside `score`, and `fuse` beside `calibrate`, since they
        # share their options.
        room = {"fuse": "calibrate"}.get(cmd_name, cmd_name.partition("-")[0])
        module = importlib.import_module(f"bob.learn.pytorch.script.{room}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def pytorch() -> None:
    """Speaker verification: trained models, embeddings, comparisons, protocols."""
    let_idle_threads_sleep()
    take_back_interrupts()


if __name__ == "__main__":
    pytorch()
