"""`bob bio pipeline simple` with our entry points, on recordings made here."""

import csv
import importlib
import importlib.metadata
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bob.learn.pytorch.preprocessor.audio import DltResNetExtractor, ResNetExtractor

RATE = 16_000
SPEAKERS = {"anna": 110, "boris": 140, "clara": 190}
CONFIGURATIONS = ("dltresnet34-voxceleb1", "resnet34-voxceleb1", "campplus-zh-en")
BOB = Path(sys.executable).with_name("bob")


pytestmark = pytest.mark.usefixtures("bob_is_loaded")


def write_recordings(folder):
    """Four buzzing recordings a speaker, of 0.7 s and on."""
    random = np.random.default_rng(0)
    for speaker, pitch in SPEAKERS.items():
        (folder / speaker).mkdir(parents=True)
        for number in range(4):
            time = np.arange(RATE * (7 + number) // 10) / RATE
            buzz = np.sign(np.sin(2 * np.pi * pitch * time * (1 + 0.02 * number)))
            samples = 0.2 * buzz + 0.02 * random.standard_normal(len(time))
            soundfile.write(folder / speaker / f"{number}.flac", samples, RATE)


def write_protocol(folder):
    """Enrol with recordings 0 and 1, probe with 2 and 3."""
    group = folder / "small" / "dev"
    group.mkdir(parents=True)
    header = "path,key,subject_id,template_id\n"
    enrolment, probes = [header], [header]
    for speaker in SPEAKERS:
        for number in range(4):
            key = f"{speaker}/{number}"
            template = speaker if number < 2 else key.replace("/", "-")
            row = f"{key},{key},{speaker},{template}\n"
            (enrolment if number < 2 else probes).append(row)
    (group / "for_enrolling.csv").write_text("".join(enrolment))
    (group / "for_probing.csv").write_text("".join(probes))


def run_bob(folder, weights, *arguments):
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "BOB_LEARN_PYTORCH_EXTRACTOR_AUDIO_DRN_MODELPATH": str(weights),
        "BOB_LEARN_PYTORCH_EXTRACTOR_AUDIO_RN_MODELPATH": str(
            weights.with_name("rn34.pth.tar")
        ),
    }
    return subprocess.run(
        [sys.executable, str(BOB), "bio", "pipeline", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    folder = tmp_path_factory.mktemp("experiment")
    write_recordings(folder / "recordings")
    write_protocol(folder / "protocols")
    (folder / "database.py").write_text(
        "from bob.bio.base.database import CSVDatabase, FileSampleLoader\n"
        "database = CSVDatabase(\n"
        "    name='toy', protocol='small', dataset_protocols_path='protocols',\n"
        "    transformer=FileSampleLoader(str, 'recordings', '.flac'),\n"
        ")\n"
    )
    return folder


def scores_in(path):
    """{(template, probe): score}; nan where Bob has no score."""
    with path.open() as file:
        return {
            (row["bio_ref_template_id"], row["probe_template_id"]): float(row["score"])
            for row in csv.DictReader(file)
        }


@pytest.mark.slow
def test_the_scores_are_cosines_of_mean_embeddings(experiment, weights):
    ran = run_bob(
        experiment, weights, "simple", "-p", CONFIGURATIONS[0], "database.py", "-vv",
        "-o", "results",
    )  # fmt: skip

    assert ran.returncode == 0, ran.stderr
    scores = scores_in(experiment / "results" / "scores-dev.csv")
    extractor = DltResNetExtractor(weights)
    assert len(scores) == 3 * 6
    for (reference, probe), score in scores.items():
        embeddings = [
            extractor.embed(experiment / "recordings" / f"{key}.flac")
            for key in (f"{reference}/0", f"{reference}/1", probe.replace("-", "/"))
        ]
        mean, other = (embeddings[0] + embeddings[1]) / 2, embeddings[2]
        cosine = mean @ other / np.linalg.norm(mean) / np.linalg.norm(other)
        assert score == pytest.approx(cosine - 1, abs=1e-6)
    step = experiment / "results" / CONFIGURATIONS[0]
    assert len(list(step.rglob("*.h5"))) == 12


@pytest.mark.slow
def test_two_models_in_one_output_directory_do_not_mix(experiment, weights):
    """Bob's folder of references knows no model; both embeddings have 128 numbers."""
    import torch

    other = weights.with_name("rn34.pth.tar")
    network = ResNetExtractor(test=True).model.network()
    torch.save({"state_dict": network.state_dict()}, other)
    scores = {}
    for folder, name in (
        ("both", CONFIGURATIONS[0]),
        ("both", CONFIGURATIONS[1]),
        ("alone", CONFIGURATIONS[1]),
    ):
        ran = run_bob(
            experiment, weights, "simple", "-p", name, "database.py", "-o", folder
        )
        assert ran.returncode == 0, ran.stderr
        scores[folder] = scores_in(experiment / folder / "scores-dev.csv")

    assert scores["both"] == scores["alone"]


@pytest.mark.slow
def test_a_bad_recording_fails_alone_and_is_named(experiment, weights):
    bad = experiment / "recordings" / "clara" / "3.flac"
    bad.rename(bad.with_suffix(".away"))
    try:
        ran = run_bob(
            experiment, weights, "simple", "-p", CONFIGURATIONS[0], "database.py",
            "-o", "with-bad", "-m",
        )  # fmt: skip
    finally:
        bad.with_suffix(".away").rename(bad)

    assert ran.returncode == 0, ran.stderr
    scores = scores_in(experiment / "with-bad" / "scores-dev.csv")
    assert len(scores) == 18
    failed = {probe for (_, probe), score in scores.items() if np.isnan(score)}
    assert failed == {"clara-3"}
    assert ran.stderr.count("clara/3.flac: does not exist") == 1


@pytest.mark.slow
def test_transform_stores_every_embedding(experiment, weights):
    ran = run_bob(
        experiment, weights, "transform", "-t", CONFIGURATIONS[0], "-d", "database.py",
        "-c", "stored",
    )  # fmt: skip

    assert ran.returncode == 0, ran.stderr
    stored = experiment / "stored" / CONFIGURATIONS[0] / "anna" / "0.h5"
    extractor = DltResNetExtractor(weights)
    expected = extractor.embed(experiment / "recordings" / "anna" / "0.flac")
    # Another process, other threads, another batch: equal as is promised of those.
    np.testing.assert_allclose(extractor.read_data(stored), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_an_entry_point_gives_a_pipeline_without_loading_weights(monkeypatch, name):
    monkeypatch.setenv("BOB_LEARN_PYTORCH_OFFLINE", "1")
    for group, attribute in (
        ("bob.bio.pipeline", "biometric_algorithm"),
        ("bob.bio.transformer", "steps"),
    ):
        (entry,) = importlib.metadata.entry_points(group=group, name=name)

        loaded = entry.load()

        assert hasattr(loaded, attribute)
        transformer = getattr(loaded, "transformer", loaded)
        assert transformer.steps[-1][0] == name
        assert transformer.steps[-1][1].estimator._embedder is None


def test_each_recording_is_decoded_once(experiment, weights, monkeypatch):
    """bob.pipelines looks three times at the data of a sample."""
    from bob.bio.base.database import CSVDatabase, FileSampleLoader

    from bob.learn.pytorch.audio import files
    from bob.learn.pytorch.config.pipelines import make_pipeline

    decoded = []
    read = files.read
    monkeypatch.setattr(
        files,
        "read",
        lambda path, **options: decoded.append(path) or read(path, **options),
    )
    database = CSVDatabase(
        name="toy",
        protocol="small",
        dataset_protocols_path=str(experiment / "protocols"),
        transformer=FileSampleLoader(str, str(experiment / "recordings"), ".flac"),
    )

    pipeline = make_pipeline(DltResNetExtractor(weights))
    scores = pipeline([], database.references(), database.probes())

    assert len(scores) == 6
    assert len(decoded) == len(set(decoded)) == 12


def test_a_database_without_a_loader_is_read_by_its_paths(
    experiment, weights, monkeypatch
):
    """`path` alone, relative to where the command runs."""
    from bob.bio.base.database import CSVDatabase

    from bob.learn.pytorch.config.pipelines import make_transformer

    database = CSVDatabase(
        name="plain",
        protocol="small",
        dataset_protocols_path=str(experiment / "protocols"),
    )
    for recording in (experiment / "recordings").rglob("*.flac"):
        twin = recording.with_suffix("")
        if not twin.exists():
            twin.symlink_to(recording)
    monkeypatch.chdir(experiment / "recordings")

    transformer = make_transformer(DltResNetExtractor(weights))
    samples = transformer.transform(database.references())

    assert samples[0].samples[0].data.shape == (128,)


def test_samples_that_carry_their_rate_are_resampled(weights):
    """As those of bob.bio.spear: samples in the data, the rate beside it."""
    from bob.pipelines import DelayedSample, Sample

    from bob.learn.pytorch.config.pipelines import make_transformer

    rng = np.random.default_rng(0)
    noise = (rng.standard_normal(8000) * 3000).astype(np.float32)
    extractor = DltResNetExtractor(weights)
    transformer = make_transformer(extractor)

    plain, delayed = transformer.transform(
        [
            Sample(noise, rate=8000, key="a"),
            DelayedSample(
                lambda: noise, key="b", delayed_attributes={"rate": lambda: 8000}
            ),
        ]
    )

    expected = extractor.embed((8000, noise))
    np.testing.assert_allclose(plain.data, expected, rtol=0, atol=1e-6)
    np.testing.assert_allclose(delayed.data, expected, rtol=0, atol=1e-6)


def test_verify_finds_models_and_the_unchanged_extractor_by_name():
    for name in CONFIGURATIONS:
        (entry,) = importlib.metadata.entry_points(
            group="bob.bio.preprocessor", name=name
        )
        assert entry.load().model.name == name
    (entry,) = importlib.metadata.entry_points(
        group="bob.bio.extractor", name="unchanged"
    )
    assert entry.load()([1, 2]) == [1, 2]
