"""Weights on disk: opened without running code, checked by hash and by name."""

from __future__ import annotations

import os
import pickle
import re
import shlex
import warnings
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from bob.learn.pytorch.files import beside, stream_sha256, write_text
from bob.learn.pytorch.models import catalogue
from bob.learn.pytorch.models.errors import HashMismatch, WeightsError, WrongWeights

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping

    from torch import Tensor

    from bob.learn.pytorch.models.catalogue import EmbeddingNetwork, TrainedModel


@contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file of weights for reading."""
    try:
        file = Path(path).open("rb")  # noqa: SIM115 - closed below
    except FileNotFoundError as error:
        raise WeightsError(
            f"{path} does not exist (looked for {Path(path).absolute()}); check the "
            "name, or fetch or make the weights first"
        ) from error
    except OSError as error:
        raise WeightsError(
            f"{path} cannot be read ({error.strerror}); see "
            f"`ls -ld {shlex.quote(str(path))}`, and give yourself the right to read "
            "it, or name another file"
        ) from error
    with file:
        yield file


def file_sha256(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file that can be read, 64 hexadecimal digits."""
    with _opened(path) as file:
        return stream_sha256(file)


def record_path(path: Path) -> Path:
    """Return the file `<file>.sha256` that records what was fetched.

    Its format is that of the command `sha256sum`.
    """
    return path.with_name(path.name + ".sha256")


def recorded_sha256(path: Path) -> str | None:
    """Return the hash that a file had when it was fetched; None if it was not."""
    record = record_path(path)
    if not record.is_file():
        return None
    found = re.match(r"([0-9a-f]{64})\s", record.read_text(encoding="utf-8"))
    if found is None:
        raise HashMismatch(
            f"{record} does not begin with a SHA-256 of 64 hexadecimal digits, as it "
            f"was written; remove it together with {path} to fetch both again"
        )
    return found[1]


def record_sha256(path: Path, sha256: str) -> None:
    """Write down what was fetched."""
    write_text(record_path(path), f"{sha256}  {path.name}\n")


_NAMED = 4  # entries that an error message lists
_BLOCK = 1 << 20
_COUNTER = "num_batches_tracked"  # of batch normalisation; nothing here reads it


def read_weights(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Read a state dict: entry name -> tensor on the CPU.

    A file written by `torch.save` may hold the state dict itself or, as a training
    checkpoint does, a dict with it under ``state_dict``; a file of any other content
    is read as safetensors. A leading ``module.`` of the names (DataParallel) is taken
    off. No code in the file is run: beside tensors only plain Python and NumPy values
    are accepted. The tensors may be views of the file, so it is not to be changed
    while they are in use.

    Raises
    ------
    WeightsError
        The file is not there or may not be read.
    WrongWeights
        When the file holds no weights, is damaged, or would have to run code.
    """
    path = Path(path)
    with _opened(path) as file:
        head = file.read(16)
    if head.startswith((b"PK\x03\x04", b"\x80")):
        if head.startswith(b"PK"):
            _check_sums(path)
        content = _read_torch(path, mmap=head.startswith(b"PK"))
    elif head[8:9] == b"{":
        content = _read_safetensors(path)
    else:
        raise WrongWeights(
            f"{path} begins with {head!r}; expected a file written by torch.save or "
            f"safetensors; {_next_step(path)}"
        )
    return _state_dict(content, path)


def load_weights(
    network: EmbeddingNetwork,
    path: str | os.PathLike[str],
    *,
    everything: bool = False,
) -> None:
    """Load what an embedding needs, every entry of it, into a network.

    Entries of modules that the embedding does not need are ignored, and other entries
    of the network keep their values: classification heads of any size may lie in the
    file. With `everything`, all entries of the network must be there, but for the
    counters of batch normalisation, which may always be missing.

    Raises
    ------
    WrongWeights
        When entries are missing, of another shape, more than a needed module has, no
        real floating-point numbers, not finite in the precision of the network, or
        variances below zero; it names them, and the trained model whose network the
        file seems to hold.
    """
    weights = read_weights(path)
    own = network.state_dict()
    counters = {key for key in own if key.endswith(_COUNTER)}
    needed = (set(own) if everything else set(network.embedding_keys())) - counters
    _check_entries(weights, own, needed, Path(path))
    loaded = _numbers(weights, own, needed, Path(path))
    if everything:
        loaded |= {key: weights[key] for key in counters & weights.keys()}
    network.load_state_dict(loaded, strict=False)


def save_weights(
    network: EmbeddingNetwork,
    path: str | os.PathLike[str],
    *,
    prefix: Literal["", "module."] = "",
) -> None:
    """Write a network's state dict, beside and renamed.

    A path that ends in ``.safetensors`` is written so; any other by `torch.save`, as
    ``{"state_dict": ...}``. `prefix` goes before every name: the extractor of
    bob.learn.pytorch 0.2.0 loads nothing, silently, from a file without ``module.``.
    """
    import torch
    from safetensors.torch import save_file

    path = Path(path)
    weights = {
        prefix + key: tensor.detach().cpu().contiguous()
        for key, tensor in network.state_dict().items()
    }
    with beside(path) as place:
        if path.suffix == ".safetensors":
            save_file(weights, place)
        else:
            torch.save({"state_dict": weights}, place)


def recognise(path: str | os.PathLike[str]) -> TrainedModel | None:
    """Return the trained model whose network a file holds; None if there is none."""
    return _recognised(read_weights(path))


def _recognised(weights: Mapping[str, Tensor]) -> TrainedModel | None:
    for model in catalogue.MODELS:
        entry, shape = model.signature
        if entry in weights and tuple(weights[entry].shape) == shape:
            return model
    return None


def _read_torch(path: Path, *, mmap: bool) -> object:
    import torch

    try:
        # Torch warns of kinds of tensors that are refused here by name.
        with (
            torch.serialization.safe_globals(_numpy_values()),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except Exception as error:  # torch raises whatever a damaged file leads it to
        raise WrongWeights(f"{path} cannot be opened: {_why(error, path)}") from error


def _check_sums(path: Path) -> None:
    """Refuse a zip file with damaged numbers, which torch would not notice.

    Torch can be set to write no correct checksum; then nothing is found. What
    is no zip file is left to torch.
    """
    try:
        with zipfile.ZipFile(path) as records:
            numbers = [name for name in records.namelist() if "/data/" in name]
            broken = [name for name in numbers if not _is_whole(records, name)]
    except Exception:  # noqa: BLE001 - zipfile has many for damage
        return
    if broken and len(broken) < len(numbers):
        raise WrongWeights(
            f"{path} is damaged in {_listed(broken)}, whose checksum is another; "
            f"{_next_step(path)}"
        )


def _is_whole(records: zipfile.ZipFile, name: str) -> bool:
    try:
        with records.open(name) as record:
            while record.read(_BLOCK):
                pass
    except zipfile.BadZipFile:
        return False
    return True


def _why(error: Exception, path: Path) -> str:
    """Explain an error of torch, without its advice to open the file unsafely."""
    asked = re.search(r"GLOBAL (\S+)", str(error))
    if asked:
        return (
            f"it holds a {asked[1]}, and opening that could run any code; have a file "
            f"made with the state dict alone, by someone who trusts this one"
        )
    if isinstance(error, pickle.UnpicklingError):
        return f"it is damaged, or no weights file at all; {_next_step(path)}"
    said = str(error).strip().split("\n")[0]
    return f"it is damaged, or no weights file at all ({said}); {_next_step(path)}"


def _next_step(path: Path) -> str:
    """Return what to do about a file; only one that was fetched can be again."""
    record = record_path(path)
    if record.is_file():
        return f"remove it, with {record.name}, to have it fetched again"
    if path.suffix == ".py":
        return (
            "a network that is a class of your own is run by verify.py, from a "
            "configuration; the manual says how under 'Use a trained model of your own'"
        )
    return "give another file"


def _numpy_values() -> list[Any]:
    """Return what NumPy values are pickled with; training notes hold such."""
    import numpy as np

    dtypes = {type(np.dtype(code)) for code in "?bBhHiIlLqQefd"}
    makers = {
        "scalar": np.float64(0).__reduce__()[0],
        "_reconstruct": np.zeros(0).__reduce__()[0],
    }
    named = [
        (maker, f"numpy.{core}.multiarray.{name}")
        for name, maker in makers.items()
        for core in ("core", "_core")  # before NumPy 2, and since
    ]
    return [np.dtype, np.ndarray, *dtypes, *named]


def _read_safetensors(path: Path) -> object:
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except Exception as error:  # what a damaged header leads it to is not documented
        raise WrongWeights(
            f"{path} cannot be opened: it is damaged ({error}); {_next_step(path)}"
        ) from error


def _state_dict(content: object, path: Path) -> dict[str, Tensor]:
    import torch

    entries = content
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        entries = content["state_dict"]
    weights: dict[str, Tensor] = {}
    for key, value in entries.items() if isinstance(entries, dict) else ():
        name = str(key).removeprefix("module.")
        if isinstance(value, torch.Tensor) and name in weights:
            raise WrongWeights(
                f"{path} holds {name!r} twice, with 'module.' and without; "
                f"save the state dict of one network alone"
            )
        if isinstance(value, torch.Tensor):
            weights[name] = value
        elif "." in name and not name.endswith("._extra_state"):
            raise WrongWeights(
                f"{path} holds a {type(value).__name__} as {name!r}; expected "
                f"a tensor: save the state dict of the network again"
            )
    if weights:
        return weights
    held = (
        _listed(content) or "an empty dict"
        if isinstance(content, dict)
        else type(content).__name__
    )
    raise WrongWeights(
        f"{path} holds no weights but {held}; expected tensors by name, or a dict with "
        f"them under 'state_dict'"
    )


def _check_entries(
    weights: Mapping[str, Tensor],
    own: Mapping[str, Tensor],
    needed: set[str],
    path: Path,
) -> None:
    missing = needed - weights.keys()
    _check_layout(weights, needed - missing, path)
    reshaped = [
        f"{key} {tuple(weights[key].shape)} instead of {tuple(own[key].shape)}"
        for key in sorted(needed - missing)
        if weights[key].shape != own[key].shape
    ]
    modules = {_module(key) for key in needed}
    others = [key for key in weights.keys() - own.keys() if _module(key) in modules]
    if not missing and not reshaped and not others:
        return
    faults = []
    if others:
        faults.append(f"has {len(others)} entries more: {_listed(others)}")
    if missing:
        faults.append(
            f"misses {len(missing)} of {len(needed)} entries: {_listed(missing)}"
        )
    if reshaped:
        faults.append(f"has other shapes: {_listed(reshaped)}")
    model = _recognised(weights)
    step = (
        f"it looks like the network of the model {model.name!r}: use that model, or "
        f"give another file"
        if model is not None
        else "give a file of this network, made with the same sizes"
    )
    raise WrongWeights(
        f"{path} is not of this network: it {', and '.join(faults)}; {step}"
    )


def _module(key: str) -> str:
    return key.split(".")[0]


def _check_layout(weights: Mapping[str, Tensor], held: set[str], path: Path) -> None:
    """Refuse tensors that are no plain arrays: sparse, nested, or without numbers."""
    import torch

    odd = [
        f"{key} ({tensor.layout}, {tensor.device.type})"
        for key, tensor in ((key, weights[key]) for key in sorted(held))
        if tensor.layout != torch.strided
        or tensor.is_nested
        or tensor.device.type != "cpu"
    ]
    _refuse(odd, path, expected="tensors of plain numbers")


def _refuse(odd: list[str], path: Path, *, expected: str) -> None:
    if odd:
        raise WrongWeights(
            f"{path} holds {_listed(odd)}; expected {expected}: save the network again "
            f"as such, or name another file"
        )


def _numbers(
    weights: Mapping[str, Tensor],
    own: Mapping[str, Tensor],
    needed: set[str],
    path: Path,
) -> dict[str, Tensor]:
    """Return what is needed as the network holds it, where that is possible."""
    others = [
        f"{key} of {weights[key].dtype}"
        for key in sorted(needed)
        if not weights[key].is_floating_point()
    ]
    _refuse(others, path, expected="real floating-point numbers")
    numbers = {key: weights[key].to(own[key].dtype) for key in sorted(needed)}
    broken = [key for key, values in numbers.items() if not values.isfinite().all()]
    if broken:
        raise WrongWeights(
            f"{path} has values that are not finite in {_listed(broken)}; its "
            f"training diverged or the file is damaged. Use an earlier checkpoint, or "
            f"{_next_step(path)}"
        )
    negative = [
        key
        for key, values in numbers.items()
        if key.endswith("running_var") and (values < 0).any()
    ]
    if negative:
        raise WrongWeights(
            f"{path} has variances below zero in {_listed(negative)}; the file is "
            f"damaged. Use an earlier checkpoint, or {_next_step(path)}"
        )
    return numbers


def _listed(names: Iterable[object]) -> str:
    texts = sorted(repr(str(name))[1:-1] for name in names)
    more = f" and {len(texts) - _NAMED} more" if len(texts) > _NAMED else ""
    return ", ".join(texts[:_NAMED]) + more
