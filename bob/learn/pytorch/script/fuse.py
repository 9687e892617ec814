"""`bob pytorch fuse`: several systems become one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bob.learn.pytorch.script.calibrate import (
    BESIDE_USE,
    fitting_options,
    refuse_overwriting,
    report,
)
from bob.learn.pytorch.script.score_options import FILE, refuse_given

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
    help="Name of each system, in order.  [its file; with --use, as stored]",
)
@fitting_options("fusion", results="fused")
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
    names of the first system's files. DEV has to be labelled; what follows --eval is
    fused without labels as well, and then not measured. So are, with --use, all files.
    """
    as_json = fit.pop("as_json")
    if use is not None:
        refuse_given(("output", *fit), why=BESIDE_USE)
    _check_counts(dev, evaluation, names)
    folder = into or (use or output).parent / "fused"
    results = [*dev[:1], *evaluation[:1]]
    inputs = [*dev, *evaluation, trials, use]
    refuse_overwriting(folder, results, *inputs, output=None if use else output)

    from bob.learn.pytorch.metrics import find_costs
    from bob.learn.pytorch.scorefiles.rescoring import fuse_files

    costs = find_costs(cost)
    found = fuse_files(
        dev, evaluation, folder, cost=costs, output=output, names=names, use=use,
        trials=trials, **fit,
    )  # fmt: skip
    report(found, costs, as_json=as_json)


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
