"""Equal error rates over all pairs, by cosine; the embedded default is downloaded."""

import os
from pathlib import Path

import numpy as np
import pytest

from bob.learn.pytorch.audio import files
from bob.learn.pytorch.metrics import equal_error_rate, min_dcf
from bob.learn.pytorch.models.catalogue import find
from bob.learn.pytorch.models.council_meetings import council_meetings
from bob.learn.pytorch.preprocessor.audio import EmbeddingExtractor
from bob.learn.pytorch.scoring import cosine

WAYS = {
    "float64, one by one": {"precision": "float64"},
    "float32": {},
    "bfloat16": {"precision": "bfloat16"},
    "ONNX Runtime": {"engine": "onnxruntime"},
}


def embedded(paths, way):
    """(recordings, dimensions), in batches."""
    extractor = EmbeddingExtractor("campplus-zh-en", **WAYS[way])
    if "one by one" in way:
        return np.stack([extractor.embed(path) for path in paths])
    return np.stack(
        [found.embedding for found in extractor.embed_many(enumerate(paths))]
    )


def all_pairs(paths, speakers, way="float32"):
    """(targets, non-targets) of every pair of recordings."""
    embeddings = embedded(paths, way)
    first, second = np.triu_indices(len(paths), k=1)
    values = cosine(embeddings, embeddings)[first, second]
    same = np.array(speakers)[first] == np.array(speakers)[second]
    return values[same], values[~same]


def report(benchmark, paths, speakers, *way):
    targets, non_targets = benchmark.pedantic(
        all_pairs, (paths, speakers, *way), rounds=1, iterations=1
    )
    benchmark.extra_info["targets"] = len(targets)
    benchmark.extra_info["non_targets"] = len(non_targets)
    rate = equal_error_rate(targets, non_targets)
    benchmark.extra_info["EER %"] = 100 * rate
    benchmark.extra_info["minDCF (0.01)"] = min_dcf(targets, non_targets)
    return rate


def clips():
    """The 70 clips of council meetings of a second and more."""
    return [
        path
        for path in sorted(council_meetings().rglob("*.wav"))
        if files.info(path)[0] >= 1.0
    ]


@pytest.mark.parametrize("way", WAYS)
def bench_council_meetings(benchmark, way):
    """265 target and 2,150 non-target pairs: no fast way changes the error rate."""
    paths = clips()

    rate = report(benchmark, paths, [path.parent.name for path in paths], way)

    assert benchmark.extra_info["targets"] == 265
    assert rate == pytest.approx(find("campplus-zh-en").equal_error_rate, abs=1e-3)


@pytest.mark.parametrize("way", list(WAYS)[1:])
def bench_directions(benchmark, way):
    """Smallest cosine between the embeddings of a fast way and those of float64."""
    paths = clips()[::3]
    exact = embedded(paths, "float64, one by one")

    fast = benchmark.pedantic(embedded, (paths, way), rounds=1, iterations=1)

    lengths = np.linalg.norm(exact, axis=1) * np.linalg.norm(fast, axis=1)
    smallest = ((exact * fast).sum(axis=1) / lengths).min()
    benchmark.extra_info["1 - cosine"] = 1 - float(smallest)
    assert smallest >= (0.9999 if way == "bfloat16" else 1 - 1e-5)


def bench_librispeech_test_other(benchmark):
    """100 recordings of 10 speakers: 450 target and 4,500 non-target pairs."""
    shared = os.environ.get("BOB_PYTORCH_SHARED", Path(__file__).parents[2] / "shared")
    folder = Path(shared, "data", "librispeech", "test-other")
    if not folder.is_dir():
        pytest.skip(f"{folder} is not on this machine")
    paths = sorted(folder.rglob("*.flac"))

    report(benchmark, paths, [path.parent.name for path in paths])
