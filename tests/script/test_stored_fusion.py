"""`bob pytorch fuse --use`, and systems whose labels are not known."""

import json
from functools import partial
from pathlib import Path

import commands
import numpy as np
import pytest
from files import from_json
from score_files import say

TRIALS = 120
TARGETS = 40
WEIGHTS, OFFSET = (2.0, 0.5), -1.0


run = partial(commands.run, "fuse")
reported = partial(commands.reported, "fuse")
refused = partial(commands.refused, "fuse")
done = partial(commands.done, "fuse")


def names(number):
    return f"r{number % 7}/{number}.wav", f"p{number}.wav"


def scores_in(path, place):
    """(enrolled, tested) -> score of a file of three columns."""
    found = {}
    for line in Path(path).read_text().splitlines():
        fields = line.split()
        score = float(fields.pop(place))
        found[tuple(fields)] = score
    return found


@pytest.fixture(autouse=True)
def expected():
    """Blind scores of two systems, in two forms and orders, and what they make."""
    random = np.random.default_rng(0)
    scores = random.normal(size=(TRIALS, 2)) + (np.arange(TRIALS) < TARGETS)[:, None]
    scores = scores.round(6)
    scores[5, 1] = np.nan
    lines = [" ".join(names(n)) for n in range(TRIALS)]
    first = [f"{scores[n, 0]} {line}\n" for n, line in enumerate(lines)]
    second = [f"{line} {scores[n, 1]}\n" for n, line in enumerate(lines)]
    Path("one").write_text("".join(first))
    Path("two").write_text("".join(reversed(second)))
    labels = [f"{int(n < TARGETS)} {line}\n" for n, line in enumerate(lines)]
    Path("list").write_text("".join(labels))
    return dict(zip(map(names, range(TRIALS)), scores @ WEIGHTS + OFFSET, strict=True))


@pytest.fixture
def stored():
    fusion = {
        "format": "bob.learn.pytorch calibration 1",
        "kind": "linear",
        "columns": ["a", "b"],
        "weights": WEIGHTS,
        "offset": OFFSET,
        "p_target": 0.5,
        "trained_on": {"targets": 9, "non_targets": 9, "failures": 0},
        "provenance": {},
    }
    Path("fusion.json").write_text(json.dumps(fusion))


@pytest.mark.parametrize(
    ("arguments", "systems"),
    [
        (["one", "two"], {"a": "one", "b": "two"}),
        (["one", "two", "--name", "a", "--name", "b"], {"a": "one", "b": "two"}),
    ],
)
def test_a_stored_fusion_is_applied_without_labels(
    stored, expected, arguments, systems
):
    report = reported("--use", "fusion.json", *arguments)

    found = scores_in("fused/one", 0)
    assert list(found) == [names(n) for n in range(TRIALS)]
    assert found == pytest.approx(expected, abs=1e-7, nan_ok=True)
    assert report["systems"] == systems
    (file,) = report["files"]
    assert file["before"] is file["after"] is None
    assert file["note"] == "no labels: not measured"
    assert "no labels: not measured" in done("--use", "fusion.json", *arguments)


def test_systems_are_found_by_name_in_any_order(stored, expected):
    done("--use", "fusion.json", "two", "one", "--name", "b", "--name", "a")

    found = scores_in("fused/two", 2)
    assert next(iter(found)) == names(TRIALS - 1)
    assert found == pytest.approx(expected, abs=1e-7, nan_ok=True)


def test_files_that_the_fusion_names_need_no_names(stored, expected):
    fusion = from_json("fusion.json")
    Path("fusion.json").write_text(json.dumps({**fusion, "columns": ["one", "two"]}))

    done("--use", "fusion.json", "two", "one")

    assert scores_in("fused/two", 2) == pytest.approx(expected, abs=1e-7, nan_ok=True)


def test_with_labels_it_is_measured(stored):
    report = reported("--use", "fusion.json", "one", "two", "--trials", "list")

    after = report["files"][0]["after"]
    assert (after["targets"], after["failures"]) == (TARGETS - 1, 1)
    assert report["files"][0]["note"] is None


def test_labelled_systems_train_and_blind_ones_are_fused():
    """The list knows the trials of dev only."""
    for name in ("one", "two"):
        text = Path(name).read_text()
        Path(f"blind-{name}").write_text(text.replace("r", "x").replace("p", "y"))

    report = reported(
        "one", "two", "--trials", "list", "--eval", "blind-one", "--eval", "blind-two"
    )

    assert report["trained_on"]["targets"] == TARGETS - 1
    assert [file["note"] for file in report["files"]] == [
        None, "no labels: not measured",
    ]  # fmt: skip
    dev, blind = (scores_in(f"fused/{name}", 0) for name in ("one", "blind-one"))
    assert list(blind.values()) == pytest.approx(list(dev.values()), nan_ok=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["one", "two"], "one does not say which trials are of one speaker"),
        (["--use", "fusion.json", "one"], "1 score files for a fusion of 2 systems (a"),
        (
            ["--use", "fusion.json", "one", "two", "--name", "a", "--name", "c"],
            "the names a, c are not those of the fusion, a, b",
        ),
        (["--use", "fusion.json", "one", "other"], "not run on the same trials"),
        (["--use", "fusion.json", "one", "four"], "four does not name its references"),
        (["--use", "fusion.json", "one", "two", "-o", "x.json"], "leave --output out"),
        (
            ["--use", "fusion.json", "one", "two", "--penalty", "1"],
            "leave --penalty out",
        ),
        (["--use", "line.json", "one", "two"], "calibrate --use line.json"),
        (["one", "wrong", "--trials", "list"], "disagree on whether r0/0.wav with p0"),
    ],
)
def test_what_does_not_fit_is_said(stored, arguments, message):
    line = from_json("fusion.json")
    line.update(columns=["score"], weights=[1.0])
    Path("line.json").write_text(json.dumps(line))
    Path("other").write_text("0.5 r0/0.wav p1.wav\n")
    Path("four").write_text("ann ann p0.wav 1\n")
    Path("wrong").write_text(
        "".join(
            f"{' '.join(names(n))} {n % 5} {'non' * (n < TARGETS)}target\n"
            for n in range(TRIALS)
        )
    )

    assert message in refused(*arguments)
    assert not Path("fused").exists()


@pytest.mark.parametrize("evaluation", [True, False])
def test_a_system_that_was_normalised_otherwise_is_refused(evaluation):
    """As of files in another order."""
    say("one", measure="cosine", normalisation="none", made_by={"model": "toy"})
    say("two", measure="cosine", normalisation="as, top 100", made_by={"model": "toy"})
    fitting = ["one", "two", "--name", "a", "--name", "b", "--trials", "list"]
    done(*fitting)

    provenance = from_json("fusion.json")["provenance"]
    assert provenance["a: normalisation"] == "none"
    assert provenance["b: normalisation"] == "as, top 100"
    assert provenance["b: model"] == provenance["model"] == "toy"
    swapped = ["--eval", "two", "--eval", "one"] if evaluation else ["two", "one"]
    before = [*fitting, "-o", "other.json"] if evaluation else ["--use", "fusion.json"]
    said = refused(*before, *swapped, "--into", "other", status=1)
    assert "two has other scores than the system a of the fusion" in said
    assert "the normalisation is 'as, top 100', not 'none'" in said
    assert "in this order, a, b, or say with names which is which (--name)" in said
    assert not Path("other").exists()
    assert not Path("other.json").exists()
    done("--use", "fusion.json", "two", "one", "--name", "b", "--name", "a")


def test_what_systems_have_in_common_is_compared_for_each(stored):
    """A fusion of before says no more than that."""
    fusion = from_json("fusion.json")
    fusion["provenance"] = {"model": "toy"}
    Path("fusion.json").write_text(json.dumps(fusion))
    say("two", made_by={"model": "other"})

    assert "the system b of the fusion: the model is 'other'" in refused(
        "--use", "fusion.json", "one", "two", status=1
    )


def test_calibrate_points_to_fuse(stored):
    said = commands.refused("calibrate", "--use", "fusion.json", "one", status=1)

    assert "fusion of a, b, not a calibration of one system" in said
    assert "`bob pytorch fuse --use fusion.json` and 2 score files" in said
