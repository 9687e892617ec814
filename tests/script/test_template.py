"""`bob pytorch template …`: what there is, what is wrong with it, what may run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from commands import refused, reported, run

from bob.learn.pytorch import settings
from bob.learn.pytorch.templates.format import template as templates
from bob.learn.pytorch.templates.format.template import load
from bob.learn.pytorch.templates.install import trust

pytestmark = pytest.mark.usefixtures("nothing_runs_untrusted")


@pytest.fixture
def one_environment():
    """An environment of speech/one on the disk."""
    folder = settings.templates_folder() / "environments" / f"{'ab' * 8}.123456"
    folder.mkdir(parents=True)
    (folder / "large").write_bytes(bytes(3_000_000))
    record = {
        "python": "3.11",
        "created": "2026-01-02T03:04:05+00:00",
        "lock_sha256": "1" * 64,
        "templates": ["speech/one"],
    }
    (folder / "environment.json").write_text(json.dumps(record))
    return folder


def test_shipped_templates_are_listed(template_backbones):
    verified = {"date": "2026-01-02", "results": [{"metric": "EER", "value": 3.0}]}
    template_backbones(one={"verified": verified}, other={"name": "Needs much"})

    shown = run("template", "list")
    listed = reported("template", "list")

    assert shown.exit_code == 0
    first, second = shown.stdout.splitlines()
    shown_words = " ".join(first.split())
    assert shown_words == "speech/one 4 numbers runs A model of nothing (EER 3)"
    assert "needs a hub" in second
    assert [entry["name"] for entry in listed] == ["speech/one", "speech/other"]
    assert listed[0]["trusted"] is True
    assert listed[0]["installed"] is False


def test_a_package_without_templates_lists_none(template_backbones):
    assert (run("template", "list").exit_code, run("template", "list").stdout) == (
        0,
        "",
    )


def test_all_that_are_really_shipped_are_listed():
    listed = reported("template", "list")

    assert [entry["name"] for entry in listed] == templates.shipped()


def test_showing_tells_what_would_run_and_runs_nothing(template_file, unless_run):
    path = template_file(**unless_run, requirements=["resemblyzer==0.1.4"])

    shown = run("template", "show", path)
    content = reported("template", "show", path)

    assert shown.exit_code == 0
    for line in (
        "title: A model of nothing",
        "licence: MIT",
        "embedding: 4 numbers",
        "trusted: no",
        "verified: never run by its writer",
        "resemblyzer==0.1.4",
        "raise SystemExit(9)",
    ):
        assert line in shown.stdout
    assert content["content"]["model_init"] == ["model = 1"]


def test_showing_tells_what_was_measured(template_file):
    result = {
        "corpus": "council",
        "trials": "all pairs",
        "metric": "EER",
        "value": 3.05,
        "unit": "%",
    }
    path = template_file(verified={"date": "2026-01-02", "results": [result]})

    assert (
        "verified: EER 3.05 % (council, all pairs)"
        in run("template", "show", path).stdout
    )


def test_a_result_may_leave_out_what_the_schema_lets_it_leave_out(template_file):
    results = [
        {"metric": "EER", "value": 3.05},
        {"metric": "n", "value": 1, "trials": 9},
    ]
    full = template_file(verified={"date": "2026-01-02", "results": results})
    shown = run("template", "show", full)
    short = run("template", "show", template_file(verified={"date": "2026-01-02"}))

    assert (shown.exit_code, short.exit_code) == (0, 0), shown.output
    assert "verified: EER 3.05; n 1 (9)\n" in shown.stdout
    assert "verified: run on 2026-01-02\n" in short.stdout


@pytest.mark.parametrize("command", ["show", "check", "trust", "install"])
def test_a_template_that_is_not_there_is_told_with_the_nearest(
    template_backbones, command
):
    template_backbones(resemblyzer={})

    result = run("template", command, "speech/resemblizer")

    assert result.exit_code != 0
    assert "the nearest is speech/resemblyzer" in result.output
    assert isinstance(result.exception, SystemExit)


@pytest.mark.parametrize("command", ["show", "check", "trust"])
def test_a_file_that_is_none_is_told_with_all_that_is_wrong(template_file, command):
    said = refused(
        "template", command, template_file(sample_rat=1, sample_rate="fast"), status=1
    )

    assert "$.sample_rate" in said
    assert "sample_rat" in said


def test_checking_a_good_file_runs_nothing(template_file, unless_run):
    result = run("template", "check", template_file(**unless_run))

    assert (result.exit_code, "ok    code: nothing is wrong" in result.stdout) == (
        0,
        True,
    )


def test_checking_finds_lines_that_are_no_python(template_file):
    path = template_file(embed_fwd=["import os os", "z = x"])

    result = run("template", "check", path)
    told = reported("template", "check", path, status=1)

    assert result.exit_code == 1
    assert "FAIL  code: embed_fwd[0] at `import os os`: no Python" in result.stdout
    assert told["template"] == "mine"
    assert told["findings"][0]["ok"] is False


def test_checking_by_running_asks_for_trust(
    template_file, templates_installed, unless_run
):
    assert "is not trusted" in refused(
        "template", "check", template_file(**unless_run), "--run", status=1
    )
    assert templates_installed == []


def test_checking_by_running_tells_each_trial(template_file, templates_installed):
    result = run("template", "check", template_file(), "--run", "--yes")

    assert result.exit_code == 0, result.output
    for line in (
        "ok    loads:",
        "ok    noise of 3 s: 4 numbers",
        "note  speed and memory:",
    ):
        assert line in result.stdout


def test_checking_by_running_fails_where_a_trial_does(
    template_file, templates_installed
):
    path = template_file(embed_fwd=["y = x[:, :3]"])

    result = run("template", "check", path, "--run", "--yes", "--json")

    assert result.exit_code == 1
    failed = [
        one for one in json.loads(result.stdout)["findings"] if one["ok"] is False
    ]
    assert "embedding_size" in failed[0]["detail"]


def test_a_new_template_is_a_valid_start():

    result = run("template", "new", "mine.json")

    assert result.exit_code == 0
    assert load("mine.json").name == "mine"
    assert "bob pytorch template check mine.json" in result.stdout


def test_a_new_template_overwrites_nothing_unless_told(template_file, template_content):
    path = template_file()

    refused = run("template", "new", path)
    kept = Path(path).read_text()
    done = run("template", "new", path, "--force")

    assert (refused.exit_code, json.loads(kept)) == (2, template_content)
    assert "--force overwrites it" in refused.output
    assert (done.exit_code, "//" in Path(path).read_text()) == (0, True)


@pytest.mark.parametrize("name", ["mine.txt", "/proc/nowhere/mine.json"])
def test_a_new_template_needs_a_place_and_a_suffix(name):

    assert name in refused("template", "new", name)


def test_trust_is_given_and_taken_back(template_file):
    path = template_file()

    given = run("template", "trust", path)
    trusted = trust.is_trusted(load(path))
    taken = run("template", "trust", path, "--revoke")

    assert (given.exit_code, trusted, taken.exit_code) == (0, True, 0)
    assert "y = x[:, :4]" in given.stdout
    assert "mine may run from now on" in given.stdout
    assert "mine may not run any more" in taken.stdout
    assert not trust.is_trusted(load(path))


def test_a_change_of_what_runs_takes_trust_away(template_file):
    run("template", "trust", template_file())

    assert not trust.is_trusted(load(template_file(embed_fwd=["y = x[:, :5]"])))
    assert trust.is_trusted(load(template_file(description="more words")))


def test_installing_asks_for_trust(template_file, templates_installed):
    path = template_file()

    refused = run("template", "install", path)
    done = run("template", "install", path, "--yes")

    assert (refused.exit_code, done.exit_code) == (1, 0)
    assert "is not trusted" in refused.output
    assert templates_installed == ["mine"]


def test_environments_are_listed_and_removed(one_environment):
    shown = run("template", "environments")
    listed = reported("template", "environments")
    removed = run("template", "remove", "speech/one")
    again = run("template", "remove", "speech/one")

    assert shown.stdout.split() == ["ab" * 8, "3", "MB", "Python", "3.11", "speech/one"]
    assert listed[0]["templates"] == ["speech/one"]
    assert removed.stdout == f"{'ab' * 8} of speech/one is removed\n"
    assert not one_environment.exists()
    assert (again.exit_code, "no environment is installed" in again.output) == (1, True)


def test_an_environment_is_removed_by_its_key(one_environment):
    assert run("template", "remove", "ab" * 8).exit_code == 0
    assert not one_environment.exists()


def test_no_environment_is_said_to_be_none():
    assert run("template", "environments").stdout == "no environment is installed\n"


def test_without_standard_input_nobody_is_asked(template_file):
    """As a service starts it: Python then has no sys.stdin at all."""
    program = (
        "import os, sys; os.close(0); os.close(2)\n"
        "os.execv(sys.executable, [sys.executable, '-c', "
        "'from bob.learn.pytorch.script.pytorch import pytorch; pytorch()', "
        f"'template', 'install', {template_file()!r}])"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], env=dict(os.environ), check=False
    )

    assert done.returncode == 1
