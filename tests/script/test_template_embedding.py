"""Templates as `--model` of other commands."""

from pathlib import Path
from types import SimpleNamespace

import h5py
import pytest
from commands import done, refused, run
from recordings import noise, record

from bob.learn.pytorch.script import extractors, verify
from bob.learn.pytorch.templates.format.template import load
from bob.learn.pytorch.templates.install import trust

pytestmark = pytest.mark.usefixtures("nothing_runs_untrusted")


@pytest.fixture
def recordings():
    return record("a.wav", noise()), record("b.wav", noise(seed=6))


@pytest.fixture
def terminal(monkeypatch):
    """Somebody is there who can be asked."""
    stream = SimpleNamespace(isatty=lambda: True)
    fake = SimpleNamespace(stdin=stream, stderr=stream)
    monkeypatch.setattr(extractors, "sys", fake)


def test_recordings_are_embedded_by_a_template(
    template_file, recordings, templates_installed
):
    path = template_file()
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
    template_file, recordings, templates_installed
):
    words = ("embed", *recordings, "-o", "made.h5", "--yes", "--jobs", "1", "--model")
    run(*words, template_file())

    assert "made.h5" in refused(
        *words, template_file(embed_fwd=["y = x[:, 1:5]"]), status=1
    )


def test_a_recording_that_kills_the_model_is_named(
    template_file, recordings, templates_installed
):
    lines = ["import os", "x.shape[1] < 9000 and os._exit(3)", "y = x[:, :4]"]
    record("bad.wav", noise(0.5))
    words = ("embed", "a.wav", "bad.wav", "b.wav", "-o", "made.npz", "--jobs", "1")

    result = run(*words, "--model", template_file(embed_fwd=lines), "--yes")

    assert result.exit_code == 1
    assert "2 of 3 recordings are in made.npz" in result.stdout
    assert "bad.wav: cannot be embedded: template mine, embed_fwd[1]" in result.stdout
    assert "exit status 3" in result.stdout


def test_a_template_that_answers_zeros_has_no_embeddings_and_no_score(
    template_file, recordings, templates_installed
):
    model = ("--model", template_file(embed_fwd=["y = 0 * x[:, :4]"]), "--yes")

    embedded = run("embed", *recordings, "-o", "made.h5", "--jobs", "1", *model)
    compared = run("compare", *recordings, *model)

    assert (embedded.exit_code, compared.exit_code) == (1, 1)
    assert "0 of 2 recordings are in made.h5" in embedded.stdout
    for name in recordings:
        assert f"  {name}: cannot be embedded: template mine" in embedded.stdout
    assert "a.wav: cannot be embedded: template mine, embed_fwd: y is all zeros" in (
        compared.output
    )


def test_a_template_that_cannot_be_loaded_is_a_plain_error(
    template_file, recordings, templates_installed
):
    words = ("embed", "a.wav", "-o", "a.h5", "--yes", "--jobs", 1, "--model")

    result = run(*words, template_file(model_init=["model = nothing"]))

    assert result.exit_code == 1
    error = "template mine, model_init[0] at `model = nothing`: NameError"
    assert error in result.output
    assert isinstance(result.exception, SystemExit)


@pytest.mark.parametrize("answer", ["y", "n", ""])
def test_somebody_who_is_there_is_asked(
    template_file, recordings, templates_installed, terminal, answer
):
    path = template_file()
    words = ("embed", "a.wav", "-o", "made.h5", "--jobs", "1", "--model", path)

    result = run(*words, typed=f"{answer}\n" if answer else "")

    assert "y = x[:, :4]" in result.stderr
    assert "May this run, now and from now on?" in result.stderr
    assert (result.exit_code == 0) == (answer == "y")
    assert trust.is_trusted(load(path)) == (answer == "y")
    assert Path("made.h5").exists() == (answer == "y")


def test_nobody_is_asked_of_what_is_shipped(
    recordings, templates_installed, template_backbones
):
    template_backbones(one={})

    done("embed", "a.wav", "-o", "a.h5", "--jobs", "1", "--model", "speech/one")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--precision", "bfloat16"),
        ("--engine", "onnxruntime"),
        ("--chunks", "10"),
        ("--memory", "100"),
    ],
)
def test_options_of_our_networks_are_refused(template_file, recordings, option, value):
    words = ("embed", "a.wav", "-o", "a.h5", "--yes", "--model", template_file())

    said = refused(*words, option, value, status=2)

    assert "a template decides this itself" in said
    assert option in said


def test_verify_py_tells_what_is_not_trusted_without_a_traceback(
    template_file, tmp_path, capsys, unless_run
):
    for seed, name in enumerate(("a/1.wav", "a/2.wav", "b/1.wav", "b/2.wav")):
        record(tmp_path / "corpus" / name, noise(seed=seed))
    Path("experiment.py").write_text(
        "from bob.learn.pytorch.extractor import CallableExtractor\n"
        "from bob.learn.pytorch.preprocessor.audio import TemplateExtractor\n"
        "database, algorithm, sub_directory = 'corpus', 'cosine', 'mine'\n"
        f"preprocessor = TemplateExtractor({template_file(**unless_run)!r})\n"
        "extractor = CallableExtractor(lambda x: x)\n"
    )

    assert verify.main(["experiment.py"]) == 1

    said = capsys.readouterr().err
    assert "verify.py: template mine is not trusted" in said
    assert "bob pytorch template trust" in said
