"""1000 references against 5000 probes of 128 numbers, into score files."""

import time

import numpy as np
import pytest
from scipy.spatial.distance import cosine

from bob.learn.pytorch.verification import scores
from bob.learn.pytorch.verification.algorithms import NAMED
from bob.learn.pytorch.verification.components import Extraction, Preprocessing
from bob.learn.pytorch.verification.database import (
    Probe,
    Recording,
    Reference,
    Trials,
)
from bob.learn.pytorch.verification.experiment import Experiment
from bob.learn.pytorch.verification.layout import lay_out

REFERENCES, PROBES, DIMENSIONS = 1000, 5000, 128


@pytest.fixture(scope="module")
def embeddings():
    random = np.random.default_rng(0)
    return (
        random.normal(size=(REFERENCES, DIMENSIONS)),
        random.normal(size=(PROBES, DIMENSIONS)),
    )


def per_pair(references, probes, *, seconds=2.0):
    """Seconds that all pairs would take one by one, from as many as fit into a few."""
    started, pairs = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        for probe in probes[:100]:
            cosine(references[pairs % REFERENCES], probe)
            pairs += 1
    return (time.perf_counter() - started) / pairs * REFERENCES * PROBES


def with_bob(references, probes, folder):
    """Seconds that Bob 8 takes for the same scores in files of the same form."""
    from bob.bio.base.algorithm import Distance
    from bob.bio.base.pipelines import FourColumnsScoreWriter
    from bob.pipelines import Sample, SampleSet

    def sets(rows, letter):
        names = [f"{letter}{i}" for i in range(len(rows))]
        return [
            SampleSet(
                [Sample(row, key=name)], template_id=name, subject_id=name, key=name
            )
            for name, row in zip(names, rows, strict=True)
        ]

    algorithm = Distance(average_probes=True)
    writer = FourColumnsScoreWriter(str(folder / "scores"))
    enrolled, probed = sets(references, "r"), sets(probes, "p")
    started = time.perf_counter()
    templates = algorithm.create_templates_from_samplesets(enrolled, enroll=True)
    tests = algorithm.create_templates_from_samplesets(probed, enroll=False)
    scored = algorithm.score_sample_templates(tests, templates, score_all_vs_all=True)
    writer.post_process(writer.write(scored), str(folder / "joined"))
    return time.perf_counter() - started


def bench_score_files(benchmark, embeddings, tmp_path):
    references, probes = embeddings
    experiment = Experiment(
        database=None,
        preprocessing=Preprocessing(len, None),
        extraction=Extraction(len),
        algorithm=NAMED["cosine"],
        layout=lay_out(tmp_path, tmp_path, sub_directory="s", protocol=None),
    )
    trials = Trials(
        tuple(Reference(f"r{i}", f"r{i}", ()) for i in range(REFERENCES)),
        tuple(
            Probe(f"p{i}", f"s{i}", (Recording(f"p{i}", None, f"s{i}"),))
            for i in range(PROBES)
        ),
    )
    models = {f"r{i}": row[None] for i, row in enumerate(references)}
    vectors = {f"p{i}": row[None] for i, row in enumerate(probes)}

    def score():
        scores.compute(experiment, "dev", trials, models, vectors)
        return scores.concatenate(experiment, "dev", trials)

    path = benchmark.pedantic(score, rounds=3)

    with path.open() as file:
        assert sum(1 for _ in file) == REFERENCES * PROBES
    median = benchmark.stats.stats.median
    benchmark.extra_info["times a loop over pairs"] = per_pair(*embeddings) / median
    bobs = with_bob(references, probes, tmp_path / "bob")
    benchmark.extra_info["times Bob 8"] = bobs / median
