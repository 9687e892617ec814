"""What commands share that make, read or judge scores."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bob.learn.pytorch.printing import printable
from bob.learn.pytorch.script.door import refuse_inputs

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from bob.learn.pytorch.experiment.stored_scores import Scored
    from bob.learn.pytorch.experiment.stored_speakers import StoredCohort
    from bob.learn.pytorch.scoring.backend import RowBackend
    from bob.learn.pytorch.store.reading import StoredEmbeddings

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
NEW_FILE = click.Path(dir_okay=False, path_type=Path)
NEW_FOLDER = click.Path(file_okay=False, path_type=Path)
SOURCE = click.Path(exists=True, path_type=Path)

# As verification/ has them, which --help does not import.
MEASURES = ("cosine", "euclidean")
ENROLMENTS = ("mean", "unit-mean", "scores", "max")
FORMS = ("four", "five", "csv", "voxsrc", "kaldi", "wespeaker")
COSTS = (
    "p0.05, p0.01, p0.005, p0.001, voxsrc, sre08, sre10, sre12, sre16, sre18-vast, a "
    "prior such as 0.02, or c_miss:c_fa:p_target"
)

Command = TypeVar("Command", bound="Callable[..., Any]")

json_option = click.option("--json", "as_json", is_flag=True, help="Report in JSON.")
cost_option = click.option(
    "--cost", default="p0.01", help=f"Of DCF and its threshold: {COSTS}.  [p0.01]"
)
costs_option = click.option(
    "--cost",
    multiple=True,
    default=("p0.01",),
    help=f"Detection cost: {COSTS}. May be given several times.  [p0.01]",
)
trials_option = click.option(
    "--trials",
    type=SOURCE,
    help="List of the trials, or protocol, for scores without labels.",
)


def speakers_option(flag: str, *, purpose: str = "") -> Callable[[Command], Command]:
    """Return the options that say who speaks in each recording of a store."""
    speakers = click.option(
        flag,
        type=SOURCE,
        metavar="UTT2SPK",
        help=f"{purpose}Lines 'name speaker', a folder of speakers, or CSV.",
    )
    layout = click.option(
        "--layout",
        help=f"Folder levels of {flag}: speaker (default), session/speaker, …",
    )
    return lambda command: speakers(layout(command))


def scoring_options(command: Command) -> Command:
    """Add the options that say what is scored, how, and what is written."""
    for option in (
        json_option,
        click.option(
            "--quality",
            multiple=True,
            metavar="duration|magnitude|cohort_mean",
            help="Also write this measure of both sides, as columns of CSV.",
        ),
        click.option(
            "--form",
            type=click.Choice(FORMS),
            help="Of the output.  [csv if its name ends so, else five columns]",
        ),
        click.option(
            "--allow-missing",
            is_flag=True,
            help="Trials of recordings that STORE does not know score nan.",
        ),
        click.option(
            "--protocol", help="Name of the protocol, where there are several."
        ),
        click.option("--group", help="Group of the protocol, such as dev or eval."),
        click.option(
            "--enrolment",
            type=click.Choice(ENROLMENTS),
            default="mean",
            help="Of references of several recordings: mean embedding (with --plda by "
            "the book), mean of unit length, mean or highest of the scores.  [mean]",
        ),
        click.option(
            "--subtract-mean",
            type=FILE,
            metavar="STORE",
            help="Subtract the mean embedding of this store from all.",
        ),
        click.option(
            "--plda",
            type=FILE,
            metavar="MODEL.npz",
            help="Score by a model of `bob pytorch plda train` instead.",
        ),
        click.option(
            "--measure", type=click.Choice(MEASURES), help="Of embeddings.  [cosine]"
        ),
        click.option(
            "-o", "--output", required=True, type=NEW_FILE, help="File to write."
        ),
    ):
        command = option(command)
    return command


def refuse_given(names: Collection[str], *, why: str) -> None:
    """Refuse options of this command that have no meaning beside others.

    Parameters
    ----------
    names
        Parameters of the command.
    why
        What is said of an option that was given.

    Raises
    ------
    UsageError
        One of them was given.
    """
    context = click.get_current_context()
    ours = (None, click.core.ParameterSource.DEFAULT)
    for option in context.command.params:
        if option.name not in names:
            continue
        if context.get_parameter_source(option.name) not in ours:
            raise click.UsageError(f"leave {option.opts[-1]} out: {why}")


def refuse_overwriting(
    output: Path,
    store: Path,
    trials: Path | None,
    options: Mapping[str, Any],
    *others: Path | None,
    beside: str = ".json",
) -> None:
    """Refuse scores that would take the place of what they are made of.

    Parameters
    ----------
    options
        Those of `scoring_options`.
    others
        What is read besides.
    beside
        What the name of the output has behind it where its companion is.

    Raises
    ------
    UsageError
        They would. So would a file in the folder of a protocol, if it is no scores.
    """
    companion = Path(f"{output}{beside}")
    inputs = [store, trials, options["plda"], options["subtract_mean"], *others]
    refuse_inputs([output, companion], inputs)
    if trials is None or not output.exists() or companion.exists():
        return
    if trials.resolve() in output.resolve().parents:
        here, there, beside = map(printable, (output, trials, companion))
        raise click.UsageError(
            f"{here} would be overwritten: it lies in the folder of the trials "
            f"({there}), and nothing says that it is a result (there is no {beside}); "
            "write into another file or folder"
        )


@contextlib.contextmanager
def plain_errors() -> Iterator[None]:
    """Leave errors to the door, which every command has."""
    yield


def score_into(
    output: Path,
    store: Path,
    trials: Path,
    *,
    cohort: Callable[[], StoredCohort] | None = None,
    form: str | None,
    quality: tuple[str, ...],
    **options: Any,  # noqa: ANN401 - those of scoring_options
) -> Scored:
    """Score trials as the options say, and normalise by a cohort if there is one."""
    from bob.learn.pytorch.experiment import stored_scores
    from bob.learn.pytorch.experiment.stored_trials import stored_trials
    from bob.learn.pytorch.script.recommended import recording_notes
    from bob.learn.pytorch.store import read_embeddings

    _check_quality(quality)
    embeddings = read_embeddings(store)
    names = ("group", "protocol", "allow_missing")
    chosen = {name: options[name] for name in names}
    wanted = stored_trials(trials, embeddings, **chosen)
    notes = recording_notes(embeddings, wanted.rows_by_name(embeddings.names))
    scored = stored_scores.score_trials(
        wanted,
        embeddings,
        output,
        backend=backend_from(embeddings, options),
        cohort=None if cohort is None else cohort(),
        form=form,
        quality=quality,  # type: ignore[arg-type]  # checked above
        provenance={"store": str(store), "trials": str(trials)}
        | {name: options[name] for name in names[:2] if options[name]}
        | ({"notes": notes} if notes else {}),
    )
    return replace(scored, notes=(*scored.notes, *notes))


def backend_from(
    embeddings: StoredEmbeddings, options: Mapping[str, Any]
) -> RowBackend:
    """Return the backend that options ask for."""
    from bob.learn.pytorch.experiment.backends import backend_of, mean_of, plda_for

    measure, plda = options["measure"], options["plda"]
    if plda is not None and measure is not None:
        raise click.UsageError("--plda is a measure itself; leave --measure out")
    others = options["subtract_mean"]
    return backend_of(
        (measure or "cosine") if plda is None else plda_for(embeddings, plda),
        enrolment=options["enrolment"],
        mean=None if others is None else mean_of(others, alike=embeddings),
    )


def _check_quality(quality: tuple[str, ...]) -> None:
    from bob.learn.pytorch.experiment.stored_scores import QUALITIES

    for name in quality:
        if name not in QUALITIES:
            raise click.BadParameter(
                f"{name!r} is none of {', '.join(QUALITIES)}", param_hint="--quality"
            )


def report_scored(scored: Scored, *, as_json: bool) -> None:
    """Print what was written."""
    import json

    where = click.format_filename(scored.path)
    if as_json:
        content = {
            "scores": where,
            "trials": scored.trials,
            "failures": scored.failures,
            "notes": list(scored.notes),
        }
        click.echo(json.dumps(content, indent=2))
        return
    failed = f", {scored.failures} of them nan" if scored.failures else ""
    click.echo(f"{scored.trials} scores are in {printable(scored.path)}{failed}")
    for note in scored.notes:
        click.echo(printable(f"  {note}"))
