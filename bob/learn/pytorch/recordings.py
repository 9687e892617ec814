"""Find recordings and embed them into a store: `embed` of the face."""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bob.learn.pytorch.audio import storable
from bob.learn.pytorch.audio.paths import refused_path, without_backslashes
from bob.learn.pytorch.choices import DEFAULT_MODEL
from bob.learn.pytorch.errors import UserError
from bob.learn.pytorch.preprocessor.audio.loading import open_model
from bob.learn.pytorch.printing import printable
from bob.learn.pytorch.store import OTHERS, STORES

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from bob.learn.pytorch.inference.extract import Extraction
    from bob.learn.pytorch.preprocessor.audio.loading import Extractor
    from bob.learn.pytorch.store.reading import StoredEmbeddings
    from bob.learn.pytorch.templates.format.template import Template

    Paths: TypeAlias = (
        Mapping[str, str | os.PathLike[str]] | Iterable[str | os.PathLike[str]]
    )

logger = logging.getLogger(__name__)

#: Suffixes of files that list recordings.
LISTS = (".txt", ".lst", ".list", ".scp", ".json", ".jsonl")


class RecordingsError(UserError, ValueError):
    """Paths, lists or folders do not say which recordings are meant."""

    parameter = "recordings"


class OutputError(UserError, ValueError):
    """Embeddings cannot be written to this file."""

    parameter = "into"


def embed(
    recordings: Paths | str | os.PathLike[str],
    *,
    model: str | os.PathLike[str] | Template | Extractor = DEFAULT_MODEL,
    into: str | os.PathLike[str],
    progress: bool = False,
    **options: Any,  # noqa: ANN401 - those of `embed_into`
) -> StoredEmbeddings:
    """Embed recordings into a store, and return what it holds.

    What the store holds already is not done again, and a run that was stopped goes on
    where it stood. Recordings that cannot be used are among the `failures` of what is
    returned, each with its reason.

    Parameters
    ----------
    recordings
        Paths by name, or paths of recordings, folders of speakers, Kaldi data folders,
        CSV files and lists; or one such path.
    model
        Name or file of a trained model or of a template, or a loaded model.
    into
        Store to write (.h5), or .npz, .parquet, .ark or .scp.
    progress
        Show a bar, on a terminal.
    **options
        Further parameters of `embed_into`, such as ``jobs``, and of `load_model`, such
        as ``device``.

    Returns
    -------
    StoredEmbeddings
        With `names`, and `embeddings` (names, dimensions) in float32.

    Raises
    ------
    RecordingsError
        The recordings are not there, or a name stands for two.
    OutputError
        The file cannot be written, or its suffix says no kind of file.
    UserError
        The model cannot be had, or the store holds embeddings that were made
        differently.

    Examples
    --------
    >>> store = embed(["anna.flac", "boris.flac"], into="e.h5")  # doctest: +SKIP
    >>> store.embeddings.shape  # doctest: +SKIP
    (2, 192)
    """
    given = _given(recordings)
    return embed_into(into, given, model=model, progress=progress, **options).stored


def _given(recordings: Paths | str | os.PathLike[str]) -> Paths:
    """Return the paths, some of which have to be there."""
    if hasattr(recordings, "shape") or not isinstance(
        recordings, Iterable | os.PathLike
    ):
        raise RecordingsError(
            f"recordings came as {type(recordings).__name__}; expected paths: samples "
            "are embedded by the method embed of a loaded model"
        )
    if isinstance(recordings, str | os.PathLike):
        recordings = [recordings]
    if not isinstance(recordings, Mapping):
        recordings = list(recordings)
    paths = [*recordings.values()] if isinstance(recordings, Mapping) else [*recordings]
    for at, path in enumerate(paths):
        if not isinstance(path, str | os.PathLike):
            raise RecordingsError(
                f"recording {at} came as {type(path).__name__}; expected a path: "
                "samples are embedded by the method embed of a loaded model"
            )
    if not paths:
        raise RecordingsError("there is no recording to embed; expected paths")
    if not any(Path(path).exists() for path in paths):
        more = f", nor any of {len(paths) - 1} more" if paths[1:] else ""
        raise RecordingsError(
            f"{printable(os.fspath(paths[0]))} does not exist{more} (seen from "
            f"{Path.cwd()}); expected recordings, folders or lists of them"
        )
    return recordings


@dataclass(frozen=True)
class Embedded:
    """Outcome of `embed_into`.

    Attributes
    ----------
    stored
        Everything that the store holds.
    run
        Counts, failures and doubts of this run.
    paths
        Paths of the recordings, by name.
    extractor
        The model that made the embeddings.
    """

    stored: StoredEmbeddings
    run: Extraction
    paths: Mapping[str, str]
    extractor: Extractor


def embed_into(  # noqa: PLR0913 - all that an embedding run depends on
    into: str | os.PathLike[str],
    recordings: Paths | str | os.PathLike[str],
    *,
    model: str | os.PathLike[str] | Template | Extractor = DEFAULT_MODEL,
    speakers: str | os.PathLike[str] | None = None,
    layout: str | None = None,
    jobs: int | None = None,
    dask: str | None = None,
    progress: bool = False,
    ask: Callable[[Template], None] | None = None,
    **options: Any,  # noqa: ANN401 - those of `load_model`
) -> Embedded:
    """Embed recordings as `embed` does, and return the outcome of the run, too.

    Parameters
    ----------
    into, recordings, model, progress
        As `embed` takes them.
    speakers
        Speakers of the recordings, which the store keeps for cohorts and PLDA: lines
        'name speaker', a folder of speakers, or CSV.
    layout
        Folder levels of a folder of speakers, such as "session/speaker".
    jobs
        Processes; by default one a processor, for 64 recordings or more each.
    dask
        Name, address or file of a Dask client, in place of processes.
    ask
        Called with a template before it is run, to let its user trust it.
    """
    from bob.learn.pytorch.inference.extract import extract_into, sensible_jobs
    from bob.learn.pytorch.store.store import EmbeddingStore

    output = Path(into)
    _check_output(output)
    paths, known = find_recordings(recordings, layout=layout)
    if speakers is not None:
        known |= _speakers_of(list(paths), Path(speakers), layout)
    extractor = open_model(model, ask=ask, **options)
    jobs = jobs or sensible_jobs(len(paths), device=extractor.chosen()["device"])
    place = store_for(output)
    run = extract_into(
        place,
        extractor,
        paths,
        jobs=jobs,
        dask=dask,
        progress=progress,
        speakers=known,
    )
    stored = EmbeddingStore.read(place)
    if place != output:
        from bob.learn.pytorch.store.exchange import export
        from bob.learn.pytorch.store.store import remove

        export(place, output)
        remove(place)
    return Embedded(stored, run, paths, extractor)


def store_for(output: Path) -> Path:
    """Return the store that a run fills; a file of another kind is made of it."""
    return output if output.suffix in STORES else Path(f"{output}.unfinished.h5")


def find_recordings(
    recordings: Paths | str | os.PathLike[str], *, layout: str | None = None
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the paths of recordings by name, and the speakers that are known.

    Parameters
    ----------
    recordings
        As `embed` takes them. A path of a recording is its own name.
    layout
        Folder levels of a folder of speakers, such as "session/speaker".

    Raises
    ------
    RecordingsError
        A path is empty, a list or folder cannot be read, or a name stands for two
        recordings.
    """
    if isinstance(recordings, Mapping):
        return {name: os.fspath(path) for name, path in recordings.items()}, {}
    if isinstance(recordings, str | os.PathLike):
        recordings = [recordings]
    named: dict[str, str] = {}
    speakers: dict[str, str] = {}
    for argument in [os.fspath(path) for path in recordings]:
        if not argument:
            raise RecordingsError("an empty path")
        try:
            more, known = _recordings(argument, layout)
        except (OSError, ValueError) as error:
            raise RecordingsError(str(error)) from error
        for name, path in more.items():
            if named.setdefault(name, path) != path:
                raise RecordingsError(
                    printable(f"{name} stands for {named[name]} and for {path}")
                )
        speakers |= known
    return named, speakers


def _recordings(
    argument: str, layout: str | None
) -> tuple[dict[str, str], dict[str, str]]:
    """Return path and speaker, by name, of what one argument names."""
    from bob.learn.pytorch.protocols.cohorts import read_speakers
    from bob.learn.pytorch.protocols.speakers import SpeakerRule

    path = Path(argument)
    if path.suffix.lower() in LISTS:
        named = read_list(argument)
        beside = path.with_name("utt2spk")
        is_kaldi = path.name == "wav.scp" and beside.is_file()
        return named, _speakers_of(list(named), beside, None) if is_kaldi else {}
    if not path.is_dir() and path.suffix.lower() != ".csv":
        # Spellings of one path are one recording.
        return {storable(os.path.normpath(argument)): argument}, {}
    found = read_speakers(path, rule=SpeakerRule.given(layout))
    named = {item.key: str(item.path) for item in found if item.path is not None}
    return named, {item.key: item.subject for item in found if item.subject}


def _speakers_of(names: list[str], source: Path, layout: str | None) -> dict[str, str]:
    """Return the speakers that a file or folder knows, by name of the recording."""
    from bob.learn.pytorch.experiment.stored_speakers import speakers_by_row

    rows = speakers_by_row(names, source, layout=layout)
    if len(rows) < len(names):
        logger.warning(
            "%s says who speaks in %d of %d recordings",
            printable(source),
            len(rows),
            len(names),
        )
    return {names[row]: speaker for row, speaker in rows.items()}


def _check_output(output: Path) -> None:
    """Refuse what cannot be written before the work, not after it."""
    if output.suffix not in STORES + OTHERS:
        raise OutputError(
            f"{printable(output)} has to end in one of "
            f"{', '.join(STORES + OTHERS)}, which says what kind of file it is to be"
        )
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=output.parent).close()
    except OSError as error:
        raise OutputError(
            f"{printable(output)} cannot be written ({error.strerror})"
        ) from error


def read_list(path: str | os.PathLike[str]) -> dict[str, str]:
    """Return the recordings of a list: a path a line, or a name, a blank and a path.

    A path alone is its own name, with what is not UTF-8 escaped. Relative paths stay as
    they are. A line that is a path with blanks is one where that file exists. Lines
    that are empty or begin with '#' are skipped; for a file of such a name write './#'.
    Backslashes of Windows are read as slashes, unless there is a file of that name.
    NeMo's manifests have an object of JSON a line; their paths may be seen from them.

    Raises
    ------
    RecordingsError
        A name stands twice, there is no recording, or an entry is a command, a part of
        an archive, or a part of a recording.
    """
    recordings: dict[str, str] = {}
    place = printable(str(path))
    lines = Path(path).read_text("utf-8-sig", "surrogateescape").split("\n")
    for number, line in enumerate(lines, start=1):
        entry = line.strip()
        if not entry or entry.startswith("#"):
            continue
        try:
            name, recording = _entry(without_backslashes(entry), Path(path).parent)
        except ValueError as error:
            raise RecordingsError(f"{place}, line {number}: {error}") from error
        if storable(name) in recordings:
            raise RecordingsError(
                f"{place}, line {number}: {printable(name)} stands there twice"
            )
        recordings[storable(name)] = recording
    if not recordings:
        raise RecordingsError(
            f"{place} names no recording; expected one path a line, or a name, a blank "
            "and a path"
        )
    return recordings


def _entry(entry: str, folder: Path) -> tuple[str, str]:
    """Return name and path of a line."""
    if entry.startswith("{"):
        return _of_nemo(entry, folder)
    name, *rest = entry.split(maxsplit=1)
    if not rest or Path(entry).exists():
        return entry, _checked(entry)
    return name, _checked(rest[0])


def _checked(path: str) -> str:
    if (reason := refused_path(path)) is not None:
        raise ValueError(printable(reason))
    return path


def _of_nemo(entry: str, folder: Path) -> tuple[str, str]:
    said = json.loads(entry)
    path = said.get("audio_filepath")
    if not isinstance(path, str):
        raise ValueError(  # noqa: TRY004 - the value of a file
            f"{printable(entry[:80])}; expected a JSON object whose audio_filepath is "
            "one path"
        )
    if said.get("offset"):
        raise ValueError(
            f"{printable(path)} is to be read from {said['offset']} s on, and only "
            "whole recordings are embedded; cut it into files of their own"
        )
    beside = folder / path
    return path, str(beside) if beside.exists() and not Path(path).exists() else path
