"""`bob pytorch score-norm`: scores relative to those of a cohort."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bob.learn.pytorch.script.score_options import (
    FILE,
    SOURCE,
    refuse_given,
    refuse_overwriting,
    report_scored,
    score_into,
    scoring_options,
    speakers_option,
)

if TYPE_CHECKING:
    from pathlib import Path

# As scoring/cohort.py has them, which --help does not import.
_SHORT = ("as", "s", "z", "t", "zt")
_KINDS = tuple(f"{name}-norm" for name in _SHORT)


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
    type=click.Choice((*_KINDS, *_SHORT)),
    metavar="|".join(_KINDS),
    default="as-norm",
    help="Normalisation; as-norm is adaptive s-norm, and -norm may be left out.  "
    "[as-norm]",
)
@click.option(
    "--top",
    type=click.IntRange(min=2),
    default=300,
    help="Number of highest cohort scores that as-norm takes.  [300]",
)
@speakers_option(
    "--cohort-speakers",
    purpose="Speakers of the cohort, where its store does not name them. ",
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
    """Score TRIALS like `bob pytorch score`, relative to a cohort of other speakers.

    A normalised score counts in deviations above the scores of both sides against the
    cohort, in which each speaker counts once, as the mean embedding. Where neither the
    store nor --cohort-speakers names the speakers, each recording counts as a speaker
    of its own. zt-norm uses the cohort for both of its steps, and there no speaker as
    an impostor of itself.
    """
    chosen = {
        parameter: options.pop(option)
        for option, parameter in {
            "kind": "normalisation",
            "top": "top",
            "cohort_speakers": "speakers",
            "layout": "layout",
            "cohort_recordings": "recordings",
        }.items()
    }
    if chosen["normalisation"] not in ("as", "as-norm"):
        refuse_given(("top",), why="only adaptive s-norm, --kind as-norm, has a top")
    if chosen["recordings"]:
        refuse_given(
            ("cohort_speakers", "layout"), why="--cohort-recordings needs no speakers"
        )
    refuse_overwriting(output, store, trials, options, cohort, chosen["speakers"])
    from bob.learn.pytorch.experiment.stored_speakers import StoredCohort, cohort_of
    from bob.learn.pytorch.store import read_embeddings

    def made() -> StoredCohort:
        return cohort_of(read_embeddings(cohort), **chosen)

    scored = score_into(output, store, trials, cohort=made, **options)
    report_scored(scored, as_json=as_json)
