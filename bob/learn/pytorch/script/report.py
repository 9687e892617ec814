"""`bob pytorch report`: systems side by side, as one page, as tables, as pictures."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bob.learn.pytorch.printing import printable
from bob.learn.pytorch.report.outputs import ENDINGS, TABLES
from bob.learn.pytorch.script.options import NEW_FILE, costs_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bob.learn.pytorch.report.outputs import Form, Player
    from bob.learn.pytorch.report.systems import Report


@click.command()
@click.argument("results", nargs=-1, required=True, metavar="[NAME=]RESULTS…")
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    type=NEW_FILE,
    help="File to write, by its ending: .html is the page, .pdf and .png are its "
    "pictures, .csv, .tex and .txt its tables. May be given several times.  [none]",
)
@click.option("--text", "form", flag_value="text", help="Print tables.  [default]")
@click.option("--latex", "form", flag_value="latex", help="Print them as LaTeX.")
@click.option("--csv", "form", flag_value="csv", help="Print one of them as CSV.")
@click.option(
    "--table",
    "wanted",
    multiple=True,
    type=click.Choice(TABLES),
    help="Tables to print or write.  [all; in CSV, systems]",
)
@click.option(
    "--group", help="Group of result folders.  [eval if there is one, else dev]"
)
@click.option(
    "--trials",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Trial list, for score files that do not name the speakers.  [none]",
)
@click.option(
    "--uncalibrated",
    is_flag=True,
    help="Ignore calibrated-dev and calibrated-eval of result folders.",
)
@click.option(
    "--both",
    is_flag=True,
    help="Show raw and calibrated scores of result folders side by side.",
)
@costs_option
@click.option(
    "--resamples",
    type=click.IntRange(min=0),
    help="Draws of the speakers, for intervals.  [1000; 200 for more than a "
    "million trials]",
)
@click.option("--seed", default=0, show_default=True, help="Seed of these draws.")
@click.option(
    "--by",
    "columns",
    multiple=True,
    metavar="COLUMN",
    help="Column of the score CSV to break the figures down by.  [all that fit]",
)
@click.option(
    "--worst",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    help="Trials of either kind to list for each system.",
)
@click.option(
    "--recordings",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of the recordings, for players beside the worst trials.  [the current "
    "folder]",
)
@click.option(
    "--embed", is_flag=True, help="Put those recordings into the page itself."
)
@click.option(
    "--title",
    default="Speaker verification report",
    show_default=True,
    help="Title of the page.",
)
def report(
    results: tuple[str, ...],
    outputs: tuple[Path, ...],
    form: Form | None,
    wanted: tuple[str, ...],
    cost: tuple[str, ...],
    resamples: int | None,
    seed: int,
    **options: Any,  # noqa: ANN401 - group, trials, columns, worst, recordings, …
) -> None:
    """Compare systems by their scores: error rates, curves, worst trials.

    RESULTS are folders that verify.py wrote scores into, or score files of any kind;
    each is a system, and the first is compared with the others.
    """
    from bob.learn.pytorch.metrics import find_several_costs
    from bob.learn.pytorch.report.opening import (
        conditions_only,
        input_files,
        read_systems,
    )
    from bob.learn.pytorch.report.outputs import tables_as
    from bob.learn.pytorch.report.systems import evaluate_systems
    from bob.learn.pytorch.script.door import refuse_inputs

    _check_endings(outputs)
    if options["both"] and options["uncalibrated"]:
        raise click.UsageError("--both and --uncalibrated exclude each other")
    costs = find_several_costs(cost)
    refuse_inputs(outputs, [*input_files(results), options["trials"]])
    systems = read_systems(
        results,
        group=options["group"],
        trials=options["trials"],
        calibrated=False if options["uncalibrated"] else None,
        both=options["both"],
    )
    systems = conditions_only(systems, options["columns"])
    found = evaluate_systems(systems, cost=costs, resamples=resamples, seed=seed)
    players = _write(outputs, found, wanted, **options)
    click.echo(tables_as(form or "text", found, wanted), nl=False)
    for path in outputs:
        click.echo(f"wrote {printable(path)}", err=True)
    _tell_outside(players)


def _write(
    outputs: Sequence[Path],
    found: Report,
    wanted: Sequence[str],
    **options: Any,  # noqa: ANN401 - recordings, embed, title, worst
) -> list[Player]:
    """Write every file; return the players, which know what they left out."""
    from bob.learn.pytorch.report.outputs import Player, write_output
    from bob.learn.pytorch.report.provenance import versions

    command = shlex.join(["bob", "pytorch", *_command_line()])
    folders, players = [*options["recordings"], Path.cwd()], []
    try:
        for path in outputs:
            players.append(Player(folders, page=path, embed=options["embed"]))
            write_output(
                path,
                found,
                tables=wanted,
                title=options["title"],
                made_by=[("Command line", command), ("Versions", versions())],
                worst=options["worst"],
                player=players[-1],
            )
    except OSError as error:
        raise click.ClickException(
            f"{', '.join(map(str, outputs))} cannot be written ({error.strerror})"
        ) from error
    return players


def _tell_outside(players: Sequence[Player]) -> None:
    outside = list(dict.fromkeys(name for one in players for name in one.outside))
    if outside:
        click.echo(
            f"Not embedded: {len(outside)} recordings, the first "
            f"{printable(outside[0])}, outside of this folder and of --recordings; "
            "give their folder there if the page may hold them",
            err=True,
        )


def _check_endings(outputs: Sequence[Path]) -> None:
    for path in outputs:
        if path.suffix.lower() not in ENDINGS:
            raise click.BadParameter(
                f"{path} ends in none of {', '.join(ENDINGS)}", param_hint="--output"
            )


def _command_line() -> list[str]:
    """Return the words that were typed, from the name of this command on."""
    words = sys.argv[1:]
    return words[words.index("report") :] if "report" in words else ["report"]
