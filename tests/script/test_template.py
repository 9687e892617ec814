"""`bob pytorch template …`, and templates as `--model` of other commands."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from bob.learn.pytorch import settings
from bob.learn.pytorch.script import extractors, verify
from bob.learn.pytorch.script.pytorch import pytorch
from bob.learn.pytorch.templates import checking, loading, trust
from bob.learn.pytorch.templates import template as templates
from bob.learn.pytorch.templates.template import load

RATE = 16_000
CONTENT = {
    "name": "A model of nothing",
    "authors": ["A"],
    "references": ["B, C 2020"],
    "downstream_tasks": [],
    "licence": "MIT",
    "import_cmds": ["import numpy as np"],
    "model_init": ["model = 1"],
    "embed_fwd": ["y = x[:, :4]"],
    "sample_rate": RATE,
    "in_shape": 2,
    "in_type": "numpy",
    "embedding_size": 4,
}
FAILS = {"import_cmds": ["open('/tmp/never-by-a-test', 'x')", "raise SystemExit(9)"]}


def run(*words, typed=""):
    return CliRunner().invoke(pytorch, [str(word) for word in words], input=typed)


@pytest.fixture(autouse=True)
def nothing_ran():
    """What runs of a template that must not run leaves a trace."""
    trace = Path("/tmp/never-by-a-test")  # noqa: S108
    yield
    assert not trace.exists()


@pytest.fixture
def file(tmp_path, monkeypatch):
    """`file(**keys)`: a template in the working directory."""
    monkeypatch.chdir(tmp_path)

    def write(name="mine.json", **keys):
        Path(name).write_text(json.dumps({**CONTENT, **keys}))
        return name

    return write


@pytest.fixture
def backbones(tmp_path, monkeypatch):
    """`backbones(**entries)`: templates in place of the shipped ones."""
    folder = tmp_path / "backbones"
    monkeypatch.setattr(templates, "BACKBONES", folder)
    folder.mkdir()

    def write(**entries):
        for name, keys in entries.items():
            path = folder / "speech" / f"{name}.json"
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps({**CONTENT, **keys}))
        trust.write_shipped_hashes()

    return write


@pytest.fixture
def installed(environment, monkeypatch):
    """Every template is installed already, in the environment of the tests."""
    asked = []

    def install(template, *, trusted=False, progress=False):
        if not trusted:
            trust.require(template)
        asked.append(template.name)
        return environment, {}

    monkeypatch.setattr(loading, "install", install)
    monkeypatch.setattr(checking, "install", install)
    return asked


@pytest.fixture
def terminal(monkeypatch):
    """Somebody is there who can be asked."""
    stream = SimpleNamespace(isatty=lambda: True)
    fake = SimpleNamespace(stdin=stream, stderr=stream)
    monkeypatch.setattr(extractors, "sys", fake)


@pytest.fixture
def recordings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    noise = 0.1 * np.random.default_rng(5).standard_normal((2, RATE))
    soundfile.write("a.wav", noise[0], RATE)
    soundfile.write("b.wav", noise[1], RATE)
    return "a.wav", "b.wav"


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


def test_shipped_templates_are_listed(backbones):
    verified = {"date": "2026-01-02", "results": [{"metric": "EER", "value": 3.0}]}
    backbones(one={"verified": verified}, other={"name": "Needs much"})

    shown = run("template", "list")
    listed = json.loads(run("template", "list", "--json").stdout)

    assert shown.exit_code == 0
    first, second = shown.stdout.splitlines()
    shown_words = " ".join(first.split())
    assert shown_words == "speech/one 4 numbers runs A model of nothing (EER 3)"
    assert "needs a hub" in second
    assert [entry["name"] for entry in listed] == ["speech/one", "speech/other"]
    assert listed[0]["trusted"] is True
    assert listed[0]["installed"] is False


def test_a_package_without_templates_lists_none(backbones):
    assert (run("template", "list").exit_code, run("template", "list").stdout) == (
        0,
        "",
    )


def test_all_that_are_really_shipped_are_listed():
    listed = json.loads(run("template", "list", "--json").stdout)

    assert [entry["name"] for entry in listed] == templates.shipped()


def test_showing_tells_what_would_run_and_runs_nothing(file):
    path = file(**FAILS, requirements=["resemblyzer==0.1.4"])

    shown = run("template", "show", path)
    content = json.loads(run("template", "show", path, "--json").stdout)

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


def test_showing_tells_what_was_measured(file):
    result = {
        "corpus": "council",
        "trials": "all pairs",
        "metric": "EER",
        "value": 3.05,
        "unit": "%",
    }
    path = file(verified={"date": "2026-01-02", "results": [result]})

    assert (
        "verified: EER 3.05 % (council, all pairs)"
        in run("template", "show", path).stdout
    )


def test_a_result_may_leave_out_what_the_schema_lets_it_leave_out(file):
    results = [
        {"metric": "EER", "value": 3.05},
        {"metric": "n", "value": 1, "trials": 9},
    ]
    full = file(verified={"date": "2026-01-02", "results": results})
    shown = run("template", "show", full)
    short = run("template", "show", file(verified={"date": "2026-01-02"}))

    assert (shown.exit_code, short.exit_code) == (0, 0), shown.output
    assert "verified: EER 3.05; n 1 (9)\n" in shown.stdout
    assert "verified: run on 2026-01-02\n" in short.stdout


@pytest.mark.parametrize("command", ["show", "check", "trust", "install"])
def test_a_template_that_is_not_there_is_told_with_the_nearest(backbones, command):
    backbones(resemblyzer={})

    result = run("template", command, "speech/resemblizer")

    assert result.exit_code != 0
    assert "the nearest are speech/resemblyzer" in result.output
    assert isinstance(result.exception, SystemExit)


@pytest.mark.parametrize("command", ["show", "check", "trust"])
def test_a_file_that_is_none_is_told_with_all_that_is_wrong(file, command):
    result = run("template", command, file(sample_rat=1, sample_rate="fast"))

    assert result.exit_code == 1
    assert "$.sample_rate" in result.output
    assert "sample_rat" in result.output


def test_checking_a_good_file_runs_nothing(file):
    result = run("template", "check", file(**FAILS))

    assert (result.exit_code, "ok    code: nothing is wrong" in result.stdout) == (
        0,
        True,
    )


def test_checking_finds_lines_that_are_no_python(file):
    path = file(embed_fwd=["import os os", "z = x"])

    result = run("template", "check", path)
    told = json.loads(run("template", "check", path, "--json").stdout)

    assert result.exit_code == 1
    assert "FAIL  code: embed_fwd[0] at `import os os`: no Python" in result.stdout
    assert told["template"] == "mine"
    assert told["findings"][0]["ok"] is False


def test_checking_by_running_asks_for_trust(file, installed):
    result = run("template", "check", file(**FAILS), "--run")

    assert result.exit_code == 1
    assert "is not trusted" in result.output
    assert installed == []


def test_checking_by_running_tells_each_trial(file, installed):
    result = run("template", "check", file(), "--run", "--yes")

    assert result.exit_code == 0, result.output
    for line in (
        "ok    loads:",
        "ok    noise of 3 s: 4 numbers",
        "note  speed and memory:",
    ):
        assert line in result.stdout


def test_checking_by_running_fails_where_a_trial_does(file, installed):
    path = file(embed_fwd=["y = x[:, :3]"])

    result = run("template", "check", path, "--run", "--yes", "--json")

    assert result.exit_code == 1
    failed = [
        one for one in json.loads(result.stdout)["findings"] if one["ok"] is False
    ]
    assert "embedding_size" in failed[0]["detail"]


def test_a_new_template_is_a_valid_start(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    result = run("template", "new", "mine.json")

    assert result.exit_code == 0
    assert load("mine.json").name == "mine"
    assert "bob pytorch template check mine.json" in result.stdout


def test_a_new_template_overwrites_nothing_unless_told(file):
    path = file()

    refused = run("template", "new", path)
    kept = Path(path).read_text()
    done = run("template", "new", path, "--force")

    assert (refused.exit_code, json.loads(kept)) == (2, CONTENT)
    assert "--force overwrites it" in refused.output
    assert (done.exit_code, "//" in Path(path).read_text()) == (0, True)


@pytest.mark.parametrize("name", ["mine.txt", "/proc/nowhere/mine.json"])
def test_a_new_template_needs_a_place_and_a_suffix(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)

    result = run("template", "new", name)

    assert result.exit_code in (1, 2)
    assert name in result.output
    assert isinstance(result.exception, SystemExit)


def test_trust_is_given_and_taken_back(file):
    path = file()

    given = run("template", "trust", path)
    trusted = trust.is_trusted(load(path))
    taken = run("template", "trust", path, "--revoke")

    assert (given.exit_code, trusted, taken.exit_code) == (0, True, 0)
    assert "y = x[:, :4]" in given.stdout
    assert "mine may run from now on" in given.stdout
    assert "mine may not run any more" in taken.stdout
    assert not trust.is_trusted(load(path))


def test_a_change_of_what_runs_takes_trust_away(file):
    run("template", "trust", file())

    assert not trust.is_trusted(load(file(embed_fwd=["y = x[:, :5]"])))
    assert trust.is_trusted(load(file(description="more words")))


def test_installing_asks_for_trust(file, installed):
    path = file()

    refused = run("template", "install", path)
    done = run("template", "install", path, "--yes")

    assert (refused.exit_code, done.exit_code) == (1, 0)
    assert "is not trusted" in refused.output
    assert installed == ["mine"]


def test_environments_are_listed_and_removed(one_environment):
    shown = run("template", "environments")
    listed = json.loads(run("template", "environments", "--json").stdout)
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
    assert run("template", "environments").stdout == "none is installed\n"


def test_recordings_are_embedded_by_a_template(file, recordings, installed):
    path = file()
    words = ("embed", *recordings, "-o", "made.h5", "--model", path)

    refused = run(*words)
    done = run(*words, "--yes", "--jobs", "1")
    again = run(*words, "--yes", "--jobs", "1")

    assert (refused.exit_code, "is not trusted" in refused.output) == (1, True)
    assert done.exit_code == 0, done.output
    assert "2 of 2 recordings are in made.h5" in done.stdout
    assert "a process of its own" in done.stdout
    assert "computed now" not in again.stdout
    assert Path("made.h5").stat().st_size
    with h5py.File("made.h5") as store:
        assert len(store)


def test_a_changed_template_does_not_mix_with_what_is_stored(
    file, recordings, installed
):
    words = ("embed", *recordings, "-o", "made.h5", "--yes", "--jobs", "1", "--model")
    run(*words, file())

    result = run(*words, file(embed_fwd=["y = x[:, 1:5]"]))

    assert result.exit_code == 1
    assert "made.h5" in result.output
    assert isinstance(result.exception, SystemExit)


def test_a_recording_that_kills_the_model_is_named(file, recordings, installed):
    lines = ["import os", "x.shape[1] < 9000 and os._exit(3)", "y = x[:, :4]"]
    soundfile.write("bad.wav", soundfile.read("a.wav")[0][:8000], RATE)
    words = ("embed", "a.wav", "bad.wav", "b.wav", "-o", "made.npz", "--jobs", "1")

    result = run(*words, "--model", file(embed_fwd=lines), "--yes")

    assert result.exit_code == 1
    assert "2 of 3 recordings are in made.npz" in result.stdout
    assert "bad.wav: cannot be embedded: template mine, embed_fwd[1]" in result.stdout
    assert "exit status 3" in result.stdout


def test_a_template_that_cannot_be_loaded_is_a_plain_error(file, recordings, installed):
    path = file(model_init=["model = nothing"])

    result = run(
        "embed", "a.wav", "-o", "a.h5", "--model", path, "--yes", "--jobs", "1"
    )

    assert result.exit_code == 1
    assert (
        "template mine, model_init[0] at `model = nothing`: NameError" in result.output
    )
    assert isinstance(result.exception, SystemExit)


@pytest.mark.parametrize("answer", ["y", "n", ""])
def test_somebody_who_is_there_is_asked(file, recordings, installed, terminal, answer):
    path = file()
    words = ("embed", "a.wav", "-o", "made.h5", "--jobs", "1", "--model", path)

    result = run(*words, typed=f"{answer}\n" if answer else "")

    assert "y = x[:, :4]" in result.stderr
    assert "May this run, now and from now on?" in result.stderr
    assert (result.exit_code == 0) == (answer == "y")
    assert trust.is_trusted(load(path)) == (answer == "y")
    assert Path("made.h5").exists() == (answer == "y")


def test_nobody_is_asked_of_what_is_shipped(recordings, installed, backbones):
    backbones(one={})

    result = run("embed", "a.wav", "-o", "a.h5", "--jobs", "1", "--model", "speech/one")

    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--precision", "bfloat16"),
        ("--engine", "onnxruntime"),
        ("--chunks", "10"),
        ("--memory", "100"),
    ],
)
def test_options_of_our_networks_are_refused(file, recordings, option, value):
    words = ("embed", "a.wav", "-o", "a.h5", "--yes", "--model", file())

    result = run(*words, option, value)

    assert result.exit_code == 2
    assert "a template decides this itself" in result.output
    assert option in result.output


def test_verify_py_tells_what_is_not_trusted_without_a_traceback(
    file, tmp_path, capsys
):
    random = np.random.default_rng(0)
    for name in ("a/1.wav", "a/2.wav", "b/1.wav", "b/2.wav"):
        path = tmp_path / "corpus" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.1 * random.standard_normal(RATE), RATE)
    Path("experiment.py").write_text(
        "from bob.learn.pytorch.extractor import CallableExtractor\n"
        "from bob.learn.pytorch.preprocessor.audio import TemplateExtractor\n"
        "database, algorithm, sub_directory = 'corpus', 'cosine', 'mine'\n"
        f"preprocessor = TemplateExtractor({file(**FAILS)!r})\n"
        "extractor = CallableExtractor(lambda x: x)\n"
    )

    assert verify.main(["experiment.py"]) == 1

    said = capsys.readouterr().err
    assert "verify.py: template mine is not trusted" in said
    assert "bob pytorch template trust" in said


def test_without_standard_input_nobody_is_asked(file):
    """As a service starts it: Python then has no sys.stdin at all."""
    program = (
        "import os, sys; os.close(0); os.close(2)\n"
        "os.execv(sys.executable, [sys.executable, '-c', "
        "'from bob.learn.pytorch.script.pytorch import pytorch; pytorch()', "
        f"'template', 'install', {file()!r}])"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], env=dict(os.environ), check=False
    )

    assert done.returncode == 1
