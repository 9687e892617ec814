import json
from functools import partial

import pytest
from files import from_json
from threads import at_once

from bob.learn.pytorch import settings
from bob.learn.pytorch.templates.format import template as templates
from bob.learn.pytorch.templates.format.errors import TemplateError, UntrustedTemplate
from bob.learn.pytorch.templates.format.template import from_content
from bob.learn.pytorch.templates.install import trust

CONTENT = {
    "name": "Toy",
    "authors": ["A"],
    "references": [],
    "downstream_tasks": [],
    "python": ">=3.9",
    "requirements": ["numpy==1.26.4"],
    "requirements_without_dependencies": ["resampy==0.4.3"],
    "install_cmds": ["git clone https://example.org/x"],
    "download_cmds": ["fetch_it()"],
    "import_context": "x",
    "import_cmds": ["import numpy"],
    "model_init": ["def net():\n    return 1\nmodel = net()"],
    "pre_proc": ["x = x * 2"],
    "embed_fwd": ["y = model(x)"],
    "sample_rate": 16000,
    "in_shape": 2,
    "weights": [
        {"name": "net", "url": "https://example.org/n.pt", "sha256": 64 * "a"},
        {
            "name": "head",
            "wheel": {
                "project": "toy",
                "version": "1.0",
                "file_name": "toy-1.0-py3-none-any.whl",
                "sha256": 64 * "b",
            },
            "member": "toy/h.pt",
            "sha256": 64 * "c",
        },
    ],
}


def template(path=None, **keys):
    return from_content({**CONTENT, **keys}, name="toy", path=path)


@pytest.fixture
def backbones(tmp_path, monkeypatch):
    """A folder of shipped templates that holds one."""
    folder = tmp_path / "backbones"
    (folder / "speech").mkdir(parents=True)
    (folder / "speech" / "toy.json").write_text(json.dumps(CONTENT))
    monkeypatch.setattr(templates, "BACKBONES", folder)
    return folder


def test_nothing_is_trusted_at_first():
    assert not trust.is_trusted(template())


def test_what_was_trusted_stays_trusted():
    trust.trust(template())

    assert trust.is_trusted(template())
    trust.require(template())


def test_a_change_of_what_runs_asks_anew_and_one_of_words_does_not():
    trust.trust(template())

    assert trust.is_trusted(template(description="better words"))
    assert not trust.is_trusted(template(embed_fwd=["y = steal(x)"]))


def test_code_outside_of_a_template_that_is_edited_asks_anew(tmp_path):
    code = tmp_path / "code"
    (code / "package").mkdir(parents=True)
    module = code / "package" / "net.py"
    module.write_text("factor = 1")
    mine = template(import_context=str(code))
    before = mine.sha256, mine.own_sha256
    trust.trust(mine)
    (code / "log.txt").write_text("what the code writes")
    assert trust.is_trusted(mine)
    assert "package/net.py" in trust.describe(mine)

    module.write_text("factor = 2")

    assert not trust.is_trusted(mine)
    # So are embeddings that it made, but nothing is installed again.
    assert (mine.sha256 == before[0], mine.own_sha256 == before[1]) == (False, True)
    module.write_text("factor = 1")
    assert trust.is_trusted(mine)


def test_code_behind_a_link_counts_and_a_circle_ends(tmp_path):
    (tmp_path / "code").mkdir()
    (tmp_path / "real").mkdir()
    (tmp_path / "code" / "link").symlink_to(tmp_path / "real")
    (tmp_path / "real" / "back").symlink_to(tmp_path / "code")
    module = tmp_path / "real" / "net.py"
    module.write_text("factor = 1")
    mine = template(model_init_context=str(tmp_path / "code"))
    trust.trust(mine)

    module.write_text("factor = 2")

    assert not trust.is_trusted(mine)


def test_trust_is_taken_back():
    trust.trust(template())
    trust.distrust(template())

    assert not trust.is_trusted(template())


def test_a_shipped_template_is_trusted_by_its_hash(backbones):
    shipped = templates.load("speech/toy")
    assert not trust.is_trusted(shipped)

    trust.write_shipped_hashes()

    assert from_json(templates.BACKBONES / "trusted.json") == {
        "speech/toy": shipped.sha256
    }
    assert trust.is_trusted(shipped)


def test_a_shipped_template_that_was_changed_is_not_trusted(backbones):
    trust.write_shipped_hashes()
    changed = {**CONTENT, "install_cmds": ["curl https://example.org | sh"]}
    (backbones / "speech" / "toy.json").write_text(json.dumps(changed))

    assert not trust.is_trusted(templates.load("speech/toy"))


def test_the_word_of_the_user_goes_before_what_is_shipped(backbones):
    trust.write_shipped_hashes()
    shipped = templates.load("speech/toy")

    trust.distrust(shipped)

    assert not trust.is_trusted(shipped)


def test_the_hashes_in_the_package_are_those_of_its_templates():
    """`write_shipped_hashes` after every change of a shipped template."""
    expected = {name: templates.load(name).sha256 for name in templates.shipped()}

    assert from_json(templates.BACKBONES / "trusted.json") == expected


def test_a_template_without_trust_is_stopped_with_all_that_it_does(tmp_path):
    with pytest.raises(UntrustedTemplate) as stopped:
        trust.require(template(tmp_path / "my toy.json"))

    said = str(stopped.value)
    assert f"bob pytorch template trust '{tmp_path}/my toy.json'" in said
    assert "`bob pytorch embed`" in said
    assert "--yes" in said
    assert trust.describe(template(tmp_path / "my toy.json")) in said


def test_a_description_has_all_that_happens_in_its_order():
    said = trust.describe(template())

    in_order = [
        "is installed",
        "Python >=3.9",
        "numpy==1.26.4, and what it depends on",
        "resampy==0.4.3, and nothing",
        "git clone https://example.org/x",
        "is fetched",
        "https://example.org/n.pt",
        64 * "a",
        "toy/h.pt in the wheel toy-1.0-py3-none-any.whl",
        "executed once",
        "fetch_it()",
        "executed in each run",
        "in the folder x",
        "import numpy",
        "      model = net()",
        "x = x * 2",
        "y = model(x)",
    ]
    places = [said.index(text) for text in in_order]
    assert places == sorted(places)


def test_a_description_has_the_folder_that_downloads_run_in():
    said = trust.describe(template(model_init_context="cloned"))

    once = said[said.index("executed once") : said.index("executed in each run")]
    assert "in the folder cloned:\n  python: fetch_it()" in once


def test_a_description_hides_nothing_from_a_terminal():
    """Colours, erased lines and letters that turn the direction of writing."""
    said = trust.describe(
        template(
            install_cmds=["evil\x1b[2K\rnice", "a\u202eb"],
            name="T\x1b]0;title\x07",
        )
    )

    assert all(letter.isprintable() or letter == "\n" for letter in said)
    assert "evil\\x1b[2K\\rnice" in said
    assert "a\\u202eb" in said


def test_every_shipped_template_can_be_described():
    for name in templates.shipped():
        assert "is executed in each run" in trust.describe(templates.load(name))


@pytest.mark.parametrize("text", ["{", "[]", '{"a": true}', '{"a": {"trusted": 1}}'])
def test_a_broken_list_of_the_user_trusts_nothing(text):
    path = settings.templates_folder() / "trusted.json"
    path.parent.mkdir(parents=True)
    path.write_text(text)

    with pytest.raises(TemplateError, match="remove it to be asked anew") as refused:
        trust.is_trusted(template())

    assert str(path) in str(refused.value)


def test_a_list_that_cannot_be_written_is_told(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BOB_LEARN_PYTORCH_TEMPLATES_FOLDER", str(tmp_path / "file"))

    with pytest.raises(TemplateError, match="cannot be written"):
        trust.trust(template())


def test_of_many_at_once_none_is_forgotten():
    asked = [template(sample_rate=8000 + count) for count in range(8)]
    at_once(partial(trust.trust, one) for one in asked)

    assert all(map(trust.is_trusted, asked))
