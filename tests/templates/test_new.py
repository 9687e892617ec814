import json

import pytest

from bob.learn.pytorch.templates.format.schema import problems, without_comments
from bob.learn.pytorch.templates.format.static import static_problems, static_warnings
from bob.learn.pytorch.templates.format.template import (
    commented_start,
    from_content,
    load,
)


def test_the_start_is_a_valid_template_without_a_warning(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text(commented_start("Mine"), encoding="utf-8")

    template = load(path)

    assert (template.name, template.title) == ("mine", "Mine")
    assert template.verified is None
    assert static_problems(template) == static_warnings(template) == []


@pytest.mark.parametrize("name", ['"', "\\", "ein Modell für Sprache", "@torch@", ""])
def test_any_name_is_kept(name):
    content = json.loads(commented_start(name))

    assert content["name"] == (name or "untitled")
    assert problems(content) == []


def test_it_has_a_comment_for_what_is_commented_out():
    content = json.loads(commented_start("mine"))
    comments = {key for key in content if key.startswith("//")}

    assert {"// about weights", "// weights", "// install_cmds"} <= comments
    assert len(comments) > 8


def test_what_is_commented_out_is_valid_but_for_the_hash():
    content = json.loads(commented_start("mine"))
    content["weights"] = content.pop("// weights")
    content["install_cmds"] = content.pop("// install_cmds")

    assert [problem.path for problem in problems(content)] == ["$.weights[0].sha256"]


def test_the_code_runs_as_it_is():
    torch = pytest.importorskip("torch")
    template = from_content(without_comments(json.loads(commented_start("mine"))))
    names = {"x": torch.zeros(2, 1, int(16_000 * template.minimum_duration))}

    for stage in ("import_cmds", "model_init", "pre_proc", "embed_fwd"):
        exec("\n".join(getattr(template, stage)), names)

    assert names["y"].shape[:2] == (2, template.embedding_size // 2)
