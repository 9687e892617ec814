"""`bob pytorch fuse`: several systems become one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bob.learn.pytorch.script.fitting import (
    FIT,
    doubts,
    fitting_options,
    refuse_beside_use,
    refuse_overwriting,
    tell,
)
from bob.learn.pytorch.script.score_options import FILE, plain_errors

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from bob.learn.pytorch.scorefiles import ScoreFile


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
    help="What to call each system, in order.  [its file; with --use, as stored]",
)
@fitting_options("fusion", results="fused")
def fuse(
    dev: tuple[Path, ...],
    *,
    evaluation: tuple[Path, ...],
    names: tuple[str, ...],
    output: Path,
    use: Path | None,
    cost: str,
    trials: Path | None,
    **options: Any,  # noqa: ANN401 - the others of fitting_options
) -> None:
    """Weigh the systems with the scores DEV, two or more, of the same trials.

    The result is calibrated: natural log-likelihood ratios. It is written under the
    names of the first system's files. DEV has to be labelled; what follows --eval is
    fused without labels as well, and then not measured. So are, with --use, all files.
    """
    if use is not None:
        refuse_beside_use("output", *FIT)
    _check_counts(dev, evaluation, names)
    folder = options["into"] or (use or output).parent / "fused"
    refuse_overwriting(
        folder,
        [*dev[:1], *evaluation[:1]],
        *dev,
        *evaluation,
        trials,
        use,
        output=None if use else output,
    )
    with plain_errors():
        from bob.learn.pytorch.calibration import save_calibration
        from bob.learn.pytorch.metrics import find_costs
        from bob.learn.pytorch.scorefiles import calibrating, writing

        costs = find_costs(cost)
        stored = None if use is None else calibrating.load_fusion(use)
        if stored is None:
            systems = dict(zip(names or tuple(map(str, dev)), dev, strict=True))
        else:
            systems = calibrating.systems_of(stored, dev, names=names)
        sets = [
            _read(systems, paths, trials, unlabelled=use is not None or number > 0)
            for number, paths in enumerate((dev, evaluation))
            if paths
        ]
        fusion = stored or calibrating.fuse(
            sets[0], **{name: options[name] for name in FIT}
        )
        results = [calibrating.fused_scores(fusion, files) for files in sets]
        changes = writing.write_changed(
            [(file, file) for file in results],
            folder,
            cost=costs,
            made_by=(use or output, fusion),
            is_fusion=True,
        )
        if use is None:
            save_calibration(fusion, output)
        notes = [note for file in results for note in file.notes]
        notes += [] if stored else calibrating.separating_systems(sets[0])
        notes += doubts(fusion, None if use is not None else results[0], costs)
    tell(
        use or output,
        fusion,
        changes,
        costs,
        notes=notes,
        as_json=options["as_json"],
        systems=systems,
    )


def _read(
    systems: Iterable[str],
    paths: Iterable[Path],
    trials: Path | None,
    *,
    unlabelled: bool,
) -> dict[str, ScoreFile]:
    """Read one score file of each system."""
    from bob.learn.pytorch.scorefiles import read_score_file

    return {
        name: read_score_file(path, trials=trials, unlabelled=unlabelled)
        for name, path in zip(systems, paths, strict=True)
    }


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
