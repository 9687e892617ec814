"""`bob pytorch score-norm`: scores relative to those of a cohort."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bob.learn.pytorch.script.score_options import (
    FILE,
    SOURCE,
    plain_errors,
    refuse_given,
    refuse_overwriting,
    report_scored,
    score_into,
    scoring_options,
    speakers_option,
)

if TYPE_CHECKING:
    from pathlib import Path

# As comparison/cohort_scores.py has them.
_KINDS = ("as", "s", "z", "t", "zt")


@click.command()
@click.argument("store", type=FILE)
@click.argument("trials", type=SOURCE)
@click.option(
    "--cohort",
    required=True,
    type=FILE,
    metavar="STORE",
    help="Embeddings of speakers that are in no trial, by the same model.",
)
@click.option(
    "--kind",
    type=click.Choice(_KINDS),
    default="as",
    help="Adaptive s-norm, s-, z-, t- or zt-norm.  [as]",
)
@click.option(
    "--top",
    type=click.IntRange(min=2),
    default=300,
    help="Highest cohort scores that adaptive s-norm takes.  [300]",
)
@speakers_option(
    "--cohort-speakers",
    purpose="Take the mean embedding of each speaker of the cohort. ",
)
@scoring_options
def score_norm(
    store: Path,
    trials: Path,
    *,
    output: Path,
    cohort: Path,
    kind: str,
    top: int,
    cohort_speakers: Path | None,
    as_json: bool,
    **options: Any,  # noqa: ANN401 - those of scoring_options
) -> None:
    """Score TRIALS like `bob pytorch score`, relative to a cohort of strangers.

    A normalised score counts in deviations above what both sides score against the
    cohort. zt-norm uses the cohort for both of its steps; in the second, each of its
    recordings meets all others as strangers, so give --cohort-speakers if it has
    several recordings of a speaker.
    """
    if kind != "as":
        refuse_given(("top",), why="only adaptive s-norm, --kind as, has a top")
    refuse_overwriting(output, store, trials, options, cohort, cohort_speakers)
    with plain_errors():
        from bob.learn.pytorch.comparison.cohort_scores import Cohort, cohort_of
        from bob.learn.pytorch.comparison.named_embeddings import read_embeddings

        def chosen() -> Cohort:
            return cohort_of(
                read_embeddings(cohort),
                kind=kind,  # type: ignore[arg-type]  # click has checked it
                top=top,
                speakers=cohort_speakers,
            )

        scored = score_into(output, store, trials, cohort=chosen, **options)
    report_scored(scored, as_json=as_json)
