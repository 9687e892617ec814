import json
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from bob.learn.pytorch.script.protocol import protocol
from bob.learn.pytorch.verification.database import as_database


@pytest.fixture
def meetings(tmp_path):
    folder = tmp_path / "meetings"
    for meeting in ("m1", "m2"):
        for speaker in ("ann", "bob", "cid", "dan"):
            (folder / meeting / speaker).mkdir(parents=True)
            (folder / meeting / speaker / "1-2.wav").touch()
    return folder


def run(*arguments):
    return CliRunner().invoke(protocol, [str(item) for item in arguments])


def test_a_folder_becomes_a_protocol(meetings, tmp_path):
    result = run(meetings, tmp_path / "out", "--layout", "session/speaker")

    assert result.exit_code == 0, result.output
    assert "protocol session of meetings" in result.output
    assert (
        "dev: 2 speakers, 2 references, 2 probes, 2 target and 2 non-target"
        in result.output
    )
    assert as_database(tmp_path / "out").trials("dev").references[0].id == "ann"


def test_the_report_in_json(meetings, tmp_path):
    result = run(meetings, tmp_path / "out", "--layout", "session/speaker", "--json")

    report = json.loads(result.output)
    assert report["protocol"] == "session"
    assert report["folder"] == str(tmp_path / "out")
    assert report["groups"]["eval"] == {
        "speakers": 2, "references": 2, "probes": 2, "recordings": 4,
        "target_trials": 2, "non_target_trials": 2, "missing": [],
    }  # fmt: skip


def test_missing_recordings_are_reported_and_no_error(tmp_path):
    (tmp_path / "list.txt").write_text(
        "".join(f"1 a/{i}.wav a/x.wav\n" for i in range(9))
    )

    result = run(tmp_path / "list.txt", tmp_path / "out")

    assert result.exit_code == 0
    assert "10 recordings are missing:" in result.output
    assert "(all of them with --json)" in result.output


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
    result = run(meetings, tmp_path / "out", *options)

    assert result.exit_code == 1
    assert f"Error: {message}" in result.output or message in result.output
    assert "Traceback" not in result.output


def test_help_imports_no_numpy():
    code = (
        "import sys\nfrom bob.learn.pytorch.script.protocol import protocol\n"
        "try: protocol(['--help'])\nexcept SystemExit: pass\n"
        "print('numpy' in sys.modules, 'torch' in sys.modules)"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip().endswith("False False")


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
