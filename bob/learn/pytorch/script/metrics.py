"""`bob pytorch metrics`: scores become error rates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bob.learn.pytorch.printing import printable
from bob.learn.pytorch.script.door import report
from bob.learn.pytorch.script.options import (
    FILE,
    SOURCE,
    costs_option,
    json_option,
)

if TYPE_CHECKING:
    from pathlib import Path

# Of a file this long, a table in memory would take gigabytes.
_LONG_FILE = 2 << 30


@click.command()
@click.argument("scores", metavar="FILE", type=FILE)
@click.option(
    "--dev",
    type=FILE,
    help="Development scores: their EER threshold is applied here.  [none]",
)
@click.option(
    "--trials",
    type=SOURCE,
    help="Trial list or protocol: the labels of scores that have none, and columns for "
    "--by.  [none]",
)
@costs_option
@click.option(
    "--at-fmr",
    multiple=True,
    type=float,
    metavar="RATE",
    help="Report the FNMR at this FMR, a fraction.",
)
@click.option(
    "--at-fnmr",
    multiple=True,
    type=float,
    metavar="RATE",
    help="Report the FMR at this FNMR, a fraction.",
)
@click.option(
    "--by",
    multiple=True,
    metavar="COLUMN",
    help="Report each class of this column of the CSV, or of --trials, too; gender "
    "joins bio_ref_gender and probe_gender.",
)
@click.option(
    "--versus",
    multiple=True,
    type=FILE,
    metavar="OTHER",
    help="Compare with another system on the same trials.",
)
@click.option(
    "--resamples",
    type=click.IntRange(min=0),
    help="Draws of the speakers, for intervals; 0 for none.  [1000; 200 for more than "
    "a million trials]",
)
@click.option(
    "--stream",
    is_flag=True,
    help="Work in bounded memory, without intervals; done for files of more than "
    "2 GiB.",
)
@json_option
def metrics(
    scores: Path,
    *,
    dev: Path | None,
    trials: Path | None,
    cost: tuple[str, ...],
    by: tuple[str, ...],
    versus: tuple[Path, ...],
    stream: bool,
    as_json: bool,
    **asked: Any,  # noqa: ANN401 - at_fmr, at_fnmr and resamples
) -> None:
    """Print the error rates of a score file of any kind: EER, DCF, Cllr …

    FILE has four or five columns, is CSV of Bob, or of the form 'score a b', 'a b
    score' and the like, perhaps with a column of labels (1 and 0, target and
    nontarget); without labels, --trials may say who is who. Higher means more alike.
    Rates are fractions in JSON and percent in the table.
    """
    from bob.learn.pytorch.metrics import find_several_costs
    from bob.learn.pytorch.scorefiles.evaluating import (
        evaluate,
        evaluate_in_bounded_memory,
    )

    costs, resamples = find_several_costs(cost), asked.pop("resamples")
    if stream or scores.stat().st_size > _LONG_FILE:
        if dev or by or versus or costs[1:] or resamples or any(asked.values()):
            raise click.UsageError(
                "in bounded memory there are no conditions, comparisons, points "
                "and intervals, and one --cost; leave --stream out, or ask for "
                "nothing else"
            )
        found = evaluate_in_bounded_memory(scores, trials=trials, cost=costs[0])
    else:
        found = evaluate(
            scores, trials=trials, dev=dev, cost=costs, by=by, versus=versus,
            resamples=resamples,
        ).with_points(**asked)  # fmt: skip
    content = {"scores": click.format_filename(scores), **found.as_dict()}
    text = f"{printable(scores)}:\n{found.as_text()}"
    report(content, text, as_json=as_json)
