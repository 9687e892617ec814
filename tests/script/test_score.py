"""`bob pytorch score`: whole commands on small files."""

import hashlib
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import done, refused
from files import from_json
from stores import EMBEDDINGS, MADE_BY, store

from bob.learn.pytorch.errors import UserError
from bob.learn.pytorch.experiment import stored_scores
from bob.learn.pytorch.scorefiles import read_scores


@pytest.fixture
def folder(tmp_path):
    store("store.h5", EMBEDDINGS, failed=["/data/cid/1.wav"])
    return tmp_path


@pytest.fixture
def protocol(folder):
    """Bob's CSV: ann is enrolled by two recordings, everyone meets everyone."""
    place = folder / "protocols" / "p" / "dev"
    place.mkdir(parents=True)
    (place / "for_enrolling.csv").write_text(
        "path,subject_id,template_id\n"
        "ann/1.wav,ann,ann\nann/2.wav,ann,ann\nbob/1.wav,bob,bob\n"
    )
    (place / "for_probing.csv").write_text(
        "path,subject_id,template_id,gender\nann/2.wav,ann,x,f\nbob/2.wav,bob,y,m\n"
    )
    return folder / "protocols"


def write_list(text, name="list.txt"):
    Path(name).write_text(text)
    return name


def scores(path="out"):
    table = read_scores(path)
    return dict(
        zip(
            zip(table.model.tolist(), table.probe.tolist(), strict=True),
            table.score.tolist(),
            strict=True,
        )
    )


def test_a_list_is_scored_by_the_cosine_in_its_order(folder):
    """3, 4, 5 make a right angle: the cosines are 24/25, 4/5 and -1."""
    trials = write_list("1 ann/1.wav ann/2.wav\n0 bob/1 ann/1.wav\n1 bob/1 bob/2.wav\n")

    output = done("score", "store.h5", trials, "-o", "out")

    assert output == "3 scores are in out\n"
    assert Path("out").read_text() == (
        "ann ann/1.wav ann ann/2.wav 0.96000000\n"
        "bob bob/1 ann ann/1.wav 0.80000000\n"
        "bob bob/1 bob bob/2.wav -1.00000000\n"
    )


def test_all_pairs_of_a_folder(folder):
    for name in ("ann/1", "ann/2", "bob/1", "bob/2"):
        path = Path("people", f"{name}.wav")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    done("score", "store.h5", "people", "--protocol", "all-pairs", "-o", "out")

    assert scores() == pytest.approx(
        {
            ("ann/1", "ann/2"): 0.96,
            ("ann/1", "bob/1"): 0.8,
            ("ann/1", "bob/2"): -0.8,
            ("ann/2", "bob/1"): 0.6,
            ("ann/2", "bob/2"): -0.6,
            ("bob/1", "bob/2"): -1,
        }
    )


def test_recordings_are_found_however_systems_write_their_names(folder):
    store("odd.h5", {"/data/zo\u00e9/1.wav": [3, 4], "/data/zo\u00e9/2.wav": [4, 3]})
    trials = write_list("1 zoe\u0301/1.m4a zoe\u0301/2.m4a\n0 zoe\u0301/1.m4a x\n")

    done("score", "odd.h5", trials, "-o", "out", "--allow-missing")

    assert next(iter(scores().values())) == pytest.approx(0.96)


def test_the_distance_of_euclid(folder):
    trials = write_list("1 ann/1 ann/2\n0 bob/1 ann/1\n")

    done("score", "store.h5", trials, "-o", "out", "--measure", "euclidean")

    assert list(scores().values()) == pytest.approx([-math.sqrt(2), -math.sqrt(13)])


def test_the_mean_of_others_is_subtracted(folder):
    store("others.h5", {"x": [2, 3], "y": [4, 3]})
    trials = write_list("1 ann/1 ann/2\n")

    done("score", "store.h5", trials, "-o", "out", "--subtract-mean", "others.h5")

    assert list(scores().values()) == pytest.approx([0], abs=1e-7)  # (0, 1), (1, 0)


@pytest.mark.parametrize(
    ("form", "line"),
    [
        ("four", "ann ann ann/2 0.96000000\n"),
        ("voxsrc", "0.96000000 ann/1 ann/2\n"),
        ("kaldi", "ann/1 ann/2 0.96000000\n"),
        ("wespeaker", "ann/1 ann/2 0.96000000 target\n"),
    ],
)
def test_forms_of_the_output(folder, form, line):
    trials = write_list("1 ann/1 ann/2\n")

    done("score", "store.h5", trials, "-o", "out", "--form", form)

    assert Path("out").read_text() == line


def test_a_protocol_in_which_all_meet_all(protocol):
    """The mean of (3, 4) and (4, 3) points along (1, 1)."""
    done("score", "store.h5", protocol, "-o", "out.csv", "--quality", "duration")

    header, *lines = Path("out.csv").read_text().splitlines()
    assert header == (
        "probe_template_id,probe_subject_id,bio_ref_template_id,bio_ref_subject_id,"
        "bio_ref_duration,probe_gender,probe_duration,score"
    )
    assert lines[1].startswith("bob/2.wav,bob,ann,ann,4,m,2,")
    assert scores("out.csv") == pytest.approx(
        {
            ("ann", "ann/2.wav"): 7 / math.sqrt(50),
            ("ann", "bob/2.wav"): -math.sqrt(0.5),
            ("bob", "ann/2.wav"): 0.6,
            ("bob", "bob/2.wav"): -1,
        }
    )


def test_blocks_make_the_same_file(protocol, monkeypatch):
    for name in ("whole.csv", "whole"):
        done("score", "store.h5", protocol, "-o", name)
    monkeypatch.setattr(stored_scores, "TRIALS_AT_ONCE", 1)
    for name in ("blocks.csv", "blocks"):
        done("score", "store.h5", protocol, "-o", name)

    assert Path("blocks.csv").read_text() == Path("whole.csv").read_text()
    assert Path("blocks").read_text() == Path("whole").read_text()


@pytest.mark.parametrize(
    ("enrolment", "expected"),
    [
        # Both of ann's recordings have length 5, so the two means point alike.
        ("unit-mean", -math.sqrt(0.5)),
        ("scores", (-4 / 5 - 3 / 5) / 2),
        ("max", -3 / 5),
    ],
)
@pytest.mark.parametrize("sparse", [False, True])
def test_several_recordings_enrol(protocol, enrolment, expected, sparse):
    if sparse:
        (protocol / "p/dev/for_matching.csv").write_text(
            "enroll_template_id,probe_template_id\nann,y\nbob,y\nann,x\n"
        )
    done("score", "store.h5", protocol, "-o", "out", "--enrolment", enrolment)

    found = scores()
    assert found["ann", "bob/2.wav"] == pytest.approx(expected)
    assert found["bob", "bob/2.wav"] == pytest.approx(-1)
    assert len(found) == (3 if sparse else 4)


def test_groups_have_to_be_chosen(protocol):
    (protocol / "p" / "dev").rename(protocol / "p" / "eval")
    (protocol / "p" / "dev").mkdir()
    for name in ("for_enrolling.csv", "for_probing.csv"):
        text = (protocol / "p/eval" / name).read_text()
        (protocol / "p/dev" / name).write_text(text)

    assert "has the groups dev, eval, and none was chosen" in refused(
        "score", "store.h5", protocol, "-o", "out", status=1
    )
    assert not Path("out").exists()
    done("score", "store.h5", protocol, "-o", "out", "--group", "eval")


def test_recordings_that_failed_score_nan(folder):
    trials = write_list("1 ann/1 ann/2\n0 cid/1 ann/1\n")

    output = done("score", "store.h5", trials, "-o", "out")

    assert output.startswith("2 scores are in out, 1 of them nan\n")
    assert "1 recording could not be embedded, such as cid/1" in output
    assert Path("out").read_text().splitlines()[1].endswith(" nan")


def test_recordings_that_are_missing_are_an_error_unless_allowed(folder):
    trials = write_list("1 ann/1 ann/2\n0 dan/1 ann/1\n")

    assert "no embedding of 1 recording of list.txt, such as 'dan/1'" in refused(
        "score", "store.h5", trials, "-o", "out", status=1
    )
    assert not Path("out").exists()
    report = done("score", "store.h5", trials, "-o", "out", "--allow-missing", "--json")
    assert json.loads(report)["failures"] == 1


def test_a_name_that_may_be_two_recordings_is_refused(folder):
    assert "1 may be more than one recording in the store" in refused(
        "score", "store.h5", write_list("1 1 ann/1\n"), "-o", "out", status=1
    )


def test_a_bad_line_is_named(folder):
    trials = write_list("1 ann/1 ann/2\n2 ann/1 ann/2\n")

    assert "list.txt:2: '2 ann/1 ann/2'; expected '<label> <enrolled>" in refused(
        "score", "store.h5", trials, "-o", "out", status=1
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["store.h5", "-o", "out"], "give either TRIALS or --all"),
        (["store.h5", "--all", "-o", "out"], "has to end in .npy"),
        (
            ["store.h5", "--all", "-o", "out.npy", "--quality", "duration"],
            "leave --quality out: with --all there are no trials",
        ),
        (["store.h5", "list.txt", "-o", "bad.npz/out"], "bad.npz: "),
        (["store.h5", "list.txt", "-o", "out", "--quality", "duration"], "let the"),
        (["store.h5", "list.txt", "-o", "o.csv", "--quality", "x"], "'x' is not one"),
        (["store.h5", "list.txt", "-o", "o.csv", "--quality", "cohort_mean"], "cohort"),
        (
            ["store.h5", "list.txt", "-o", "out", "--plda", "bad.npz"],
            "`bob pytorch plda train`",
        ),
        (["list.txt", "list.txt", "-o", "out"], "is of an unknown kind"),
        (["store.h5", "list.txt", "-o", "out", "--subtract-mean", "b.h5"], "differen"),
    ],
)
def test_what_cannot_be_done_is_said(folder, arguments, message):
    write_list("1 ann/1 ann/2\n")
    store("b.h5", {"x": [1, 2]}, made_by={"model": "other"})
    np.savez("bad.npz", x=np.zeros(3))

    assert message in refused("score", *arguments)
    assert not Path("out").exists()


def test_what_made_the_scores_stands_beside_them(folder):
    trials = write_list("1 ann/1 ann/2\n")

    done("score", "store.h5", trials, "-o", "out")

    told = from_json("out.json")
    digest = hashlib.sha256(Path("out").read_bytes()).hexdigest()
    assert told["sha256"] == digest
    assert told["made_by"] == MADE_BY
    assert (told["measure"], told["normalisation"]) == ("cosine", "none")


def test_embeddings_of_an_npz_file(folder):
    np.savez("a.npz", **{"x": np.float32([3, 4]), "y": np.float32([4, 3])})

    done("score", "a.npz", write_list("1 x y\n"), "-o", "out")

    assert list(scores().values()) == pytest.approx([0.96])


def test_everything_against_everything(folder):
    done("score", "store.h5", "--all", "-o", "all.npy")

    names = Path("all.npy.names").read_text().split()
    rows = np.array([EMBEDDINGS[name] for name in names])
    directions = rows / np.sqrt((rows**2).sum(axis=1, keepdims=True))
    assert np.load("all.npy") == pytest.approx(directions @ directions.T, abs=1e-6)


def test_kaldi_ids_in_a_store(folder):
    store("k.h5", {"u1": [3, 4], "u2": [4, 3]})

    done("score", "k.h5", write_list("u1 u2 target\n"), "-o", "out")

    assert list(scores().values()) == pytest.approx([0.96])


@pytest.mark.slow
def test_580000_trials_are_all_scored(folder):
    random = np.random.default_rng(0)
    names = [f"id{n % 1251 + 10000}/v{n // 40}/{n:05}.wav" for n in range(4708)]
    rows = random.normal(size=(len(names), 192)).astype(np.float32)
    store("big.h5", dict(zip(names, rows, strict=True)))
    pairs = random.integers(len(names), size=(580_000, 2)).tolist()
    with Path("big.txt").open("w") as file:
        file.writelines(
            f"{int(names[a][:7] == names[b][:7])} {names[a]} {names[b]}\n"
            for a, b in pairs
        )
    command = [sys.executable, "-m", "bob.learn.pytorch.script.pytorch", "score"]

    subprocess.run([*command, "big.h5", "big.txt", "-o", "out"], check=True)

    lines = Path("out").read_text().splitlines()
    assert len(lines) == 580_000
    for line, (a, b) in list(zip(lines, pairs, strict=True))[::50_000]:
        cosine = rows[a] @ rows[b] / np.linalg.norm(rows[a]) / np.linalg.norm(rows[b])
        assert float(line.split()[-1]) == pytest.approx(cosine, abs=1e-6)


@pytest.mark.parametrize("cohort", [None, "others.h5"])
def test_the_library_gives_the_scores_of_the_command(protocol, cohort):
    """In memory, and in a file that is read when its table is asked for."""
    random = np.random.default_rng(0)
    store("others.h5", {f"c{n}": random.normal(size=2) for n in range(6)})
    command = ("score",) if cohort is None else ("score-norm", "--cohort", cohort)
    words = () if cohort is None else ("--kind", "s")
    done(*command, "store.h5", protocol, *words, "-o", "out.csv")

    for output in (None, "again.csv"):
        kind = None if cohort is None else "s-norm"
        found = stored_scores.score(
            "store.h5", protocol, cohort=cohort, normalisation=kind, output=output
        )

        expected = read_scores("out.csv")
        assert found.trials == len(expected) == len(found.table)
        assert found.table.probe.tolist() == expected.probe.tolist()
        assert found.table.score == pytest.approx(expected.score, abs=1e-9)
        told = from_json("out.csv.json")
        assert found.provenance["store"] == "store.h5"
        assert found.provenance["trials"] == str(protocol)
        assert {key: told[key] for key in found.provenance} == {
            **found.provenance, "trials": str(protocol)
        }  # fmt: skip
    assert Path("again.csv").read_text() == Path("out.csv").read_text()


def test_the_library_names_what_it_cannot_use(protocol):
    with pytest.raises(UserError, match=r"the measure is 'dot'; choose one of cosine"):
        stored_scores.score("store.h5", protocol, backend="dot")
    with pytest.raises(UserError, match=r"the enrolment is 'sum'; choose one of mean"):
        stored_scores.score("store.h5", protocol, enrolment="sum")
    with pytest.raises(UserError, match=r"the normalisation is 'x'; choose one of z-"):
        stored_scores.score("store.h5", protocol, cohort="store.h5", normalisation="x")
