"""What a trained model is to run on: what was asked for, and what "auto" means."""

from __future__ import annotations

from typing import Literal

from bob.learn.pytorch.errors import UserError

ENGINES = ("torch", "onnxruntime")
PRECISIONS = ("float32", "float64", "bfloat16", "float16")
Precision = Literal["float32", "float64", "bfloat16", "float16"]


class ChoiceError(UserError, ValueError):
    """What a model is to run on cannot be, or not together.

    Parameters
    ----------
    message
        What is wrong, with the next step.
    option
        The one to change: "device", "precision" or "engine".
    """

    # With a default, so that it comes back from other processes.
    def __init__(self, message: str, *, option: str = "device") -> None:
        super().__init__(message)
        self.option = self.parameter = option


def check(engine: str, precision: str, device: str | None) -> None:
    """Refuse what cannot be, as far as it shows without loading torch.

    Raises
    ------
    ChoiceError
        Of an unknown engine or precision, or one that do not go together.
    """
    if engine not in ENGINES:
        raise ChoiceError(
            f"engine is {engine!r}; expected one of {', '.join(ENGINES)}",
            option="engine",
        )
    if precision not in (*PRECISIONS, "auto"):
        raise ChoiceError(
            f"precision is {precision!r}; expected one of "
            f"{', '.join(PRECISIONS)}, or auto",
            option="precision",
        )
    on_cpu = device is None or device.startswith("cpu")
    if engine == "onnxruntime":
        if not on_cpu and device != "auto":
            raise ChoiceError(
                f"device is {device!r}, but engine='onnxruntime' runs on the CPU here; "
                "leave the device out, or use engine='torch'",
                option="device",
            )
        if precision not in ("float32", "auto"):
            raise ChoiceError(
                f"precision is {precision!r}, but engine='onnxruntime' computes in "
                "float32 here; leave the precision out, or use engine='torch'",
                option="precision",
            )
    if precision == "float16" and on_cpu:
        raise ChoiceError(
            "precision is 'float16', in which a CPU does not compute; use 'bfloat16', "
            "or device='cuda'",
            option="precision",
        )


def choose(engine: str, precision: str, device: str | None) -> dict[str, str]:
    """The device, precision and engine that "auto" and None stand for.

    ONNX Runtime runs on the CPU in float32, whatever else there is.

    Raises
    ------
    ChoiceError
        As for `check`, and of a device that is not there.
    """
    check(engine, precision, device)
    if engine == "onnxruntime":
        device = None if device == "auto" else device
        precision = "float32"
    device = chosen_device(device)
    precision = chosen_precision(precision, device)
    return {"device": device, "precision": precision, "engine": engine}


def chosen_device(device: str | None) -> str:
    """The device meant: None is the CPU, and "auto" a GPU where there is one.

    Raises
    ------
    ValueError
        A `ChoiceError`: a CUDA device is asked for that is not there, or torch knows no
        such device.
    """
    if device is None or device == "cpu":
        return "cpu"
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        meant = torch.device(device)
        if meant.type not in ("cpu", "cuda"):
            raise RuntimeError("not offered here")
    except RuntimeError as error:
        raise ChoiceError(
            f"device is {device!r}, which is none; expected 'cpu', 'cuda', "
            "'cuda:1' and the like, or 'auto'",
            option="device",
        ) from error
    if meant.type == "cuda":
        _check_there(device, index=meant.index or 0)
    return device


def _check_there(device: str, *, index: int) -> None:
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if index < count:
        return
    finds = f"torch {torch.__version__} finds"
    if not count:
        raise ChoiceError(
            f"device is {device!r}, but {finds} no CUDA device here; use device='cpu', "
            "or 'auto' for what there is",
            option="device",
        )
    there = "1 CUDA device" if count == 1 else f"{count} CUDA devices"
    names = ", ".join(f"'cuda:{number}'" for number in range(count))
    raise ChoiceError(
        f"device is {device!r}, but {finds} {there} here: use {names}, or 'auto'",
        option="device",
    )


def chosen_precision(precision: str, device: str) -> str:
    """The precision meant: "auto" is the fastest that an embedding hardly shows."""
    if precision == "auto":
        return _fastest(device)
    check("torch", precision, device)
    return precision


def _fastest(device: str) -> str:
    import torch

    if device.startswith("cuda"):
        # As fast there as bfloat16, and its cosines to exact embeddings are 40 times
        # nearer to 1; activations of these networks stay far below its largest number.
        tensor_cores = torch.cuda.get_device_capability(device) >= (7, 0)
        return "float16" if tensor_cores else "float32"
    from bob.learn.pytorch.inference import winograd

    if winograd.load() is not None:  # nearly as fast in float32, and exact
        return "float32"
    looked_at = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    offered = any(getattr(torch.cpu, name, lambda: False)() for name in looked_at)
    return "bfloat16" if offered else "float32"
