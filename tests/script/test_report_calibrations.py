"""`bob pytorch report` on scores of calibrations, which are known by their content."""

from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from commands import done
from files import from_json


@pytest.fixture(autouse=True)
def _scores():
    random = np.random.default_rng(0)
    for group in ("dev", "eval"):
        rows = [
            f"s{n % 4} s{n % 4} p{n} {random.normal(0.6, 0.2)}\n"
            f"s{n % 4} s{(n + 1) % 4} p{n} {random.normal(0.1, 0.2)}\n"
            for n in range(40)
        ]
        Path(f"scores-{group}").write_text("".join(rows))


def test_a_calibration_is_the_same_one_by_another_path(tmp_path):
    done("calibrate", "scores-dev", "--into", "t1", "-o", "t1.json")
    done("calibrate", "--use", tmp_path / "t1.json", "scores-eval", "--into", "t1")

    for group in ("dev", "eval"):
        beside = from_json(f"t1/scores-{group}.json")
        written = sha256(Path("t1.json").read_bytes()).hexdigest()
        assert beside["calibration sha256"] == written
    assert "HTER" in done("report", "t1", "--resamples", 0)


def test_a_calibration_that_was_fitted_again_is_another_one():
    done("calibrate", "scores-dev", "--into", "t1", "-o", "t1.json")
    done("calibrate", "scores-dev", "--into", "t2", "-o", "t1.json", "--penalty", "5")
    done("calibrate", "--use", "t1.json", "scores-eval", "--into", "t1")

    told = done("report", "t1", "--resamples", 0)

    assert "HTER" not in told
    assert "whose scores were made in another way" in " ".join(told.split())
