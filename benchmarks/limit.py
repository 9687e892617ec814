"""The networks against the processor's own rates: `python tables.py limit`."""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from contenders import network, plain_trunk
from torch.nn.functional import conv2d
from torch.utils.flop_counter import FlopCounterMode

from bob.learn.pytorch.export.onnx import export_network
from bob.learn.pytorch.inference import winograd
from bob.learn.pytorch.inference.fold import fold
from bob.learn.pytorch.inference.onnxruntime import session

THREADS = int(sys.argv[1]) if len(sys.argv) > 1 else 1
ROUNDS = 7
SECONDS = 8


@torch.inference_mode()
def medians(works):
    """Seconds of each of several works, turn by turn."""
    times = {name: [] for name in works}
    for turn in range(ROUNDS + 1):
        for name, work in works.items():
            started = time.perf_counter()
            work()
            if turn:  # the first warms up
                times[name].append(time.perf_counter() - started)
    return {name: statistics.median(some) for name, some in times.items()}


def rates():
    """Multiplications of matrices, and a convolution, in GFLOP/s."""
    size = 2048
    a = torch.randn(size, size)
    b, half = a.numpy().copy(), a.bfloat16()
    image = torch.randn(1, 256, 64, 64).contiguous(memory_format=torch.channels_last)
    filters = torch.randn(256, 256, 3, 3).contiguous(memory_format=torch.channels_last)
    coarse = image.bfloat16(), filters.bfloat16()
    works = {
        "sgemm of torch (MKL)": (lambda: a @ a, 2 * size**3),
        "sgemm of numpy (OpenBLAS)": (lambda: b @ b, 2 * size**3),
        "3x3 convolution of oneDNN": (
            lambda: conv2d(image, filters, padding=1),
            2 * 256 * 256 * 9 * 64 * 64,
        ),
        "bf16 matrices of torch": (lambda: half @ half, 2 * size**3),
        "bf16 3x3 convolution of oneDNN": (
            lambda: conv2d(*coarse, padding=1),
            2 * 256 * 256 * 9 * 64 * 64,
        ),
    }
    times = medians({name: work for name, (work, _) in works.items()})
    return {name: works[name][1] / times[name] / 1e9 for name in works}


def ways(name, net, features, folder):
    """The same network, run in several ways."""
    lengths = np.full(len(features), features.shape[-1], np.int64)
    place = Path(folder) / f"{name}.onnx"
    export_network(net, place)
    opened = session(place, threads=THREADS)
    inputs = {"features": features.numpy(), "lengths": lengths}
    float32, bfloat16 = fold(net), fold(net, precision=torch.bfloat16)
    works = {"eager": lambda: net(features)}
    if name == "dlt_resnet34":
        works = {
            "eager, layout not chosen": lambda: plain_trunk(net, features),
            **works,
        }
    works |= {
        "folded, oneDNN, float32": lambda: float32(features),
        "folded, oneDNN, bfloat16": lambda: bfloat16(features),
        "ONNX Runtime, float32": lambda: opened.run(None, inputs),
    }
    kernel = winograd.load()
    if kernel is not None:
        ours = fold(net, kernel=kernel)
        mixed = fold(net, precision=torch.bfloat16, kernel=kernel)
        works["folded, our kernel, float32"] = lambda: ours(features)
        works["folded, our kernel, bfloat16"] = lambda: mixed(features)
    return works


def main():
    """Print rates, and each network beside them."""
    os.sched_setaffinity(0, range(THREADS))
    torch.set_num_threads(THREADS)
    sys.stdout.write(f"\nWhat {THREADS} thread(s) can do, GFLOP/s\n")
    best = {}
    for name, rate in rates().items():
        sys.stdout.write(f"  {name:34} {rate:6.0f}\n")
        kind = "bf16" if name.startswith("bf16") else "float32"
        best[kind] = max(best.get(kind, 0), rate)
    with tempfile.TemporaryDirectory() as folder:
        for name in ("dlt_resnet34", "resnet34", "campplus"):
            net = network(name)
            features = torch.randn(1, net.bins, 100 * SECONDS - 2)
            with FlopCounterMode(display=False) as counter:
                net(features)
            work = counter.get_total_flops() / 1e9
            sys.stdout.write(
                f"{name}, {SECONDS} s: {work / SECONDS:.2f} GFLOP a second of sound\n"
                f"  {'':34} {'x real time':>11} {'GFLOP/s':>8} {'of the best':>17}\n"
            )
            works = ways(name, net, features, folder)
            for label, took in medians(works).items():
                share = work / took / best["bf16" if "bf" in label else "float32"]
                sys.stdout.write(
                    f"  {label:34} {SECONDS / took:11.0f} {work / took:8.0f} "
                    f"{100 * share:15.0f} %\n"
                )


if __name__ == "__main__":
    main()
