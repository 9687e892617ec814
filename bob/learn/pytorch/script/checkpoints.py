"""`bob pytorch checkpoints`: embeddings for `bob bio pipeline simple`, in batches."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bob.learn.pytorch.printing import printable
from bob.learn.pytorch.script.door import report
from bob.learn.pytorch.script.extractors import (
    asking,
    extractor_options,
    parallel_options,
    report_options,
)
from bob.learn.pytorch.script.options import NEW_FILE, NEW_FOLDER
from bob.learn.pytorch.script.terminal import INTERRUPTED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bob.learn.pytorch.experiment.checkpoints import Filled, Plan
    from bob.learn.pytorch.preprocessor.audio.loading import Extractor


@click.command()
@click.argument("database")
@click.option(
    "-o",
    "--output",
    required=True,
    type=NEW_FOLDER,
    help="Folder that Bob is given as --output, or as --checkpoint-dir.",
)
@click.option(
    "-g",
    "--group",
    "--groups",
    "groups",
    multiple=True,
    type=click.Choice(["dev", "eval"]),
    help="Only this group; may be repeated.  [all there are]",
)
@click.option("--protocol", help="Protocol, of a database with several.")
@click.option(
    "--store",
    type=NEW_FILE,
    help="Store (.h5) that keeps the embeddings.  [OUTPUT/MODEL.h5]",
)
@extractor_options
@parallel_options
@report_options
def checkpoints(
    database: str,
    output: Path,
    allow_failures: bool,  # noqa: FBT001 - click hands it over
    as_json: bool,  # noqa: FBT001
    **options: Any,  # noqa: ANN401 - what `_filled` takes
) -> None:
    """Embed DATABASE beforehand, for `bob bio pipeline simple -o OUTPUT`.

    DATABASE is what Bob's command takes (an entry point of group bob.bio.database, a
    Python file or module that defines `database`), or what `bob pytorch protocol`
    reads or has written. Bob then finds each embedding in a file, OUTPUT/MODEL/KEY.h5,
    and computes none.

    Files that are right stay; those of another model, of other weights or of a
    recording that changed since are made anew, and so are Bob's own, which do not say
    what made them. If a run was stopped, run the same command again to
    continue.
    """
    try:
        failed = _filled(database, output, as_json=as_json, **options)
    except KeyboardInterrupt:
        click.echo("Stopped; the same command goes on from there", err=True)
        sys.exit(INTERRUPTED)
    if failed and not allow_failures:
        sys.exit(1)


def _filled(
    text: str,
    output: Path,
    *,
    as_json: bool,
    groups: tuple[str, ...],
    protocol: str | None,
    store: Path | None,
    **options: Any,  # noqa: ANN401 - those of parallel_options and extractor_options
) -> bool:
    """Write the files and report; return whether recordings failed."""
    from bob.learn.pytorch.experiment.checkpoints import (
        failures_of,
        fill,
        named_database,
        plan,
    )
    from bob.learn.pytorch.inference.extract import sensible_jobs
    from bob.learn.pytorch.parallel.sharing import Workers
    from bob.learn.pytorch.preprocessor.audio.loading import open_model

    jobs, dask = options.pop("jobs"), options.pop("dask")
    database = named_database(text, protocol=protocol)
    ask = asking(yes=options.pop("yes"))
    extractor = open_model(options.pop("model"), ask=ask, **options)
    extractor.fetch(progress=True)
    planned = plan(database, output, step=extractor.step_name, groups=groups)
    count, device = len(planned.checkpoints), extractor.chosen()["device"]
    workers = Workers(jobs=jobs or sensible_jobs(count, device=device), dask=dask)
    path = store or Path(f"{planned.folder}.h5")
    filled = fill(planned, extractor, store=path, workers=workers)
    failures = failures_of(planned, filled)
    content = {
        "folder": click.format_filename(planned.folder),
        "store": click.format_filename(path),
        "embeddings": count - len(failures),
        "computed": filled.run.computed,
        "written": filled.written,
        "removed": [click.format_filename(file) for file in filled.removed],
        "references_removed": filled.references_removed,
        "failures": failures,
        "left_to_bob": planned.left_to_bob,
        "ran_on": extractor.chosen(),
        "made_by": extractor.fingerprint(),
    }
    report(content, _lines(extractor, planned, filled, path, failures), as_json=as_json)
    return bool(failures)


def _lines(
    extractor: Extractor,
    planned: Plan,
    filled: Filled,
    store: Path,
    failures: Mapping[str, str],
) -> list[str]:
    count = len(planned.checkpoints)
    folder = printable(planned.folder)
    on = ", ".join(extractor.chosen().values())
    lines = [
        f"{count - len(failures)} of {count} recordings have a file in {folder}; "
        f"{filled.written} were written now",
        f"{filled.run.computed} embeddings were computed now (on {on}); all are in "
        f"{printable(store)}",
    ]
    if filled.references_removed:
        lines.append(
            f"{filled.references_removed} references of Bob's were removed: they were "
            "enrolled from other files, and Bob enrols them again"
        )
    if planned.left_to_bob:
        lines.append(
            f"{len(planned.left_to_bob)} more are loaded by the database in its own "
            "way, and left to Bob"
        )
    if failures:
        lines.append(f"{len(failures)} could not be used and have no file:")
        lines += [f"  {name}: {why}" for name, why in failures.items()]
    return lines
