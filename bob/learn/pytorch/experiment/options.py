"""What verify.py may be told, on its command line or in a configuration file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

Kind = Literal["component", "text", "words", "count", "number", "real", "flag"]

#: The stages of an experiment in the order in which they run.
STAGES = (
    "preprocessing",
    "extraction",
    "enrollment",
    "score-computation",
    "concatenation",
    "calibration",
    "report",
)

#: Stages of the old days that train something; nothing here needs them.
STAGES_WITHOUT_WORK = (
    "extractor-training",
    "projector-training",
    "projection",
    "enroller-training",
)

#: Ways to normalise scores by a cohort.
Method: TypeAlias = Literal["z-norm", "t-norm", "s-norm", "zt-norm", "as-norm"]
NORMALISATIONS: tuple[Method, ...] = get_args(Method)

#: Of both sides of a trial, what a calibration may weigh beside the score.
CALIBRATION_QUALITIES = ("duration", "magnitude", "cohort_mean")


@dataclass(frozen=True)
class Option:
    """One option: ``--long-name`` on the command line, ``long_name`` in a file."""

    flags: tuple[str, ...]
    kind: Kind
    help: str
    default: Any = None
    choices: tuple[str, ...] = ()
    importance: Literal["required", "common", "optional", "rare"] = "optional"
    #: Whether an option of words stands once for each of them on the command line.
    repeated: bool = False

    @property
    def long(self) -> str:
        """The long name as typed, without dashes in front."""
        return next(flag for flag in self.flags if flag.startswith("--"))[2:]

    @property
    def name(self) -> str:
        """The variable of a configuration file that says the same."""
        return self.long.replace("-", "_")


def _stage_options() -> tuple[Option, ...]:
    stages = (*STAGES, *STAGES_WITHOUT_WORK)
    return tuple(
        Option(
            (f"--skip-{stage}",),
            "flag",
            f"Leave out the stage {stage} and use what an earlier run left.",
            default=False,
            importance="rare",
        )
        for stage in stages
    )


OPTIONS: tuple[Option, ...] = (
    Option(
        ("-d", "--database"),
        "component",
        "The recordings and trials: a folder of speakers, a trial list, a CSV "
        "protocol, a Bob database.",
        importance="required",
    ),
    Option(
        ("-p", "--preprocessor"),
        "component",
        "Turns a recording into its embedding: campplus-zh-en, "
        "dltresnet34-voxceleb1, resnet34-voxceleb1, a template such as "
        "speech-ecapa-tdnn, a file of weights or of a template, or an object.",
        importance="required",
    ),
    Option(
        ("-e", "--extractor"),
        "component",
        "Applied to what the preprocessor wrote: unchanged, or an object.",
        importance="required",
    ),
    Option(
        ("-a", "--algorithm"),
        "component",
        "Compares embeddings: cosine, distance-cosine, euclidean, "
        "distance-euclidean, a PLDA model (.npz) or an object.",
        importance="required",
    ),
    Option(
        ("-s", "--sub-directory"),
        "text",
        "Name of the experiment: a folder below both the temporary and the "
        "result directory.",
        importance="required",
    ),
    Option(
        ("--groups",),
        "words",
        "Groups of the database to score.",
        default=("dev",),
        choices=("dev", "eval"),
        importance="common",
    ),
    Option(
        ("-P", "--protocol"),
        "text",
        "Protocol of the database, instead of the one that it has.",
        importance="common",
    ),
    Option(
        ("-T", "--temp-directory"),
        "text",
        "Where embeddings and models go.",
        default="temp",
        importance="common",
    ),
    Option(
        ("-R", "--result-directory"),
        "text",
        "Where scores and the report go.",
        default="results",
        importance="common",
    ),
    Option(
        ("-v", "--verbose"),
        "count",
        "Say more than warnings: -vv what happens, -vvv details.",
        default=0,
        importance="common",
    ),
    Option(
        ("-q", "--dry-run"),
        "flag",
        "Only list the tasks that would be executed.",
        default=False,
        importance="common",
    ),
    Option(
        ("-F", "--force"),
        "flag",
        "Compute everything anew, even what is already there.",
        default=False,
        importance="common",
    ),
    Option(
        ("-A", "--allow-missing-files"),
        "flag",
        "Go on without recordings that cannot be used; their scores are nan.",
        default=False,
        importance="common",
    ),
    Option(
        ("-r", "--parallel"),
        "number",
        "Processes that compute features.",
        default=1,
        importance="common",
    ),
    Option(
        ("--dask",),
        "text",
        "Compute features on Dask workers: a dask.client of Bob such as sge, the "
        "address of a scheduler (tcp://…), or a Python file with dask_client.",
    ),
    Option(
        ("--store",),
        "text",
        "A store of embeddings (.h5) to take them from, and to put new ones into; "
        "--force goes past it.",
    ),
    Option(
        ("-z", "--zt-norm"),
        "flag",
        "Normalise scores by a cohort: --score-normalisation zt-norm.",
        default=False,
    ),
    Option(
        ("--score-normalisation",),
        "text",
        "Write scores normalised by a cohort as well: "
        f"{', '.join(NORMALISATIONS[:-1])} or {NORMALISATIONS[-1]}.",
    ),
    Option(
        ("--cohort",),
        "component",
        "Recordings of speakers that are in no trial: a folder, a list, a CSV file, a "
        "database or a store of embeddings (.h5); otherwise the database's own.",
    ),
    Option(
        ("--cohort-top",),
        "number",
        "How many of the highest cohort scores as-norm takes.",
        default=300,
    ),
    Option(
        ("--cohort-recordings",),
        "flag",
        "Take every recording of the cohort by itself, not the mean of a speaker's.",
        default=False,
    ),
    Option(
        ("-C", "--calibrate-scores"),
        "flag",
        "Write log-likelihood ratios as well, by a calibration trained on dev.",
        default=False,
    ),
    Option(
        ("--calibration-p-target",),
        "real",
        "Prior of a target trial at which the calibration is to be best.",
        default=0.5,
    ),
    Option(
        ("--calibration-penalty",),
        "real",
        "L2 regularisation of the calibration's logistic regression; without it 0, the "
        "maximum-likelihood fit, or 0.001 where the trials of dev separate perfectly.",
    ),
    Option(
        ("--calibration-quality",),
        "words",
        "Let the calibration weigh this measure of both sides too; give it once for "
        "each: duration, magnitude of the embedding, or cohort_mean, the mean score "
        "against the cohort.",
        default=(),
        choices=CALIBRATION_QUALITIES,
        repeated=True,
    ),
    Option(
        ("-o", "--execute-only"),
        "words",
        "Run these stages and no others.",
        choices=(*STAGES, *STAGES_WITHOUT_WORK),
    ),
    Option(
        ("--preprocessed-directory",),
        "text",
        "Preprocessed files: absolute, or below temp-directory/sub-directory.",
        default="preprocessed",
    ),
    Option(
        ("--extracted-directory",),
        "text",
        "Extracted files: absolute, or below temp-directory/sub-directory.",
        default="extracted",
    ),
    Option(
        ("--model-directories",),
        "words",
        "Enrolled references: below temp-directory/sub-directory/protocol.",
        default=("models", "tmodels"),
    ),
    Option(
        ("--score-directories",),
        "words",
        "Scores: below result-directory/sub-directory/protocol.",
        default=("nonorm", "ztnorm"),
    ),
    Option(
        ("--experiment-info-file",),
        "text",
        "Records the command line and the components.",
        default="Experiment.info",
    ),
    Option(
        ("--database-directories-file",),
        "text",
        "Lines `[PLACEHOLDER] = directory` that replace a database's "
        "original_directory.",
        default="~/.bob_bio_databases.txt",
    ),
    Option(
        ("-U", "--write-five-column-score-files"),
        "flag",
        "Score lines carry the model's name as second of five columns.",
        default=False,
    ),
    Option(
        ("-B", "--timer"),
        "words",
        "Print the time spent in the end.",
        choices=("real", "system", "user"),
    ),
    Option(
        ("-I", "--imports"),
        "words",
        "Modules imported before a component given as an expression is evaluated.",
        default=("bob.bio.base",),
        importance="rare",
    ),
    Option(
        ("-W", "--preferred-package"),
        "text",
        "Distribution that wins where several register a component of one name.",
        importance="rare",
    ),
    *_stage_options(),
)

#: Accepted because old command lines carry them.
GRID_OPTIONS: tuple[Option, ...] = (
    Option(("-g", "--grid"), "component", "Ignored: no grid is used."),
    Option(("-G", "--gridtk-database-file"), "text", "Ignored: no grid is used."),
    Option(("--grid-log-directory",), "text", "Ignored: no grid is used."),
    Option(("-L", "--run-local-scheduler"), "flag", "Ignored: no grid is used."),
    Option(("-N", "--nice"), "number", "Ignored: no grid is used."),
    Option(
        ("-D", "--delete-jobs-finished-with-status"),
        "text",
        "Ignored: no grid is used.",
    ),
    Option(("-X", "--external-dependencies"), "words", "Ignored: no grid is used."),
    Option(("-S", "--stop-on-failure"), "flag", "Ignored: no grid is used."),
    Option(("-t", "--environment"), "words", "Ignored: no grid is used."),
)

#: Files that only trained extractors, projectors and z-t-norm of old would write.
UNUSED_PLACES: tuple[Option, ...] = tuple(
    Option((f"--{name}",), "words", "Ignored: nothing is written there.")
    for name in (
        "projected-directory",
        "zt-directories",
        "extractor-file",
        "projector-file",
        "enroller-file",
    )
)

#: Refused with the way to do it when somebody asks for them.
NOT_OFFERED: dict[str, tuple[Option, str]] = {
    "write_compressed_score_files": (
        Option(
            ("-Z", "--write-compressed-score-files"),
            "flag",
            "Not offered by this version.",
        ),
        "compress the finished score files with `bzip2`",
    ),
}
