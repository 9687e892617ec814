"""`bob pytorch metrics`: figures by hand, from files of every form."""

import math
from functools import partial
from pathlib import Path

import commands
import numpy as np
import pytest
from score_files import NAMES

TARGETS = [0.9, 0.8, 0.7, 0.4]
NON_TARGETS = [0.6, 0.5, 0.3, 0.2, 0.1]
ASKED = (
    "eer", "rocch_eer", "min_dcf", "act_dcf", "cllr", "min_cllr", "targets",
    "non_targets", "failures",
)  # fmt: skip


run = partial(commands.run, "metrics")
reported = partial(commands.reported, "metrics")
refused = partial(commands.refused, "metrics")
done = partial(commands.done, "metrics")


def report(*arguments):
    return reported(*arguments)


def write(path, targets, non_targets):
    lines = [f"s{n} s{n} p{n} {score!r}\n" for n, score in enumerate(targets)]
    lines += [f"s{n} t{n} q{n} {score!r}\n" for n, score in enumerate(non_targets)]
    Path(path).write_text("".join(lines))


@pytest.fixture(autouse=True)
def _scores():
    write("scores", TARGETS, NON_TARGETS)


def test_the_example_of_the_manual():
    """Doubted between 0.6 and 0.7: one of four targets is missed, nothing accepted."""
    found = report("scores")

    assert set(ASKED) <= set(found)
    assert found["eer"] == 0.25
    assert found["min_dcf"] == 0.25
    assert (found["targets"], found["non_targets"], found["failures"]) == (4, 5, 0)
    assert found["act_dcf"] == 1  # no score reaches log(99)
    bits = [math.log2(1 + math.exp(-score)) / 4 for score in TARGETS]
    bits += [math.log2(1 + math.exp(score)) / 5 for score in NON_TARGETS]
    assert found["cllr"] == pytest.approx(sum(bits) / 2)
    # PAV: 0.1 to 0.3 | one of three in 0.4 to 0.6 | 0.7 to 0.9; of the middle one,
    # the ratio is (1 / 4) / (2 / 5).
    ratio = (1 / 4) / (2 / 5)
    middle = math.log2(1 + 1 / ratio) / 4 + math.log2(1 + ratio) * 2 / 5
    assert found["min_cllr"] == pytest.approx(middle / 2)
    assert found["definitions"]["cost"] == "P_target 0.01"
    assert found["costs"][0]["cost"] == {"p_target": 0.01, "c_miss": 1, "c_fa": 1}


def test_ties_are_not_taken_in_the_order_of_the_file():
    """A target and a non-target of one score: to tell them apart is luck."""
    write("tied", [2.0, 1.0], [1.0, 0.0])

    found = report("tied", "--cost", "0.5")

    # Accept from 1: FMR 1/2; from 2: FNMR 1/2. In the order of the file, it were 0.
    assert found["min_dcf"] == 0.5
    assert found["eer"] == pytest.approx(0.25)


def test_where_no_error_was_made_the_interval_is_unknown():
    write("easy", [3, 4, 5], [0, 1, 2])
    write_csv("scores.csv")

    found = report("easy")
    of_men = report("scores.csv", "--by", "gender")["conditions"][
        "gender, reference / probe"
    ][-1]

    assert found["eer"] == 0
    for intervals in (found["intervals"], of_men["intervals"]):
        assert intervals["eer"]["low"] is intervals["eer"]["high"] is None
    assert found["intervals"]["cllr"]["low"] > 0
    assert "rule of 3" in found["warnings"][0]
    text = done("easy")
    assert "0.000 %   none\n" in text
    assert "0.000 % to" not in text


def test_the_file_and_its_speakers_are_named():
    assert report("scores")["speakers"] == 4 + 5 + 1
    assert report("scores", "--stream")["speakers"] is None
    lines = done("scores").splitlines()
    assert lines[0] == "scores:"
    assert lines[4].split() == ["speakers", "10"]
    assert "speakers " not in done("scores", "--stream")


def test_other_costs():
    found = report("scores", "--cost", "sre16")

    assert [one["cost"]["p_target"] for one in found["costs"]] == [0.01, 0.005]
    assert found["definitions"]["cost_source"].startswith("NIST SRE 2016")
    assert "minDCF, P_target 0.005" in done("scores", "--cost", "sre16")


def test_the_threshold_of_dev():
    """Half way between 0 and 10; here one target of four is below."""
    write("dev", [10, 11], [0, -1])
    write("eval", [9, 8, 7, 1], [6, 4])

    found = report("eval", "--dev", "dev")["dev_threshold"]["here"]

    assert found["threshold"] == 5
    assert found["false_non_match_rate"] == 0.25
    assert found["false_match_rate"] == 0.5
    assert found["half_total_error_rate"] == 0.375
    assert "HTER  0.000 %  37.500 %" in " ".join(
        line.replace("   ", "  ") for line in done("eval", "--dev", "dev").splitlines()
    )


def test_rates_at_other_rates():
    found = report("scores", "--at-fmr", "0.2", "--at-fnmr", "0")["points"]

    assert found["FNMR at FMR <= 0.2"]["false_non_match_rate"] == 0.25
    assert found["FMR at FNMR <= 0"]["false_match_rate"] == 0.4


def test_failures_are_counted_and_part_of_no_rate():
    write("failed", [*TARGETS, math.nan], [*NON_TARGETS, math.nan, math.nan])

    found = report("failed")

    assert found["failures"] == 3
    assert found["failure_to_acquire"] == 0.25
    assert found["eer"] == 0.25
    assert found["failed"]["probes"] == {"failed": 3, "total": 12, "rate": 0.25}


@pytest.mark.parametrize("options", [[], ["--stream"]])
def test_without_non_targets_there_are_counts(options):
    write("targets", [*TARGETS, math.nan], [])

    found = report("targets", *options)

    assert found["targets"] == 4
    assert found["eer"] is None
    assert found["warnings"][0].startswith(
        "no error rate can be given: 4 target and 0 non-target trials have a score "
        "(1 failed); at least one of each is needed"
    )
    assert "EER" in done("targets", *options)


def test_cosines_are_warned_of_in_bounded_memory_too():
    write("cosines", [0.5, 1.0], [-1.0, 0.25, math.nan])
    write("ratios", [0.5, 3.0], [-1.0, 0.25])

    assert "as cosines do" in report("cosines", "--stream")["warnings"][0]
    assert report("ratios", "--stream")["warnings"] == []


@pytest.mark.parametrize("stream", [False, True])
def test_score_a_b_with_a_list(stream):
    pairs = [(1, f"a/{n}", f"a/{n}x", score) for n, score in enumerate(TARGETS)]
    pairs += [(0, f"a/{n}", f"b/{n}x", score) for n, score in enumerate(NON_TARGETS)]
    Path("list").write_text("".join(f"{kind} {a} {b}\n" for kind, a, b, _ in pairs))
    Path("v").write_text("".join(f"{score:.8f} {a} {b}\n" for _, a, b, score in pairs))

    found = report("v", "--trials", "list", *(["--stream"] if stream else []))

    expected = report("scores")
    assert {name: found[name] for name in ASKED} == {
        name: expected[name] for name in ASKED
    }


HEADER = f"{NAMES},bio_ref_gender,probe_gender,score\n"


def write_csv(path):
    """Of women one trial in two goes wrong, of men none."""
    rows = [
        ("p1,a,a,a,f,f", 2), ("p2,b,a,a,f,f", 3), ("p3,b,b,b,f,f", 4),
        ("p4,a,b,b,f,f", 1), ("p5,c,c,c,m,m", 9), ("p6,d,c,c,m,m", 0),
        ("p7,c,a,a,f,m", 0),
    ]  # fmt: skip
    Path(path).write_text(HEADER + "".join(f"{row},{score}\n" for row, score in rows))


def test_figures_by_a_column():
    write_csv("scores.csv")

    found = report("scores.csv", "--by", "gender", "--by", "probe_gender")

    pairs = found["conditions"]["gender, reference / probe"]
    assert [(one["name"], one["targets"], one["non_targets"]) for one in pairs] == [
        ("f / f", 2, 2), ("f / m", 0, 1), ("m / m", 1, 1),
    ]  # fmt: skip
    rates = [one["figures"]["eer"] for one in pairs]
    assert rates == [0.5, None, 0]
    assert set(found["conditions"]) == {"gender, reference / probe", "probe_gender"}
    assert "by probe_gender" in done("scores.csv", "--by", "probe_gender")


def test_a_column_of_sessions_that_is_asked_for_is_taken():
    rows = [f"p{n},a,m{n},{'ab'[n % 2]},{n},{n / 20}\n" for n in range(1, 16)]
    Path("many.csv").write_text(f"{NAMES},session,score\n" + "".join(rows))

    classes = report("many.csv", "--by", "session")["conditions"]["session"]

    assert [one["targets"] + one["non_targets"] for one in classes] == [4, 3, 4, 4]


@pytest.mark.parametrize("labelled", [True, False])
def test_conditions_of_a_protocol(labelled):
    """The trials of `write_csv` in another form; the protocol knows who is who."""
    write_csv("scores.csv")
    entries = ["path,subject_id,purpose,template_id,key,gender\n"]
    entries += [f"r{who},{who},enrol,{who},r{who},{sex}\n"
                for who, sex in zip("abc", "ffm", strict=True)]  # fmt: skip
    rows = [line.split(",") for line in Path("scores.csv").read_text().split()[1:]]
    entries += [f"{r[0]},{r[1]},probe,,{r[0]},{r[5]}\n" for r in rows]
    Path("protocol.csv").write_text("".join(entries))
    lines = [f"{r[3]} {r[2]} {r[1]} {r[0]} {r[6]}\n" if labelled
             else f"{r[2]} {r[0]} {r[6]}\n" for r in rows]  # fmt: skip
    if not labelled:  # a list of trials that leaves most pairs out has no place here
        scored = {(r[2], r[0]) for r in rows}
        lines += [f"{model} {r[0]} nan\n" for model in "abc" for r in rows
                  if (model, r[0]) not in scored]  # fmt: skip
    Path("other").write_text("".join(lines))

    found = report("other", "--trials", "protocol.csv", "--by", "gender")

    expected = report("scores.csv", "--by", "gender")
    title = "gender, reference / probe"
    assert sorted(found["conditions"]) == [title]
    for one, other in zip(
        found["conditions"][title], expected["conditions"][title], strict=True
    ):
        assert (one["name"], one["targets"]) == (other["name"], other["targets"])
        assert one["figures"] == other["figures"]


def test_conditions_of_a_table_of_nist():
    """Trials of one kind of telephone, in which nothing goes wrong, and of two."""
    rows = [("m1", "s1", 1, "Y", 3), ("m1", "s2", 0, "Y", 1), ("m1", "s3", 1, "N", 2),
            ("m2", "s3", 0, "N", 4), ("m2", "s4", 1, "N", 5)]  # fmt: skip
    lines = [f"{model}\t{segment}.sph\ta\t{'non' * (1 - target)}target\t{match}\n"
             for model, segment, target, match, _ in rows]  # fmt: skip
    title = "modelid\tsegmentid\tside\ttargettype\tphone_num_match\n"
    Path("key.tsv").write_text(title + "".join(lines))
    Path("a b score").write_text("".join(f"{m} {s} {n}\n" for m, s, *_, n in rows))

    found = report("a b score", "--trials", "key.tsv", "--by", "phone_num_match")

    classes = found["conditions"]["phone_num_match"]
    assert [(one["name"], one["targets"], one["non_targets"], one["figures"]["eer"])
            for one in classes] == [("N", 2, 1, 0.5), ("Y", 1, 1, 0)]  # fmt: skip


def test_dev_takes_its_labels_where_it_finds_them():
    """Of the list where that knows them, else of VoxCeleb's names."""
    dev = "2 id10001/1 id10001/2\n1 id10001/1 id10002/1\n"
    Path("dev").write_text(dev)
    Path("eval").write_text("3 a b\n0 a c\n")
    Path("list").write_text("1 a b\n0 a c\n")

    found = report("eval", "--dev", "dev", "--trials", "list")

    assert found["dev_threshold"]["here"]["half_total_error_rate"] == 0


def test_repeated_trials_are_told():
    Path("list").write_text("1 a b\n0 a c\n")
    Path("twice").write_text("3 a b\n3 a b\n0 a c\n")

    warnings = report("twice", "--trials", "list")["warnings"]

    assert any("1 trials are there more than once" in text for text in warnings)
    assert "more than once" not in done("scores")


def test_another_system_on_the_same_trials():
    """The other one makes no error, in whatever order its trials are."""
    Path("other").write_text(
        "".join(
            f"{line.rsplit(maxsplit=1)[0]} {5 if line[:2] == line[3:5] else -5}\n"
            for line in reversed(Path("scores").read_text().splitlines())
        )
    )

    found = report("scores", "--versus", "other")["versus"]["other"]

    eer = found["differences"]["eer"]
    assert (eer["first"], eer["second"], eer["difference"]) == (0.25, 0, 0.25)
    assert eer["interval"]["low"] <= eer["difference"] <= eer["interval"]["high"]
    assert found["mcnemar"]["second_only"] == 0
    assert found["mcnemar"]["first_only"] == 2
    assert "against other:" in done("scores", "--versus", "other")


def test_without_draws_differences_have_no_intervals():
    write("other", [0.9, 0.8, 0.7, 0.6], [0.5, 0.4, 0.3, 0.2, 0.1])

    found = report("scores", "--versus", "other", "--resamples", "0")
    told = done("scores", "--versus", "other", "--resamples", "0")

    eer = found["versus"]["other"]["differences"]["eer"]
    assert eer["difference"] == 0.25
    assert (eer["p_value"], eer["interval"]["low"], eer["interval"]["high"]) == (
        None, None, None,
    )  # fmt: skip
    lines = [line.split() for line in told.split("against other:\n")[1].splitlines()]
    assert lines[:2] == [["this", "-", "that"], ["EER", "25.000", "%"]]


def test_intervals_are_there_unless_they_are_left_out():
    random = np.random.default_rng(0)
    write("many", random.normal(2, 1, 60).tolist(), random.normal(0, 1, 200).tolist())

    interval = report("many")["intervals"]["eer"]

    assert interval["low"] < report("many")["eer"] < interval["high"]
    assert report("many", "--resamples", "0")["intervals"] == {}


def test_cosines_are_not_taken_for_log_likelihood_ratios():
    assert "as cosines do" in report("scores")["warnings"][-1]
    write("ratios", [9, 3, 2], [-3, -2, 4])
    assert "cosines" not in done("ratios")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["scores", "--by", "gender"], "scores has no column gender"),
        (["scores", "--by", "x", "--trials", "list"], "given as the list of trials"),
        (["blind"], "give the list of trials, which has the labels (--trials)"),
        (["wide"], "wide is text in UTF-16"),
        (["twice.csv"], "twice.csv has 2 columns 'score'"),
        (["scores.csv", "--by", "x"], "no column x; it has bio_ref_gender, probe_gen"),
        (["one.csv", "--by", "probe_gender"], "does not part its trials"),
        (["bad"], "bad, line 2: 3 columns where 4 are expected"),
        (["empty"], "holds no trial"),
        (["scores", "--versus", "short"], "not run on the same trials"),
        (["scores", "--cost", "much"], "'much' is no detection cost"),
        (["scores", "--at-fmr", "7"], "the rate is 7"),
        (["scores", "--stream", "--dev", "scores"], "leave --stream out"),
    ],
)
def test_what_cannot_be_done_is_said(arguments, message):
    write_csv("scores.csv")
    Path("one.csv").write_text(HEADER + "p1,a,a,a,f,f,2\np2,b,a,a,f,f,1\n")
    Path("bad").write_text("a a p 1\na b 2\n")
    Path("empty").touch()
    Path("list").write_text("1 a b\n")
    Path("blind").write_text("0.5 a b\n")
    Path("wide").write_text("a a p 1\n", encoding="utf-16")
    Path("twice.csv").write_text(HEADER.replace("probe_gender", "score"))
    write("short", TARGETS, [])

    assert message in refused(*arguments)
