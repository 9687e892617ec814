"""`bob pytorch template bench`: one protocol over many models, in one table."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bob.learn.pytorch.printing import printable
from bob.learn.pytorch.script.terminal import INTERRUPTED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bob.learn.pytorch.protocols.trials import Trials


@click.command()
@click.argument("models", nargs=-1, required=True, metavar="MODEL…")
@click.option(
    "--protocol",
    "source",
    required=True,
    type=click.Path(exists=True, path_type=Path),
    help="A protocol in CSV (`bob pytorch protocol`), a trial list, or a folder of "
    "speakers, of which all pairs are compared.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
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
@click.option("--json", "as_json", is_flag=True, help="Report in JSON.")
@click.option(
    "--allow-failures", is_flag=True, help="Exit with 0 even if models failed."
)
def bench(
    models: tuple[str, ...],
    source: Path,
    output: Path,
    device: str | None,
    yes: bool,  # noqa: FBT001 - click hands it over
    as_json: bool,  # noqa: FBT001
    allow_failures: bool,  # noqa: FBT001
    **protocol: Any,  # noqa: ANN401 - group, layout, minimum_seconds
) -> None:
    """Compare MODELs on one protocol: error rates, speed, memory, size.

    A MODEL is a template, a .json file of one, or a trained model of the catalogue.
    They run one after the other; a run that was stopped is taken up by the same
    command. A model that fails is a row with its reason, and the exit status is 1.
    """
    from bob.learn.pytorch.inference.engine import chosen_device
    from bob.learn.pytorch.report.models import as_text
    from bob.learn.pytorch.script import benchmarking

    chosen = chosen_device(device)
    wanted = benchmarking.candidates(models, yes=yes)
    trials, title, about = _trials(source, **protocol)
    with _writing_to(output):
        rows = benchmarking.run(wanted, trials, output, device=chosen, tell=_tell)
        benchmarking.write(rows, output, title=title, about=about)
    shown = printable(output)
    if as_json:
        found = [row.as_dict() for row in rows]
        report = {"protocol": title, "trials": about, "output": shown, "models": found}
        click.echo(json.dumps(report, indent=2))
    else:
        click.echo(f"{title}: {about}\n\n{as_text(rows)}\n")
        click.echo(f"results.csv and index.html are in {shown}")
    if any(row.reason for row in rows) and not allow_failures:
        sys.exit(1)


@contextmanager
def _writing_to(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise click.ClickException(
            f"{printable(folder)} cannot be written ({error.strerror})"
        ) from error
    except KeyboardInterrupt:
        click.echo("Stopped: the same command goes on from here", err=True)
        sys.exit(INTERRUPTED)


def _tell(line: str) -> None:
    click.echo(line, err=True)


def _trials(
    source: Path,
    *,
    group: str | None,
    layout: str | None,
    minimum_seconds: float | None,
) -> tuple[Trials, str, str]:
    """Return the trials of a protocol, its title, and its counts in words."""
    from bob.learn.pytorch.protocols.counts import summarise_trials
    from bob.learn.pytorch.protocols.opening import as_database
    from bob.learn.pytorch.protocols.speakers import (
        ALL_PAIRS,
        SpeakerDatabase,
        SpeakerRule,
    )
    from bob.learn.pytorch.protocols.trials import DatabaseError

    rule = None
    if layout is not None or minimum_seconds is not None:
        rule = SpeakerRule(layout, minimum_seconds=minimum_seconds or 0.0)
    database = as_database(source, rule=rule)
    if isinstance(database, SpeakerDatabase):
        if group is not None:
            raise DatabaseError(
                f"{source} is a folder of speakers, of which all pairs are "
                "compared: it has no groups, leave out --group"
            )
        database.protocol = ALL_PAIRS
        trials, kind = database.trials("dev"), "all pairs"
    else:
        groups = database.groups()
        chosen = group or ("eval" if "eval" in groups else groups[0])
        trials = database.trials(chosen)
        kind = f"protocol {database.protocol}, group {chosen}"
    counts = summarise_trials(trials)
    title = printable(f"{database.name}, {kind}")
    about = (
        f"{counts.recordings:,} recordings of {counts.speakers:,} speakers, "
        f"{counts.target_trials:,} target and {counts.non_target_trials:,} non-target "
        "trials"
    )
    return trials, title, about
