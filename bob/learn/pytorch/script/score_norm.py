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
    purpose="Who speaks in the cohort, if its store does not say it. ",
)
@click.option(
    "--cohort-recordings",
    is_flag=True,
    help="Take every recording of the cohort by itself, not the mean of a speaker's.",
)
@scoring_options
def score_norm(
    store: Path,
    trials: Path,
    *,
    output: Path,
    cohort: Path,
    as_json: bool,
    **options: Any,  # noqa: ANN401 - those of the cohort and scoring_options
) -> None:
    """Score TRIALS like `bob pytorch score`, relative to a cohort of strangers.

    A normalised score counts in deviations above what both sides score against the
    cohort, in which each speaker counts once, as the mean embedding. Where neither the
    store nor --cohort-speakers says who speaks, each recording counts as a speaker of
    its own. zt-norm uses the cohort for both of its steps.
    """
    chosen = {
        parameter: options.pop(option)
        for option, parameter in {
            "kind": "kind",
            "top": "top",
            "cohort_speakers": "speakers",
            "layout": "layout",
            "cohort_recordings": "recordings",
        }.items()
    }
    if chosen["kind"] != "as":
        refuse_given(("top",), why="only adaptive s-norm, --kind as, has a top")
    if chosen["recordings"]:
        refuse_given(
            ("cohort_speakers", "layout"), why="--cohort-recordings needs no speakers"
        )
    refuse_overwriting(output, store, trials, options, cohort, chosen["speakers"])
    with plain_errors():
        from bob.learn.pytorch.experiment.cohort_scores import Cohort, cohort_of
        from bob.learn.pytorch.experiment.named_embeddings import read_embeddings

        def made() -> Cohort:
            return cohort_of(read_embeddings(cohort), **chosen)

        scored = score_into(output, store, trials, cohort=made, **options)
    report_scored(scored, as_json=as_json)
