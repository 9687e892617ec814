from pathlib import Path

import numpy as np
import pytest
from protocols import Made

from bob.learn.pytorch.protocols import checking
from bob.learn.pytorch.protocols.checking import check
from bob.learn.pytorch.protocols.opening import as_database
from bob.learn.pytorch.protocols.trials import (
    Probe,
    Recording,
    Reference,
    Trials,
)


@pytest.fixture
def make(tmp_path):
    """A trial list whose recordings are there, each with contents of its own."""

    def make(text, name="list.txt"):
        (tmp_path / name).write_text(text)
        for line in text.splitlines():
            for recording in line.split()[1:]:
                path = tmp_path / recording
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(recording)
        return as_database(tmp_path / name)

    return make


def found(report):
    """(severity, kind, group, count) of what stands out beyond a small size."""
    return {
        (item.severity, item.kind, item.group, item.count)
        for item in report.findings
        if item.kind != "few"
    }


GOOD = "1 a/1.wav a/2.wav\n0 a/1.wav b/2.wav\n1 b/1.wav b/2.wav\n"


def test_a_sound_protocol(make):
    report = check({"list": make(GOOD)})

    assert report.is_sound
    assert found(report) == set()
    dev = report.groups["dev"]
    assert (dev.summary.target_trials, dev.summary.non_target_trials) == (2, 1)
    assert dev.target_share == pytest.approx(2 / 3)
    assert dev.target_trials_per_speaker == (1, 1, 1)
    assert dev.enrolment_recordings == (1, 1, 1)


@pytest.mark.parametrize(
    ("line", "expected", "example"),
    [
        ("1 a/1.wav a/1.wav\n", ("error", "self-trials", "dev", 1), "a/1 a/1"),
        ("1 a/1.wav a/2.wav\n", ("warning", "duplicates", "dev", 1), "a/1 a/2"),
        ("1 a/2.wav a/1.wav\n", ("note", "duplicates", "dev", 1), "a/1 a/2"),
        ("0 c/1.wav a/2.wav\n", ("note", "imbalance", "dev", 1), "c/1"),
    ],
)
def test_odd_trials_are_found(make, line, expected, example):
    report = check({"list": make(GOOD + line)})

    assert found(report) == {expected}
    (finding,) = [item for item in report.findings if item.kind == expected[1]]
    assert finding.examples == (example,)
    assert report.is_sound == (expected[0] != "error")


def test_missing_and_empty_recordings(make, tmp_path):
    database = make(GOOD)
    (tmp_path / "a/1.wav").unlink()
    (tmp_path / "b/2.wav").write_bytes(b"")

    report = check({"list": database})

    assert found(report) == {
        ("error", "missing", "dev", 1),
        ("error", "empty", "dev", 1),
    }
    assert report.findings[0].examples == (str(tmp_path / "a/1.wav"),)


def test_a_group_without_targets(make):
    report = check({"list": make("0 a/1.wav b/1.wav\n")})

    assert ("error", "trials", "dev", 0) in found(report)


def test_lists_of_dev_and_eval_that_share_speakers_and_recordings(make):
    other = "1 b/1.wav b/3.wav\n0 b/1.wav c/1.wav\n1 c/1.wav c/2.wav\n"

    report = check({"dev": make(GOOD), "eval": make(other, "eval.txt")})

    assert found(report) == {
        ("error", "speakers", "dev dev, eval dev", 1),
        ("error", "recordings", "dev dev, eval dev", 1),
    }


def test_targets_of_one_video_of_voxceleb(make):
    video, other = "id10001/abcdefghijk", "id10001/zyxwvutsrqp"
    text = f"1 {video}/00001.wav {video}/00002.wav\n"
    text += f"1 {video}/00001.wav {other}/00001.wav\n"
    text += f"0 {video}/00001.wav id10002/abcdefghijk/00001.wav\n"

    report = check({"list": make(text)})

    assert found(report) == {("warning", "sessions", "dev", 1)}


def test_a_speaker_with_most_of_the_target_trials(make):
    text = "".join(f"1 a/0.wav a/{i}.wav\n" for i in range(1, 9))
    text += "1 b/0.wav b/1.wav\n1 c/0.wav c/1.wav\n0 a/0.wav b/1.wav\n"

    report = check({"list": make(text)})

    (finding,) = [item for item in report.findings if item.kind == "imbalance"]
    assert finding.text.startswith("80% of the target trials are of speaker a")


def test_few_trials_are_told_with_the_rate_that_they_carry(make):
    report = check({"list": make("".join(
        f"1 a{i}/0.wav a{i}/1.wav\n0 a{i}/0.wav a{i + 1}/1.wav\n" for i in range(60)
    ))})  # fmt: skip

    few = [item for item in report.findings if item.kind == "few"]
    assert [(item.count, item.severity) for item in few] == [(60, "note")] * 2
    assert "rates under 50%" in few[0].text


def test_of_very_few_trials_no_rate_is_told(make):
    """With two trials, the rate that 30 errors make would be 1500 %."""
    report = check({"list": make(GOOD)})

    few = [item.text for item in report.findings if item.kind == "few"]
    assert len(few) == 2
    assert few[0].startswith("2 target trials: no rate is reliable")
    assert not any("%" in text for text in few)


def test_recordings_of_the_same_contents(make, tmp_path):
    database = make(GOOD)
    (tmp_path / "a/2.wav").write_text("same")
    (tmp_path / "a/1.wav").write_text("same")
    (tmp_path / "b/1.wav").write_text("else")

    assert found(check({"list": database})) == set()
    report = check({"list": database}, contents=True)

    assert found(report) == {("warning", "duplicates", "dev", 2)}
    (tmp_path / "b/1.wav").write_text("same")
    report = check({"list": database}, contents=True)
    assert found(report) == {("error", "duplicates", "dev", 3)}


def recording(key, path=None, **metadata):
    return Recording(key, path and Path(path), key[0], metadata=metadata)


def test_a_dense_protocol_with_all_that_can_be_odd(tmp_path):
    same = tmp_path / "same.wav"
    same.write_text("x")
    enrols = recording("a1", same, session="s1", gender="f")
    probes = [recording("a2", same, session="s1", gender="f"), recording("b1")]
    trials = Trials(
        (Reference("a", "a", (enrols,)),),
        tuple(Probe(item.key, item.subject, (item,)) for item in probes),
    )

    report = check({"made": Made({"dev": trials}, training=[recording("b9")])})

    assert found(report) == {
        ("error", "speakers", "dev, train", 1),
        ("error", "self-trials", "dev", 1),
        ("warning", "sessions", "dev", 1),
        ("warning", "duplicates", "dev", 1),
    }
    assert report.groups["dev"].conditions == {
        "session": {"s1": 2},
        "gender": {"f": 2},
    }


def test_recordings_of_one_session_are_told_by_the_names_of_a_folder(tmp_path):
    for speaker in "ab":
        for name in ("friday/1", "friday/2", "monday/1"):
            path = tmp_path / speaker / f"{name}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(speaker + name)

    by_session, by_recording = (
        check({"folder": as_database(tmp_path, protocol=name)})
        for name in ("session", "recording")
    )

    assert found(by_session) == set()
    assert found(by_recording) == {("warning", "sessions", "dev", 2)}
    assert by_session.groups["dev"].conditions == {
        "session": {"friday": 4, "monday": 2}
    }


def test_trials_are_counted_by_what_is_known_of_them(tmp_path):
    (tmp_path / "key.tsv").write_text(
        "modelid segmentid side targettype phone_match\n"
        "m t1 a target Y\nm t2 a target N\nm t3 a nontarget N\n"
    )
    (tmp_path / "enrol.tsv").write_text("modelid segmentid side\nm e1 a\n")

    report = check({"key": as_database(tmp_path / "key.tsv")})

    counts = report.groups["dev"].as_dict()["trial_conditions"]
    assert counts == {"phone_match": {"N": 2, "Y": 1}}


def test_a_source_that_compares_nothing_is_not_sound(tmp_path):
    (tmp_path / "p.csv").write_text("path,subject_id,purpose\na.wav,a,train\n")
    (tmp_path / "a.wav").write_text("a")

    report = check({"p": as_database(tmp_path / "p.csv")})

    assert found(report) == {("error", "trials", "p", 0)}
    assert not report.is_sound


def test_references_and_probes_without_a_trial():
    items = [recording(key) for key in ("a1", "a2", "b1", "b2")]
    trials = Trials(
        (Reference("a", "a", (items[0],)), Reference("b", "b", (items[2],))),
        tuple(Probe(item.key, item.subject, (item,)) for item in items[1::2]),
        (np.array([0]), np.array([], dtype=np.int64)),
    )

    report = check({"made": Made({"dev": trials})})

    unused = [item.examples for item in report.findings if item.kind == "unused"]
    assert unused == [("b2",), ("b",)]


def test_random_lists_have_what_a_slow_look_finds(tmp_path):
    generator = np.random.default_rng(0)
    for _ in range(20):
        names = [f"{s}/{i}.wav" for s in "abc" for i in range(3)]
        pairs = [tuple(generator.choice(names, 2)) for _ in range(30)]
        path = tmp_path / "list.txt"
        path.write_text("".join(f"{int(x[0] == y[0])} {x} {y}\n" for x, y in pairs))

        counts = {
            item.kind + item.severity: item.count
            for item in check({"list": as_database(path)}).findings
        }

        assert counts.get("self-trialserror", 0) == len(
            {p for p in pairs if p[0] == p[1]}
        )
        again = {pair for pair in pairs if pairs.count(pair) > 1}
        assert counts.get("duplicateswarning", 0) == len(again)
        mirrored = {frozenset(p) for p in pairs if p[0] != p[1] and p[::-1] in pairs}
        assert counts.get("duplicatesnote", 0) == len(mirrored)


def findings_on(recordings, **options):
    """Findings on a protocol in which all recordings enrol one reference."""
    trials = Trials((Reference("m", "ann", tuple(recordings)),), ())
    return check({"made": Made({"dev": trials})}, **options).findings


def test_folders_are_no_recordings_and_others_may_have_no_file(tmp_path):
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").touch()
    (tmp_path / "c").mkdir()
    recordings = [Recording(name, tmp_path / name, "ann") for name in "abcd"]

    found = findings_on([*recordings, Recording("e", None, "ann")])

    assert {item.kind: item.examples for item in found if item.kind in
            ("missing", "empty")} == {
        "missing": (str(tmp_path / "c"), str(tmp_path / "d")),
        "empty": (str(tmp_path / "b"),),
    }  # fmt: skip


def test_only_files_of_one_size_are_read(tmp_path, monkeypatch):
    contents = dict(
        zip("abcdefg", ("12", "13", "12", "12345", "", "", "13"), strict=True)
    )
    for name, text in contents.items():
        (tmp_path / name).write_text(text)
    read = []
    digest = checking.file_sha256
    monkeypatch.setattr(
        checking, "file_sha256", lambda path: read.append(path.name) or digest(path)
    )

    found = findings_on(
        [Recording(name, tmp_path / name, "ann") for name in [*contents, "gone"]],
        contents=True,
    )

    assert [
        [Path(path).name for path in item.examples]
        for item in found
        if item.kind == "duplicates"
    ] == [["a", "c"], ["b", "g"]]
    assert sorted(read) == ["a", "b", "c", "g"]  # d is the only one of its size
