"""`bob pytorch calibrate`: scores become log-likelihood ratios."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bob.learn.pytorch.script.fitting import (
    doubts,
    fitting_options,
    refuse_beside_use,
    refuse_overwriting,
    tell,
)
from bob.learn.pytorch.script.score_options import FILE, plain_errors

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.argument("files", nargs=-1, required=True, type=FILE, metavar="DEV [EVAL]...")
@fitting_options("calibration", results="calibrated")
@click.option(
    "--kind",
    type=click.Choice(("linear", "isotonic")),
    default="linear",
    help="Logistic regression, or steps (PAV).  [linear]",
)
@click.option(
    "--quality",
    multiple=True,
    metavar="NAME",
    help="Also weigh this measure: the columns bio_ref_NAME and probe_NAME of CSV, or "
    "NAME of --trials.",
)
def calibrate(
    files: tuple[Path, ...],
    *,
    output: Path,
    use: Path | None,
    into: Path | None,
    cost: str,
    trials: Path | None,
    as_json: bool,
    **fit: Any,  # noqa: ANN401 - what the calibration is to be like
) -> None:
    """Fit a calibration on the scores DEV, and apply it to DEV and EVAL.

    Calibrated scores are natural log-likelihood ratios: they say how many times as
    likely a score is from one speaker as from two, and give a threshold for any cost.
    DEV has to be labelled; EVAL is calibrated without labels as well, and then not
    measured.
    """
    if use is not None:
        refuse_beside_use("output", *fit)
    folder = into or (use or output).parent / "calibrated"
    refuse_overwriting(folder, files, trials, use, output=None if use else output)
    with plain_errors():
        from bob.learn.pytorch.calibration import save_calibration
        from bob.learn.pytorch.metrics import find_costs
        from bob.learn.pytorch.scorefiles import calibrating, read_score_file, writing

        costs = find_costs(cost)
        stored = None if use is None else calibrating.load_for_one(use)
        read = [
            read_score_file(
                path, trials=trials, unlabelled=use is not None or number > 0
            )
            for number, path in enumerate(files)
        ]
        calibration = stored or calibrating.calibrate(read[0], **fit)
        applied = [calibrating.calibrated(calibration, file) for file in read]
        changes = writing.write_changed(
            list(zip(read, applied, strict=True)),
            folder,
            cost=costs,
            made_by=(use or output, calibration),
        )
        if use is None:
            save_calibration(calibration, output)
        notes = [note for file in applied for note in file.notes]
        if use is None:
            notes += calibrating.separating_measures(read[0], fit["quality"])
        notes += doubts(calibration, applied[0] if use is None else None, costs)
    tell(use or output, calibration, changes, costs, notes=notes, as_json=as_json)
