"""Two systems on the same trials, with metadata: small, random, reproducible."""

import numpy as np
import pytest

from bob.learn.pytorch.metrics import Names, ScoreTable
from bob.learn.pytorch.report.systems import System, evaluate_systems
from bob.learn.pytorch.scorefiles.failures import Failure

SPEAKERS = [f"speaker{number:02d}" for number in range(12)]


def make_table(*, noise=1.0, failed=(), seed=0):
    """Each speaker has a reference and three probes; scores are ratios of a kind."""
    random = np.random.default_rng(seed)
    probes = [f"{name}/{take}" for name in SPEAKERS for take in range(3)]
    owners = [name for name in SPEAKERS for _ in range(3)]
    same = np.equal.outer(SPEAKERS, owners)
    scores = np.where(same, 4.0, -4.0) + 2 * noise * random.standard_normal(same.shape)
    found = ScoreTable.from_matrix(
        scores,
        references=[f"model-{name}" for name in SPEAKERS],
        reference_subjects=SPEAKERS,
        probes=probes,
        probe_subjects=owners,
    )
    found.score[list(failed)] = np.nan
    return found


def make_system(name="first", **options):
    trials = make_table(**options)
    genders = {name: "fm"[number % 2] for number, name in enumerate(SPEAKERS)}
    return System(
        name,
        trials,
        group="eval",
        dev=make_table(seed=9),
        metadata={
            "probe_gender": Names.of(genders[name] for name in trials.real.tolist()),
            "bio_ref_gender": Names.of(
                genders[name] for name in trials.claimed.tolist()
            ),
            "probe_seconds": Names.of(
                str(number % 40 / 2) for number in range(len(trials))
            ),
            "probe_path": Names.of(str(number) for number in range(len(trials))),
        },
        failures=(Failure("a<b>", "/x/a.wav", "extraction", "too short"),),
        provenance=(("Command line", "verify.py <config>.py"),),
    )


@pytest.fixture(scope="session")
def table():
    return make_table


@pytest.fixture(scope="session")
def system():
    return make_system


@pytest.fixture(scope="session")
def two(system):
    """Two systems, evaluated."""
    systems = [system("a"), system("b", noise=2, seed=1, failed=[3, 4])]
    return evaluate_systems(systems, resamples=10)
