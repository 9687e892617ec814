"""`bob pytorch calibrate` and `fuse`: scores become log-likelihood ratios."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bob.learn.pytorch.printing import printable
from bob.learn.pytorch.script.door import refuse_inputs, report, with_companions
from bob.learn.pytorch.script.options import (
    FILE,
    NEW_FILE,
    NEW_FOLDER,
    Command,
    cost_option,
    json_option,
    refuse_given,
    together,
    trials_option,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from bob.learn.pytorch.metrics import CostFunction
    from bob.learn.pytorch.scorefiles.rescoring import Rescored

_BESIDE_USE = "it is for fitting, and --use fits nothing"


def _fitting_options(what: str, *, results: str) -> Callable[[Command], Command]:
    """Add the options of a calibration, or fusion, and of the folder of its results."""

    return together(
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
    )


def _refuse_overwriting(
    folder: Path,
    results: Sequence[Path],
    *inputs: Path | None,
    output: Path | None,
) -> None:
    """Refuse results, and a calibration, that would overwrite an input or each other.

    Parameters
    ----------
    results
        Score files whose results go into the folder; they are inputs, too.
    inputs
        Other inputs, such as the list of trials.
    output
        The calibration, or fusion; None with --use.
    """
    from bob.learn.pytorch.scorefiles.rescoring import result_paths

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


def _report(found: Rescored, cost: CostFunction, *, as_json: bool) -> None:
    """Print a calibration, or fusion, and the figures before and after it."""
    from bob.learn.pytorch.report.calibrated import rescored_as_dict, rescored_as_text

    text = rescored_as_text(found, cost)
    report(rescored_as_dict(found, cost), text, as_json=as_json)


@click.command()
@click.argument("files", nargs=-1, required=True, type=FILE, metavar="DEV [EVAL]...")
@_fitting_options("calibration", results="calibrated")
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
    **fit: Any,  # noqa: ANN401 - options of the fit
) -> None:
    """Fit a calibration on the scores DEV, and apply it to DEV and EVAL.

    Calibrated scores are natural log-likelihood ratios: they say how many times as
    likely a score is from one speaker as from two, and give a threshold for any cost.
    DEV has to be labelled; EVAL is calibrated without labels as well, and then not
    measured.
    """
    if use is not None:
        refuse_given(("output", *fit), why=_BESIDE_USE)
    folder = into or (use or output).parent / "calibrated"
    _refuse_overwriting(folder, files, trials, use, output=None if use else output)

    from bob.learn.pytorch.metrics import find_costs
    from bob.learn.pytorch.scorefiles.rescoring import calibrate_files

    costs = find_costs(cost)
    given = {"use": use, "trials": trials, **fit}
    found = calibrate_files(files, folder, cost=costs, output=output, **given)
    _report(found, costs, as_json=as_json)


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
    help="Name of each system, in order.  [its file; with --use, as stored]",
)
@_fitting_options("fusion", results="fused")
def fuse(
    dev: tuple[Path, ...],
    *,
    evaluation: tuple[Path, ...],
    names: tuple[str, ...],
    output: Path,
    use: Path | None,
    into: Path | None,
    cost: str,
    trials: Path | None,
    **fit: Any,  # noqa: ANN401 - options of the fit, and of the output
) -> None:
    """Weigh the systems with the scores DEV, two or more, of the same trials.

    The result is calibrated: natural log-likelihood ratios. It is written under the
    names of the first system's files. DEV has to be labelled. Files given with
    --eval, or with --use, need no labels; without labels they are fused but not
    measured.
    """
    as_json = fit.pop("as_json")
    if use is not None:
        refuse_given(("output", *fit), why=_BESIDE_USE)
    _check_counts(dev, evaluation, names)
    folder = into or (use or output).parent / "fused"
    results = [*dev[:1], *evaluation[:1]]
    inputs = [*dev, *evaluation, trials, use]
    _refuse_overwriting(folder, results, *inputs, output=None if use else output)

    from bob.learn.pytorch.metrics import find_costs
    from bob.learn.pytorch.scorefiles.rescoring import fuse_files

    costs = find_costs(cost)
    found = fuse_files(
        dev, evaluation, folder, cost=costs, output=output, names=names, use=use,
        trials=trials, **fit,
    )  # fmt: skip
    _report(found, costs, as_json=as_json)


def _check_counts(
    dev: tuple[Path, ...], evaluation: tuple[Path, ...], names: tuple[str, ...]
) -> None:
    different = set(names or map(str, dev))
    if len(different) != len(dev):
        raise click.UsageError(
            f"{len(different)} different names for {len(dev)} systems; give one "
            "--name each"
        )
    if evaluation and len(evaluation) != len(dev):
        raise click.UsageError(
            f"{len(evaluation)} files to apply it to and {len(dev)} systems; give one "
            "--eval for each DEV, in the same order"
        )
