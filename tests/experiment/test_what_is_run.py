"""Only files that end in .py are run, whatever else is called a configuration."""

import json
from pathlib import Path

import pytest

from bob.learn.pytorch.architectures.campplus import campplus
from bob.learn.pytorch.experiment.configuration import (
    ConfigurationError,
    resolve,
    run_files,
)
from bob.learn.pytorch.experiment.run import _extractor_at
from bob.learn.pytorch.models.store import save_weights
from bob.learn.pytorch.preprocessor.audio import EmbeddingExtractor, TemplateExtractor
from bob.learn.pytorch.script.verify import main

PROGRAM = """
open('PWNED', 'w').close()
database = preprocessor = extractor = algorithm = cohort = 1
"""
NAMES = ["x.pt", "x.safetensors", "x.json", "x", "x.PY"]
DOORS = {
    "preprocessor": "-p {} -e unchanged -d recordings -a cosine -s s",
    "extractor": "-p campplus-zh-en -e {} -d recordings -a cosine -s s",
    "algorithm": "-p campplus-zh-en -e unchanged -d recordings -a {} -s s",
    "database": "-p campplus-zh-en -e unchanged -d {} -a cosine -s s",
    "cohort": "-p campplus-zh-en -e unchanged -d recordings -a cosine -s s "
    "--score-normalisation s-norm --cohort {}",
    "configuration": "{} -p campplus-zh-en -e unchanged -d recordings -a cosine -s s",
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for speaker in "abcd":
        for take in ("m1-1", "m2-1"):
            path = tmp_path / "recordings" / speaker / f"{take}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    return tmp_path


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("door", DOORS)
def test_a_file_that_is_no_python_is_named_and_not_run(door, name, folder, capfd):
    for given in (name, f"./{name}"):
        (folder / name).write_text(PROGRAM)

        status = main(DOORS[door].format(given).split())

        assert status == 1
        assert name in capfd.readouterr().err
        assert not Path("PWNED").exists()


def test_a_python_file_is_run_as_before(folder):
    (folder / "x.py").write_text(PROGRAM)

    assert resolve("extractor", "./x.py") == 1
    assert run_files(["x.py"])["algorithm"] == 1
    assert Path("PWNED").exists()


def test_a_name_is_that_of_an_entry_point_though_a_file_is_called_so(folder):
    Path("unchanged").write_text(PROGRAM)
    Path("campplus-zh-en").mkdir()

    assert callable(resolve("extractor", "unchanged"))
    assert resolve("preprocessor", "campplus-zh-en").model.name == "campplus-zh-en"
    assert not Path("PWNED").exists()


def test_weights_and_templates_are_models_by_their_path(folder, golden_weights):
    save_weights(golden_weights.fill(campplus()), folder / "own.pt")
    content = {
        "name": "A",
        "authors": ["A"],
        "references": ["B"],
        "downstream_tasks": [],
        "licence": "MIT",
        "import_cmds": [],
        "model_init": ["model = 1"],
        "embed_fwd": ["y = x"],
        "sample_rate": 16_000,
        "in_shape": 2,
        "in_type": "numpy",
        "embedding_size": 4,
    }
    Path("own.json").write_text(json.dumps(content))

    weights = resolve("preprocessor", "./own.pt", opened=_extractor_at)
    template = resolve("preprocessor", "own.json", opened=_extractor_at)

    assert isinstance(weights, EmbeddingExtractor)
    assert weights.model.name == "campplus-zh-en"
    assert isinstance(template, TemplateExtractor)
    assert not template.trusted


@pytest.mark.parametrize("text", ["./absent.pt", "models/absent.py", "absent.py"])
def test_a_path_that_is_not_there_is_looked_for_and_nothing_else(text, folder):
    with pytest.raises(ConfigurationError) as caught:
        resolve("preprocessor", text)

    assert str(Path(text).absolute()) in str(caught.value)
