"""`bob pytorch fuse`: several systems become one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from bob.learn.pytorch.script.calibrate import as_content, as_lines
from bob.learn.pytorch.script.score_options import (
    COSTS,
    FILE,
    NEW_FILE,
    NEW_FOLDER,
    SOURCE,
    plain_errors,
)

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.argument("dev", nargs=-1, required=True, type=FILE, metavar="DEV...")
@click.option(
    "--eval",
    "evaluation",
    multiple=True,
    type=FILE,
    help="Scores to apply it to: one --eval for each DEV, in the same order.",
)
@click.option(
    "--name",
    "names",
    multiple=True,
    help="What to call each system, in order.  [its file]",
)
@click.option(
    "-o",
    "--output",
    type=NEW_FILE,
    default="fusion.json",
    show_default=True,
    help="Fusion to write.",
)
@click.option(
    "--into",
    type=NEW_FOLDER,
    help="Folder of the fused files.  [fused, beside the fusion]",
)
@click.option(
    "--p-target",
    type=float,
    default=0.5,
    help="Prior of target trials that the fit is to be best for.  [0.5]",
)
@click.option(
    "--penalty",
    type=click.FloatRange(min=0),
    default=0.0,
    help="Of large weights, where trials are told apart without error.  [0]",
)
@click.option(
    "--cost", default="p0.01", help=f"Of DCF and threshold: {COSTS}.  [p0.01]"
)
@click.option("--trials", type=SOURCE, help="List of the trials, for their labels.")
@click.option("--json", "as_json", is_flag=True, help="Report in JSON.")
def fuse(
    dev: tuple[Path, ...],
    *,
    evaluation: tuple[Path, ...],
    names: tuple[str, ...],
    output: Path,
    into: Path | None,
    cost: str,
    trials: Path | None,
    as_json: bool,
    **fit: float,
) -> None:
    """Weigh the systems with the scores DEV, two or more, of the same trials.

    The result is calibrated: natural log-likelihood ratios. It is written under the
    names of the first system's files.
    """
    chosen = names or tuple(map(str, dev))
    if len(set(chosen)) != len(dev):
        raise click.UsageError(
            f"{len(set(chosen))} different names for {len(dev)} systems; give one "
            "--name each"
        )
    if evaluation and len(evaluation) != len(dev):
        raise click.UsageError(
            f"{len(evaluation)} files to apply it to and {len(dev)} systems; give one "
            "--eval for each DEV, in the same order"
        )
    with plain_errors():
        from bob.learn.pytorch.metrics import find_costs
        from bob.learn.pytorch.scoring import save_calibration
        from bob.learn.pytorch.verification import calibrating

        costs = find_costs(cost)
        sets = [
            {
                name: calibrating.read_score_file(path, trials=trials)
                for name, path in zip(chosen, paths, strict=True)
            }
            for paths in (dev, evaluation)
            if paths
        ]
        fusion = calibrating.fuse(sets[0], **fit)
        results = [calibrating.fused_scores(fusion, systems) for systems in sets]
        changes = calibrating.write_changed(
            [(file, file.table.score) for file in results],
            into or output.parent / "fused",
            cost=costs,
            provenance={"fusion": str(output), **fusion.provenance}
            | {"meaning": "natural log-likelihood ratios"},
            is_fusion=True,
        )
        save_calibration(fusion, output)
    if as_json:
        content = as_content(output, fusion, changes, costs)
        click.echo(json.dumps(content, indent=2))
    else:
        click.echo("\n".join(as_lines(output, fusion, changes, costs)))
