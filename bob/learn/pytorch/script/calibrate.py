"""`bob pytorch calibrate`: scores become log-likelihood ratios."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from bob.learn.pytorch.script.score_options import (
    COSTS,
    FILE,
    NEW_FILE,
    NEW_FOLDER,
    SOURCE,
    plain_errors,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bob.learn.pytorch.metrics import CostFunction, Figures
    from bob.learn.pytorch.scoring import IsotonicCalibration, LinearCalibration
    from bob.learn.pytorch.verification.calibrating import Change


@click.command()
@click.argument("files", nargs=-1, required=True, type=FILE, metavar="DEV [EVAL]...")
@click.option(
    "-o",
    "--output",
    type=NEW_FILE,
    default="calibration.json",
    show_default=True,
    help="Calibration to write.",
)
@click.option(
    "--use",
    type=FILE,
    metavar="FILE",
    help="Fit nothing: apply this calibration to all files.",
)
@click.option(
    "--into",
    type=NEW_FOLDER,
    help="Folder of the calibrated files.  [calibrated, beside the calibration]",
)
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
    help="Also weigh this measure: the columns bio_ref_NAME and probe_NAME of CSV.",
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
    """
    with plain_errors():
        from bob.learn.pytorch.metrics import find_costs
        from bob.learn.pytorch.scoring import load_calibration, save_calibration
        from bob.learn.pytorch.verification import calibrating

        costs = find_costs(cost)
        read = [calibrating.read_score_file(path, trials=trials) for path in files]
        if use is None:
            calibration = calibrating.calibrate(read[0], **fit)
        else:
            calibration = load_calibration(use)
        ready = [(file, calibrating.calibrated(calibration, file)) for file in read]
        folder = into or (use or output).parent / "calibrated"
        changes = calibrating.write_changed(
            ready,
            folder,
            cost=costs,
            provenance={"calibration": str(use or output), **calibration.provenance}
            | {"meaning": "natural log-likelihood ratios"},
        )
        if use is None:
            save_calibration(calibration, output)
    if as_json:
        content = as_content(use or output, calibration, changes, costs)
        click.echo(json.dumps(content, indent=2))
    else:
        click.echo("\n".join(as_lines(use or output, calibration, changes, costs)))


def as_content(
    path: Path,
    calibration: LinearCalibration | IsotonicCalibration,
    changes: Sequence[Change],
    cost: CostFunction,
) -> dict[str, Any]:
    """What was found, for JSON."""
    return {
        "calibration": click.format_filename(path),
        "thresholds": [
            {"cost": str(one), "log_likelihood_ratio": ratio, "score": score}
            for one, ratio, score in _thresholds(calibration, cost)
        ],
        "files": [
            {
                "source": click.format_filename(change.source),
                "scores": click.format_filename(change.written),
                "before": None if change.before is None else change.before.as_dict(),
                "after": change.after.as_dict(),
            }
            for change in changes
        ],
    }


def as_lines(
    path: Path,
    calibration: LinearCalibration | IsotonicCalibration,
    changes: Sequence[Change],
    cost: CostFunction,
) -> list[str]:
    """What was found, for people."""
    trained = calibration.trained_on
    lines = [
        f"{click.format_filename(path)}: {_formula(calibration)}",
        f"  fitted on {trained.targets} target and {trained.non_targets} non-target "
        f"trials ({trained.failures} without a score left out)",
    ]
    for one, ratio, score in _thresholds(calibration, cost):
        raw = "" if score is None else f", which is a raw score of {score:.4f}"
        lines.append(f"  {one}: accept at or above {ratio:.3f}{raw}")
    titles = ("EER", "minDCF", "actDCF", "Cllr", "min Cllr")
    lines += ["", " " * 10 + "".join(f"{title:>10}" for title in titles)]
    for change in changes:
        lines.append(click.format_filename(change.written))
        if change.before is not None:
            lines.append(f"  before  {_row(change.before)}")
        lines.append(f"  after   {_row(change.after)}")
    return lines


def _formula(calibration: LinearCalibration | IsotonicCalibration) -> str:
    weights = getattr(calibration, "weights", None)
    if weights is None:
        return (
            f"log-likelihood ratio in {len(getattr(calibration, 'ratios', ()))} steps"
        )
    columns = getattr(calibration, "columns", ())
    terms = [f"{w:+.5g} {column}" for w, column in zip(weights, columns, strict=True)]
    return (
        f"log-likelihood ratio = {getattr(calibration, 'offset', 0):.5g} "
        + " ".join(f"{term[0]} {term[1:]}" for term in terms)
    )


def _thresholds(
    calibration: LinearCalibration | IsotonicCalibration, cost: CostFunction
) -> list[tuple[object, float, float | None]]:
    """Cost, log-likelihood ratio and, if there is one, raw score of each decision."""
    from bob.learn.pytorch.scoring import LinearCalibration, threshold_for

    found: list[tuple[object, float, float | None]] = []
    for one in cost.costs:
        score = None
        if isinstance(calibration, LinearCalibration):
            score = threshold_for(
                calibration, p_target=one.p_target, c_miss=one.c_miss, c_fa=one.c_fa
            ).score
        found.append((one, one.threshold, score))
    return found


def _row(figures: Figures) -> str:
    percent = f"{100 * figures.eer:.3f} %"
    values = figures.min_dcf, figures.act_dcf, figures.cllr, figures.min_cllr
    return f"{percent:>10}" + "".join(f"{value:>10.4f}" for value in values)
