"""What `bob pytorch calibrate` and `fuse` say of few trials and costs out of reach."""

import math
from pathlib import Path

import numpy as np
import pytest
from commands import done, refused, reported, run
from files import from_json
from score_files import NAMES, say


def write(path, speakers, *, seed=0, spread=0.2):
    """Each speaker against everyone, in five columns."""
    random = np.random.default_rng(seed)
    lines = [
        f"s{one} m{one} s{two} p{two} {random.normal(0.6 * (one == two), spread)!r}\n"
        for one in range(speakers)
        for two in range(speakers)
    ]
    Path(path).write_text("".join(lines))


def test_few_speakers_and_few_errors_are_warned_of():
    write("dev", 8)

    errors, speakers = reported("calibrate", "dev")["notes"]

    assert errors.startswith("of dev, few errors were observed: ")
    assert errors.endswith("(Doddington's rule of 30)")
    assert speakers.startswith("8 speakers are few: ratios far from 1 are extrapol")
    told = " ".join(done("calibrate", "dev").split())
    assert f"Note: {errors}." in told
    assert f"Note: {speakers}." in told


def test_a_stored_calibration_of_few_speakers_is_warned_of():
    write("dev", 8)
    write("eval", 30)
    done("calibrate", "dev")

    notes = reported("calibrate", "--use", "calibration.json", "eval")["notes"]

    few, misfit = notes
    assert few.startswith("8 speakers are few: ")
    # A slope of 48 from 8 targets: it decides for one speaker far too often.
    assert misfit.startswith(
        "of calibrated/eval, the calibration does not fit these scores: actDCF is 1.4"
    )
    assert "Calibrate on development scores of recordings like these" in misfit


def test_many_speakers_and_errors_are_not():
    write("dev", 150, spread=0.6)

    assert reported("calibrate", "dev", "--cost", "0.5")["notes"] == []


def test_a_fusion_of_few_speakers_is_warned_of():
    write("one", 8, spread=0.4)
    write("two", 8, seed=1, spread=0.4)

    assert "Note: 8 speakers are few" in done("fuse", "one", "two")


@pytest.mark.parametrize(
    ("told", "cost", "out_of_reach"),
    [
        ({"measure": "cosine", "normalisation": "none"}, "1e-9", True),
        ({"measure": "cosine", "normalisation": "none"}, "0.5", False),
        ({"measure": "cosine", "normalisation": "s, top 100"}, "1e-9", False),
        ({"measure": "plda", "normalisation": "none"}, "1e-9", False),
        ({}, "1e-9", False),
    ],
)
def test_a_threshold_that_no_cosine_reaches_is_said(told, cost, out_of_reach):
    write("dev", 30)
    say("dev", **told)

    (threshold,) = reported("calibrate", "dev", "--cost", cost)["thresholds"]

    assert threshold["out_of_reach"] is out_of_reach
    assert (threshold["score"] > 1) is (cost == "1e-9")
    text = done("calibrate", "dev", "--cost", cost)
    assert ("out of reach: cosines lie between -1 and 1" in text) is out_of_reach


def test_measures_that_verify_py_keeps_beside_its_scores_are_taken():
    """The same as from columns of CSV; the reference goes by its own name."""
    random = np.random.default_rng(3)
    write("scores-dev", 20)
    rows = [line.split() for line in Path("scores-dev").read_text().splitlines()]
    seconds = {f"{kind}{n}": random.uniform(1, 9) for kind in "mp" for n in range(20)}
    columns = "bio_ref_duration,probe_duration,score"
    Path("dev.csv").write_text(
        f"{NAMES},{columns}\n"
        + "".join(
            f"{probe},{real},{model},{claimed},{seconds[model]!r},{seconds[probe]!r},"
            f"{score}\n"
            for claimed, model, real, probe, score in rows
        )
    )
    beside = "".join(
        f"{'reference' if name[0] == 'm' else 'probe'},{name},{value!r}\n"
        for name, value in seconds.items()
    )
    Path("quality-dev.csv").write_text(f"side,id,duration\n{beside}")
    done("calibrate", "dev.csv", "--quality", "duration", "-o", "csv.json")

    done("calibrate", "scores-dev", "--quality", "duration")

    expected, found = (from_json(name) for name in ("csv.json", "calibration.json"))
    assert found["columns"] == expected["columns"]
    assert found["weights"] == pytest.approx(expected["weights"])
    assert math.isfinite(found["offset"])
    lacking = run("calibrate", "scores-dev", "--quality", "magnitude")
    assert "quality-dev.csv does not tell magnitude" in lacking.output
    Path("quality-dev.csv").write_text("side,id,duration\nreference,m0,1\n")
    assert "quality-dev.csv knows no duration of m1 in scores-dev" in refused(
        "calibrate", "scores-dev", "--quality", "duration", status=1
    )
