"""Options that several commands share, and checks of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
NEW_FILE = click.Path(dir_okay=False, path_type=Path)
NEW_FOLDER = click.Path(file_okay=False, path_type=Path)
SOURCE = click.Path(exists=True, path_type=Path)

COSTS = (
    "p0.05, p0.01, p0.005, p0.001, voxsrc, sre08, sre10, sre12, sre16, sre18-vast, a "
    "prior such as 0.02, or c_miss:c_fa:p_target"
)

Command = TypeVar("Command", bound="Callable[..., Any]")

json_option = click.option("--json", "as_json", is_flag=True, help="Report in JSON.")
cost_option = click.option(
    "--cost",
    default="p0.01",
    help=f"Detection cost, with its threshold: {COSTS}.  [p0.01]",
)
costs_option = click.option(
    "--cost",
    multiple=True,
    default=("p0.01",),
    help=f"Detection cost: {COSTS}. May be given several times.  [p0.01]",
)
trials_option = click.option(
    "--trials",
    type=SOURCE,
    help="List of the trials, or protocol, for scores without labels.",
)


def together(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Return what adds these options to a command, the last above the others."""

    def added(command: Command) -> Command:
        for option in options:
            command = option(command)
        return command

    return added


def speakers_option(flag: str, *, purpose: str = "") -> Callable[[Command], Command]:
    """Return the options that say who speaks in each recording of a store."""
    speakers = click.option(
        flag,
        type=SOURCE,
        metavar="UTT2SPK",
        help=f"{purpose}Lines 'name speaker', a folder of speakers, or CSV.",
    )
    layout = click.option(
        "--layout",
        help=f"Folder levels of {flag}: speaker (default), session/speaker, …",
    )
    return together(layout, speakers)


def refuse_given(names: Collection[str], *, why: str) -> None:
    """Refuse options of this command that have no meaning beside others.

    Parameters
    ----------
    names
        Parameters of the command.
    why
        What is said of an option that was given.

    Raises
    ------
    UsageError
        One of them was given.
    """
    context = click.get_current_context()
    ours = (None, click.core.ParameterSource.DEFAULT)
    for option in context.command.params:
        if option.name not in names:
            continue
        if context.get_parameter_source(option.name) not in ours:
            raise click.UsageError(f"leave {option.opts[-1]} out: {why}")
