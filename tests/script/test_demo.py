import json
from functools import partial

import commands
import numpy as np
import pytest
from recordings import record

from bob.learn.pytorch.architectures.campplus import campplus
from bob.learn.pytorch.models.council_meetings import _unpack
from bob.learn.pytorch.models.store import save_weights

pytestmark = pytest.mark.usefixtures("networks_are_kept")


@pytest.fixture(scope="module")
def weights(tmp_path_factory, golden_weights):
    path = tmp_path_factory.mktemp("weights") / "campplus.pt"
    save_weights(golden_weights.fill(campplus()), path)
    return path


@pytest.fixture
def recordings(tmp_path):
    noise = np.random.default_rng(0)
    for speaker in range(4):
        for name in ("a/1", "b/1", "b/2"):
            path = tmp_path / f"people/speaker {speaker}/{name}.flac"
            record(path, noise.normal(0, 0.1, 20_000))
    return tmp_path / "people"


@pytest.fixture(autouse=True)
def _here(weights, monkeypatch):
    variable = "BOB_LEARN_PYTORCH_EXTRACTOR_AUDIO_CAMPPLUS_MODELPATH"
    monkeypatch.setenv(variable, str(weights))


run = partial(commands.run, "demo")
refused = partial(commands.refused, "demo")
done = partial(commands.done, "demo")


def test_a_folder_of_ones_own_gives_error_rates_and_says_where_they_are(
    recordings, tmp_path
):
    output = done("--data", str(recordings))

    folder = tmp_path / "demo/results/people/session/nonorm"
    assert f"DET curves: {folder / 'det.png'}" in output
    assert "95 % interval" in output
    assert (folder / "det.png").exists()
    assert "speaker%200" in (folder / "scores-dev").read_text()


def test_the_configuration_can_be_run_again_and_computes_nothing(recordings, tmp_path):
    from bob.learn.pytorch.script.verify import main

    run("--data", str(recordings))
    folder = tmp_path / "demo/results/people/session/nonorm"
    before = (folder / "scores-dev").read_bytes()
    stored = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.hdf5")}

    assert main([str(tmp_path / "demo" / "people.py")]) == 0

    assert (folder / "scores-dev").read_bytes() == before
    assert {path: path.stat().st_mtime_ns for path in stored} == stored


def test_the_report_comes_as_json(recordings):
    result = run("--data", str(recordings), "--json")

    report = json.loads(result.stdout)
    assert report["dev"]["targets"] == 4
    assert report["eval"]["non_targets"] == 4


def test_a_bad_recording_is_listed_and_the_others_are_scored(recordings):
    (recordings / "speaker 0" / "b" / "1.flac").write_bytes(b"not audio")

    result = run("--data", str(recordings))

    assert result.exit_code == 0
    assert "speaker 0/b/1.flac" in result.stderr


def test_a_folder_without_recordings_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()

    assert "no recordings in" in refused("--data", str(tmp_path / "empty"), status=1)


def test_a_folder_that_cannot_be_written_is_named(recordings, tmp_path):
    (tmp_path / "file").touch()

    said = refused("--data", str(recordings), "--output", "file/demo", status=1)

    assert f"{tmp_path / 'file'}" in said
    assert "--output" in said


def test_only_recordings_are_taken_out_of_the_archive(tmp_path):
    import zipfile

    archive = tmp_path / "corpus.zip"
    with zipfile.ZipFile(archive, "w") as content:
        content.writestr("top/meeting/speaker/1-2.wav", b"one")
        content.writestr("__MACOSX/top/meeting/speaker/._1-2.wav", b"no")
        content.writestr("top/meeting/speaker/notes.txt", b"no")
        content.writestr("top/../../../outside.wav", b"no")

    _unpack(archive, tmp_path / "corpus")

    found = [path for path in (tmp_path / "corpus").rglob("*") if path.is_file()]
    assert found == [tmp_path / "corpus/meeting/speaker/1-2.wav"]
    assert not (tmp_path / "outside.wav").exists()


def test_a_configuration_that_was_changed_stays(recordings, tmp_path):
    run("--data", str(recordings))
    path = tmp_path / "demo" / "people.py"
    path.write_text(path.read_text() + "sub_directory = 'mine'\n")

    result = run("--data", str(recordings))

    assert "stays as it is" in result.output
    assert (tmp_path / "demo/results/mine/session/nonorm/scores-dev").exists()


def test_two_folders_of_one_name_have_a_configuration_each(recordings, tmp_path):
    run("--data", str(recordings))
    other = tmp_path / "elsewhere" / "people"
    other.parent.mkdir()
    recordings.rename(other)

    result = run("--data", str(other), "--json")

    assert result.exit_code == 0, result.output
    scores = json.loads(result.stdout)["dev"]["scores"]
    assert "results/people-" in scores
