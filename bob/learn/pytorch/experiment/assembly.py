"""Settled options become an experiment; its description becomes a file."""

from __future__ import annotations

import platform
import shlex
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bob.learn.pytorch.experiment.algorithms import NAMED, as_algorithm
from bob.learn.pytorch.experiment.cohort import normalisation_of
from bob.learn.pytorch.experiment.components import Extraction, Preprocessing
from bob.learn.pytorch.experiment.configuration import ConfigurationError
from bob.learn.pytorch.experiment.dev_calibration import calibration_of
from bob.learn.pytorch.experiment.experiment import Experiment
from bob.learn.pytorch.experiment.layout import Layout, lay_out
from bob.learn.pytorch.experiment.making import Workers
from bob.learn.pytorch.experiment.plda_algorithm import plda_at
from bob.learn.pytorch.experiment.resources import resolve
from bob.learn.pytorch.experiment.score_origin import named
from bob.learn.pytorch.files import write_text
from bob.learn.pytorch.protocols.opening import as_database

if TYPE_CHECKING:
    import types
    from collections.abc import Callable, Iterator, Sequence


def assemble(
    settled: types.SimpleNamespace,
    *,
    model_at: Callable[[Path], object | None] = lambda _: None,
) -> Experiment:
    """Turn settled options into an experiment, resolving components by name.

    Parameters
    ----------
    settled
        As :func:`bob.learn.pytorch.experiment.configuration.settle` returns it.
    model_at
        From the path of weights or of a template to a preprocessor, or None.

    Raises
    ------
    ConfigurationError, DatabaseError
        If a component cannot be found or is of the wrong kind.
    """

    def component(
        kind: str, known: Callable[[str], object | None] = lambda _: None
    ) -> Any:
        return resolve(
            kind,
            getattr(settled, kind),
            known=known,
            opened=model_at if kind == "preprocessor" else lambda _: None,
            imports=settled.imports,
            preferred_package=settled.preferred_package,
        )

    source = component("database", _recordings)
    _replace_directory(source, Path(settled.database_directories_file).expanduser())
    database = as_database(source, protocol=settled.protocol)
    layout = _laid_out(settled, database.protocol)
    normalisation = normalisation_of(settled, database, _cohort(settled))
    return Experiment(
        database=database,
        preprocessing=Preprocessing(component("preprocessor"), database),
        extraction=Extraction(component("extractor")),
        algorithm=as_algorithm(component("algorithm", _algorithm)),
        layout=layout,
        groups=settled.groups,
        skip=settled.skip,
        force=settled.force,
        allow_missing=settled.allow_missing_files,
        five_columns=settled.write_five_column_score_files,
        workers=_workers(settled),
        store=None if settled.store is None else Path(settled.store).expanduser(),
        normalisation=normalisation,
        calibration=calibration_of(settled),
    )


def _laid_out(settled: types.SimpleNamespace, protocol: str | None) -> Layout:
    layout = lay_out(
        settled.temp_directory,
        settled.result_directory,
        sub_directory=settled.sub_directory,
        protocol=protocol,
        preprocessed=settled.preprocessed_directory,
        extracted=settled.extracted_directory,
        models=settled.model_directories[0],
        scores=settled.score_directories[0],
        normalised=settled.score_directories[-1],
    )
    if layout.extracted == layout.preprocessed and "extraction" not in settled.skip:
        raise ConfigurationError(
            f"extracted and preprocessed files would both be {layout.extracted}; set "
            "skip_extraction = True if the preprocessor's output is the feature, or "
            "give them different directories"
        )
    return layout


def _algorithm(text: str) -> Any:
    """An algorithm by its name, or by the file of a PLDA model; else None."""
    return NAMED.get(text) or plda_at(text)


def _cohort(settled: Any) -> Any:
    """The cohort as a path or an object; None if none is given."""
    if settled.cohort is None:
        return None
    path = _recordings(settled.cohort) if isinstance(settled.cohort, str) else None
    return path or resolve(
        "cohort",
        settled.cohort,
        imports=settled.imports,
        preferred_package=settled.preferred_package,
    )


def _workers(settled: Any) -> Workers:
    if settled.parallel < 1:
        raise ConfigurationError(
            f"parallel is {settled.parallel}; expected a number of processes from 1"
        )
    return Workers(jobs=settled.parallel, dask=settled.dask)


def _recordings(text: str) -> Path | None:
    """Recordings or a list of them, if that is what is at a path."""
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
    """The text of Experiment.info: command line, host, components."""
    parts = (
        ("Command line", shlex.join(command)),
        ("Host", platform.node()),
        ("Configuration", f"groups: {', '.join(experiment.groups)}"),
        ("Database", _name_of(experiment.database)),
        ("Preprocessor", experiment.preprocessing.component),
        ("Extractor", experiment.extraction.component),
        ("Algorithm", experiment.algorithm),
        ("Normalisation", experiment.normalisation or "none"),
        ("Calibration", experiment.calibration or "none"),
        ("Versions", ", ".join(f"{name} {found}" for name, found in _versions())),
    )
    # Indented, no line of a text is a title.
    texts = ((title, named(text).splitlines()) for title, text in parts)
    return "".join(
        title + ":\n" + "\n  ".join(lines) + "\n\n" for title, lines in texts
    )


def _versions() -> Iterator[tuple[str, str]]:
    yield "Python", platform.python_version()
    for name in ("bob.learn.pytorch", "bob.bio.base", "torch", "torchaudio", "numpy"):
        yield name, version(name)


def _name_of(database: Any) -> str:
    return f"{database.name}, protocol {database.protocol}"


def write_description(
    experiment: Experiment, name: str, *, command: Sequence[str]
) -> None:
    """Write the description beside the results, before anything runs."""
    write_text(experiment.layout.results / name, describe(experiment, command=command))
