import json
import os
import shlex
import subprocess
import sys
from functools import partial

import commands
import pytest
from files import write
from programs import printed_by

from bob.learn.pytorch.protocols.opening import as_database
from bob.learn.pytorch.script.protocol import protocol


@pytest.fixture
def meetings(tmp_path):
    folder = tmp_path / "meetings"
    for meeting in ("m1", "m2"):
        for speaker in ("ann", "bob", "cid", "dan"):
            (folder / meeting / speaker).mkdir(parents=True)
            (folder / meeting / speaker / "1-2.wav").touch()
    return folder


run = partial(commands.run, "protocol")
reported = partial(commands.reported, "protocol")
refused = partial(commands.refused, "protocol")
done = partial(commands.done, "protocol")


def test_a_folder_becomes_a_protocol(meetings, tmp_path):
    output = done(meetings, tmp_path / "out", "--layout", "session/speaker")

    assert "protocol session of meetings" in output
    assert (
        "dev: 2 speakers, 2 references, 2 probes, 2 target and 2 non-target" in output
    )
    assert as_database(tmp_path / "out").trials("dev").references[0].id == "ann"


@pytest.mark.parametrize(
    ("name", "groups", "counts"),
    [
        ("all-pairs", ["dev"], "4 target and 24 non-target"),
        ("session-one-group", ["dev"], "4 target and 12 non-target"),
    ],
)
def test_a_folder_becomes_one_group(meetings, tmp_path, name, groups, counts):
    options = ("--layout", "session/speaker", "--protocol", name)
    assert counts in done(meetings, tmp_path / "out", *options)
    again = as_database(tmp_path / "out")
    assert (again.protocol, list(again.groups())) == (name, groups)


def test_the_report_in_json(meetings, tmp_path):
    result = run(meetings, tmp_path / "out", "--layout", "session/speaker", "--json")

    report = json.loads(result.output)
    assert report["protocol"] == "session"
    assert report["folder"] == str(tmp_path / "out")
    assert report["groups"]["eval"] == {
        "speakers": 2, "references": 2, "probes": 2, "recordings": 4,
        "target_trials": 2, "non_target_trials": 2, "missing": [],
        "unlabelled_trials": 0,
    }  # fmt: skip


def test_missing_recordings_are_reported_and_no_error(tmp_path):
    (tmp_path / "list.txt").write_text(
        "".join(f"1 a/{i}.wav a/x.wav\n" for i in range(9))
    )

    output = done(tmp_path / "list.txt", tmp_path / "out")

    assert "10 recordings are missing:" in output
    assert "(all of them with --json)" in output


def test_paths_are_seen_from_the_original_directory(tmp_path):
    (tmp_path / "corpus").mkdir()
    (tmp_path / "list.txt").write_text("1 a/1.wav a/2.wav\n")

    result = run(
        tmp_path / "list.txt", tmp_path / "out",
        "--original-directory", tmp_path / "corpus", "--json",
    )  # fmt: skip

    missing = json.loads(result.output)["groups"]["dev"]["missing"]
    assert missing[0] == str(tmp_path / "corpus/a/1.wav")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--layout", "speker"], "layout 'speker'; expected one word a folder level"),
        (["--enrol-count", "0"], "0 recordings cannot enrol a speaker"),
        (["--protocol", "week"], "'week'; expected one of session, recording"),
    ],
)
def test_mistakes_are_one_line_without_traceback(meetings, tmp_path, options, message):
    said = refused(meetings, tmp_path / "out", *options, status=1)

    assert message in said


def test_help_imports_no_numpy():
    code = (
        "import sys\nfrom bob.learn.pytorch.script.protocol import protocol\n"
        "try: protocol(['--help'])\nexcept SystemExit: pass\n"
        "print('numpy' in sys.modules, 'torch' in sys.modules)"
    )

    assert printed_by(code).endswith("False False")


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_file_names_that_are_not_utf_8_are_shown(tmp_path, options):
    corpus = tmp_path / os.fsdecode(b"c\xff")
    for take in (1, 2):
        (corpus / os.fsdecode(b"n\xe9")).mkdir(parents=True, exist_ok=True)
        (corpus / os.fsdecode(b"n\xe9") / f"{take}.wav").touch()
    command = [
        sys.executable, "-c",
        "from bob.learn.pytorch.script.protocol import protocol; protocol()",
        corpus, tmp_path / "out", *options,
    ]  # fmt: skip

    done = subprocess.run(command, capture_output=True, check=False)

    assert (done.returncode, done.stderr) == (0, b"")
    assert b"c\\udcff" in done.stdout


def write_list(folder, text, name="list.txt"):
    """Write a list, and files that hold their names in place of its recordings."""
    recordings = {item for line in text.splitlines() for item in line.split()[1:]}
    write(folder, {recording: recording for recording in recordings} | {name: text})
    return folder / name


GOOD = "1 a/1.wav a/2.wav\n0 a/1.wav b/2.wav\n1 b/1.wav b/2.wav\n"


def test_without_a_name_the_command_is_write(meetings, tmp_path):
    options = ("--layout", "session/speaker")

    outputs = [
        run(*words, tmp_path / "out").output
        for words in ((meetings, *options), ("write", *options, meetings),
                      (*options, meetings))
    ]  # fmt: skip

    assert len(set(outputs)) == 1
    assert "protocol session of meetings" in outputs[0]


@pytest.mark.parametrize(
    ("form", "files"),
    [
        ("voxceleb", {"dev.txt"}),
        ("kaldi", {"dev/trials", "dev/enroll/wav.scp", "dev/test/utt2spk"}),
        ("wespeaker", {"trials/dev.kaldi", "wav.scp", "spk2utt"}),
        ("espnet", {"dev/trial.scp", "dev/trial2.scp", "dev/trial_label"}),
        ("sre", {"dev_trial_key.tsv", "dev_trials.tsv", "dev_enrollment.tsv"}),
        ("bob", {"list/dev/for_matching.csv", "list/dev/protocol.json"}),
    ],
)
def test_a_list_is_converted(tmp_path, form, files):
    source = write_list(tmp_path, GOOD)

    output = done("convert", source, tmp_path / "out", "--to", form, "--json")

    assert all((tmp_path / "out" / name).is_file() for name in files)
    report = json.loads(output)
    where = ["--original-directory", tmp_path] if form in ("voxceleb", "sre") else []
    checked = reported("check", report["read_as"]["dev"], *where)["groups"]["dev"]
    assert {name: checked[name] for name in report["groups"]["dev"]} == (
        report["groups"]["dev"]
    )


@pytest.mark.parametrize("form", ["voxceleb", "kaldi", "wespeaker", "espnet", "sre"])
def test_a_conversion_is_read_again_as_it_is_told(tmp_path, form):
    source = write_list(tmp_path, GOOD)

    told = run("convert", source, tmp_path / "out folder", "--to", form).output

    (line,) = [line for line in told.splitlines() if line.startswith("dev is read")]
    assert "dev: 2 speakers, 2 references, 2 probes, 2 target" in done(
        "check", *shlex.split(line.removeprefix("dev is read from "))
    )


def test_the_folder_of_a_conversion_names_its_lists(tmp_path):
    run("convert", write_list(tmp_path, GOOD), tmp_path / "out", "--to", "kaldi")

    assert f"give one of them ({tmp_path / 'out/dev/trials'})" in refused(
        "check", tmp_path / "out", status=1
    )
    assert run("check", tmp_path / "out/dev").exit_code == 0


def test_a_blind_list_is_counted_and_not_converted(tmp_path):
    source = write_list(tmp_path, GOOD.replace("0 ", "").replace("1 ", ""))
    for name in "ab":
        for take in (1, 2):
            (tmp_path / name / f"{take}.wav").write_text("sound")

    output = done("check", source)

    assert "dev: 2 references, 2 probes, 3 trials without labels" in output
    assert "target trials" not in output
    unknown = (
        "3 trials have no labels: they can be scored, and which of them are of one"
    )
    assert f"{unknown} speaker is not known" in output
    refused = run("convert", source, tmp_path / "out", "--to", "kaldi")
    assert refused.exit_code == 1
    assert "list.txt has no labels, so nothing says which" in refused.output


def test_forms_on_the_command_line_are_those_of_the_library():
    from bob.learn.pytorch.protocols.opening import FORMS

    (to,) = (
        item for item in protocol.commands["convert"].params if item.name == "form"
    )
    assert tuple(to.type.choices) == FORMS


def test_a_sound_protocol_is_told_so(tmp_path):
    output = done("check", write_list(tmp_path, GOOD * 400))

    assert "dev: 2 speakers, 2 references, 2 probes, 800 target" in output
    assert "  target trials per speaker: 400 to 400, median 400" in output
    assert "warning: dev: 3 trials come more than once" in output


def test_errors_of_a_protocol_set_the_exit_status(tmp_path):
    one = write_list(tmp_path, GOOD)
    other = write_list(tmp_path, "1 b/1.wav b/1.wav\n0 b/1.wav c/1.wav\n", "eval.txt")
    (tmp_path / "c/1.wav").unlink()

    result = run("check", one, other)

    assert result.exit_code == 1
    for line in (
        f"error: {one} dev, {other} dev: 1 speakers are in",
        f"error: {other} dev: 1 trials compare a recording with itself",
        f"error: {other} dev: 1 recording is missing",
        f"    {tmp_path / 'c/1.wav'}",
    ):
        assert line in result.output
    report = reported("check", one, other, status=1)
    assert not report["sound"]
    assert report["findings"][0]["severity"] == "error"


def test_recordings_of_the_same_contents_are_asked_for(tmp_path):
    source = write_list(tmp_path, GOOD)
    (tmp_path / "a/1.wav").write_text("b/1.wav")

    assert run("check", source).exit_code == 0
    result = run("check", source, "--contents")

    assert result.exit_code == 1
    assert "2 recordings of 2 speaker(s) have the same contents" in result.output


def test_what_cannot_be_read_is_one_line(tmp_path):
    (tmp_path / "list.txt").write_text("1 a b\nx\n")

    for name, *rest in (["check"], ["convert", tmp_path / "out", "--to", "kaldi"]):
        result = run(name, tmp_path / "list.txt", *rest)

        assert result.exit_code == 1
        assert "list.txt:2: 'x'; expected" in result.output
        assert "Traceback" not in result.output


def test_everything_that_can_be_odd_is_in_the_report(tmp_path):
    video = "id10001/abcdefghijk"
    dev = f"1 {video}/00001.wav {video}/00002.wav\n" * 2
    dev += f"1 {video}/00002.wav {video}/00001.wav\n"
    dev += "".join(f"1 {video}/00001.wav id10001/{i:011}/1.wav\n" for i in range(8))
    dev += "1 id10002/v/1.wav id10002/v/1.wav\n1 id10003/v/1.wav id10003/w/1.wav\n"
    dev += f"0 id10002/v/1.wav {video}/00001.wav\n0 id10004/v/1.wav id10003/w/1.wav\n"
    one = write_list(tmp_path, dev)
    text = "1 id10003/w/1.wav id10003/x/1.wav\n0 id10003/w/1.wav id10005/v/1.wav\n"
    other = write_list(tmp_path, text, "eval.txt")
    (tmp_path / "id10005/v/1.wav").unlink()
    (tmp_path / "id10004/v/1.wav").write_text("")

    report = reported("check", one, other, status=1)

    found = {
        (item["severity"], item["kind"], item["group"].replace(str(tmp_path), "")):
        item["count"]
        for item in report["findings"] if item["kind"] != "few"
    }  # fmt: skip
    assert found == {
        ("error", "speakers", "/list.txt dev, /eval.txt dev"): 1,
        ("error", "recordings", "/list.txt dev, /eval.txt dev"): 1,
        ("error", "self-trials", "/list.txt dev"): 1,
        ("error", "missing", "/eval.txt dev"): 1,
        ("error", "empty", "/list.txt dev"): 1,
        ("warning", "duplicates", "/list.txt dev"): 1,
        ("warning", "sessions", "/list.txt dev"): 2,
        ("warning", "imbalance", "/list.txt dev"): 11,
        ("note", "duplicates", "/list.txt dev"): 1,
        ("note", "imbalance", "/list.txt dev"): 1,
    }
    (dev_speakers,) = [f for f in report["findings"] if f["kind"] == "speakers"]
    assert dev_speakers["examples"] == ["id10003"]


def test_conditions_of_recordings_and_of_trials_are_counted(tmp_path):
    (tmp_path / "key.tsv").write_text(
        "modelid\tsegmentid\tside\ttargettype\tphone_match\n"
        "m\tt1\ta\ttarget\tY\nm\tt2\ta\tnontarget\tN\nm\tt3\ta\tnontarget\t\n"
    )
    (tmp_path / "enrol.tsv").write_text("modelid\tsegmentid\tside\nm\te1\ta\n")
    (tmp_path / "segments.tsv").write_text("segmentid\tgender\nt1\tf\nt2\tf\ne1\tf\n")

    result = run("check", tmp_path / "key.tsv")

    assert "  recordings by gender: 3 f\n" in result.output
    assert "  trials by phone_match: 1 Y, 1 N, 1 unknown\n" in result.output
    groups = reported("check", tmp_path / "key.tsv", status=1)["groups"]
    assert groups["dev"]["trial_conditions"] == {"phone_match": {"Y": 1, "N": 1, "": 1}}


@pytest.mark.parametrize("form", ["bob", "voxceleb"])
def test_a_folder_that_cannot_be_made_is_one_line(tmp_path, form):
    source = write_list(tmp_path, GOOD)
    (tmp_path / "file").touch()

    said = refused("convert", source, tmp_path / "file/out", "--to", form, status=1)

    assert said.startswith(f"Error: {tmp_path / 'file'}")
    assert "Not a directory" in said
