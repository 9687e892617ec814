"""Settings of an experiment: variables of a configuration, options of verify.py.

A setting is one field of `Settings`. The command line of verify.py, the check of a
configuration, the template of ``verify.py -H`` and the table in the manual are made
from the fields.
"""

# ruff: noqa: RUF009 - the functions that it finds describe fields
from __future__ import annotations

import logging
from dataclasses import MISSING, dataclass, field, fields
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bob.learn.pytorch.choices import NORMALISATIONS, QUALITIES
from bob.learn.pytorch.experiment.configuration import (
    ConfigurationError,
    warn_of_unknown,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

logger = logging.getLogger(__name__)

Importance = Literal["required", "common", "optional", "rare"]

#: The stages of an experiment in the order in which they run.
STAGES = (
    *("preprocessing", "extraction", "enrollment", "score-computation"),
    *("concatenation", "calibration", "report"),
)

#: Stages of legacy Bob that train something; nothing here needs them.
STAGES_WITHOUT_WORK = (
    *("extractor-training", "projector-training", "projection", "enroller-training"),
)


@dataclass(frozen=True)
class Option:
    """One option: ``--long-name`` on the command line, ``long_name`` in a file.

    Attributes
    ----------
    kind
        "component" takes an object or a text, "count" is a flag that may be repeated.
    repeated
        Whether an option of words stands once for each of them on the command line.
    alone
        The value of an option that stands on the command line without one, if it may.
    """

    flags: tuple[str, ...]
    kind: Literal["component", "text", "words", "count", "number", "real", "flag"]
    help: str
    default: Any = None
    choices: tuple[str, ...] = ()
    importance: Importance = "optional"
    repeated: bool = False
    alone: Any = None

    @property
    def long(self) -> str:
        """The long name as typed, without dashes in front."""
        return next(flag for flag in self.flags if flag.startswith("--"))[2:]

    @property
    def name(self) -> str:
        """The variable of a configuration file that says the same."""
        return self.long.replace("-", "_")


#: Annotation of a field -> kind of its option.
_KINDS = {
    "Any": "component",
    "str": "text",
    "tuple[str, ...]": "words",
    "int": "number",
    "float": "real",
    "bool": "flag",
}


def _optional(
    default: Any,
    help: str,  # noqa: A002 - as argparse calls it
    *short: str,
    **more: Any,
) -> Any:
    """Describe a setting; the rest is as the attributes of `Option`."""
    return field(default=default, metadata={"short": short, "help": help, **more})


def _required(help: str, short: str) -> Any:  # noqa: A002
    return _optional(MISSING, help, short, importance="required")


_flag = partial(_optional, False)  # noqa: FBT003 - the default
_common = partial(_optional, importance="common")
_rare = partial(_optional, importance="rare")


@dataclass(frozen=True)
class Settings:
    """Everything that one experiment is told; ``help`` of a field says what it is."""

    database: Any = _required(
        "Recordings and trials: a folder of speakers, a trial list, a CSV protocol or "
        "a Bob database.",
        "-d",
    )
    preprocessor: Any = _required(
        "Turns a recording into its embedding: campplus-zh-en, dltresnet34-voxceleb1, "
        "resnet34-voxceleb1, a template such as speech-ecapa-tdnn, a file of weights "
        "or of a template, or an object.",
        "-p",
    )
    extractor: Any = _required(
        "Applied to what the preprocessor wrote: unchanged, or an object.", "-e"
    )
    algorithm: Any = _required(
        "Compares embeddings: cosine, distance-cosine, euclidean, distance-euclidean, "
        "a PLDA model (.npz) or an object.",
        "-a",
    )
    sub_directory: str = _required(
        "Name of the experiment: a folder below both the temporary and the result "
        "directory.",
        "-s",
    )
    groups: tuple[str, ...] = _common(
        ("dev",), "Groups of the database to score.", choices=("dev", "eval")
    )
    protocol: str | None = _common(
        None, "Protocol of the database, instead of its own default.", "-P"
    )
    temp_directory: str = _common(
        "temp", "Folder of embeddings and enrolled references.", "-T"
    )
    result_directory: str = _common("results", "Folder of scores and reports.", "-R")
    verbose: int = _common(
        0,
        "Report more than warnings: -vv what happens, -vvv details.",
        "-v",
        kind="count",
    )
    dry_run: bool = _flag(
        "Only list the tasks that would be executed.", "-q", importance="common"
    )
    force: bool = _flag(
        "Compute everything anew, even what is already there.",
        "-F",
        importance="common",
    )
    allow_missing_files: bool = _flag(
        "Go on without recordings that cannot be used; their scores are nan.",
        "-A",
        importance="common",
    )
    parallel: int = _common(
        1, "Number of processes that compute features.", "-r", alone=1
    )
    dask: str | None = _optional(
        None,
        "Compute features on Dask workers: a dask.client of Bob such as sge, the "
        "address of a scheduler (tcp://…), or a Python file with dask_client.",
    )
    store: str | None = _optional(
        None,
        "Store of embeddings (.h5) to take them from and to add new ones to; "
        "--force ignores it.",
    )
    zt_norm: bool = _flag(
        "Normalise scores by a cohort: --score-normalisation zt-norm.", "-z"
    )
    score_normalisation: str | None = _optional(
        None,
        "Write scores normalised by a cohort as well: "
        f"{', '.join(NORMALISATIONS[:-1])} or {NORMALISATIONS[-1]}.",
    )
    cohort: Any = _optional(
        None,
        "Recordings of speakers that are in no trial: a folder, a list, a CSV "
        "file, a database or a store of embeddings (.h5). Default: the cohort of the "
        "database.",
    )
    cohort_top: int = _optional(
        300, "Number of highest cohort scores that as-norm takes."
    )
    cohort_recordings: bool = _flag(
        "Take every recording of the cohort by itself, not the mean of a speaker's."
    )
    calibrate_scores: bool = _flag(
        "Write log-likelihood ratios as well, by a calibration trained on dev.", "-C"
    )
    calibration_p_target: float = _optional(
        0.5, "Prior probability of a target trial that the calibration is trained for."
    )
    calibration_penalty: float | None = _optional(
        None,
        "L2 regularisation of the calibration's logistic regression. Default: 0, "
        "the maximum-likelihood fit, or 0.001 where the trials of dev separate "
        "perfectly.",
    )
    calibration_quality: tuple[str, ...] = _optional(
        (),
        "Quality measure of both sides that the calibration weighs beside the "
        "score: duration, magnitude of the embedding, or cohort_mean, the mean score "
        "against the cohort. Give the option once for each.",
        choices=QUALITIES,
        repeated=True,
    )
    execute_only: tuple[str, ...] | None = _optional(
        None,
        "Run these stages and no others.",
        "-o",
        choices=(*STAGES, *STAGES_WITHOUT_WORK),
    )
    preprocessed_directory: str = _optional(
        "preprocessed",
        "Preprocessed files: absolute, or below temp-directory/sub-directory.",
    )
    extracted_directory: str = _optional(
        "extracted", "Extracted files: absolute, or below temp-directory/sub-directory."
    )
    model_directories: tuple[str, ...] = _optional(
        ("models", "tmodels"),
        "Enrolled references: below temp-directory/sub-directory/protocol.",
    )
    score_directories: tuple[str, ...] = _optional(
        ("nonorm", "ztnorm"), "Scores: below result-directory/sub-directory/protocol."
    )
    experiment_info_file: str = _optional(
        "Experiment.info", "File that records the command line and the components."
    )
    database_directories_file: str = _optional(
        "~/.bob_bio_databases.txt",
        "File of lines `[PLACEHOLDER] = directory` that replace a database's "
        "original_directory.",
    )
    write_five_column_score_files: bool = _flag(
        "Write score lines of five columns, the model's name as the second.", "-U"
    )
    timer: tuple[str, ...] | None = _optional(
        None,
        "Print at the end how long the stages took.",
        "-B",
        choices=("real", "system", "user"),
        alone=(),
    )
    imports: tuple[str, ...] = _rare(
        ("bob.bio.base",),
        "Modules imported before a component given as an expression is evaluated.",
        "-I",
    )
    preferred_package: str | None = _rare(
        None,
        "Distribution that wins where several register a component of one name.",
        "-W",
    )
    #: Stages to leave out, by the options ``--skip-…`` and ``--execute-only``.
    skip: frozenset[str] = frozenset()


def _options() -> Iterator[Option]:
    for item in fields(Settings):
        if item.metadata:
            more = dict(item.metadata)
            yield Option(
                flags=(*more.pop("short"), "--" + item.name.replace("_", "-")),
                default=None if item.default is MISSING else item.default,
                **{"kind": _KINDS[str(item.type).removesuffix(" | None")], **more},
            )


OPTIONS: tuple[Option, ...] = (
    *_options(),
    *(
        Option(
            (f"--skip-{stage}",),
            "flag",
            f"Leave out the stage {stage} and use what an earlier run left.",
            default=False,
            importance="rare",
        )
        for stage in (*STAGES, *STAGES_WITHOUT_WORK)
    ),
)

_NO_GRID = "Ignored: no grid is used."
#: Accepted because old command lines carry them: options of grids, and names of files
#: that only trained extractors, projectors and z-t-norm of old would write.
IGNORED: tuple[Option, ...] = (
    Option(("-g", "--grid"), "component", _NO_GRID),
    Option(("-G", "--gridtk-database-file"), "text", _NO_GRID),
    Option(("--grid-log-directory",), "text", _NO_GRID),
    Option(("-L", "--run-local-scheduler"), "flag", _NO_GRID),
    Option(("-N", "--nice"), "number", _NO_GRID, alone=1),
    Option(("-D", "--delete-jobs-finished-with-status"), "text", _NO_GRID),
    Option(("-X", "--external-dependencies"), "words", _NO_GRID),
    Option(("-S", "--stop-on-failure"), "flag", _NO_GRID),
    Option(("-t", "--environment"), "words", _NO_GRID),
    *(
        Option((f"--{name}",), "words", "Ignored: nothing is written there.")
        for name in (
            "projected-directory",
            "zt-directories",
            "extractor-file",
            "projector-file",
            "enroller-file",
        )
    ),
)

#: Refused, with the way to do it.
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

_KNOWN = frozenset(option.name for option in (*OPTIONS, *IGNORED)) | set(NOT_OFFERED)


def settle(given: Mapping[str, Any], variables: Mapping[str, Any]) -> Settings:
    """Join command line, configuration variables and defaults, in this order.

    Parameters
    ----------
    given : mapping
        Option name -> value, only of options that stand on the command line.
    variables : mapping
        Variables that the configuration files left behind.

    Returns
    -------
    Settings
        Lists are tuples; ``skip`` is the set of stages to leave out.

    Raises
    ------
    ConfigurationError
        For a missing required option, a value of the wrong type, or an option
        that this version does not offer.
    """
    for name in given:
        if name not in _KNOWN:
            near = get_close_matches(name, _KNOWN, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ConfigurationError(f"there is no option {name!r}{hint}")
    asked = {
        **variables,
        **{name: value for name, value in given.items() if value is not None},
    }
    for name, (option, instead) in NOT_OFFERED.items():
        if asked.get(name):
            raise ConfigurationError(
                f"--{option.long} is not offered by this version: {instead}"
            )
    _require(asked)
    values = {
        option.name: _checked(option, asked.get(option.name)) for option in OPTIONS
    }
    skip = {
        stage
        for stage in (*STAGES, *STAGES_WITHOUT_WORK)
        if values.pop("skip_" + stage.replace("-", "_"))
    }
    if values["execute_only"]:
        skip |= set(STAGES) - set(values["execute_only"])
    ignored = [
        f"--{option.long}"
        for option in IGNORED
        if asked.get(option.name) not in (None, False)
    ]
    if ignored:
        logger.warning(
            "%s: ignored, since one process does all the work here", ", ".join(ignored)
        )
    warn_of_unknown(variables, known=_KNOWN)
    return Settings(**values, skip=frozenset(skip))


def _require(asked: Mapping[str, Any]) -> None:
    missing = [
        option
        for option in OPTIONS
        if option.importance == "required" and asked.get(option.name) is None
    ]
    if missing:
        names = ", ".join(f"'{option.name}'" for option in missing)
        flags = ", ".join(f"'--{option.long}'" for option in missing)
        raise ConfigurationError(
            f"Please specify {names} either on command line (via {flags}) or in a "
            "configuration file (`verify.py -H config.py` writes one to fill in)"
        )


#: Kind of option -> types of its values, the one that is kept, and what is expected.
_VALUES: dict[str, tuple[tuple[type, ...], type, str]] = {
    "text": ((str, Path), str, "a text"),
    "count": ((int,), int, "a whole number"),
    "number": ((int,), int, "a whole number"),
    "real": ((int, float), float, "a number"),
    "flag": ((bool,), bool, "True or False"),
}


def _checked(option: Option, value: Any) -> Any:
    """Return a value as its field holds it; the default for None."""
    if value is None:
        return option.default
    if option.kind == "component":
        return value
    if option.kind == "words":
        return _words(option, value)
    types, kept, expected = _VALUES[option.kind]
    fits = isinstance(value, types) and not isinstance(value, bool)
    if not (value in (True, False) if kept is bool else fits):
        raise _refuse(option, value, expected)
    return kept(value)


def _words(option: Option, value: Any) -> tuple[str, ...]:
    words = (value,) if isinstance(value, str) else value
    if not isinstance(words, list | tuple):
        raise _refuse(option, value, "a list of texts")
    if option.default and not words:
        raise _refuse(option, value, "at least one")
    for word in words:
        if not isinstance(word, str) or (option.choices and word not in option.choices):
            raise _refuse(
                option, value, "some of: " + (", ".join(option.choices) or "texts")
            )
    return tuple(words)


def _refuse(option: Option, value: Any, expected: str) -> ConfigurationError:
    return ConfigurationError(
        f"'{option.name}' is {value!r} ({type(value).__name__}), expected {expected}"
    )
