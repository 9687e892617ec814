"""What a template says, and files that are none."""

import errno
import json
import os
import pickle
import re
from pathlib import Path

import pytest

from bob.learn.pytorch.templates.format.errors import InvalidTemplate
from bob.learn.pytorch.templates.format.static import static_problems, static_warnings
from bob.learn.pytorch.templates.format.template import Limits, load, shipped

DIGITS = "0123456789abcdef" * 4


class TestValues:
    def test_what_is_not_said_has_a_default(self, made):
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

    def test_what_is_said_counts(self, made):
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
    def test_the_layout_follows_the_number_of_axes(self, axes, layout, made):
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
    def test_licences_are_shown_in_one_line(self, given, shown, made):
        assert made(licence=given).licence == shown

    def test_weights_have_a_file_name_and_a_list_of_addresses(self, made):
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

    def test_comments_are_gone_and_defaults_are_not_in_the_content(
        self, smallest, made
    ):
        template = made(**{"// a": 1, "limits": {"// b": 2, "seconds": 3}})

        assert template.content == {**smallest, "limits": {"seconds": 3}}

    def test_it_survives_pickling(self, made):
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
    def test_what_changes_no_embedding_does_not_count(self, changes, made):
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
    def test_everything_else_counts(self, changes, made):
        assert made(**changes).sha256 != made().sha256

    def test_the_order_of_keys_and_the_spaces_between_do_not_count(
        self, written, smallest, made
    ):
        backwards = dict(reversed(smallest.items()))

        template = load(written(json.dumps(backwards, indent=7)))

        assert template.sha256 == made().sha256
        assert re.fullmatch("[0-9a-f]{64}", template.sha256)


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
    def test_what_is_no_template_is_refused_with_its_name(
        self, written, raw, message, refusal
    ):
        assert message in refusal(written(raw))

    @pytest.mark.parametrize("depth", [50, 300, 700, 950, 2000])
    def test_a_deep_file_is_refused_whatever_its_depth(self, written, depth, refusal):
        refusal(written('{"model_init": ' + "[" * depth + "]" * depth + "}"))
        refusal(written('{"licence":' * depth + "1" + "}" * depth))

    def test_a_key_that_is_there_twice_is_told_with_its_path(
        self, written, smallest, refusal
    ):
        text = json.dumps({**smallest, "limits": {"seconds": 1}})
        text = text.replace('"seconds": 1', '"seconds": 1, "seconds": 1')
        text = text.replace("{", '{"in_shape": 1, ', 1)

        lines = refusal(written(text)).splitlines()

        assert "for 2 reasons" in lines[0]
        assert lines[1].startswith("  $.in_shape: the key 'in_shape' is there more")
        assert lines[2].startswith("  $.limits.seconds: the key 'seconds' is there")

    def test_comments_may_share_a_key(self, written, smallest):
        text = json.dumps(smallest).replace("{", '{"//": "a", "//": {"b": 1}, ', 1)

        assert load(written(text)).content == smallest

    def test_everything_that_is_wrong_is_told(self, written, smallest, refusal):
        path = written(json.dumps({**smallest, "sample_rate": 0, "pooling": "meen"}))

        lines = refusal(path).splitlines()

        assert "for 2 reasons" in lines[0]
        assert lines[1].startswith("  $.sample_rate: got the number 0")
        assert lines[2].startswith("  $.pooling: got the text 'meen'")

    def test_a_folder_and_a_pipe_are_no_files(self, tmp_path, refusal):
        folder, pipe = tmp_path / "a.json", tmp_path / "b.json"
        folder.mkdir()
        os.mkfifo(pipe)

        assert "it is a folder" in refusal(folder)
        assert "it is no regular file" in refusal(pipe)

    def test_a_file_that_may_not_be_read(self, written, monkeypatch, refusal):
        path = written("{}")

        def refuse(self):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

        monkeypatch.setattr(Path, "read_bytes", refuse)

        assert "it cannot be read (Permission denied)" in refusal(path)

    def test_a_name_that_no_file_can_have(self):
        with pytest.raises(InvalidTemplate, match="name too long"):
            load("a" * 5000 + ".json")

    def test_a_huge_file_is_not_read(self, written, refusal):
        path = written("")
        os.truncate(path, 10**10)

        assert "more than 10 MB" in refusal(path)


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_template_is_valid(name):
    template = load(name)

    assert template.name == name
    assert static_problems(template) == []
    assert static_warnings(template) == []
