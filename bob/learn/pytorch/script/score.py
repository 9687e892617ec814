"""`bob pytorch score`: stored embeddings and trials become scores."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from bob.learn.pytorch.printing import printable
from bob.learn.pytorch.script.score_options import (
    FILE,
    SOURCE,
    backend_from,
    refuse_given,
    refuse_overwriting,
    report_scored,
    score_into,
    scoring_options,
)

if TYPE_CHECKING:
    from pathlib import Path

    from bob.learn.pytorch.experiment.stored_scores import Scored


@click.command()
@click.argument("store", type=FILE)
@click.argument("trials", type=SOURCE, required=False)
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Without TRIALS: every recording with every other, a matrix in .npy.",
)
@scoring_options
def score(
    store: Path,
    trials: Path | None,
    *,
    everything: bool,
    output: Path,
    as_json: bool,
    **options: Any,  # noqa: ANN401 - those of scoring_options
) -> None:
    """Score TRIALS between the embeddings of STORE; higher means more alike.

    STORE is a file of `bob pytorch embed`. TRIALS is whatever `bob pytorch protocol`
    reads: a list of VoxCeleb, Kaldi, WeSpeaker or SRE, a protocol of Bob, a folder of
    speakers. Recordings go by their names in STORE, which may be longer paths.

    The output has five columns (claimed model real probe score), or is CSV of Bob if
    its name ends in .csv; without labels in TRIALS, two names behind the score. Beside
    it, OUTPUT.json says what made it.
    """
    if everything == (trials is not None):
        raise click.UsageError("give either TRIALS or --all")
    if everything:
        refuse_given(
            ("quality", "form", "allow_missing", "protocol", "group"),
            why="with --all there are no trials, and the scores are a matrix",
        )
    refuse_overwriting(
        output, store, trials, options, beside=".names" if everything else ".json"
    )
    if trials is not None:
        scored = score_into(output, store, trials, **options)
    else:
        scored = _score_all(output, store, options)
    report_scored(scored, as_json=as_json)


def _score_all(output: Path, store: Path, options: dict[str, Any]) -> Scored:
    from bob.learn.pytorch.experiment.stored_scores import score_everything
    from bob.learn.pytorch.script.recommended import recording_notes
    from bob.learn.pytorch.store import read_embeddings

    if output.suffix.lower() != ".npy":
        raise click.BadParameter(
            f"{printable(output)} has to end in .npy: with --all, the "
            "scores are a matrix",
            param_hint="--output",
        )
    embeddings = read_embeddings(store)
    backend = backend_from(embeddings, options)
    scored = score_everything(embeddings, output, backend=backend)
    return replace(scored, notes=(*scored.notes, *recording_notes(embeddings)))
