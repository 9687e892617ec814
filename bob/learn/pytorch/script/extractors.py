"""Parts of commands that turn recordings into embeddings."""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Literal

import click

from bob.learn.pytorch.choices import DEFAULT_MODEL, ENGINES, PRECISIONS
from bob.learn.pytorch.script.options import json_option, together

if TYPE_CHECKING:
    from collections.abc import Callable

    from bob.learn.pytorch.templates.format.template import Template


def _channel(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> int | Literal["mix"] | None:
    if value is None:
        return None
    if value == "mix":
        return "mix"
    if value.isdecimal():
        return int(value)
    raise click.BadParameter(
        f"{value!r} is neither a number from 0 nor 'mix'", context, parameter
    )


#: Options that choose a model and how it is run.
extractor_options = together(
    click.option(
        "--chunks",
        "chunk_seconds",
        type=click.FloatRange(min=0, min_open=True),
        metavar="SECONDS",
        help="Length of the chunks whose embeddings are averaged, for recordings "
        "above --memory.  [no chunks]",
    ),
    click.option(
        "--memory",
        "memory_mb",
        type=click.FloatRange(min=0, min_open=True),
        metavar="MB",
        default=4096,
        help="Memory limit in MB for one batch or one long recording.  [4096]",
    ),
    click.option(
        "--engine",
        type=click.Choice(ENGINES),
        default="torch",
        help="Library that runs the network.  [torch]",
    ),
    click.option(
        "--precision",
        type=click.Choice((*PRECISIONS, "auto")),
        default="float32",
        help="Precision of the network; auto is the fastest that keeps accuracy.  "
        "[float32]",
    ),
    click.option(
        "--device",
        help="Device of torch, such as cuda; auto is a GPU where there is one.  [cpu]",
    ),
    click.option(
        "--channel",
        callback=_channel,
        metavar="0|1|…|mix",
        help="Channel of a recording, counted from 0, or mix for their mean.  "
        "[the only one; of templates: mix]",
    ),
    click.option(
        "--yes",
        is_flag=True,
        help="Run a template without asking whether it is trusted.",
    ),
    click.option(
        "--model",
        default=DEFAULT_MODEL,
        show_default=True,
        metavar="NAME|FILE",
        help="A trained model (`bob pytorch models list`), a template (`bob "
        "pytorch template list`), or a file of either.",
    ),
)


#: Options that say how many processes work.
parallel_options = together(
    click.option(
        "--dask",
        metavar="NAME|ADDRESS|FILE",
        help="Compute on Dask workers: a dask.client of Bob such as sge, the "
        "address of a scheduler (tcp://…), or a Python file with dask_client.",
    ),
    click.option(
        "--jobs",
        type=click.IntRange(min=1),
        metavar="N",
        help="Number of processes.  [one a processor, for 64 recordings or more each]",
    ),
)


#: Options that say how the result is reported.
report_options = together(
    json_option,
    click.option(
        "--allow-failures",
        is_flag=True,
        help="Exit with 0 even if recordings could not be used.",
    ),
)


def ask_for_trust(found: Template, *, yes: bool) -> None:
    """Show what an unknown template would do, and let a person decide.

    Raises
    ------
    UntrustedTemplate
        They say no, or there is nobody to ask.
    """
    from bob.learn.pytorch.templates.install import trust

    if yes or trust.is_trusted(found):
        return
    # Either is None where it was closed.
    if all(stream and stream.isatty() for stream in (sys.stdin, sys.stderr)):
        click.echo(trust.describe(found), err=True)
        if click.confirm("\nMay this run, now and from now on?", err=True):
            trust.trust(found)
            return
    trust.require(found)


def asking(*, yes: bool) -> Callable[[Template], None]:
    """Return what lets a person decide about a template; see `ask_for_trust`."""
    return functools.partial(ask_for_trust, yes=yes)
