"""--cost several times, options that are given twice, and scores that mislead."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from commands import done, refused, reported

from bob.learn.pytorch.script.verify import main as verify

FEW = ("--resamples", "50")


def write(path, *, speakers=8, shift=2.0, sign=1, seed=0, digits=6):
    """Each speaker against everyone: log-likelihood ratios, or moved ones."""
    random = np.random.default_rng(seed)
    lines = []
    for one in range(speakers):
        for two in range(speakers):
            score = sign * (random.normal(2 if one == two else -2, 2) + shift - 2)
            lines.append(f"s{one} m{one} s{two} p{two} {score:.{digits}f}\n")
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text("".join(lines))


def by_hand(path, cost):
    found = reported("metrics", path, "--cost", cost, *FEW)
    return found["min_dcf"], found["act_dcf"], found["intervals"]


def test_metrics_has_rows_for_each_cost():
    write("s", speakers=20)

    report = reported("metrics", "s", "--cost", "p0.05", "--cost", "sre16", *FEW)
    text = done("metrics", "s", "--cost", "p0.05", "--cost", "sre16", *FEW)

    assert (report["min_dcf"], report["act_dcf"]) == by_hand("s", "p0.05")[:2]
    (other,) = report["other_costs"]
    least, actual, intervals = by_hand("s", "sre16")
    assert other["name"] == "sre16"
    assert (other["min_dcf"], other["act_dcf"]) == (least, actual)
    assert report["intervals"]["min_dcf sre16"] == intervals["min_dcf"]
    assert report["intervals"]["act_dcf sre16"] == intervals["act_dcf"]
    assert ["minDCF,", "sre16", f"{least:.4f}"] in [
        line.split()[:3] for line in text.splitlines()
    ]
    assert "DCF, sre16: mean of: P_target 0.01; P_target 0.005" in text


def test_a_report_has_columns_for_each_cost():
    write("s", speakers=20)
    costs = ("--cost", "p0.05", "--cost", "10:1:0.01")

    table = done("report", "s", *costs, "--csv", "--resamples", "50")
    page = done("report", "s", *costs, "-o", "page.html", "--resamples", "50")

    (row,) = csv.DictReader(io.StringIO(table))
    assert float(row["min_dcf"]) == pytest.approx(by_hand("s", "p0.05")[0])
    other = by_hand("s", "10:1:0.01")
    assert float(row["min_dcf_10:1:0.01"]) == pytest.approx(other[0])
    assert float(row["act_dcf_10:1:0.01"]) == pytest.approx(other[1])
    assert float(row["act_dcf_10:1:0.01_low"]) <= other[1]
    assert "minDCF p0.05" in page
    assert "actDCF 10:1:0.01" in Path("page.html").read_text()


def test_presets_with_commas_are_their_mean():
    write("s")
    least = [by_hand("s", cost)[0] for cost in ("0.05", "0.01", "0.005")]

    assert by_hand("s", "voxsrc,sre16")[0] == pytest.approx(np.mean(least))


def test_a_cost_that_is_none_is_named():
    write("s")

    assert "'voxsrc,sre17' is no detection cost" in refused(
        "metrics", "s", "--cost", "p0.05", "--cost", "voxsrc,sre17", status=2
    )


@pytest.mark.parametrize(
    "words",
    [
        ("calibrate", "s", "--cost", "p0.05", "--cost", "p0.01"),
        ("metrics", "s", "--dev", "s", "--dev", "other"),
        ("template", "bench", "a", "--protocol", "s", "--protocol", "other"),
        ("embed", "a.wav", "-o", "a.h5", "--model", "one", "--model", "two"),
        ("protocol", "write", "s", "o", "--layout", "a", "--layout", "b"),
    ],
)
def test_an_option_that_takes_one_value_is_not_given_twice(words):
    Path("s").write_text("")
    Path("other").write_text("")
    assert "is given 2 times and takes one value; give it once" in refused(
        *words, status=2
    )


def test_flags_and_repeatable_options_may_be():
    write("s")

    done("metrics", "s", "--json", "--json", "--at-fmr", "0.1", "--at-fmr", "0.01")


@pytest.mark.parametrize("more", [FEW, ("--resamples", "0"), ("--stream",)])
def test_metrics_says_that_distances_are_the_wrong_way_round(more):
    write("d", sign=-1, speakers=20)
    write("s", speakers=20)

    wrong = " ".join(done("metrics", "d", *more).split())
    assert "Note: the scores look the wrong way round: target trials score" in wrong
    assert "turn the sign of distances, or check the labels" in wrong
    assert "wrong way round" not in done("metrics", "s", *more)


def test_a_report_says_it_too():
    write("d", sign=-1, speakers=20)

    said = " ".join(done("report", "d", "--resamples", "20").split())
    assert "the scores look the wrong way round" in said


def test_scores_that_a_calibration_does_not_fit_are_said():
    write("s", shift=7, speakers=20)

    for command in ("metrics", "report"):
        said = " ".join(done(command, "s", "--resamples", "20").split())
        assert "the calibration does not fit these scores: actDCF is" in said
        assert "Calibrate on development scores of recordings like these" in said


def two_speakers(path):
    """One false alarm among few trials, whoever is drawn."""
    lines = ["a m1 a p1 3\n", "a m1 a p2 2\n", "b m2 b p3 3\n", "b m2 b p4 -1\n"]
    lines += ["a m1 b p3 0\n", "a m1 b p4 -3\n", "b m2 a p1 -2\n", "b m2 a p2 -3\n"]
    Path(path).write_text("".join(lines))


def test_an_interval_without_width_is_none_anywhere():
    """Of two speakers, each draw that has both kinds of trial has the same trials."""
    two_speakers("s")

    text = done("metrics", "s", *FEW)
    report = reported("metrics", "s", *FEW)
    table = done("report", "s", "--csv", *FEW)
    shown = done("report", "s", "-o", "p.html", "-o", "t.tex", *FEW)

    assert report["eer"] > 0
    ends = [(one["low"], one["high"]) for one in report["intervals"].values()]
    assert set(ends) == {(None, None)}
    assert " to " not in text.split("DCF:")[0]
    (row,) = csv.DictReader(io.StringIO(table))
    assert row["eer_low"] == row["eer_high"] == row["min_dcf_low"] == ""
    for written in (shown, Path("p.html").read_text(), Path("t.tex").read_text()):
        assert f"{100 * report['eer']:.2f} to" not in written
        assert f"{100 * report['eer']:.2f}, {100 * report['eer']:.2f}" not in written


def test_thresholds_of_dev_are_named_for_raw_and_calibrated_scores():
    for group, seed in (("dev", 0), ("eval", 1)):
        write(f"r/scores-{group}", seed=seed, speakers=20, digits=3)
        write(f"r/calibrated-{group}", seed=seed, speakers=20, shift=1, digits=3)
    Path("r/report.json").write_text("{}")
    write("other/scores-dev", seed=2, speakers=12)
    write("other/scores-eval", seed=1, speakers=20)

    table = done("report", "r", "--both", "--csv", "--resamples", "0")
    notes = " ".join(done("report", "r", "other", "--resamples", "0").split())

    raw, calibrated = csv.DictReader(io.StringIO(table))
    assert (raw["hter_dev"], calibrated["hter_dev"]) == ("scores-dev", "calibrated-dev")
    assert raw["hter"]
    assert calibrated["hter"]
    assert "comes from other trials of dev than that of the first system" in notes


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--sub-directory a --sub-directory b", "given as a and as b: give it once"),
        ("--groups dev --groups eval", "values at once, --groups dev eval"),
    ],
)
def test_verify_takes_an_option_once_too(capsys, words, said):
    with pytest.raises(SystemExit):
        verify(words.split())

    assert said in capsys.readouterr().err
