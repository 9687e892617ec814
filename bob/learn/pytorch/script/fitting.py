"""What `bob pytorch calibrate` and `bob pytorch fuse` share: options and reports."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bob.learn.pytorch.printing import printable
from bob.learn.pytorch.script.door import refuse_inputs, with_companions
from bob.learn.pytorch.script.score_options import (
    FILE,
    NEW_FILE,
    NEW_FOLDER,
    cost_option,
    json_option,
    plain_errors,
    refuse_given,
    trials_option,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from bob.learn.pytorch.calibration import IsotonicCalibration, LinearCalibration
    from bob.learn.pytorch.metrics import CostFunction, DetectionCost, Figures
    from bob.learn.pytorch.scorefiles import ScoreFile
    from bob.learn.pytorch.scorefiles.writing import Change

    Calibration = LinearCalibration | IsotonicCalibration

Command = TypeVar("Command", bound="Callable[..., Any]")

#: Parameters of `fitting_options` that say how to fit.
FIT = ("p_target", "penalty")
UNLABELLED = "no labels: not measured"
# Of what makes the scores, what a line for people tells.
_PROVENANCE = ("model", "measure", "normalisation", "speakers", "scores")


def fitting_options(what: str, *, results: str) -> Callable[[Command], Command]:
    """Add the options of what is fitted on development scores and applied to others.

    Parameters
    ----------
    what
        Such as ``calibration``; names the file, too.
    results
        Folder of the files it is applied to.
    """

    def added(command: Command) -> Command:
        for option in (
            json_option,
            trials_option,
            cost_option,
            click.option(
                "--penalty",
                type=click.FloatRange(min=0),
                help="L2 regularisation of the logistic regression.  [0, the maximum-"
                "likelihood fit; 0.001 where the trials separate perfectly]",
            ),
            click.option(
                "--p-target",
                type=click.FloatRange(0, 1, min_open=True, max_open=True),
                default=0.5,
                help="Prior of target trials that the fit is to be best for.  [0.5]",
            ),
            click.option(
                "--into",
                type=NEW_FOLDER,
                help=f"Folder of the {results} files.  [{results}, beside the {what}]",
            ),
            click.option(
                "--use",
                type=FILE,
                metavar="FILE",
                help=f"Fit nothing: apply this {what} to all files.",
            ),
            click.option(
                "-o",
                "--output",
                type=NEW_FILE,
                default=f"{what}.json",
                show_default=True,
                help=f"{what.capitalize()} to write.",
            ),
        ):
            command = option(command)
        return command

    return added


def refuse_beside_use(*names: str) -> None:
    """Refuse parameters that say how to fit where nothing is fitted."""
    refuse_given(names, why="it is for fitting, and --use fits nothing")


def refuse_overwriting(
    folder: Path,
    results: Sequence[Path],
    *inputs: Path | None,
    output: Path | None,
) -> None:
    """Refuse results that would take the place of what they are made of.

    Parameters
    ----------
    folder
        Of the results.
    results
        Score files whose results they are (see `result_paths`); they are inputs, too.
    inputs
        What is read besides, such as the list of trials.
    output
        The calibration, or fusion; None with --use.

    Raises
    ------
    UsageError
        They would; or the calibration would take the place of a result, or of the file
        that says what made scores, which is there or may be.
    """
    from bob.learn.pytorch.scorefiles.writing import result_paths

    with plain_errors():
        written = with_companions(*result_paths(results, folder))
    read = with_companions(*results, *inputs)
    refuse_inputs([*written, output], read)
    taken = {path.resolve() for path in (*written, *read)}
    if output is not None and output.resolve() in taken:
        raise click.UsageError(
            f"{printable(output)} is the place of one of the results, or "
            "of what tells where scores come from; give another --output, or another "
            "folder (--into)"
        )


def doubts(
    calibration: Calibration, trained: ScoreFile | None, cost: CostFunction
) -> list[str]:
    """What speaks against trusting a calibration, or fusion, in sentences.

    Parameters
    ----------
    trained
        The trials that it was fitted on, with their new scores; None with --use.
    """
    from bob.learn.pytorch.calibration.quality import doubtful_weights
    from bob.learn.pytorch.metrics import reliability_warnings
    from bob.learn.pytorch.report.calibrated import few_speakers_trained

    found = []
    if trained is not None:
        curve = trained.table.curve()
        minima = {f"minDCF, {one}": one.min_point(curve) for one in cost.costs}
        name = printable(trained.path)
        warnings = reliability_warnings(curve, minima)
        found += [f"of {name}, {warning}" for warning in warnings]
    return found + doubtful_weights(calibration) + few_speakers_trained(calibration)


def tell(
    path: Path,
    calibration: Calibration,
    changes: Sequence[Change],
    cost: CostFunction,
    *,
    notes: Sequence[str],
    as_json: bool,
    systems: Mapping[str, Path] | None = None,
) -> None:
    """Print what was fitted, or applied, and what came of it.

    Parameters
    ----------
    path
        Of the calibration, or fusion.
    notes
        See `doubts`.
    systems
        Of a fusion: which file was taken for which system.
    """
    notes = [*notes, *_of_one_kind(changes), *_misfits(changes)]
    if as_json:
        content = _content(path, calibration, changes, cost) | {"notes": notes}
        if systems is not None:
            content["systems"] = {
                name: click.format_filename(file) for name, file in systems.items()
            }
        click.echo(json.dumps(content, indent=2))
        return
    lines = _heading(path, calibration, cost)
    for name, file in (systems or {}).items():
        lines.append(f"  {name}: {printable(file)}")
    lines += _changes(changes)
    for note in notes:
        lines += ["", textwrap.fill(f"Note: {note}.", 79, subsequent_indent="      ")]
    click.echo("\n".join(lines))


def _of_one_kind(changes: Sequence[Change]) -> list[str]:
    """Name files that have labels, and target trials only or none."""
    return [
        f"{printable(change.source)} has {change.after.targets} target and "
        f"{change.after.non_targets} non-target trials with a score, so it has no "
        "error rate"
        for change in changes
        if change.after is not None
        and not (change.after.targets and change.after.non_targets)
    ]


def _misfits(changes: Sequence[Change]) -> list[str]:
    from bob.learn.pytorch.metrics import misfits

    return [
        f"of {printable(change.written)}, {note}"
        for change in changes
        if change.after is not None
        for note in misfits(change.after)
    ]


def _content(
    path: Path,
    calibration: Calibration,
    changes: Sequence[Change],
    cost: CostFunction,
) -> dict[str, Any]:
    trained = calibration.trained_on
    return {
        "calibration": click.format_filename(path),
        "trained_on": {
            "targets": trained.targets,
            "non_targets": trained.non_targets,
            "failures": trained.failures,
        },
        "provenance": dict(calibration.provenance),
        "thresholds": [
            {
                "cost": str(one),
                "p_target": one.p_target,
                "c_miss": one.c_miss,
                "c_fa": one.c_fa,
                "log_likelihood_ratio": one.threshold,
                "score": _raw_score(calibration, one),
                "out_of_reach": _is_out_of_reach(calibration, one),
            }
            for one in cost.costs
        ],
        "files": [
            {
                "source": click.format_filename(change.source),
                "scores": click.format_filename(change.written),
                "before": None if change.before is None else change.before.as_dict(),
                "after": None if change.after is None else change.after.as_dict(),
                "note": UNLABELLED if change.after is None else None,
            }
            for change in changes
        ],
    }


def _heading(path: Path, calibration: Calibration, cost: CostFunction) -> list[str]:
    trained, said = calibration.trained_on, calibration.provenance
    lines = [
        f"{printable(path)}: {_formula(calibration)}",
        f"  fitted on {trained.targets} target and {trained.non_targets} non-target "
        f"trials ({trained.failures} without a score left out)",
    ]
    told = [f"{name} {said[name]}" for name in _PROVENANCE if name in said]
    lines += [f"  of {', '.join(told)}"] if told else []
    otherwise = _beside_score(calibration)
    for one in cost.costs:
        score = _raw_score(calibration, one)
        raw = otherwise if score is None else f", which is a raw score of {score:.4f}"
        if _is_out_of_reach(calibration, one):
            raw += ", out of reach: cosines lie between -1 and 1"
        lines.append(f"  {one}: accept at or above {one.threshold:.3f}{raw}")
    return lines


def _beside_score(calibration: Calibration) -> str:
    """On what the raw score at a threshold depends."""
    from bob.learn.pytorch.calibration.quality import is_fusion, quality_of

    quality = () if is_fusion(calibration) else quality_of(calibration)
    return f", at a raw score that depends on {', '.join(quality)}" if quality else ""


def _changes(changes: Sequence[Change]) -> list[str]:
    titles = ("EER", "minDCF", "actDCF", "Cllr", "min Cllr")
    measured = any(change.after is not None for change in changes)
    lines = [""]
    if measured:
        lines.append(" " * 10 + "".join(f"{title:>10}" for title in titles))
    for change in changes:
        lines.append(printable(change.written))
        if change.before is not None:
            lines.append(f"  before  {_row(change.before)}")
        if change.after is not None:
            lines.append(f"  after   {_row(change.after)}")
        else:
            lines.append(f"  {UNLABELLED}")
    return lines


def _formula(calibration: Calibration) -> str:
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


def _raw_score(calibration: Calibration, cost: DetectionCost) -> float | None:
    """The raw score at the threshold, where it depends on nothing else."""
    from bob.learn.pytorch.calibration import threshold_for

    return threshold_for(
        calibration, p_target=cost.p_target, c_miss=cost.c_miss, c_fa=cost.c_fa
    ).score


def _is_out_of_reach(calibration: Calibration, cost: DetectionCost) -> bool:
    """Whether scores are plain cosines, of which none, or every one, is accepted."""
    from bob.learn.pytorch.calibration import Origin

    score = _raw_score(calibration, cost)
    are_cosines = Origin(calibration.provenance).are_cosines
    return are_cosines and score is not None and abs(score) > 1


def _row(figures: Figures) -> str:
    percent = f"{100 * figures.eer:.3f} %"
    values = figures.min_dcf, figures.act_dcf, figures.cllr, figures.min_cllr
    return f"{percent:>10}" + "".join(f"{value:>10.4f}" for value in values)
