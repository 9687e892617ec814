"""`bob pytorch checkpoints` through its own command line, and Bob behind it."""

import importlib.util
import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import commands
import numpy as np
import pytest
import soundfile
from score_files import scores_of_bob

from bob.learn.pytorch import settings
from bob.learn.pytorch.experiment import checkpoints as library
from bob.learn.pytorch.models import catalogue
from bob.learn.pytorch.preprocessor.audio import DltResNetExtractor

pytestmark = pytest.mark.usefixtures("networks_are_kept")

RATE = 16_000
MODEL = "dltresnet34-voxceleb1"
SPEAKERS = {"anna": 110, "boris": 140, "clara": 190, "dora": 230}
BOB = [sys.executable, str(Path(sys.executable).with_name("bob"))]


run = partial(commands.run, "checkpoints")
reported = partial(commands.reported, "checkpoints")
refused = partial(commands.refused, "checkpoints")


@pytest.fixture
def protocols(monkeypatch, weights):
    """Protocols of four speakers who buzz in 12 recordings; the model by its name."""
    variable = settings.environment_variable(catalogue.find(MODEL).setting)
    monkeypatch.setenv(variable, str(weights))
    random = np.random.default_rng(0)
    for speaker, pitch in SPEAKERS.items():
        Path("recordings", speaker).mkdir(parents=True)
        for number in range(3):
            time = np.arange(RATE * (4 + number) // 10) / RATE
            buzz = np.sign(np.sin(2 * np.pi * pitch * time * (1 + 0.02 * number)))
            samples = 0.2 * buzz + 0.02 * random.standard_normal(len(time))
            soundfile.write(f"recordings/{speaker}/{number}.flac", samples, RATE)
    commands.done("protocol", "recordings", "protocols", "--enrol-count", "2")
    return Path("protocols")


def test_every_recording_has_the_embedding_that_the_extractor_gives(protocols, weights):
    first = run("protocols", "-o", "out", "--model", MODEL)
    again = run("protocols", "-o", "out", "--model", MODEL, "--json")

    assert first.exit_code == again.exit_code == 0, first.output + again.output
    assert f"12 of 12 recordings have a file in out/{MODEL}; 12 were" in first.output
    report = json.loads(again.stdout)
    assert (report["embeddings"], report["computed"], report["written"]) == (12, 0, 0)
    assert report["store"] == f"out/{MODEL}.h5"
    extractor = DltResNetExtractor(weights)
    for path in sorted(Path("recordings").rglob("*.flac"))[::4]:
        key = path.relative_to("recordings").with_suffix(".h5")
        stored = extractor.read_data(Path("out", MODEL, key))
        np.testing.assert_allclose(stored, extractor.embed(path), rtol=0, atol=1e-5)


def test_failures_are_reported_and_have_no_file(protocols):
    Path("recordings/clara/2.flac").write_bytes(b"fLaC")
    asked = ("protocols", "-o", "out", "--model", MODEL, "-g", "dev")

    text, allowed = run(*asked), run(*asked, "--allow-failures", "--json")

    assert (text.exit_code, allowed.exit_code) == (1, 0)
    assert "5 of 6 recordings have a file" in text.output
    assert "1 could not be used and have no file:" in text.output
    assert "clara/2: " in text.output
    failures = json.loads(allowed.stdout)["failures"]
    assert "recordings/clara/2.flac: " in failures["clara/2"]
    assert not Path("out", MODEL, "clara", "2.h5").exists()


def test_one_group_in_a_store_of_ones_own(protocols):
    asked = ("protocols", "-o", "out", "--model", MODEL, "--store", "all.h5", "--json")

    dev = json.loads(run(*asked, "-g", "dev").stdout)
    both = json.loads(run(*asked, "--group", "dev", "--groups", "eval").stdout)

    assert (dev["embeddings"], dev["store"]) == (6, "all.h5")
    assert (both["embeddings"], both["computed"]) == (12, 6)
    assert not Path("out", f"{MODEL}.h5").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nothing", "-o", "out"), "'nothing' is neither a folder of speakers"),
        (("recordings", "-o", "out", "--protocol", "x", "--model", MODEL), "'x'"),
        (("protocols", "-o", "out", "--model", "campplus"), "no trained model"),
    ],
)
def test_what_cannot_be_done_is_said_and_writes_nothing(protocols, arguments, says):
    assert says in refused(*arguments)
    assert not Path("out").exists()


def test_a_store_of_another_model_is_refused_with_the_way_out(protocols, checkpoint):
    assert run("protocols", "-o", "out", "--model", MODEL, "-g", "dev").exit_code == 0
    other = ("-o", "out", "--model", checkpoint("resnet34"), "-g", "dev")

    refused = run("protocols", *other, "--store", f"out/{MODEL}.h5")

    assert refused.exit_code == 1
    assert "Write to another store" in refused.stderr


def test_ctrl_c_ends_with_130(protocols, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(library, "fill", interrupted)

    result = run("protocols", "-o", "out", "--model", MODEL)

    assert result.exit_code == 130
    assert "the same command goes on from there" in result.stderr


def scores_in(folder):
    """{(reference, probe): score} of both groups."""
    scores = {}
    for group in ("dev", "eval"):
        scores |= scores_of_bob(Path(folder, f"scores-{group}.csv"))
    return scores


@pytest.mark.slow
def test_bob_scores_with_the_files_and_computes_none(protocols):
    """The recordings are gone when Bob runs, and its scores are those without us."""
    simple = [*BOB, "bio", "pipeline", "simple", "-p", MODEL, "-g", "dev", "-g", "eval"]
    database = str(protocols / "bob_database.py")
    subprocess.run([*simple, database, "-o", "alone"], check=True)
    command = [*BOB, "pytorch", "checkpoints", database, "-o", "beforehand"]
    subprocess.run([*command, "--model", MODEL, "--jobs", "2"], check=True)
    files = sorted(Path("beforehand", MODEL).rglob("*.h5"))
    before = [file.stat() for file in files]
    Path("recordings").rename("away")

    subprocess.run([*simple, database, "-o", "beforehand"], check=True)

    assert sorted(Path("beforehand", MODEL).rglob("*.h5")) == files
    assert len(files) == 12
    for then, file in zip(before, files, strict=True):
        now = file.stat()
        assert (now.st_mtime_ns, now.st_ino) == (then.st_mtime_ns, then.st_ino)
    alone = scores_in("alone")
    assert len(alone) == 2 * 2 * 2
    assert np.isfinite(list(alone.values())).all()
    assert scores_in("beforehand") == pytest.approx(alone, abs=1e-6)


@pytest.mark.slow
def test_a_reference_is_enrolled_again_when_its_recording_is_repaired(
    protocols, weights
):
    """Bob alone would go on with the reference of one recording."""
    from bob.bio.base.pipelines import execute_pipeline_simple

    from bob.learn.pytorch.config.pipelines import make_pipeline

    database = protocols / "bob_database.py"

    def bob(output):
        specification = importlib.util.spec_from_file_location("database", database)
        module = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(module)
        execute_pipeline_simple(
            make_pipeline(DltResNetExtractor(weights)), module.database,
            dask_client=None, groups=["dev", "eval"], output=output,
            write_metadata_scores=True, checkpoint=True, dask_n_partitions=None,
            dask_partition_size=None, dask_n_workers=None,
        )  # fmt: skip
        return scores_in(output)

    expected = bob("whole")
    broken = Path("recordings/anna/0.flac")
    sound = broken.read_bytes()
    broken.write_bytes(b"fLaC")
    asked = (database, "-o", "out", "--model", MODEL)
    assert run(*asked).exit_code == 1
    with_one_less = bob("out")
    broken.write_bytes(sound)

    repaired = reported(*asked)

    assert with_one_less != pytest.approx(expected, abs=1e-3, nan_ok=True)
    assert (repaired["computed"], repaired["written"]) == (1, 1)
    assert repaired["references_removed"] == 4
    assert bob("out") == pytest.approx(expected, abs=1e-6)
