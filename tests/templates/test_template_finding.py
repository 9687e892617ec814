"""A name or a path leads to a template, or to the nearest name."""

import json
import os
from pathlib import Path

import pytest

from bob.learn.pytorch.templates.format import template as module
from bob.learn.pytorch.templates.format.errors import InvalidTemplate, UnknownTemplate
from bob.learn.pytorch.templates.format.template import load, shipped


@pytest.fixture
def backbones(tmp_path, monkeypatch, smallest):
    """A folder in place of that of the shipped templates."""
    folder = tmp_path / "backbones"
    for name in ("speech/ecapa_tdnn", "speech/resemblyzer", "music/crepe"):
        path = folder / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(smallest))
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

    def test_a_file_is_found_and_named_by_its_stem(
        self, backbones, elsewhere, smallest
    ):
        Path("models").mkdir()
        path = Path("models/mine.v2.json")
        path.write_text(json.dumps(smallest))

        for given in (path, str(path), str(path.absolute()), f"./{path}"):
            assert load(given).name == "mine.v2"

    def test_a_file_with_a_folder_in_front_needs_no_suffix(
        self, backbones, elsewhere, smallest
    ):
        Path("mine").write_text(json.dumps(smallest))

        assert load("./mine").name == "mine"
        assert load(Path("mine")).name == "mine"
        with pytest.raises(UnknownTemplate, match=r"write \./mine"):
            load("mine")

    def test_the_working_directory_comes_before_the_shipped_ones(
        self, backbones, elsewhere, smallest
    ):
        path = Path("speech/ecapa_tdnn.json")
        path.parent.mkdir()
        path.write_text(json.dumps(smallest))

        assert load("speech/ecapa_tdnn.json").name == "ecapa_tdnn"

    def test_a_name_is_that_of_a_shipped_template_whatever_lies_here(
        self, backbones, elsewhere
    ):
        Path("speech/ecapa_tdnn").mkdir(parents=True)

        assert load("speech/ecapa_tdnn").name == "speech/ecapa_tdnn"

    def test_a_file_in_the_home_folder(self, elsewhere, monkeypatch, smallest):
        monkeypatch.setenv("HOME", str(elsewhere))
        (elsewhere / "mine.json").write_text(json.dumps(smallest))

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
        with pytest.raises(UnknownTemplate, match=f"the nearest (is|are) {near}"):
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

    def test_a_name_that_is_not_utf8_can_be_printed(
        self, backbones, elsewhere, smallest
    ):
        name = os.fsdecode(b"non-\xff.json")
        with pytest.raises(UnknownTemplate) as caught:
            load(name)
        str(caught.value).encode()

        Path(name).write_text(json.dumps(smallest))
        load(name).name.encode()

        Path(name).write_text("{")
        with pytest.raises(InvalidTemplate) as caught:
            load(name)
        str(caught.value).encode()
