"""`bob pytorch plda`: a model of speakers, trained on stored embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bob.learn.pytorch.choices import LENGTH_NORMALISATIONS
from bob.learn.pytorch.printing import printable
from bob.learn.pytorch.script.door import Group, refuse_inputs, report
from bob.learn.pytorch.script.options import (
    FILE,
    NEW_FILE,
    json_option,
    speakers_option,
)

if TYPE_CHECKING:
    from pathlib import Path


@click.group(cls=Group)
def plda() -> None:
    """Train a PLDA model, which scores embeddings by log-likelihood ratios."""


@plda.command()
@click.argument("store", type=FILE)
@click.option(
    "-o", "--output", required=True, type=NEW_FILE, help="Model to write, .npz."
)
@speakers_option("--speakers", purpose="Speakers, where STORE does not name them. ")
@click.option(
    "--lda",
    "dimensions",
    type=click.IntRange(min=1),
    help="Dimensions after LDA.  [no LDA]",
)
@click.option(
    "--whiten", "whitened", is_flag=True, help="Without LDA, whiten embeddings first."
)
@click.option(
    "--length",
    "length_normalisation",
    type=click.Choice(LENGTH_NORMALISATIONS),
    default="unit",
    help="Length normalisation; kaldi as its ivector-plda-scoring does.  [unit]",
)
@click.option(
    "--iterations",
    type=click.IntRange(min=1),
    default=20,
    help="Iterations of expectation maximisation.  [20]",
)
@json_option
def train(
    store: Path,
    *,
    output: Path,
    speakers: Path | None,
    layout: str | None,
    as_json: bool,
    **options: Any,  # noqa: ANN401 - those of train_plda
) -> None:
    """Train on STORE: centring, LDA or whitening, length, two-covariance PLDA.

    Train on embeddings of the model that is scored later, with several recordings of
    most speakers. Recordings whose speaker is not known are left out.
    """
    if output.suffix.lower() != ".npz":
        raise click.BadParameter(
            f"{printable(output)} has to end in .npz", param_hint="--output"
        )
    refuse_inputs([output], [store, speakers])
    from bob.learn.pytorch.experiment.stored_speakers import speakers_of
    from bob.learn.pytorch.scoring import train_plda
    from bob.learn.pytorch.store import read_embeddings

    embeddings = read_embeddings(store)
    rows, names = speakers_of(embeddings, speakers, layout=layout)
    if not names:
        raise click.UsageError(
            f"{printable(store)} does not say who speaks; give --speakers"
        )
    model = train_plda(embeddings.embeddings[rows], names, **options)
    model.save(output)
    content = {
        "model": click.format_filename(output),
        "recordings": len(rows),
        "left_out": len(embeddings.names) - len(rows),
        "speakers": len(set(names)),
        "dimensions": model.model.mean.size,
    }
    line = (
        f"{content['recordings']} recordings of {content['speakers']} speakers "
        f"({content['left_out']} left out) made {content['model']}, of "
        f"{content['dimensions']} dimensions"
    )
    report(content, [line], as_json=as_json)
