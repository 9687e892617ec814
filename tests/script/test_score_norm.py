"""`bob pytorch score-norm` against the textbook, trial by trial."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from commands import run

from bob.learn.pytorch.scorefiles import read_scores
from bob.learn.pytorch.scoring import NORMALISATIONS
from bob.learn.pytorch.scoring.backend import ENROLMENTS, MEASURES
from bob.learn.pytorch.script import score
from bob.learn.pytorch.store.store import EmbeddingStore, Record

TOP = 4


@pytest.fixture
def embeddings(tmp_path, monkeypatch):
    """Names -> embeddings of trials.h5 and of cohort.h5, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(2)
    found = {}
    for name, names in (
        ("trials", [f"{who}/{take}" for who in "ab" for take in range(3)]),
        ("cohort", [f"c{n}" for n in range(10)]),
    ):
        rows = random.normal(size=(len(names), 5)).astype(np.float32)
        found[name] = dict(zip(names, rows, strict=True))
        with EmbeddingStore.open(f"{name}.h5", fingerprint={"model": "toy"}) as store:
            store.append([Record(*item, 3.0) for item in found[name].items()])
    Path("list.txt").write_text("1 a/0 a/1\n0 a/0 b/0\n0 b/0 a/1\n1 b/1 b/2\n")
    return found


def cosine(one, other):
    one, other = np.float64(one), np.float64(other)
    return float(one @ other / np.sqrt((one @ one) * (other @ other)))


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

    result = run(
        "score-norm", "trials.h5", trials, "--cohort", "cohort.h5", "--kind", kind,
        *(("--top", TOP) if kind == "as" else ()), "-o", "out.csv",
    )  # fmt: skip

    assert result.exit_code == 0, result.output
    table = read_scores("out.csv")
    assert len(table) == (36 if dense else 4)
    expected = [
        textbook.normalised(
            kind,
            cosine,
            embeddings["trials"][enrolled],
            embeddings["trials"][tested],
            textbook.cohort(embeddings["cohort"].values()),
            top=TOP,
        )
        for enrolled, tested in zip(
            table.model.tolist(), table.probe.tolist(), strict=True
        )
    ]
    assert table.score == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("kind", ["z", "t", "s", "zt", "as"])
@pytest.mark.parametrize(
    ("count", "said"),
    [(1, "the cohort has one member"), (4, "of a/0 against|of a/1 against")],
)
def test_a_cohort_without_spread_is_refused(embeddings, kind, count, said):
    """One recording, or copies of one: every normalised score was nan."""
    row = np.arange(5, dtype=np.float32)
    with EmbeddingStore.open("same.h5", fingerprint={"model": "toy"}) as store:
        store.append([Record(f"c{n}", row) for n in range(count)])

    result = run(
        "score-norm", "trials.h5", "list.txt", "--cohort", "same.h5", "--kind", kind,
        *(("--top", 2) if kind == "as" else ()), "-o", "out",
    )  # fmt: skip

    assert result.exit_code == 1, result.output
    assert "Error: same.h5: the" in result.output
    assert re.search(said, " ".join(result.output.split()))
    assert not Path("out").exists()


def test_speakers_that_the_store_knows_count_once(embeddings, textbook):
    with EmbeddingStore.open("cohort.h5", fingerprint={"model": "toy"}) as store:
        store.renew({}, {f"c{n}": f"spk{n // 2}" for n in range(10)})
    scored = ("score-norm", "trials.h5", "list.txt", "--cohort", "cohort.h5")

    result = run(*scored, "--top", TOP, "-o", "out.csv")
    alone = run(*scored, "--top", TOP, "--cohort-recordings", "-o", "each.csv")

    assert result.exit_code == alone.exit_code == 0, (result.output, alone.output)
    rows = np.array(list(embeddings["cohort"].values()), dtype=np.float64)
    some = embeddings["trials"]
    for path, cohort in (
        ("out.csv", rows.reshape(5, 2, -1).mean(axis=1)),
        ("each.csv", rows),
    ):
        expected = textbook.normalised(
            "as", cosine, some["a/0"], some["a/1"], textbook.cohort(cohort), top=TOP
        )
        assert read_scores(path).score[0] == pytest.approx(expected, abs=1e-9)


def test_the_mean_of_each_speaker_stands_for_their_recordings(embeddings, textbook):
    with Path("utt2spk").open("w") as file:
        file.writelines(f"c{n} spk{n // 2}\n" for n in range(10))

    result = run(
        "score-norm", "trials.h5", "list.txt", "--cohort", "cohort.h5", "--top", TOP,
        "--cohort-speakers", "utt2spk", "-o", "out.csv",
    )  # fmt: skip

    assert result.exit_code == 0, result.output
    rows = np.array(list(embeddings["cohort"].values()), dtype=np.float64)
    cohort = textbook.cohort(rows.reshape(5, 2, -1).mean(axis=1))
    some = embeddings["trials"]
    expected = textbook.normalised(
        "as", cosine, some["a/0"], some["a/1"], cohort, top=TOP
    )
    assert read_scores("out.csv").score[0] == pytest.approx(expected, abs=1e-9)
    assert json.loads(Path("out.csv.json").read_text())["cohort_size"] == "5"


def test_the_mean_cohort_score_is_a_quality_measure(embeddings):
    result = run(
        "score-norm", "trials.h5", "list.txt", "--cohort", "cohort.h5", "--top", TOP,
        "-o", "out.csv", "--quality", "cohort_mean", "--quality", "magnitude",
    )  # fmt: skip

    assert result.exit_code == 0, result.output
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
        (
            [],
            "the top 300 of a cohort of 10 were asked for; give a number from 2 to 10",
        ),
        (["--top", "4", "--kind", "s"], "leave --top out: only adaptive s-norm"),
        (["--top", "4", "--enrolment", "max"], "enrol by mean or unit-mean"),
        (["--top", "4", "--cohort", "other.h5"], "model is 'toy' and 'other'"),
        (["--top", "4", "--cohort-speakers", "empty"], "no recording"),
    ],
)
def test_what_cannot_be_done_is_said(embeddings, options, message):
    with EmbeddingStore.open("other.h5", fingerprint={"model": "other"}) as store:
        store.append([Record("x", np.arange(5, dtype=np.float32))])
    Path("empty").touch()
    arguments = ["trials.h5", "list.txt", "-o", "out"]
    if "--cohort" not in options:
        arguments += ["--cohort", "cohort.h5"]

    result = run("score-norm", *arguments, *options)

    assert result.exit_code in (1, 2)
    assert isinstance(result.exception, SystemExit), result.exception
    assert message in result.output
    assert not Path("out").exists()


def test_log_likelihood_ratios_of_plda_are_normalised_too(embeddings, textbook):
    """z-norm by hand, from the ratios of the reference with each of the cohort."""
    rows = {**embeddings["trials"], **embeddings["cohort"]}
    random = np.random.default_rng(3)
    rows |= {f"x{n}": random.normal(size=5) * 3 for n in range(40)}
    with EmbeddingStore.open("all.h5", fingerprint={"model": "toy"}) as store:
        store.append([Record(name, np.float32(row)) for name, row in rows.items()])
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
        result = run(*command)
        assert result.exit_code == 0, result.output

    strangers = read_scores("strangers.csv").score.tolist()
    raw = read_scores("raw.csv").score[:2]
    expected = [textbook.above(score, strangers) for score in raw]
    assert read_scores("z.csv").score[:2] == pytest.approx(expected, abs=1e-9)


def test_the_commands_offer_what_the_engine_has():
    """The choices stand twice, since --help does not import the engine."""
    assert tuple(MEASURES) == score._MEASURES
    assert set(score._KINDS) == set(NORMALISATIONS)
    assert set(score._ENROLMENTS) < set(ENROLMENTS)
