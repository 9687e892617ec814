"""Score files and result folders, as verify.py lays them out."""

import json

import pytest
from score_tables import takes_of_three

from bob.learn.pytorch.scorefiles import write_scores

SPEAKERS = ["ann", "bob", "cid"]
REFERENCES = [f"{name}-{number}" for name in SPEAKERS for number in (1, 2)]


def make_scores(seed):
    """Two references for each speaker, which four columns cannot tell apart."""
    return takes_of_three(seed, references_each=2)


def make_results(folder, *, seed=0):
    """As verify.py lays them out: a file of each reference, and all together."""
    place = folder / "session" / "nonorm"
    for group in ("dev", "eval"):
        found = make_scores(seed + (group == "eval"))
        write_scores(place / f"scores-{group}", found)
        for reference in REFERENCES:
            chosen = [name == reference for name in found.model.tolist()]
            write_scores(place / group / f"{reference}.txt", found.take(chosen))
        (place / group / ".made-by").write_text(f"{seed}-fingerprint")
    (folder / "session" / "Experiment.info").write_text(
        "Command line:\nverify.py x.py\n\nHost:\nsecret-host\n\n"
    )
    (folder / "session" / "failures.tsv").write_text(
        "recording\tpath\tstage\treason\nann/9\t/c/ann/9.wav\textraction\tit is empty\n"
    )
    (place / "report.json").write_text(
        json.dumps({"dev": {"eer": 0.1}, "failed_recordings": 1})
    )
    return folder


def make_calibrated(folder):
    """Twice the scores and one more, beside them."""
    for group, seed in (("dev", 0), ("eval", 1)):
        found = make_scores(seed)
        found.score[:] = 2 * found.score + 1
        write_scores(folder / f"session/nonorm/calibrated-{group}", found)
    return folder


@pytest.fixture
def scores():
    """A table of scores, by its seed."""
    return make_scores


@pytest.fixture
def results():
    """Makes a result folder of raw scores of two groups."""
    return make_results


@pytest.fixture
def calibrated():
    """Puts calibrated scores into such a folder."""
    return make_calibrated
