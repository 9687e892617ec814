"""`bob pytorch calibrate` against scikit-learn and sums by hand."""

import json
import math
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from commands import done, refused, reported
from files import from_json
from score_files import NAMES, say
from sklearn.linear_model import LogisticRegression

from bob.learn.pytorch.scorefiles import read_scores


def write(path, rows):
    """Four columns, from (is target, score)."""
    lines = [
        f"ann {'ann' if target else 'bob'} probe{number} {score!r}\n"
        for number, (target, score) in enumerate(rows)
    ]
    Path(path).write_text("".join(lines))
    return path


def drawn(seed, targets=80, non_targets=240):
    random = np.random.default_rng(seed)
    scores = np.append(
        random.normal(0.6, 0.2, targets), random.normal(0.1, 0.2, non_targets)
    )
    kinds = np.arange(scores.size) < targets
    return list(zip(kinds.tolist(), scores.tolist(), strict=True))


def by_scikit_learn(columns, kinds, prior=0.5):
    """Weights and offset of a log-likelihood ratio; columns (trials, columns)."""
    weights = np.where(kinds, prior / kinds.sum(), (1 - prior) / (~kinds).sum())
    fit = LogisticRegression(C=1e9, tol=1e-10, solver="newton-cholesky")
    fit.fit(columns, kinds, sample_weight=weights * len(kinds))
    return fit.coef_[0], fit.intercept_[0] - math.log(prior / (1 - prior))


@pytest.mark.parametrize("prior", [0.5, 0.05])
def test_dev_trains_and_eval_is_calibrated(prior):
    dev, evaluation = drawn(0), drawn(1)
    write("scores-dev", dev)
    write("scores-eval", evaluation)

    done("calibrate", "scores-dev", "scores-eval", "--p-target", prior)

    kinds = np.array([kind for kind, _ in dev])
    scores = np.array([[score] for _, score in dev])
    (weight,), offset = by_scikit_learn(scores, kinds, prior)
    fit = from_json("calibration.json")
    assert fit["weights"] == pytest.approx([weight], rel=1e-4)
    assert fit["offset"] == pytest.approx(offset, rel=1e-4)
    assert fit["trained_on"] == {"targets": 80, "non_targets": 240, "failures": 0}
    found = read_scores("calibrated/scores-eval").score
    expected = [weight * score + offset for _, score in evaluation]
    assert found == pytest.approx(expected, rel=1e-3, abs=1e-3)


def test_the_threshold_is_said_with_its_cost():
    """log(99) for a prior of 0.01, and the raw score that it is."""
    write("dev", drawn(0))

    report = reported("calibrate", "dev")

    fit = from_json("calibration.json")
    (threshold,) = report["thresholds"]
    assert threshold["cost"] == "P_target 0.01"
    assert threshold["log_likelihood_ratio"] == pytest.approx(math.log(99))
    assert (threshold["p_target"], threshold["c_miss"], threshold["c_fa"]) == (
        0.01, 1, 1,
    )  # fmt: skip
    assert report["provenance"]["scores"] == "dev"
    raw = (math.log(99) - fit["offset"]) / fit["weights"][0]
    assert threshold["score"] == pytest.approx(raw)
    after = report["files"][0]["after"]
    assert after["cllr"] < report["files"][0]["before"]["cllr"]
    assert after["min_cllr"] <= after["cllr"]


def test_the_report_for_people():
    write("dev", drawn(0))

    output = done("calibrate", "dev", "--cost", "0.5")

    assert "fitted on 80 target and 240 non-target trials" in output
    assert "  of speakers 2, scores dev\n" in output
    assert "P_target 0.5: accept at or above 0.000, which is a raw score of" in output
    assert "calibrated/dev\n  before" in output


def test_steps():
    """Pooled by hand: 0 | 1 0 | 1, with a trial of each kind added at both ends."""
    write("dev", [(False, 1.0), (True, 2.0), (False, 3.0), (True, 4.0)])

    done("calibrate", "dev", "--kind", "isotonic")

    fit = from_json("calibration.json")
    assert fit["thresholds"] == [1.5, 3.5]
    assert fit["ratios"] == pytest.approx([-math.log(2), 0, math.log(2)])
    found = read_scores("calibrated/dev").score
    assert found == pytest.approx([-math.log(2), 0, 0, math.log(2)], abs=1e-7)


HEADER = f"{NAMES},bio_ref_duration,probe_duration,channel,score\n"


def write_csv(path, seed=0):
    """Durations between 1 and 20 s; short ones shift the score."""
    random = np.random.default_rng(seed)
    rows = []
    for number, (target, score) in enumerate(drawn(seed)):
        sides = random.uniform(1, 20, 2)
        rows.append((target, score - 0.1 / sides.min(), *sides, number))
    lines = [
        f"p{n},{'ann' if target else 'bob'},ann,ann,{one!r},{other!r},telephone,"
        f"{score!r}\n"
        for target, score, one, other, n in rows
    ]
    Path(path).write_text(HEADER + "".join(lines))
    return rows


def test_durations_are_weighed_as_well():
    rows = write_csv("dev.csv")

    done("calibrate", "dev.csv", "--quality", "duration")

    kinds = np.array([row[0] for row in rows])
    sides = np.log([row[2:4] for row in rows])
    columns = np.stack(
        [[row[1] for row in rows], sides.min(axis=1), sides.max(axis=1)], axis=1
    )
    weights, offset = by_scikit_learn(columns, kinds)
    fit = from_json("calibration.json")
    assert fit["columns"] == ["score", "smaller log duration", "larger log duration"]
    assert fit["weights"] == pytest.approx(weights, rel=1e-3, abs=1e-3)
    found = read_scores("calibrated/dev.csv").score
    assert found == pytest.approx(columns @ weights + offset, rel=1e-3, abs=1e-3)
    header, first, *_ = Path("calibrated/dev.csv").read_text().splitlines()
    assert header + "\n" == HEADER
    assert ",telephone," in first


def test_a_stored_calibration_is_applied():
    write_csv("dev.csv")
    write_csv("eval.csv", seed=1)
    done("calibrate", "dev.csv", "eval.csv", "--quality", "duration")

    done("calibrate", "--use", "calibration.json", "eval.csv", "--into", "again")

    for name in ("eval.csv", "eval.csv.json"):
        assert Path("again", name).read_text() == Path("calibrated", name).read_text()


def test_durations_beyond_training_are_said_and_held_to_its_range():
    """Recordings of 1 to 20 s trained it; half a second counts as the least of them."""
    write_csv("dev.csv")
    done("calibrate", "dev.csv", "--quality", "duration")
    ranges = from_json("calibration.json")["ranges"]
    least = math.exp(ranges["smaller log duration"][0])
    ratios, notes = [], []
    for seconds in (0.5, least):
        lines = [f"p0,ann,ann,ann,{seconds!r},15,telephone,0.3\n",
                 "p1,bob,ann,ann,15,15,telephone,0.3\n"]  # fmt: skip
        Path("eval.csv").write_text(HEADER + "".join(lines))

        report = done("calibrate", "--use", "calibration.json", "eval.csv", "--json")
        notes.append(" ".join(json.loads(report)["notes"]))
        ratios.append(read_scores("calibrated/eval.csv").score[0])

    assert 1 < least < 1.2
    assert "of eval.csv, in 1 of 2 trials the smaller duration lies outs" in notes[0]
    assert "the smaller duration lies" not in notes[1]
    assert ratios[0] == ratios[1]


def test_a_measure_that_tells_targets_apart_by_itself_is_said():
    """All targets are long recordings, and no others are: that is no voice."""
    rows = drawn(0)
    lines = [
        f"p{n},{'ann' if target else 'bob'},ann,ann,{9 + n % 7 + 5 * target},"
        f"{20 + n % 3},telephone,{score!r}\n"
        for n, (target, score) in enumerate(rows)
    ]
    Path("dev.csv").write_text(HEADER + "".join(lines))

    notes = reported("calibrate", "dev.csv", "--quality", "duration")["notes"]

    (note,) = [note for note in notes if "how the trials were chosen" in note]
    assert note.startswith("the smaller log duration alone separates target from")


def test_where_scores_come_from_is_kept_if_they_are_the_same():
    write("dev", drawn(0))
    Path("dev.json").write_text('{"sha256": "0", "made_by": {"model": "other"}}')
    done("calibrate", "dev")
    assert "model" not in from_json("calibration.json")["provenance"]
    digest = from_json("calibration.json")["provenance"]["sha256"]
    say("dev", made_by={"model": "toy"}, measure="cosine")
    assert from_json("dev.json")["sha256"] == digest

    done("calibrate", "dev")

    provenance = from_json("calibration.json")["provenance"]
    assert provenance["model"] == "toy"
    assert provenance["measure"] == "cosine"
    beside = from_json("calibrated/dev.json")
    assert beside["meaning"] == "natural log-likelihood ratios"
    assert beside["calibration"] == "calibration.json"
    assert beside["calibration trained on"]["scores"] == "dev"
    assert beside["measure"] == "log-likelihood ratio (natural) of cosine"
    assert beside["made_by"] == {"model": "toy"}
    assert beside["sha256"] == sha256(Path("calibrated/dev").read_bytes()).hexdigest()


def test_scores_of_another_model_are_refused():
    for name, model in (("dev", "toy"), ("eval", "other")):
        say(write(name, drawn(0)), made_by={"model": model})

    said = refused("calibrate", "dev", "eval", status=1)

    assert "eval has other scores" in said
    assert "the model is 'other', not 'toy' as in dev" in said
    assert not Path("calibrated").exists()


def test_quality_measures_may_be_those_of_a_protocol():
    """As of the CSV of scores, which has the columns itself."""
    rows = write_csv("dev.csv")
    done("calibrate", "dev.csv", "--quality", "duration", "-o", "own.json")
    entries = ["path,subject_id,purpose,template_id,key,duration\n"]
    lines = []
    for target, score, one, other, n in rows:
        entries.append(f"r{n}.wav,ann,enrol,r{n},r{n},{one!r}\n")
        who = "ann" if target else "bob"
        entries.append(f"p{n}.wav,{who},probe,p{n},p{n},{other!r}\n")
        lines.append(f"ann r{n} {who} p{n} {score!r}\n")
    Path("protocol.csv").write_text("".join(entries))
    Path("dev").write_text("".join(lines))

    done("calibrate", "dev", "--quality", "duration", "--trials", "protocol.csv")

    own, found = (from_json(name) for name in ("own.json", "calibration.json"))
    assert found["columns"] == own["columns"]
    assert found["weights"] == pytest.approx(own["weights"])
    assert len(Path("calibrated/dev").read_text().split("\n", 1)[0].split()) == 5


@pytest.mark.parametrize(
    "given", [("dev/scores", "eval/scores"), ("eval/scores", "dev/scores")]
)
def test_files_of_one_name_keep_their_folders(given):
    for number, name in enumerate(("dev", "eval")):
        Path(name).mkdir()
        write(f"{name}/scores", drawn(number))

    done("calibrate", *given)

    assert sorted(map(str, Path("calibrated").rglob("scores"))) == [
        "calibrated/dev/scores", "calibrated/eval/scores",
    ]  # fmt: skip
    fit = from_json("calibration.json")
    assert fit["provenance"]["scores"] == given[0]
    dev = read_scores("calibrated/dev/scores")
    raw = read_scores("dev/scores")
    assert np.argsort(dev.score).tolist() == np.argsort(raw.score).tolist()


def test_a_result_of_a_file_of_that_name_is_not_overwritten():
    Path("calibrated/eval").mkdir(parents=True)
    write("calibrated/eval/scores", drawn(0))
    Path("eval").mkdir()
    write("eval/scores", drawn(1))

    assert "calibrated/eval/scores itself would be overwritten" in refused(
        "calibrate", "eval/scores", "calibrated/eval/scores", status=2
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["easy", "--penalty", "0"], "separate perfectly"),
        (["upside"], "non-target trials score higher"),
        (["dev", "--quality", "duration"], "no column bio_ref_duration"),
        (["dev.csv", "--quality", "channel"], "no column bio_ref_channel"),
        (["words.csv", "--quality", "duration"], "trial 1: 'long' in the column"),
        (["dev", "./dev"], "dev is given 2 times; give each file once"),
        (["dev", "--into", "."], "itself would be overwritten"),
        (["dev", "--kind", "isotonic", "--quality", "x"], "no place for quality"),
        (["dev", "--cost", "x"], "'x' is no detection cost"),
        (["dev", "--p-target", "1"], "for '--p-target': 1.0 is not in"),
        (["--use", "dev", "dev"], "this is no JSON"),
        (
            ["--use", "dev", "dev", "--kind", "linear"],
            "leave --kind out: it is for fitting",
        ),
        (["dev", "no_model.csv"], "which needs bio_ref_template_id"),
        (["blind", "dev"], "blind does not say which trials are of one speaker"),
        (["nan"], "nan: 0 of 1 target and 0 of 1 non-target trials have a score"),
        (["targets"], "targets: 2 of 2 target and 0 of 0 non-target trials have"),
        (["same"], "same: score is 1 in all 3 trials"),
        (["infinite"], "fits them: leave these trials out, or fit steps"),
        (["dev", "empty"], "empty holds no trial"),
        (["dev.csv", "--quality", "duration", "--quality", "duration"], "name each"),
        (["dev", "--kind", "isotonic", "--p-target", "0.1"], "no place for quality"),
        (["bad"], "bad, line 3: the score 'x' is not a number"),
    ],
)
def test_what_cannot_be_done_is_said(arguments, message):
    write("dev", drawn(0))
    Path("folder").mkdir()
    write("folder/dev", drawn(0))
    write_csv("dev.csv")
    text = Path("dev.csv").read_text().splitlines(keepends=True)
    first = text[1].split(",")
    Path("words.csv").write_text(
        text[0] + ",".join([*first[:4], "long", *first[5:]]) + "".join(text[2:])
    )
    write("easy", [(True, 2.0), (True, 3.0), (False, 0.0), (False, 1.0)])
    write("upside", [(not kind, score) for kind, score in drawn(0)])
    Path("bad").write_text("a a p 1\na b p 0\na b q x\n")
    Path("blind").write_text("0.5 a b\n")
    Path("no_model.csv").write_text(
        "probe_template_id,probe_subject_id,bio_ref_subject_id,score\np,,,1\n"
    )
    Path("empty").touch()
    write("nan", [(True, math.nan), (False, math.nan)])
    write("targets", [(True, 1.0), (True, 2.0)])
    write("same", [(True, 1.0), (False, 1.0), (False, 1.0)])
    write("infinite", [(True, math.inf), (True, 1.0), (False, 0.0), (False, 2.0)])

    assert message in refused("calibrate", *arguments)
    assert not Path("calibration.json").exists()
    assert not Path("calibrated").exists()


def test_trials_that_separate_perfectly_are_fitted_with_a_penalty_that_is_told():
    write("easy", [(True, 2.0), (True, 3.0), (False, 0.0), (False, 1.0)])
    done("calibrate", "easy", "--penalty", "1e-3", "--into", "asked")

    report = reported("calibrate", "easy")

    (note,) = [note for note in report["notes"] if "separate perfectly" in note]
    assert "it was fitted with the penalty 0.001" in note
    assert report["provenance"]["penalty"] == "0.001"
    assert report["provenance"]["separated"] == "True"
    text = " ".join(done("calibrate", "easy").split())
    assert "it was fitted with the penalty 0.001" in text
    found = Path("calibrated/easy").read_text()
    assert found == Path("asked/easy").read_text()
