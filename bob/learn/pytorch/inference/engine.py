"""Run a trained model: on a CPU or a GPU, by PyTorch or by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Protocol

import numpy as np

from bob.learn.pytorch.choices import ENGINES, PRECISIONS
from bob.learn.pytorch.errors import UserError
from bob.learn.pytorch.parallel.processes import processors

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from bob.learn.pytorch.models.embedder import FrontEnd, Network, SpeakerEmbedder

# What a GPU takes together for each gigabyte of its memory. In frames.
GPU_FRAMES_PER_GIGABYTE = 8_000

# For a CPU, of a network that does not declare it.
CPU_FRAMES = 1_000

Embeddings = Callable[[], "NDArray[np.float32]"]


class Engine(Protocol):
    """Turns what was made of recordings into embeddings, many at a time."""

    @property
    def embedder(self) -> SpeakerEmbedder:
        """The trained model as this engine runs it, for a recording in blocks."""

    @property
    def way(self) -> str:
        """Return the key of the network's `mb_a_second` that holds."""

    @property
    def frames_at_once(self) -> int:
        """Return the most frames of a batch, all items counted as the longest."""

    @property
    def readers(self) -> int:
        """Return the number of threads that read recordings for it."""

    def exactly(self) -> AbstractContextManager[None]:
        """Set up what else than `start` runs its network, for a recording in blocks."""

    def prepared(self, samples: NDArray[np.float64], /) -> Tensor:
        """(time,) at the model's rate -> what a batch is made of; by any thread."""

    def frames(self, prepared: Tensor, /) -> int:
        """Count the frames of what `prepared` returned, (time,) or (bins, frames)."""

    def start(self, batch: Sequence[Tensor], /) -> Embeddings:
        """Begin with a batch; what comes back waits for its end when it is called.

        It gives (recordings, dimensions), in the order of the batch.
        """


class CPUEngine:
    """PyTorch on a CPU: features are made recording by recording, in float64.

    Parameters
    ----------
    embedder
        In evaluation mode, on the CPU, its network in float32 or float64.
    precision
        Precision of the network. In float64 it stays as it is; in any other precision,
        a folded copy runs.
    """

    def __init__(self, embedder: SpeakerEmbedder, *, precision: str) -> None:
        import torch

        from bob.learn.pytorch.inference.fold import fold
        from bob.learn.pytorch.inference.winograd import load

        self._front_end = embedder.features
        self._network: Network = embedder.network
        self._input = torch.float64
        self.way = "float64" if precision == "float64" else "float32"
        if precision != "float64":
            self._input = torch.float32
            self._network = fold(  # type: ignore[type-var]
                self._network,
                precision=getattr(torch, precision),
                kernel=load(),
            )
        self.embedder = _joined(self._front_end, self._network)

    @property
    def frames_at_once(self) -> int:
        """Return what the network declares to be fastest with."""
        return getattr(self._network, "frames_at_once", CPU_FRAMES)

    def exactly(self) -> AbstractContextManager[None]:
        """Return a context that does nothing."""
        return nullcontext()

    @property
    def readers(self) -> int:
        """One beside the network, where there is another processor for it."""
        return min(1, processors() - 1)

    def prepared(self, samples: NDArray[np.float64]) -> Tensor:
        """(time,) -> features, (bins, frames)."""
        import torch

        with torch.inference_mode():
            features = self._front_end(_waveform_of(samples))[0]
            return features.to(self._input)

    def frames(self, prepared: Tensor) -> int:
        """Count the frames of features (bins, frames)."""
        return int(prepared.shape[-1])

    def start(self, batch: Sequence[Tensor]) -> Embeddings:
        """Embed features (bins, frames) at once: a CPU does nothing else meanwhile."""
        import torch

        with torch.inference_mode():
            embeddings = self._network(*_padded(batch)).to(torch.float32).numpy()
        return lambda: embeddings


class GPUEngine:
    """PyTorch on a GPU, the front end too; recordings travel as waveforms in float32.

    Nothing waits for the device before the embeddings of a batch are asked for, so the
    host can prepare and send the next one meanwhile.

    Parameters
    ----------
    embedder
        In evaluation mode, its network in float32.
    device
        Device of torch, such as "cuda".
    precision
        Precision of the network; the front end computes in float32.
    """

    def __init__(
        self, embedder: SpeakerEmbedder, *, device: str, precision: str
    ) -> None:
        import torch

        from bob.learn.pytorch.inference.fold import fold

        self._device = torch.device(device)
        self._front_end = embedder.features.to(self._device)  # type: ignore[attr-defined]
        network = embedder.network.to(self._device)  # type: ignore[attr-defined]
        self._input = torch.float64 if precision == "float64" else torch.float32
        self.way = "float64" if precision == "float64" else "float32"
        if precision != "float64":
            network = fold(network, precision=getattr(torch, precision))
        self._network = network
        self.embedder = _joined(self._front_end, network)
        memory = torch.cuda.get_device_properties(self._device).total_memory
        self.frames_at_once = max(
            CPU_FRAMES, int(memory / 2**30 * GPU_FRAMES_PER_GIGABYTE)
        )

    @property
    def readers(self) -> int:
        """Return one a processor, since the device waits for them."""
        return min(8, processors())

    def prepared(self, samples: NDArray[np.float64]) -> Tensor:
        """(time,) -> the same in the precision that it is sent in."""
        return _waveform_of(samples)[0].to(self._input)

    def frames(self, prepared: Tensor) -> int:
        """Count the frames that the front end will make of a waveform (samples,)."""
        return int(self._front_end.frames(len(prepared)))

    @contextmanager
    def exactly(self) -> Iterator[None]:
        """On this device, in full float32: TensorFloat-32 is as coarse as bfloat16."""
        import torch

        with (
            torch.cuda.device(self._device),
            torch.backends.cudnn.flags(enabled=True, allow_tf32=False),
        ):
            yield

    def start(self, batch: Sequence[Tensor]) -> Embeddings:
        """Send waveforms (samples,) to the device, and let it begin."""
        import torch

        with torch.inference_mode(), self.exactly():
            waveforms, lengths = _padded(batch)
            waveforms = waveforms.pin_memory().to(self._device, non_blocking=True)
            frames = None
            if lengths is not None:
                lengths = lengths.pin_memory().to(self._device, non_blocking=True)
                frames = self._front_end.lengths(lengths)
            features = self._front_end(waveforms, lengths)
            embeddings = self._network(features, frames).float()
            host = torch.empty(embeddings.shape, pin_memory=True)
            host.copy_(embeddings, non_blocking=True)
            done = torch.cuda.Event()  # type: ignore[no-untyped-call]
            done.record()  # of the stream of the device that `exactly` made current

        def finished() -> NDArray[np.float32]:
            done.synchronize()
            return np.array(host.numpy())

        return finished


class ONNXEngine(CPUEngine):
    """The front end by PyTorch, the network by ONNX Runtime, from the same weights.

    Parameters
    ----------
    embedder
        In evaluation mode, its network in float32; it moves to the CPU.
    place
        File of the exported network. The network is exported if the file is missing,
        has changed, or cannot be opened by ONNX Runtime.
    """

    def __init__(self, embedder: SpeakerEmbedder, place: Path) -> None:
        import torch

        from bob.learn.pytorch.inference.onnxruntime import kept_session

        super().__init__(embedder.cpu(), precision="float64")
        self._input, self.way = torch.float32, "onnxruntime"
        self._session = kept_session(
            embedder.network,  # type: ignore[arg-type]
            place,
            threads=torch.get_num_threads(),
        )

    def start(self, batch: Sequence[Tensor]) -> Embeddings:
        """Embed features (bins, frames) at once: a CPU does nothing else meanwhile."""
        features, lengths = _padded(batch)
        if lengths is None:
            frames = np.full(len(features), features.shape[-1], np.int64)
        else:
            frames = lengths.numpy()
        inputs = {"features": features.numpy(), "lengths": frames}
        (embeddings,) = self._session.run(None, inputs)
        return lambda: np.asarray(embeddings, np.float32)


def _padded(batch: Sequence[Tensor]) -> tuple[Tensor, Tensor | None]:
    """Return items (…, time) as one batch, zeros behind the shorter ones, and lengths.

    The batch is (batch, …, time), and the lengths (batch,), or None where all are the
    same.
    """
    import torch

    sizes = [item.shape[-1] for item in batch]
    if len(batch) == 1:
        return batch[0].unsqueeze(0), None
    # Time goes first and comes last again: frames lie together in features already.
    rows = [item.movedim(-1, 0) for item in batch]
    whole = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True).movedim(1, -1)
    return whole, torch.tensor(sizes) if len(set(sizes)) > 1 else None


def _joined(front_end: FrontEnd, network: Network) -> SpeakerEmbedder:
    from bob.learn.pytorch.models.embedder import SpeakerEmbedder

    joined = SpeakerEmbedder(front_end, network, sample_rate=front_end.sample_rate)
    return joined.eval()


def _waveform_of(samples: NDArray[np.float64]) -> Tensor:
    """(time,) -> (1, time), in float64 and in memory that torch may share."""
    import torch

    return torch.from_numpy(
        np.require(samples, dtype=np.float64, requirements=["C", "W"])
    ).unsqueeze(0)


def make(
    embedder: SpeakerEmbedder,
    *,
    device: str,
    precision: str,
    engine: str,
    cache: Callable[[], Path],
) -> Engine:
    """Return the engine of a trained model, by what `choose` gives.

    ``cache`` returns the file in which ONNX Runtime's network is kept between runs.
    """
    if engine == "onnxruntime":
        return ONNXEngine(embedder, cache())
    if device.startswith("cpu"):
        return CPUEngine(embedder, precision=precision)
    return GPUEngine(embedder, device=device, precision=precision)


class ChoiceError(UserError, ValueError):
    """A model cannot be run in this way; ``option`` is the parameter to change."""

    # With a default, so that it comes back from other processes.
    def __init__(self, message: str, *, option: str = "device") -> None:
        super().__init__(message)
        self.option = self.parameter = option


def check_choice(engine: str, precision: str, device: str | None) -> None:
    """Refuse an engine, precision and device, as far as it shows without torch."""
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
                "leave the device out, or use engine='torch'"
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
    """Return the device, precision and engine that "auto" and None stand for.

    ONNX Runtime runs on the CPU in float32, whatever else there is.

    Raises
    ------
    ChoiceError
        As `check_choice` does, and for a device that is not there.
    """
    check_choice(engine, precision, device)
    if engine == "onnxruntime":
        device = None if device == "auto" else device
        precision = "float32"
    device = chosen_device(device)
    if precision == "auto":
        precision = _fastest(device)
    check_choice(engine, precision, device)
    return {"device": device, "precision": precision, "engine": engine}


def chosen_device(device: str | None) -> str:
    """Return the device: None is the CPU, and "auto" a GPU where there is one.

    Raises
    ------
    ChoiceError
        The CUDA device is not there, or torch knows no such device.
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
            "'cuda:1' and the like, or 'auto'"
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
            "or 'auto' for what there is"
        )
    there = "1 CUDA device" if count == 1 else f"{count} CUDA devices"
    names = ", ".join(f"'cuda:{number}'" for number in range(count))
    raise ChoiceError(
        f"device is {device!r}, but {finds} {there} here: use {names}, or 'auto'"
    )


def _fastest(device: str) -> str:
    """Return the fastest precision that an embedding hardly shows."""
    import torch

    if device.startswith("cuda"):
        # As fast there as bfloat16, and its cosines to exact embeddings are 40 times
        # nearer to 1; activations of these networks stay far below its largest number.
        tensor_cores = torch.cuda.get_device_capability(device) >= (7, 0)
        return "float16" if tensor_cores else "float32"
    from bob.learn.pytorch.inference.winograd import load

    if load() is not None:  # nearly as fast in float32, and exact
        return "float32"
    looked_at = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    offered = any(getattr(torch.cpu, name, lambda: False)() for name in looked_at)
    return "bfloat16" if offered else "float32"
