"""The manual: its examples run, as they stand on the pages."""

import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import soundfile
import torch
from commands import done
from score_files import scores_of_bob
from textbook import cosine

from bob.learn.pytorch import settings
from bob.learn.pytorch.architectures import campplus, dlt_resnet34, resnet34
from bob.learn.pytorch.models import catalogue
from bob.learn.pytorch.models.store import save_weights
from bob.learn.pytorch.preprocessor import audio
from bob.learn.pytorch.preprocessor.audio import TemplateExtractor
from bob.learn.pytorch.script.verify import main
from bob.learn.pytorch.store.store import EmbeddingStore
from bob.learn.pytorch.templates.format.template import shipped
from bob.learn.pytorch.templates.run import runner

EXAMPLES = Path(__file__).resolve().parents[1] / "doc" / "examples"

pytestmark = pytest.mark.usefixtures("networks_are_kept")

RATE = 16_000
PITCHES = {"anna": 110, "boris": 140, "clara": 190, "dora": 230}


@pytest.fixture(scope="module")
def weights(tmp_path_factory, golden_weights):
    """Weights by formula for the three networks of the catalogue."""
    folder = tmp_path_factory.mktemp("weights")
    for make in (campplus, dlt_resnet34, resnet34):
        network = golden_weights.fill(make())
        save_weights(network, folder / f"{make.__name__}.pth", prefix="module.")
    return folder


@pytest.fixture
def recordings(tmp_path, monkeypatch, weights):
    """An empty folder with `recordings/`: four speakers, two sessions, two takes."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for speaker, pitch in PITCHES.items():
        for session in ("friday", "monday"):
            Path("recordings", speaker, session).mkdir(parents=True)
        for take in ("friday/1", "friday/2", "monday/1", "monday/2"):
            time = np.arange(int(random.uniform(0.5, 0.6) * RATE)) / RATE
            buzz = np.sign(
                np.sin(2 * np.pi * pitch * random.uniform(0.95, 1.05) * time)
            )
            samples = 0.2 * buzz + 0.02 * random.standard_normal(len(time))
            soundfile.write(f"recordings/{speaker}/{take}.flac", samples, RATE)
    variable = settings.environment_variable(catalogue.find("campplus-zh-en").setting)
    monkeypatch.setenv(variable, str(weights / "campplus.pth"))
    return tmp_path / "recordings"


def example(name):
    return str(EXAMPLES / name)


def scores(folder, group="dev"):
    """{(claimed, probe): score} of a score file."""
    lines = Path(f"results/{folder}/nonorm/scores-{group}").read_text().splitlines()
    fields = [line.split() for line in lines]
    return {(claimed, probe): float(score) for claimed, _, probe, score in fields}


def stored(folder, key):
    """What the preprocessor has left of a recording."""
    with h5py.File(f"temp/{folder}/preprocessed/{key}.hdf5") as file:
        return np.ravel(file["array"])


def test_the_first_configuration(recordings, capsys):
    """One session enrols as the mean of its embeddings, the other one probes."""
    assert main([example("first.py")]) == 0

    assert "EER" in capsys.readouterr().out
    found = {**scores("first/session"), **scores("first/session", "eval")}
    assert len(found) == 2 * 2 * 4
    for (claimed, probe), score in found.items():
        takes = [stored("first", f"{claimed}/friday/{take}") for take in (1, 2)]
        expected = cosine(np.mean(takes, axis=0), stored("first", probe))
        assert score == pytest.approx(expected, abs=1e-6)


def test_the_guide_of_old(recordings, weights):
    """Word for word, and scored as the mean of the negative cosine distances."""
    Path("path/to/your").mkdir(parents=True)
    shutil.copy(weights / "dlt_resnet34.pth", "path/to/your/model.pth")

    assert main([example("guide.py"), example("guide_experiment.py")]) == 0

    found = scores("drn/session")
    assert len(found) == 2 * 4
    for (claimed, probe), score in found.items():
        takes = [stored("drn", f"{claimed}/friday/{take}") for take in (1, 2)]
        expected = np.mean([cosine(take, stored("drn", probe)) - 1 for take in takes])
        assert score == pytest.approx(expected, abs=1e-6)


def test_resnet_in_place_of_dltresnet(recordings, weights):
    Path("path/to").mkdir(parents=True)
    shutil.copy(weights / "resnet34.pth", "path/to/resnet.pth")
    guide = [example("guide.py"), example("guide_experiment.py")]

    assert main([*guide, example("resnet.py")]) == 0

    assert len(scores("rn/session")) == 2 * 4


def test_meetings_with_speakers_in_them(recordings):
    for path in recordings.rglob("*.flac"):
        speaker, meeting, take = path.parts[-3:]
        place = Path("meetings", meeting, speaker, take)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)

    assert main([example("first.py"), example("meetings.py")]) == 0

    found = scores("meetings/session")
    assert len(found) == 2 * 4
    assert all(probe.startswith("monday/") for _, probe in found)


def test_weights_of_your_own(recordings):
    Path("weights").mkdir()
    save_weights(resnet34(), "weights/mine.safetensors")

    assert main([example("first.py"), example("own_weights.py")]) == 0

    assert len(stored("own_weights", "anna/friday/1")) == 128


def tiny_weights(seed):
    random = torch.Generator().manual_seed(seed)
    shapes = {
        "first.weight": (64, 80, 5),
        "first.bias": (64,),
        "second.weight": (32, 64, 3),
        "second.bias": (32,),
    }
    Path("weights").mkdir(exist_ok=True)
    entries = {key: torch.randn(*at, generator=random) for key, at in shapes.items()}
    torch.save(entries, "weights/tiny.pth")


def test_a_network_of_your_own_is_run_anew_with_new_weights(recordings):
    samples, _ = soundfile.read("recordings/anna/monday/1.flac")
    two_channels = np.stack([samples, 0.5 * samples], axis=1)
    soundfile.write("recordings/anna/monday/1.flac", two_channels, RATE)
    tiny_weights(seed=0)
    assert main([example("first.py"), example("own_network.py")]) == 0
    first = scores("tiny/session")

    tiny_weights(seed=1)
    assert main([example("first.py"), example("own_network.py")]) == 0

    assert len(first) == 2 * 4
    assert np.isfinite(list(first.values())).all()
    assert all(scores("tiny/session")[trial] != first[trial] for trial in first)


def test_a_database_of_your_own(recordings):
    Path("calls").mkdir()
    rows = ["file,caller,call"]
    for path in sorted(recordings.rglob("*.flac")):
        speaker, take = path.parts[-3], f"{path.parent.name}-{path.stem}"
        shutil.copy(path, f"calls/{speaker}-{take}.flac")
        call = "first" if take == "friday-1" else "later"
        rows.append(f"{speaker}-{take}.flac,{speaker},{call}")
    Path("calls/calls.csv").write_text("\n".join(rows) + "\n")

    assert main([example("first.py"), example("own_database.py")]) == 0

    assert len(scores("calls/first_call")) == 4 * 12


def test_a_database_of_the_old_interface(recordings):
    assert main([example("first.py"), example("legacy_database.py")]) == 0

    assert set(scores("legacy_database/small")) == {
        (claimed, f"{speaker}/monday/1")
        for claimed in ("anna", "boris")
        for speaker in ("anna", "boris")
    }


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_file_lists_of_bob(recordings):
    Path("lists/small/dev").mkdir(parents=True)
    Path("lists/small/dev/for_models.lst").write_text(
        "anna/friday/1 anna anna\nboris/friday/1 boris boris\n"
    )
    Path("lists/small/dev/for_probes.lst").write_text(
        "anna/monday/1 anna\nboris/monday/1 boris\n"
    )

    assert main([example("first.py"), example("bob_lists.py")]) == 0

    assert len(scores("bob_lists/small")) == 4


def test_the_best_of_the_enrolment_recordings(recordings):
    assert main([example("first.py"), example("own_algorithm.py")]) == 0

    folder = "best_of_enrolment"
    for (claimed, probe), score in scores(f"{folder}/session").items():
        takes = [stored(folder, f"{claimed}/friday/{take}") for take in (1, 2)]
        expected = max(cosine(take, stored(folder, probe)) for take in takes)
        assert score == pytest.approx(expected, abs=1e-6)


def test_scores_normalised_and_calibrated(recordings, capsys):
    """A textbook's loop over a cohort of five, of which three count on each side."""
    random = np.random.default_rng(1)
    for speaker in range(5):
        place = Path("cohort", f"stranger{speaker}", "monday/1.flac")
        place.parent.mkdir(parents=True)
        time = np.arange(RATE // 2) / RATE
        buzz = np.sign(np.sin(2 * np.pi * (95 + 37 * speaker) * time))
        samples = 0.2 * buzz + 0.02 * random.standard_normal(len(time))
        soundfile.write(place, samples, RATE)
    configuration = [example("normalised.py")]

    assert main([*configuration, "--cohort-top", "3"]) == 0

    def z(raw, embedding):
        others = [
            cosine(embedding, stored("normalised", f"cohort/stranger{s}/monday/1"))
            for s in range(5)
        ]
        best = sorted(others)[-3:]
        return (raw - np.mean(best)) / np.std(best)

    lines = Path("results/normalised/session/ztnorm/scores-dev").read_text()
    assert len(lines.splitlines()) == 2 * 4
    for line in lines.splitlines():
        claimed, _, probe, score = line.split()
        takes = [stored("normalised", f"{claimed}/friday/{take}") for take in (1, 2)]
        reference, tested = np.mean(takes, axis=0), stored("normalised", probe)
        raw = cosine(reference, tested)
        expected = (z(raw, reference) + z(raw, tested)) / 2
        assert float(score) == pytest.approx(expected, rel=1e-4)
    output = capsys.readouterr().out
    assert "normalised by as-norm, top 3, cohort 5 speakers from cohort" in output
    assert "Cllr, bits" in output
    pair = ("recordings/anna/monday/1.flac", "recordings/boris/monday/1.flac")
    calibration = "results/normalised/session/nonorm/calibration.json"
    compared = done("compare", *pair, "--calibration", calibration)
    assert "likelihood ratio" in compared
    assert "decision: " in compared


@pytest.mark.usefixtures("lists_are_closed")
def test_a_written_protocol_with_a_configuration_for_both_tools(recordings):
    done("protocol", "recordings", "protocols")

    assert main(["protocols/bob_database.py", example("both_tools.py")]) == 0

    assert len(scores("both/session")) == 2 * 4


@pytest.mark.slow
@pytest.mark.usefixtures("lists_are_closed")
def test_both_tools_give_the_same_scores(recordings):
    done("protocol", "recordings", "protocols")
    configurations = ["protocols/bob_database.py", example("both_tools.py")]
    bob = [sys.executable, str(Path(sys.executable).with_name("bob"))]

    assert main(configurations) == 0
    command = [*bob, "bio", "pipeline", "simple", *configurations]
    subprocess.run(command, check=True)

    for group in ("dev", "eval"):
        theirs = scores_of_bob(f"results/bob/scores-{group}.csv", "subject")
        assert theirs == pytest.approx(scores("both/session", group), abs=1e-6)


def test_two_recordings_compared(recordings, capsys):
    runpy.run_path(example("compare_recordings.py"))

    score = float(capsys.readouterr().out.split()[1])
    pair = ("recordings/anna/monday/1.flac", "recordings/boris/monday/1.flac")
    assert f"score {score:.4f}" in done("compare", *pair)


def test_many_recordings_embedded(recordings, capsys):
    Path("recordings/anna/cut.flac").write_bytes(b"fLaC")

    runpy.run_path(example("embed_recordings.py"))

    output = capsys.readouterr().out
    assert "cut.flac was left out: it is not audio" in output
    assert EmbeddingStore.read("anna.h5").embeddings.shape == (4, 192)


def test_the_steps_in_python(recordings, capsys):
    runpy.run_path(example("face.py"))

    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["(192,)", "dev", "eval"]
    assert lines[3].startswith("EER ")
    score, ratio, same = lines[4].split()
    assert f"score {float(score):.4f}" in done(
        "compare", "recordings/anna/monday/1.flac", "recordings/anna/friday/1.flac"
    )
    assert (float(ratio) >= 1) is (same == "True")


def test_an_extractor_as_a_transformer(recordings, capsys):
    runpy.run_path(example("transformer.py"))

    assert "(2, 192)" in capsys.readouterr().out


@pytest.fixture
def this_python(environment, monkeypatch):
    """Templates run in processes of this Python: nothing is installed."""
    monkeypatch.setattr(runner, "install", lambda *_, **__: (environment, {}))


def test_an_experiment_with_a_template(recordings, this_python, monkeypatch):
    """ECAPA-TDNN would have to be installed, so the smallest takes its place."""
    asked = []

    def smallest(name):
        asked.append(name)
        return TemplateExtractor(example("smallest.json"), trusted=True)

    monkeypatch.setattr(audio, "TemplateExtractor", smallest)

    assert main([example("template.py")]) == 0

    assert set(asked) <= set(shipped())
    found = {**scores("ecapa/session"), **scores("ecapa/session", "eval")}
    assert len(found) == 2 * 2 * 4
    assert stored("ecapa", "anna/friday/1").shape == (201,)


def test_the_smallest_template_gives_mean_spectra(recordings, this_python):
    """Hann windows of 25 ms, every 10 ms, as NumPy computes them."""
    path = recordings / "anna" / "friday/1.flac"
    extractor = TemplateExtractor(example("smallest.json"), trusted=True)

    embedding = extractor.embed(path)

    samples, _ = soundfile.read(path, dtype="float32")
    starts = range(0, len(samples) - 399, 160)
    frames = [samples[i : i + 400] * np.hanning(400) for i in starts]
    expected = np.abs(np.fft.rfft(frames)).mean(axis=0)
    assert embedding == pytest.approx(expected, rel=1e-5)
