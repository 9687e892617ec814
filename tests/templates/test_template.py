import errno
import json
import os
import pickle
import re
from pathlib import Path

import pytest

from bob.learn.pytorch.templates import template as module
from bob.learn.pytorch.templates.errors import InvalidTemplate, UnknownTemplate
from bob.learn.pytorch.templates.static import static_problems, static_warnings
from bob.learn.pytorch.templates.template import Limits, from_content, load, shipped

SMALLEST = {
    "authors": ["Jane Doe"],
    "references": [],
    "downstream_tasks": ["audio_classification"],
    "model_init": ["model = abs"],
    "sample_rate": 16000,
    "in_shape": 2,
    "embed_fwd": ["y = model(x)"],
}
DIGITS = "0123456789abcdef" * 4


@pytest.fixture
def backbones(tmp_path, monkeypatch):
    """A folder in place of that of the shipped templates."""
    folder = tmp_path / "backbones"
    for name in ("speech/ecapa_tdnn", "speech/resemblyzer", "music/crepe"):
        path = folder / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(SMALLEST))
    (folder / "trusted.json").write_text("{}")
    monkeypatch.setattr(module, "BACKBONES", folder)
    return folder


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """The working directory, which is no folder of templates."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def written(tmp_path):
    """`written(raw)`: the path of a file with that text, or those bytes."""

    def write(raw):
        path = tmp_path / "mine.json"
        path.write_bytes(raw.encode() if isinstance(raw, str) else raw)
        return path

    return write


def made(**changes):
    return from_content({**SMALLEST, **changes}, name="mine")


def refusal(path):
    with pytest.raises(InvalidTemplate) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path} is no valid template")
    return str(caught.value)


class TestValues:
    def test_what_is_not_said_has_a_default(self):
        template = made()

        assert template.title == "mine"
        assert template.in_layout == "batch_samples"
        assert (template.in_channels, template.in_type) == (1, "torch")
        assert (template.out_layout, template.pooling) == ("vector", "none")
        assert (template.output, template.embedding_size) == (None, None)
        assert (template.minimum_duration, template.maximum_duration) == (0.0, None)
        assert (template.padding, template.batching) == ("zeros", "one")
        assert template.limits == Limits(600.0, 120.0, 8192, 3600.0)
        assert (template.python, template.licence) == ("", "not stated")
        assert (template.import_cmds, template.pre_proc) == ((), ())
        assert (template.weights, template.verified) == ((), None)
        assert template.import_context == ""
        assert template.path is None

    def test_what_is_said_counts(self):
        template = made(
            name="A model",
            in_shape=3,
            out_layout="features_frames",
            pooling="mean+std",
            output=-1,
            embedding_size=4,
            minimum_duration=1,
            maximum_duration=2,
            limits={"seconds": 5, "//": ""},
            import_cmds=["import a", "import b"],
            verified={"date": "2026-01-01"},
        )

        assert template.title == "A model"
        assert template.in_layout == "batch_channels_samples"
        assert (template.out_layout, template.pooling) == (
            "features_frames",
            "mean+std",
        )
        assert (template.output, template.embedding_size) == (-1, 4)
        assert (template.minimum_duration, template.maximum_duration) == (1.0, 2.0)
        assert template.limits == Limits(seconds=5)
        assert template.import_cmds == ("import a", "import b")
        assert template.verified == {"date": "2026-01-01"}

    @pytest.mark.parametrize(
        ("axes", "layout"),
        [(1, "samples"), (2, "batch_samples"), (3, "batch_channels_samples")],
    )
    def test_the_layout_follows_the_number_of_axes(self, axes, layout):
        assert made(in_shape=axes).in_layout == layout

    @pytest.mark.parametrize(
        ("given", "shown"),
        [
            ("MIT", "MIT"),
            ({"code": "MIT"}, "code MIT"),
            (
                {"weights": "CC", "code": "MIT", "notes": "see its LICENSE"},
                "code MIT; weights CC; see its LICENSE",
            ),
            ({}, "not stated"),
        ],
    )
    def test_licences_are_shown_in_one_line(self, given, shown):
        assert made(licence=given).licence == shown

    def test_weights_have_a_file_name_and_a_list_of_addresses(self):
        template = made(
            weights=[
                {"name": "a", "sha256": None, "url": "https://a.org/b/c%20d.pt?e=f"},
                {
                    "name": "b",
                    "sha256": DIGITS,
                    "url": ["https://a.org/x", "https://b.org/y"],
                    "file_name": "z.pt",
                },
                {
                    "name": "c",
                    "sha256": DIGITS,
                    "member": "d/e.onnx",
                    "wheel": {
                        "project": "f",
                        "version": "1",
                        "file_name": "f-1-py3-none-any.whl",
                        "sha256": DIGITS,
                    },
                },
            ]
        )

        names = [weights["file_name"] for weights in template.weights]
        assert names == ["c d.pt", "z.pt", "e.onnx"]
        assert template.weights[0]["url"] == ["https://a.org/b/c%20d.pt?e=f"]
        assert template.weights[1]["url"] == ["https://a.org/x", "https://b.org/y"]
        assert "file_name" not in template.content["weights"][0]

    def test_comments_are_gone_and_defaults_are_not_in_the_content(self):
        template = made(**{"// a": 1, "limits": {"// b": 2, "seconds": 3}})

        assert template.content == {**SMALLEST, "limits": {"seconds": 3}}

    def test_it_survives_pickling(self):
        copy = pickle.loads(pickle.dumps(made()))  # noqa: S301

        assert copy.sha256 == made().sha256


class TestHash:
    @pytest.mark.parametrize(
        "changes",
        [
            {"authors": ["other"]},
            {"references": ["other"]},
            {"downstream_tasks": []},
            {"name": "other"},
            {"description": "other"},
            {"licence": "other"},
            {"trained_on": "other"},
            {"verified": None},
            {"$schema": "other"},
            {"// other": "other"},
            {"limits": {"seconds": 1}},
        ],
        ids=lambda changes: next(iter(changes)),
    )
    def test_what_changes_no_embedding_does_not_count(self, changes):
        assert made(**changes).sha256 == made().sha256

    @pytest.mark.parametrize(
        "changes",
        [
            {"model_init": ["model = max"]},
            {"embed_fwd": ["y = model(x) "]},
            {"import_cmds": []},
            {"install_cmds": ["true"]},
            {"download_cmds": ["pass"]},
            {"requirements": ["numpy==1.26.4"]},
            {"weights": [{"name": "a", "sha256": DIGITS, "url": "https://a.org/b"}]},
            {"sample_rate": 8000},
            {"in_shape": 1},
            {"minimum_duration": 1},
            {"embedding_size": 3},
            {"python": ">=3.9"},
        ],
        ids=lambda changes: next(iter(changes)),
    )
    def test_everything_else_counts(self, changes):
        assert made(**changes).sha256 != made().sha256

    def test_the_order_of_keys_and_the_spaces_between_do_not_count(self, written):
        backwards = dict(reversed(SMALLEST.items()))

        template = load(written(json.dumps(backwards, indent=7)))

        assert template.sha256 == made().sha256
        assert re.fullmatch("[0-9a-f]{64}", template.sha256)


class TestFinding:
    def test_shipped_templates_are_listed_by_name_without_being_read(self, backbones):
        (backbones / "speech" / "broken.json").write_text("{")

        assert shipped() == [
            "music/crepe",
            "speech/broken",
            "speech/ecapa_tdnn",
            "speech/resemblyzer",
        ]

    @pytest.mark.parametrize(
        "given",
        ["speech/ecapa_tdnn", "speech/ecapa_tdnn.json", Path("speech/ecapa_tdnn.json")],
    )
    def test_a_shipped_template_is_found(self, backbones, elsewhere, given):
        template = load(given)

        assert template.name == "speech/ecapa_tdnn"
        assert template.path == backbones / "speech" / "ecapa_tdnn.json"

    def test_a_file_is_found_and_named_by_its_stem(self, backbones, elsewhere):
        Path("models").mkdir()
        path = Path("models/mine.v2.json")
        path.write_text(json.dumps(SMALLEST))

        for given in (path, str(path), str(path.absolute()), f"./{path}"):
            assert load(given).name == "mine.v2"

    def test_a_file_with_a_folder_in_front_needs_no_suffix(self, backbones, elsewhere):
        Path("mine").write_text(json.dumps(SMALLEST))

        assert load("./mine").name == "mine"
        assert load(Path("mine")).name == "mine"
        with pytest.raises(UnknownTemplate, match=r"write \./mine"):
            load("mine")

    def test_the_working_directory_comes_before_the_shipped_ones(
        self, backbones, elsewhere
    ):
        path = Path("speech/ecapa_tdnn.json")
        path.parent.mkdir()
        path.write_text(json.dumps(SMALLEST))

        assert load("speech/ecapa_tdnn.json").name == "ecapa_tdnn"

    def test_a_name_is_that_of_a_shipped_template_whatever_lies_here(
        self, backbones, elsewhere
    ):
        Path("speech/ecapa_tdnn").mkdir(parents=True)

        assert load("speech/ecapa_tdnn").name == "speech/ecapa_tdnn"

    def test_a_file_in_the_home_folder(self, elsewhere, monkeypatch):
        monkeypatch.setenv("HOME", str(elsewhere))
        (elsewhere / "mine.json").write_text(json.dumps(SMALLEST))

        assert load("~/mine.json").path == elsewhere / "mine.json"

    @pytest.mark.parametrize(
        ("wanted", "near"),
        [
            ("ecapa", "speech/ecapa_tdnn"),
            ("speech/ecapa", "speech/ecapa_tdnn"),
            ("Resemblizer", "speech/resemblyzer"),
            ("music/ecapa_tdnn", "speech/ecapa_tdnn"),
            ("speech/resemblizer.json", "speech/resemblyzer"),
        ],
    )
    def test_an_unknown_name_is_answered_with_the_nearest(
        self, backbones, elsewhere, wanted, near
    ):
        with pytest.raises(UnknownTemplate, match=f"the nearest are {near}"):
            load(wanted)

    @pytest.mark.parametrize("wanted", ["", "§", ".", "speech/", "a\0b", "-"])
    def test_a_name_like_no_other_is_answered_with_the_command_that_lists(
        self, backbones, elsewhere, wanted
    ):
        with pytest.raises(UnknownTemplate, match="bob pytorch template list"):
            load(wanted)

    def test_a_file_that_is_not_there_is_told_with_where_it_was_looked_for(
        self, backbones, elsewhere
    ):
        with pytest.raises(UnknownTemplate) as caught:
            load("a/mine.json")

        assert str(elsewhere / "a" / "mine.json") in str(caught.value)
        assert str(backbones / "a" / "mine.json") in str(caught.value)

    def test_a_name_that_is_not_utf8_can_be_printed(self, backbones, elsewhere):
        name = os.fsdecode(b"non-\xff.json")
        with pytest.raises(UnknownTemplate) as caught:
            load(name)
        str(caught.value).encode()

        Path(name).write_text(json.dumps(SMALLEST))
        load(name).name.encode()

        Path(name).write_text("{")
        with pytest.raises(InvalidTemplate) as caught:
            load(name)
        str(caught.value).encode()


class TestReading:
    @pytest.mark.parametrize(
        ("raw", "message"),
        [
            ("", "it is empty"),
            (" \n", "it is empty"),
            ("model", "line 1, column 1: no JSON: Expecting value: model"),
            ("{", "line 1, column 2: no JSON"),
            ('{"a": 1,\n "b": 2,}', "line 2, column 9"),
            ('{"a": 1,\n "b": 2,}', "no comma before the end"),
            ('{"a": [1, ]}', "no comma before the end"),
            ("{'a': 1}", "JSON has double quotes"),
            ('{\n// why\n"a": 1}', "a comment is a key that begins with //"),
            ('{\n"a": 1 # why\n}', "a comment is a key that begins with //"),
            ('{"a": 1} {"b": 2}', "Extra data"),
            ('{"a": "b\nc"}', "line 1, column 9"),
            ('{"a": "\\x"}', "Invalid \\escape"),
            ("[]", "$: got an empty list; expected one object"),
            ("null", "$: got null; expected one object"),
            ('{"a": NaN}', "NaN is no number of JSON"),
            ('{"a": -Infinity}', "-Infinity is no number of JSON"),
            ('{"a": 1e999}', "the number 1e999 is too large"),
            ('{"a": ' + "9" * 5000 + "}", "4300"),
            ('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested too deep"),
            (b'\xef\xbb\xbf{"a": 1}', "byte order mark"),
            ("{}".encode("utf-16"), "byte order mark"),
            (b'{\n"a": "\xe9"}', "byte 0xe9 in line 2 is no UTF-8"),
            (b"\x80\x02}q\x00.", "byte 0x80 in line 1 is no UTF-8"),
        ],
    )
    def test_what_is_no_template_is_refused_with_its_name(self, written, raw, message):
        assert message in refusal(written(raw))

    @pytest.mark.parametrize("depth", [50, 300, 700, 950, 2000])
    def test_a_deep_file_is_refused_whatever_its_depth(self, written, depth):
        refusal(written('{"model_init": ' + "[" * depth + "]" * depth + "}"))
        refusal(written('{"licence":' * depth + "1" + "}" * depth))

    def test_a_key_that_is_there_twice_is_told_with_its_path(self, written):
        text = json.dumps({**SMALLEST, "limits": {"seconds": 1}})
        text = text.replace('"seconds": 1', '"seconds": 1, "seconds": 1')
        text = text.replace("{", '{"in_shape": 1, ', 1)

        lines = refusal(written(text)).splitlines()

        assert "for 2 reasons" in lines[0]
        assert lines[1].startswith("  $.in_shape: the key 'in_shape' is there more")
        assert lines[2].startswith("  $.limits.seconds: the key 'seconds' is there")

    def test_comments_may_share_a_key(self, written):
        text = json.dumps(SMALLEST).replace("{", '{"//": "a", "//": {"b": 1}, ', 1)

        assert load(written(text)).content == SMALLEST

    def test_everything_that_is_wrong_is_told(self, written):
        path = written(json.dumps({**SMALLEST, "sample_rate": 0, "pooling": "meen"}))

        lines = refusal(path).splitlines()

        assert "for 2 reasons" in lines[0]
        assert lines[1].startswith("  $.sample_rate: got the number 0")
        assert lines[2].startswith("  $.pooling: got the text 'meen'")

    def test_a_folder_and_a_pipe_are_no_files(self, tmp_path):
        folder, pipe = tmp_path / "a.json", tmp_path / "b.json"
        folder.mkdir()
        os.mkfifo(pipe)

        assert "it is a folder" in refusal(folder)
        assert "it is no regular file" in refusal(pipe)

    def test_a_file_that_may_not_be_read(self, written, monkeypatch):
        path = written("{}")

        def refuse(self):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

        monkeypatch.setattr(Path, "read_bytes", refuse)

        assert "it cannot be read (Permission denied)" in refusal(path)

    def test_a_name_that_no_file_can_have(self):
        with pytest.raises(InvalidTemplate, match="name too long"):
            load("a" * 5000 + ".json")

    def test_a_huge_file_is_not_read(self, written):
        path = written("")
        os.truncate(path, 10**10)

        assert "more than 10 MB" in refusal(path)


class TestStatic:
    @pytest.mark.parametrize(
        ("changes", "problem"),
        [
            (
                {"model_init": ["model = ("]},
                "model_init[0] at `model = (`: no Python: ",
            ),
            (
                {"model_init": ["a = 1", "import import", "model = a"]},
                "model_init[1] at `import import`: no Python: invalid syntax",
            ),
            ({"pre_proc": ["x = x", "x == = 2"]}, "pre_proc[1] at `x == = 2`: "),
            ({"download_cmds": ["!ls"]}, "download_cmds[0] at `!ls`: no Python"),
            ({"import_cmds": ["import os os"]}, "import_cmds[0] at `import os os`"),
            ({"embed_fwd": ["y = 1\n  y = 2"]}, "unexpected indent (line 2"),
            ({"embed_fwd": ["y = x; return y"]}, "'return' outside function"),
            ({"model_init": ["net = 1"]}, "model_init: no line assigns `model`"),
            ({"model_init": ["model == 1"]}, "model_init: no line assigns `model`"),
            ({"embed_fwd": ["z = x"]}, "embed_fwd: no line assigns `y`"),
            (
                {"embed_fwd": ["def f():", "    y = 1"]},
                "embed_fwd: no line assigns `y`",
            ),
            (
                {"model_init": ["model = open(weights['encoder'])"]},
                "model_init[0] at `model = open(weights['encoder'])`: "
                "weights['encoder'] is not in the list; allowed here: nothing",
            ),
        ],
    )
    def test_what_cannot_work_is_told_with_its_place(self, changes, problem):
        (found,) = static_problems(made(**changes))

        assert problem in found

    def test_misspelt_weights_are_answered_with_the_nearest(self):
        template = made(
            model_init=["model = open(weights['encode'])"],
            weights=[{"name": "encoder", "sha256": DIGITS, "url": "https://a.org/b"}],
        )

        assert "the nearest is 'encoder'" in static_problems(template)[0]

    def test_weights_that_nothing_uses_are_a_warning(self):
        template = made(
            weights=[{"name": "encoder", "sha256": DIGITS, "url": "https://a.org/b"}]
        )

        assert static_warnings(template) == ["weights: nothing uses 'encoder'"]

    @pytest.mark.parametrize(
        "line",
        [
            "model = 1",
            "model: int = 1",
            "import torch as model",
            "from torch import nn as model",
            "(model := 1)",
            "def model(x): return x",
            "class model: pass",
            "for model in [1]: pass",
            "with open('a') as model: pass",
            "a, (model, *b) = 1, (2, 3)",
            "def f():\n    global model\n    model = 1\nf()",
            "if True:\n    model = 1",
            "from models import *",
            "exec('model = 1')",
        ],
    )
    def test_any_way_to_assign_is_one(self, line):
        template = made(model_init=[line])

        assert static_problems(template) == []

    def test_a_model_may_be_imported(self):
        template = made(import_cmds=["from m import model"], model_init=["model.a()"])

        assert static_problems(template) == []

    def test_a_block_may_be_one_item_or_several(self):
        lines = ["def f(a):", "    b = a", "    return b", "model = f"]

        for given in (lines, ["\n".join(lines)], ["\n".join(lines[:3]), lines[3]]):
            template = made(model_init=given)

            assert static_problems(template) == static_warnings(template) == []

    def test_lines_for_the_shell_are_no_problem_where_they_may_be(self):
        template = made(import_cmds=["!ls -l", "$ ls", "cd somewhere", "import os"])

        assert static_problems(template) == static_warnings(template) == []

    def test_names_that_nothing_defines_are_a_warning(self):
        template = made(
            import_cmds=["import numpy as np"],
            download_cmds=["cache = np.zeros(1)"],
            model_init=["model = [torch.nn for _ in range(3)]"],
            pre_proc=["x = (lambda a: a + shift)(x)"],
            embed_fwd=["y = model(x, cache, device, later)", "later = 1"],
        )

        assert static_problems(template) == []
        assert static_warnings(template) == [
            "model_init[0] at `model = [torch.nn for _ in range(3)]`: nothing defines "
            "'torch'",
            "pre_proc[0] at `x = (lambda a: a + shift)(x)`: nothing defines 'shift'",
            "embed_fwd[0] at `y = model(x, cache, device, later)`: nothing defines "
            "'cache'",
        ]

    def test_x_is_not_there_before_pre_proc(self):
        (warning,) = static_warnings(made(model_init=["model = x"]))

        assert "nothing defines 'x'" in warning

    def test_after_an_import_with_a_star_no_name_is_unknown(self):
        template = made(import_cmds=["from torch import *"], embed_fwd=["y = relu(x)"])

        assert static_warnings(template) == []

    def test_names_inside_functions_classes_and_comprehensions_are_their_own(self):
        template = made(
            model_init=[
                "class Net:\n"
                "    size = 3\n"
                "    def __call__(self, a, *b, **c):\n"
                "        try:\n"
                "            return [d + self.size for d in a if d]\n"
                "        except ValueError as error:\n"
                "            raise error\n"
                "model = Net()"
            ]
        )

        assert static_problems(template) == static_warnings(template) == []

    def test_fetching_at_each_start_is_a_warning(self):
        (warning,) = static_warnings(made(import_cmds=["!pip install torch"]))

        assert warning.startswith("import_cmds[0] at `pip install torch`")
        assert "install_cmds" in warning

    @pytest.mark.parametrize("folder", ["/opt/model", "../model", "a/../../b"])
    def test_a_folder_outside_is_a_warning(self, folder):
        (warning,) = static_warnings(made(import_context=folder))

        assert warning.startswith(f"import_context: '{folder}' lies outside")

    def test_a_long_line_is_not_shown_whole(self):
        (found,) = static_problems(made(model_init=["model = (" + "1, " * 1000]))

        assert len(found) < 200

    def test_nothing_is_run(self, tmp_path):
        line = f"open({str(tmp_path / 'ran')!r}, 'w')"
        template = made(
            import_cmds=[f"!touch {tmp_path / 'ran'}", line],
            model_init=[line, "model = 1"],
            embed_fwd=[line, "y = 1"],
        )

        static_problems(template)
        static_warnings(template)

        assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_template_is_valid(name):
    template = load(name)

    assert template.name == name
    assert static_problems(template) == []
    assert static_warnings(template) == []
