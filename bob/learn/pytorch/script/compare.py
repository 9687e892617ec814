"""`bob pytorch compare`: how alike two recordings are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from bob.learn.pytorch.script.extractors import (
    extractor_options,
    make_extractor,
    plain_errors,
)

if TYPE_CHECKING:
    from bob.learn.pytorch.extraction.comparison import Comparison
    from bob.learn.pytorch.templates.template import Template
    from bob.learn.pytorch.weights.catalogue import TrainedModel

MEANING = (
    "cosine of two embeddings, from -1 to 1: the higher, the more likely it is one "
    "speaker"
)
NO_THRESHOLD = (
    "where to draw the line depends on the recordings, and none is published for this "
    "model: measure one on recordings like these with verify.py"
)


@click.command()
@click.argument("first", type=click.Path())
@click.argument("second", type=click.Path())
@extractor_options
@click.option("--json", "as_json", is_flag=True, help="Report in JSON.")
def compare(
    first: str,
    second: str,
    as_json: bool,  # noqa: FBT001 - click hands it over
    **options: Any,  # noqa: ANN401 - those of extractor_options
) -> None:
    """Compare the speakers of two recordings, FIRST and SECOND.

    The score is the cosine of their embeddings, from -1 to 1; higher means more
    alike. A model that is not here yet is downloaded.
    """
    with plain_errors():
        from bob.learn.pytorch.audio import files, printable
        from bob.learn.pytorch.extraction.comparison import (
            compare as compare_recordings,
        )

        paths = (first, second)
        for path in paths:
            files.info(path)  # a misspelt name should not wait for a download
        extractor = make_extractor(**options)
        comparison = compare_recordings(extractor, *paths)
        shown = (printable(first), printable(second))
        notes = _notes(comparison, extractor.model, shown)
    if as_json:
        report = {
            "model": extractor.model.name,
            "score": comparison.score,
            "meaning": MEANING,
            "threshold": None,
            "recordings": [
                {"path": path, "seconds": round(seconds, 4)}
                for path, seconds in zip(shown, comparison.seconds, strict=True)
            ],
            "notes": notes,
        }
        click.echo(json.dumps(report, indent=2))
    else:
        click.echo(f"score {comparison.score:.4f} with {extractor.model.name}")
        click.echo("\n".join(f"  {line}" for line in (MEANING, *notes)))


def _notes(
    comparison: Comparison, model: TrainedModel | Template, paths: tuple[str, str]
) -> list[str]:
    short = [
        f"{path} lasts {seconds:.2f} s; below {model.recommended_seconds:g} s an "
        f"embedding of {model.name} says little"
        for path, seconds in zip(paths, comparison.seconds, strict=True)
        if seconds < model.recommended_seconds
    ]
    return [*short, NO_THRESHOLD]
