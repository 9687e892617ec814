"""An experiment from its configuration to its outcome: verify.py, in Python."""

from __future__ import annotations

import logging
import platform
import shlex
import signal
import threading
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bob.learn.pytorch.experiment.algorithms import NAMED, Algorithm, plda_at
from bob.learn.pytorch.experiment.bob_algorithms import as_algorithm
from bob.learn.pytorch.experiment.cohort import normalisation_of
from bob.learn.pytorch.experiment.components import Extraction, Preprocessing
from bob.learn.pytorch.experiment.configuration import (
    ConfigurationError,
    resolve,
    run_files,
)
from bob.learn.pytorch.experiment.dev_calibration import calibration_of
from bob.learn.pytorch.experiment.experiment import (
    Experiment,
    Layout,
    Outcome,
    lay_out,
)
from bob.learn.pytorch.experiment.options import Settings, settle
from bob.learn.pytorch.experiment.scores import named
from bob.learn.pytorch.experiment.stages import run, tasks
from bob.learn.pytorch.files import write_text
from bob.learn.pytorch.parallel.sharing import Workers
from bob.learn.pytorch.protocols.opening import as_database

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bob.learn.pytorch.preprocessor.audio.loading import Extractor


logger = logging.getLogger(__name__)


def run_experiment(*configurations: str | Path, **options: Any) -> Outcome:
    """Run an experiment as verify.py does, and return what it leaves behind.

    Parameters
    ----------
    configurations
        Python files (``.py``), names of modules, or of entry points of the group
        ``bob.bio.config``; later ones win.
    options
        Variables of a configuration, such as ``groups=["dev", "eval"]``; they win over
        the files.

    Raises
    ------
    UserError
        The experiment cannot be carried out: a `ConfigurationError`, a
        `BadRecordingsError`, or an error of a component.

    Examples
    --------
    >>> outcome = run_experiment("first.py", force=True)  # doctest: +SKIP
    >>> outcome.score_files["dev"]  # doctest: +SKIP
    PosixPath('results/first/None/nonorm/scores-dev')
    """
    return carry_out(read_settings(*configurations, **options))


def read_settings(*configurations: str | Path, **options: Any) -> Settings:
    """Return the settings that configurations and options make; see `run_experiment`.

    Raises
    ------
    ConfigurationError
        A file cannot be run, or an option is missing or of the wrong kind.
    """
    with _signals_kept():
        return settle(options, run_files(map(str, configurations)))


def carry_out(
    settings: Settings, *, command: Sequence[str] = ("run_experiment",)
) -> Outcome:
    """Run the experiment of these settings, or only list its stages on a dry run.

    Parameters
    ----------
    command
        Command line, for the description that is written beside the results.

    Raises
    ------
    UserError
        As `run_experiment`.
    """
    with _signals_kept():
        experiment = assemble(settings)
    if settings.dry_run:
        return Outcome(tasks=tuple(tasks(experiment)))
    report = partial(_report, experiment) if "report" not in settings.skip else None
    try:
        write_text(
            experiment.layout.results / settings.experiment_info_file,
            describe(experiment, command=command),
        )
        return run(experiment, finish=report)
    except OSError as error:
        raise ConfigurationError(
            f"a file cannot be written or read: {error}; finished work is kept, so "
            "start again when there is space and permission, or give other directories "
            "(temp_directory, result_directory)"
        ) from error


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Keep what Ctrl-C and a termination do.

    dask_jobqueue, which Bob imports, makes both end the process with the status 0, as
    if all were done.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {kind: signal.getsignal(kind) for kind in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for kind, handler in before.items():
            if handler is not None:  # that of another program that embeds Python
                signal.signal(kind, handler)


def _report(experiment: Experiment, outcome: Outcome) -> None:
    """Write the reports of raw and of normalised scores."""
    from bob.learn.pytorch.report.experiment_report import write_report

    database = experiment.database
    for kind in experiment.kinds():
        files = outcome.files_of(kind)
        missing = [group for group in experiment.groups if group not in files]
        if missing:
            logger.warning(
                "no report: there is no score file of group %s yet", ", ".join(missing)
            )
            continue
        folder, calibration = kind.layout.scores, kind.layout.calibration()
        is_calibrated = experiment.calibration is not None and calibration.exists()
        outcome.reports[folder] = write_report(
            files,
            folder,
            title=f"{database.name}, protocol {database.protocol}",
            failures=len(outcome.failures),
            notes=outcome.notes,
            normalisation=str(kind.normalisation) if kind.normalisation else None,
            calibration=calibration if is_calibrated else None,
        )


def assemble(settings: Settings) -> Experiment:
    """Turn settings options into an experiment, resolving components by name.

    Parameters
    ----------
    settings
        As `read_settings` returns it.

    Raises
    ------
    ConfigurationError, DatabaseError
        If a component cannot be found or is of the wrong kind.
    """

    def component(kind: str, **known: Any) -> Any:
        return resolve(
            kind,
            getattr(settings, kind),
            imports=settings.imports,
            preferred_package=settings.preferred_package,
            **known,
        )

    source = component("database", known=_recordings)
    _replace_directory(source, Path(settings.database_directories_file).expanduser())
    database = as_database(source, protocol=settings.protocol)
    layout = _laid_out(settings, database.protocol)
    cohort = component("cohort", known=_recordings)
    normalisation = None
    if settings.zt_norm or settings.score_normalisation or cohort is not None:
        normalisation = normalisation_of(settings, database, cohort)
    algorithm = component("algorithm", known=_algorithm, names=NAMED)
    if not isinstance(algorithm, Algorithm):
        algorithm = as_algorithm(algorithm)
    calibration = None
    if settings.calibrate_scores or settings.calibration_quality:
        calibration = calibration_of(settings)
    preprocessor = component("preprocessor", opened=_extractor_at)
    return Experiment(
        database=database,
        preprocessing=Preprocessing(preprocessor, database),
        extraction=Extraction(component("extractor")),
        algorithm=algorithm,
        layout=layout,
        groups=settings.groups,
        skip=settings.skip,
        force=settings.force,
        allow_missing=settings.allow_missing_files,
        five_columns=settings.write_five_column_score_files,
        workers=_workers(settings),
        store=None if settings.store is None else Path(settings.store).expanduser(),
        normalisation=normalisation,
        calibration=calibration,
    )


def _extractor_at(path: Path) -> Extractor:
    """Return the extractor of a file of weights or of a template; nothing of it is run.

    Raises
    ------
    WeightsError, TemplateError
        It is neither, or of a network that is not known.
    """
    from bob.learn.pytorch.preprocessor.audio.loading import make_extractor

    extractor = make_extractor(path)
    _ = extractor.model  # a file of another kind is refused now, not at a recording
    return extractor


def _laid_out(settings: Settings, protocol: str | None) -> Layout:
    layout = lay_out(
        settings.temp_directory,
        settings.result_directory,
        sub_directory=settings.sub_directory,
        protocol=protocol,
        preprocessed=settings.preprocessed_directory,
        extracted=settings.extracted_directory,
        models=settings.model_directories[0],
        scores=settings.score_directories[0],
        normalised=settings.score_directories[-1],
    )
    if layout.extracted == layout.preprocessed and "extraction" not in settings.skip:
        raise ConfigurationError(
            f"extracted and preprocessed files would both be {layout.extracted}; set "
            "skip_extraction = True if the preprocessor's output is the feature, or "
            "give them different directories"
        )
    return layout


def _algorithm(text: str) -> Any:
    """Return an algorithm by its name, or by the file of a PLDA model; else None."""
    return NAMED.get(text) or plda_at(text)


def _workers(settings: Settings) -> Workers:
    if settings.parallel < 1:
        raise ConfigurationError(
            f"parallel is {settings.parallel}; expected a number of processes from 1"
        )
    return Workers(jobs=settings.parallel, dask=settings.dask)


def _recordings(text: str) -> Path | None:
    """Return the path of recordings or of a list of them; None if there is neither."""
    path = Path(text).expanduser()
    return path if path.exists() and path.suffix != ".py" else None


def _replace_directory(database: Any, file: Path) -> None:
    """Put real folders in place of a Bob database's ``[PLACEHOLDER]`` folder."""
    directory = getattr(database, "original_directory", None)
    if not isinstance(directory, str) or not file.is_file():
        return
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        key, separator, value = line.partition("=")
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if not separator:
            raise ConfigurationError(
                f"{file}, line {number}: {line!r}, expected `[PLACEHOLDER] = directory`"
            )
        directory = directory.replace(key.strip(), value.strip())
    database.original_directory = directory


def describe(experiment: Experiment, *, command: Sequence[str]) -> str:
    """Return the text of Experiment.info: command line, host, components."""
    database = experiment.database
    packages = ("bob.learn.pytorch", "bob.bio.base", "torch", "torchaudio", "numpy")
    versions = [f"{name} {version(name)}" for name in packages]
    parts = (
        ("Command line", shlex.join(command)),
        ("Host", platform.node()),
        ("Configuration", f"groups: {', '.join(experiment.groups)}"),
        ("Database", f"{database.name}, protocol {database.protocol}"),
        ("Preprocessor", experiment.preprocessing.component),
        ("Extractor", experiment.extraction.component),
        ("Algorithm", experiment.algorithm),
        ("Normalisation", experiment.normalisation or "none"),
        ("Calibration", experiment.calibration or "none"),
        ("Versions", ", ".join([f"Python {platform.python_version()}", *versions])),
    )
    # Indented, no line of a text is a title.
    texts = ((title, named(text).splitlines()) for title, text in parts)
    return "".join(
        title + ":\n" + "\n  ".join(lines) + "\n\n" for title, lines in texts
    )
