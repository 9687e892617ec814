"""`bob pytorch template bench`: one protocol over many models, in one table."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import Any

import click

from bob.learn.pytorch.printing import printable
from bob.learn.pytorch.script.door import report
from bob.learn.pytorch.script.extractors import asking
from bob.learn.pytorch.script.options import NEW_FOLDER, SOURCE, json_option
from bob.learn.pytorch.script.terminal import INTERRUPTED


@click.command()
@click.argument("models", nargs=-1, required=True, metavar="MODEL…")
@click.option(
    "--protocol",
    "source",
    required=True,
    type=SOURCE,
    help="A protocol in CSV (`bob pytorch protocol`), a trial list, or a folder of "
    "speakers, of which all pairs are compared.",
)
@click.option(
    "-o",
    "--output",
    type=NEW_FOLDER,
    default=Path("bench"),
    show_default=True,
    help="Folder for embeddings, results.csv and index.html.",
)
@click.option(
    "--group", help="Group of the protocol.  [eval if there is one, else dev]"
)
@click.option("--layout", help="Folder levels: speaker (default), session/speaker, …")
@click.option(
    "--minimum-seconds",
    type=float,
    help="Leave out recordings of a folder that are shorter.  [none]",
)
@click.option(
    "--device",
    help="Device of torch, such as cuda; auto is a GPU where there is one.  [cpu]",
)
@click.option("--yes", is_flag=True, help="Run templates though they are not trusted.")
@json_option
@click.option(
    "--allow-failures", is_flag=True, help="Exit with 0 even if models failed."
)
def bench(
    models: tuple[str, ...],
    source: Path,
    output: Path,
    *,
    layout: str | None,
    minimum_seconds: float | None,
    yes: bool,
    as_json: bool,
    allow_failures: bool,
    **options: Any,  # noqa: ANN401 - group and device
) -> None:
    """Compare MODELs on one protocol: error rates, speed, memory, size.

    A MODEL is a template, a .json file of one, or a trained model of the catalogue.
    They run one after the other. If a run was stopped, run the same command again
    to continue. A model that fails is a row with its reason, and the exit status is 1.
    """
    from bob.learn.pytorch.experiment.benchmark import benchmark
    from bob.learn.pytorch.protocols.speakers import SpeakerRule

    try:
        found = benchmark(
            models,
            source,
            output,
            rule=SpeakerRule.given(layout, minimum_seconds=minimum_seconds),
            ask=asking(yes=yes),
            tell=functools.partial(click.echo, err=True),
            **options,
        )
    except KeyboardInterrupt:
        click.echo("Stopped: the same command goes on from here", err=True)
        sys.exit(INTERRUPTED)
    shown = printable(output)
    text = f"{found.as_text()}\n\nresults.csv and index.html are in {shown}"
    report({**found.as_dict(), "output": shown}, text, as_json=as_json)
    if any(row.reason for row in found.rows) and not allow_failures:
        sys.exit(1)
