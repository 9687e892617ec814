"""`bob pytorch demo`: real speech through a real model, with one command."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import click


@click.command()
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder of your own: speaker/…/recording. [council meetings from PyPI]",
)
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("demo"),
    show_default=True,
    help="Where the configuration, the embeddings and the results go.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def demo(data: Path | None, output: Path, as_json: bool) -> None:  # noqa: FBT001 - click hands it over
    """Fetch a model and recordings, run verify.py on them, print error rates.

    Without --data: nine speakers in meetings of the Seattle City Council, enrolled
    from one meeting and tested with the others. The configuration that is written
    can be changed and run again with `verify.py`.
    """
    from bob.learn.pytorch.models.errors import WeightsError
    from bob.learn.pytorch.printing import printable
    from bob.learn.pytorch.protocols.trials import DatabaseError
    from bob.learn.pytorch.script import demonstration
    from bob.learn.pytorch.settings import SettingsError

    if not as_json:
        click.echo("Fetching a model (81 MB) and recordings (39 MB), if not here yet")
    try:
        prepared = demonstration.prepare(output, recordings=data)
    except (DatabaseError, SettingsError, WeightsError) as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(
            f"{error.filename or output} cannot be written ({error.strerror or error});"
            " give another folder with --output"
        ) from error
    configuration = printable(shlex.quote(str(prepared.configuration)))
    if not as_json:
        click.echo(f"Recordings: {printable(str(prepared.recordings))}")
        kept = " (it was there and stays as it is)" if prepared.kept else ""
        click.echo(f"Running:    verify.py {configuration}{kept}\n")
    status = demonstration.run(prepared, quiet=as_json)
    if status:
        sys.exit(status)
    if as_json and not prepared.report.exists():
        raise click.ClickException(
            f"{prepared.report} is not there: {configuration} was changed to "
            "write elsewhere; remove it to start afresh"
        )
    if as_json:
        click.echo(json.dumps(json.loads(prepared.report.read_text()), indent=2))
    else:
        verify = shlex.quote(str(Path(sys.executable).with_name("verify.py")))
        click.echo(f"Change it and run it again: {verify} {configuration}")
