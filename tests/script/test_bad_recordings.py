"""Each kind of bad recording through verify.py and `bob pytorch compare`."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from commands import run

from bob.learn.pytorch.script.verify import main

pytestmark = pytest.mark.usefixtures("networks_are_kept")

RATE = 16_000
NOISE = np.random.default_rng(0).normal(0, 0.1, RATE)


def missing(path):
    pass


def empty_file(path):
    path.touch()


def no_samples(path):
    soundfile.write(path, np.zeros(0), RATE, format="WAV")


def text(path):
    path.write_text("this is no audio")


def truncated(path):
    soundfile.write(path, NOISE, RATE)
    path.write_bytes(path.read_bytes()[:5000])


def corrupt(path):
    soundfile.write(path, NOISE, RATE)
    content = bytearray(path.read_bytes())
    content[9000:9400] = bytes(400)
    path.write_bytes(content)


def folder(path):
    path.mkdir()


def too_short(path):
    soundfile.write(path, NOISE[:3000], RATE)


def silent(path):
    soundfile.write(path, np.zeros(RATE), RATE)


def constant(path):
    soundfile.write(path, np.full(RATE, 0.25), RATE)


def stereo(path):
    soundfile.write(path, np.stack([NOISE, NOISE[::-1]], axis=1), RATE)


#: How to make it, and words that the message must have beside the file's name.
KINDS = {
    missing: ["does not exist"],
    empty_file: ["0 bytes"],
    no_samples: ["no samples"],
    text: ["not audio", "16 bytes"],
    truncated: ["corrupt or cut off"],
    corrupt: ["corrupt or cut off"],
    folder: ["directory"],
    too_short: ["0.1875 s", "0.385 s"],
    silent: ["silent"],
    constant: ["constant"],
    stereo: ["2 channels", "channel="],
}

CONFIGURATION = """
from bob.learn.pytorch.extractor import CallableExtractor
from bob.learn.pytorch.preprocessor.audio import DltResNetExtractor

database = "trials.csv"
preprocessor = DltResNetExtractor("drn34.pth.tar")
extractor = CallableExtractor(lambda x: x)
extracted_directory = "preprocessed"
skip_extraction = True
skip_report = True
algorithm = "cosine"
sub_directory = "bad"
"""


@pytest.fixture
def here(tmp_path, weights):
    Path("drn34.pth.tar").symlink_to(weights)
    soundfile.write("good.flac", NOISE, RATE)
    return tmp_path


def write_trials(*, enrol_bad):
    enrolled = ["good.flac", "bad.flac"] if enrol_bad else ["good.flac"]
    probes = ["other.flac"] if enrol_bad else ["other.flac", "bad.flac"]
    rows = ["group,purpose,path,subject_id,template_id"]
    rows += [f"dev,enroll,{name},ann,ann" for name in enrolled]
    rows += [f"dev,probe,{name},ann,{name}" for name in probes]
    Path("trials.csv").write_text("\n".join(rows) + "\n")
    Path("config.py").write_text(CONFIGURATION)
    soundfile.write("other.flac", NOISE[::-1], RATE)


@pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__)
def test_verify_names_it_and_goes_on_without_it_if_asked(here, make, capsys):
    write_trials(enrol_bad=False)
    make(Path("bad.flac"))
    scores = Path("results/bad/trials/nonorm/scores-dev")

    assert main(["config.py"]) == 1
    error = capsys.readouterr().err
    assert not scores.exists()
    for word in ("bad.flac", *KINDS[make]):
        assert word in error, error
    assert "Traceback" not in error

    assert main(["config.py", "--allow-missing-files"]) == 0
    lines = [line.split() for line in scores.read_text().splitlines()]
    failed = {probe.split(".")[0]: score == "nan" for _, _, probe, score in lines}
    assert failed == {"other": False, "bad": True}


def test_an_enrolment_uses_what_is_good(here, capsys):
    write_trials(enrol_bad=True)
    silent(Path("bad.flac"))
    scores = Path("results/bad/trials/nonorm/scores-dev")
    assert main(["config.py", "-A"]) == 0
    with_bad = scores.read_text()
    assert "1 of its 2 recordings" in capsys.readouterr().err

    write_trials(enrol_bad=False)
    Path("bad.flac").unlink()
    soundfile.write("bad.flac", NOISE, RATE)
    assert main(["config.py"]) == 0

    assert with_bad.splitlines()[0] == scores.read_text().splitlines()[0]


@pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__)
def test_compare_names_it_in_one_line(here, make):
    make(Path("bad.flac"))

    arguments = ["compare", "good.flac", "bad.flac", "--model", "drn34.pth.tar"]
    result = run(*arguments)

    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    for word in ("bad.flac", *KINDS[make]):
        assert word in result.stderr


def test_compare_of_good_recordings_gives_the_cosine(here):
    soundfile.write("other.flac", NOISE[::-1], RATE)

    arguments = ["compare", "good.flac", "other.flac", "--model", "./drn34.pth.tar"]
    result = run(*arguments, "--json")

    report = json.loads(result.stdout)
    assert -1 <= report["score"] <= 1
    assert report["model"] == "dltresnet34-voxceleb1"
