"""`bob pytorch score-norm` against the textbook, trial by trial."""

import re
from pathlib import Path

import numpy as np
import pytest
from commands import done, refused
from files import from_json
from stores import MADE_BY, store
from textbook import cosine

from bob.learn.pytorch import choices
from bob.learn.pytorch.scorefiles import read_scores
from bob.learn.pytorch.scoring.backend import ENROLMENTS, MEASURES
from bob.learn.pytorch.script import score
from bob.learn.pytorch.store.store import EmbeddingStore

TOP = 4
TRIALS = ("score-norm", "trials.h5", "list.txt")
NORMALISED = (*TRIALS, "--cohort", "cohort.h5", "--top", TOP, "-o", "out.csv")


@pytest.fixture
def embeddings():
    """Names -> embeddings of trials.h5 and of cohort.h5, in an empty folder."""
    random = np.random.default_rng(2)
    found = {}
    for name, names in (
        ("trials", [f"{who}/{take}" for who in "ab" for take in range(3)]),
        ("cohort", [f"c{n}" for n in range(10)]),
    ):
        rows = random.normal(size=(len(names), 5)).astype(np.float32)
        found[name] = dict(zip(names, rows, strict=True))
        store(f"{name}.h5", found[name])
    Path("list.txt").write_text("1 a/0 a/1\n0 a/0 b/0\n0 b/0 a/1\n1 b/1 b/2\n")
    return found


@pytest.mark.parametrize("kind", ["z", "t", "s", "zt", "as"])
@pytest.mark.parametrize("dense", [False, True])
def test_scores_are_those_of_the_textbook(embeddings, textbook, kind, dense):
    trials = "list.txt"
    if dense:
        Path("p/x/dev").mkdir(parents=True)
        for name in ("for_enrolling.csv", "for_probing.csv"):
            lines = [f"{key},{key[0]},{key}\n" for key in embeddings["trials"]]
            with Path(f"p/x/dev/{name}").open("w") as file:
                file.writelines(["path,subject_id,template_id\n", *lines])
        trials = "p"

    top = ("--top", TOP) if kind == "as" else ()
    given = ("--cohort", "cohort.h5", "--kind", kind, *top)
    done("score-norm", "trials.h5", trials, *given, "-o", "out.csv")

    table = read_scores("out.csv")
    assert len(table) == (36 if dense else 4)
    cohort = textbook.cohort(embeddings["cohort"].values())
    some = embeddings["trials"]
    expected = [
        textbook.normalised(kind, cosine, some[one], some[other], cohort, top=TOP)
        for one, other in zip(table.model.tolist(), table.probe.tolist(), strict=True)
    ]
    assert table.score == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("kind", ["z", "t", "s", "zt", "as"])
@pytest.mark.parametrize(
    ("count", "said"),
    [(1, "the cohort has one member"), (4, "of a/0 against|of a/1 against")],
)
def test_a_cohort_without_spread_is_refused(embeddings, kind, count, said):
    """One recording, or copies of one: every normalised score was nan."""
    store("same.h5", {f"c{n}": np.arange(5) for n in range(count)})
    given = ("--kind", kind, *(("--top", 2) if kind == "as" else ()), "-o", "out")

    error = refused(*TRIALS, "--cohort", "same.h5", *given, status=1)

    assert "Error: same.h5: the" in error
    assert re.search(said, " ".join(error.split()))
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("known_by", "options", "size"),
    [
        ("the store", (), 5),
        ("the store", ("--cohort-recordings",), 10),
        ("a list", ("--cohort-speakers", "utt2spk"), 5),
    ],
)
def test_the_mean_of_each_speaker_stands_for_their_recordings(
    embeddings, textbook, known_by, options, size
):
    speakers = {f"c{n}": f"spk{n // 2}" for n in range(10)}
    Path("utt2spk").write_text("".join(f"{c} {who}\n" for c, who in speakers.items()))
    if known_by == "the store":
        with EmbeddingStore.open("cohort.h5", fingerprint=MADE_BY) as opened:
            opened.renew({}, speakers)

    done(*NORMALISED, *options)

    rows = np.array(list(embeddings["cohort"].values()), dtype=np.float64)
    cohort = textbook.cohort(rows.reshape(size, 10 // size, -1).mean(axis=1))
    one, other = (embeddings["trials"][name] for name in ("a/0", "a/1"))
    expected = textbook.normalised("as", cosine, one, other, cohort, top=TOP)
    assert read_scores("out.csv").score[0] == pytest.approx(expected, abs=1e-9)
    assert from_json("out.csv.json")["cohort_size"] == str(size)


def test_the_mean_cohort_score_is_a_quality_measure(embeddings):
    done(*NORMALISED, "--quality", "cohort_mean", "--quality", "magnitude")

    header, first, *_ = Path("out.csv").read_text().splitlines()
    row = dict(zip(header.split(","), first.split(","), strict=True))
    some = embeddings["trials"]["a/1"]
    top = sorted(cosine(some, item) for item in embeddings["cohort"].values())[-TOP:]
    assert float(row["probe_cohort_mean"]) == pytest.approx(np.mean(top), rel=1e-5)
    length = float(np.linalg.norm(some))
    assert float(row["probe_magnitude"]) == pytest.approx(length, rel=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "the top 300 of a cohort of 10 were asked for; give a number from 2 to"),
        (["--top", "4", "--kind", "s"], "leave --top out: only adaptive s-norm"),
        (["--top", "4", "--enrolment", "max"], "enrol by mean or unit-mean"),
        (["--top", "4", "--cohort", "other.h5"], "model is 'toy' and 'other'"),
        (["--top", "4", "--cohort-speakers", "empty"], "no recording"),
    ],
)
def test_what_cannot_be_done_is_said(embeddings, options, message):
    store("other.h5", {"x": np.arange(5)}, made_by={**MADE_BY, "model": "other"})
    Path("empty").touch()
    arguments = ["trials.h5", "list.txt", "-o", "out"]
    if "--cohort" not in options:
        arguments += ["--cohort", "cohort.h5"]

    assert message in refused("score-norm", *arguments, *options)
    assert not Path("out").exists()


def test_log_likelihood_ratios_of_plda_are_normalised_too(embeddings, textbook):
    """z-norm by hand, from the ratios of the reference with each of the cohort."""
    rows = {**embeddings["trials"], **embeddings["cohort"]}
    random = np.random.default_rng(3)
    rows |= {f"x{n}": random.normal(size=5) * 3 for n in range(40)}
    store("all.h5", rows)
    Path("utt2spk").write_text("".join(f"x{n} s{n // 4}\n" for n in range(40)))
    with Path("strangers").open("w") as file:
        file.writelines(f"0 a/0 c{n}\n" for n in range(10))
    options = ["--plda", "p.npz", "-o"]
    for command in (
        ["plda", "train", "all.h5", "--speakers", "utt2spk", "-o", "p.npz"],
        ["score", "all.h5", "list.txt", *options, "raw.csv"],
        ["score", "all.h5", "strangers", *options, "strangers.csv"],
        ["score-norm", "trials.h5", "list.txt", "--cohort", "cohort.h5", "--kind", "z",
         *options, "z.csv"],
    ):  # fmt: skip
        done(*command)

    strangers = read_scores("strangers.csv").score.tolist()
    raw = read_scores("raw.csv").score[:2]
    expected = [textbook.above(score, strangers) for score in raw]
    assert read_scores("z.csv").score[:2] == pytest.approx(expected, abs=1e-9)


def test_the_commands_offer_what_the_engine_has():
    """The choices stand twice, since --help does not import the engine."""
    assert tuple(MEASURES) == choices.MEASURES
    assert set(score._ENROLMENTS) < set(ENROLMENTS)
