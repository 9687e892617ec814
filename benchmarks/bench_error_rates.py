"""Equal error rates over all pairs, by cosine; the embedded default is downloaded."""

import os
from pathlib import Path

import numpy as np
import pytest

from bob.learn.pytorch.audio import files
from bob.learn.pytorch.metrics import equal_error_rate, min_dcf
from bob.learn.pytorch.preprocessor.audio import EmbeddingExtractor
from bob.learn.pytorch.scoring import cosine
from bob.learn.pytorch.script.demonstration import council_meetings
from bob.learn.pytorch.weights.catalogue import find


def all_pairs(paths, speakers):
    """(targets, non-targets) of every pair of recordings."""
    extractor = EmbeddingExtractor("campplus-zh-en")
    embeddings = np.stack([extractor.embed(path) for path in paths])
    first, second = np.triu_indices(len(paths), k=1)
    values = cosine(embeddings, embeddings)[first, second]
    same = np.array(speakers)[first] == np.array(speakers)[second]
    return values[same], values[~same]


def report(benchmark, paths, speakers):
    targets, non_targets = benchmark.pedantic(
        all_pairs, (paths, speakers), rounds=1, iterations=1
    )
    benchmark.extra_info["targets"] = len(targets)
    benchmark.extra_info["non_targets"] = len(non_targets)
    rate = equal_error_rate(targets, non_targets)
    benchmark.extra_info["EER %"] = 100 * rate
    benchmark.extra_info["minDCF (0.01)"] = min_dcf(targets, non_targets)
    return rate


def bench_council_meetings(benchmark):
    """The 70 clips of a second and more: 265 target and 2,150 non-target pairs."""
    paths = [
        path
        for path in sorted(council_meetings().rglob("*.wav"))
        if files.info(path)[0] >= 1.0
    ]

    rate = report(benchmark, paths, [path.parent.name for path in paths])

    assert benchmark.extra_info["targets"] == 265
    assert rate == pytest.approx(find("campplus-zh-en").equal_error_rate, abs=5e-4)


def bench_librispeech_test_other(benchmark):
    """100 recordings of 10 speakers: 450 target and 4,500 non-target pairs."""
    shared = os.environ.get("BOB_PYTORCH_SHARED", Path(__file__).parents[2] / "shared")
    folder = Path(shared, "data", "librispeech", "test-other")
    if not folder.is_dir():
        pytest.skip(f"{folder} is not on this machine")
    paths = sorted(folder.rglob("*.flac"))

    report(benchmark, paths, [path.parent.name for path in paths])
