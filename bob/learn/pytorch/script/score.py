"""`bob pytorch score` and `score-norm`: stored embeddings and trials become scores."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bob.learn.pytorch.choices import (
    MEASURES,
    NORMALISATIONS,
    QUALITIES,
    SHORT_NORMALISATIONS,
)
from bob.learn.pytorch.printing import printable
from bob.learn.pytorch.script.door import refuse_inputs, report
from bob.learn.pytorch.script.options import (
    FILE,
    NEW_FILE,
    SOURCE,
    json_option,
    refuse_given,
    speakers_option,
    together,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bob.learn.pytorch.choices import Quality
    from bob.learn.pytorch.experiment.stored_scores import Scored
    from bob.learn.pytorch.experiment.stored_speakers import StoredCohort
    from bob.learn.pytorch.scoring.backend import RowBackend
    from bob.learn.pytorch.store.reading import StoredEmbeddings

# As scoring/ and scorefiles/ have them, which --help does not import.
_ENROLMENTS = ("mean", "unit-mean", "scores", "max")
_FORMS = ("four", "five", "csv", "voxsrc", "kaldi", "wespeaker")


#: Options of both commands: trials, measure, enrolment and output.
_scoring_options = together(
    json_option,
    click.option(
        "--quality",
        multiple=True,
        type=click.Choice(QUALITIES),
        metavar="|".join(QUALITIES),
        help="Quality measure to write as columns of CSV; may be given again.",
    ),
    click.option(
        "--form",
        type=click.Choice(_FORMS),
        help="Form of the output.  [csv if its name ends so, else five columns]",
    ),
    click.option(
        "--allow-missing",
        is_flag=True,
        help="Let trials of recordings that STORE lacks score nan.  [an error]",
    ),
    click.option("--protocol", help="Name of the protocol, where there are several."),
    click.option("--group", help="Group of the protocol, such as dev or eval."),
    click.option(
        "--enrolment",
        type=click.Choice(_ENROLMENTS),
        default="mean",
        help="References of several recordings: mean embedding (with --plda, exact "
        "for the number of recordings), mean after length normalisation, mean or "
        "highest of the scores.  [mean]",
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
        "--measure",
        type=click.Choice(MEASURES),
        help="Similarity measure.  [cosine]",
    ),
    click.option("-o", "--output", required=True, type=NEW_FILE, help="File to write."),
)


@click.command()
@click.argument("store", type=FILE)
@click.argument("trials", type=SOURCE, required=False)
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Without TRIALS: every recording with every other, a matrix in .npy.",
)
@_scoring_options
def score(
    store: Path,
    trials: Path | None,
    *,
    everything: bool,
    output: Path,
    as_json: bool,
    **options: Any,  # noqa: ANN401 - those of _scoring_options
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
    _refuse_overwriting(
        output, store, trials, options, beside=".names" if everything else ".json"
    )
    if trials is not None:
        scored = _score_into(output, store, trials, **options)
    else:
        scored = _score_all(output, store, options)
    _report_scored(scored, output, as_json=as_json)


def _score_all(output: Path, store: Path, options: dict[str, Any]) -> Scored:
    from bob.learn.pytorch.experiment.stored_scores import score_everything
    from bob.learn.pytorch.preprocessor.audio.loading import recording_notes
    from bob.learn.pytorch.store import read_embeddings

    if output.suffix.lower() != ".npy":
        raise click.BadParameter(
            f"{printable(output)} has to end in .npy: with --all, the "
            "scores are a matrix",
            param_hint="--output",
        )
    embeddings = read_embeddings(store)
    backend = _backend_from(embeddings, options)
    scored = score_everything(embeddings, output, backend=backend)
    return replace(scored, notes=(*scored.notes, *recording_notes(embeddings)))


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
    type=click.Choice((*NORMALISATIONS, *SHORT_NORMALISATIONS)),
    metavar="|".join(NORMALISATIONS),
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
@_scoring_options
def score_norm(
    store: Path,
    trials: Path,
    *,
    output: Path,
    cohort: Path,
    as_json: bool,
    **options: Any,  # noqa: ANN401 - those of the cohort and _scoring_options
) -> None:
    """Score TRIALS like `bob pytorch score`, relative to a cohort of other speakers.

    A normalised score counts in deviations above the scores of both sides against the
    cohort, in which each speaker counts once, as the mean embedding. Where neither the
    store nor --cohort-speakers names the speakers, each recording counts as a speaker
    of its own. zt-norm uses the cohort in both steps; a cohort speaker is never its own
    impostor.
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
    _refuse_overwriting(output, store, trials, options, cohort, chosen["speakers"])
    from bob.learn.pytorch.experiment.stored_speakers import cohort_of
    from bob.learn.pytorch.store import read_embeddings

    def made() -> StoredCohort:
        return cohort_of(read_embeddings(cohort), **chosen)

    scored = _score_into(output, store, trials, cohort=made, **options)
    _report_scored(scored, output, as_json=as_json)


def _refuse_overwriting(
    output: Path,
    store: Path,
    trials: Path | None,
    options: Mapping[str, Any],
    *others: Path | None,
    beside: str = ".json",
) -> None:
    """Refuse to overwrite the files that the scores are made of.

    Parameters
    ----------
    options
        Options of the command.
    others
        Further inputs.
    beside
        Suffix of the companion of the output.

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


def _score_into(
    output: Path,
    store: Path,
    trials: Path,
    *,
    cohort: Callable[[], StoredCohort] | None = None,
    form: str | None,
    quality: tuple[Quality, ...],
    **options: Any,  # noqa: ANN401 - those of _scoring_options
) -> Scored:
    """Score trials as the options say, and normalise by a cohort if there is one."""
    from bob.learn.pytorch.experiment import stored_scores
    from bob.learn.pytorch.experiment.stored_trials import stored_trials
    from bob.learn.pytorch.preprocessor.audio.loading import recording_notes
    from bob.learn.pytorch.store import read_embeddings

    embeddings = read_embeddings(store)
    names = ("group", "protocol", "allow_missing")
    chosen = {name: options[name] for name in names}
    wanted = stored_trials(trials, embeddings, **chosen)
    notes = recording_notes(embeddings, wanted.rows_by_name(embeddings.names))
    scored = stored_scores.score(
        embeddings,
        wanted,
        output=output,
        backend=_backend_from(embeddings, options),
        cohort=None if cohort is None else cohort(),
        form=form,
        quality=quality,
        provenance={"store": str(store), "trials": str(trials)}
        | {name: options[name] for name in names[:2] if options[name]}
        | ({"notes": notes} if notes else {}),
    )
    return replace(scored, notes=(*scored.notes, *notes))


def _backend_from(
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


def _report_scored(scored: Scored, output: Path, *, as_json: bool) -> None:
    """Print what was written."""
    where = click.format_filename(output)
    content = {
        "scores": where,
        "trials": scored.trials,
        "failures": scored.failures,
        "notes": list(scored.notes),
    }
    failed = f", {scored.failures} of them nan" if scored.failures else ""
    lines = [f"{scored.trials} scores are in {printable(output)}{failed}"]
    lines += [f"  {note}" for note in scored.notes]
    report(content, lines, as_json=as_json)
