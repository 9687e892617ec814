"""`bob pytorch`: every command through its own command line."""

import json

import click
import numpy as np
import pytest
from commands import refused, reported, run
from programs import printed_by
from recordings import RATE, noise, record

from bob.learn.pytorch.models.catalogue import MODELS
from bob.learn.pytorch.preprocessor.audio import DltResNetExtractor
from bob.learn.pytorch.script.pytorch import COMMANDS, pytorch

pytestmark = pytest.mark.usefixtures("networks_are_kept")


@pytest.fixture
def recordings(tmp_path):
    """a.wav, b.flac and short.wav are good, silent.wav and missing.wav are not."""
    samples = noise(2)
    record("a.wav", samples)
    record("b.flac", samples[::-1])
    record("short.wav", samples[: RATE // 2])
    record("silent.wav", np.zeros(RATE))
    record("stereo.wav", np.stack([samples, samples], axis=1))
    return tmp_path


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_there_with_a_sentence(name):
    context = click.Context(pytorch)

    command = pytorch.get_command(context, name)

    assert command.name == name
    assert command.get_short_help_str()
    assert run(name, "--help").exit_code == 0


def test_help_needs_neither_numpy_nor_torch():
    """Each command imports what it needs when it runs."""
    code = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from bob.learn.pytorch.script.pytorch import COMMANDS, pytorch\n"
        "for arguments in ([], *([name] for name in COMMANDS)):\n"
        "    assert not CliRunner().invoke(pytorch, [*arguments, '--help']).exit_code\n"
        "print([name for name in ('numpy', 'torch', 'bob.bio') if name in sys.modules])"
    )

    assert printed_by(code) == "[]"


def test_an_unknown_command_is_refused():
    said = refused("embedd", status=2)

    assert "No such command 'embedd'. Did you mean 'embed'?" in said
    assert "Did you mean" not in refused("xyzzy", status=2)


def test_models_list_and_show_know_every_model(weights, monkeypatch):
    monkeypatch.setenv("BOB_LEARN_PYTORCH_EXTRACTOR_AUDIO_DRN_MODELPATH", str(weights))

    entries = reported("models", "list")
    listed = run("models", "list").stdout.splitlines()

    assert [entry["name"] for entry in entries] == [model.name for model in MODELS]
    assert entries[0]["path"] == str(weights)
    assert entries[0]["fetched"] is True
    assert listed[0].split()[:4] == ["dltresnet34-voxceleb1", "128", "numbers", "here"]
    for model, entry in zip(MODELS, entries, strict=True):
        assert reported("models", "show", model.name) == entry
        shown = run("models", "show", model.name).stdout
        assert f"licence: {model.licence}" in shown
        assert model.setting in shown


def test_models_show_and_fetch_name_the_nearest():
    for command in ("show", "fetch"):
        result = run("models", command, "camplus")

        assert result.exit_code == 2
        assert "the nearest is campplus-zh-en" in result.stderr


def test_models_fetch_says_where_the_weights_are(weights, tmp_path):
    name = "dltresnet34-voxceleb1"

    result = run("models", "fetch", name, "--path", weights)
    as_json = run("models", "fetch", name, "--path", weights.parent, "--json")

    assert result.stdout == f"{name}: {weights}\n"
    assert json.loads(as_json.stdout) == {name: str(weights)}
    assert "one file cannot hold several models" in refused(
        "models", "fetch", name, "campplus-zh-en", "--path", tmp_path / "a", status=2
    )


def test_models_fetch_offline_fails_in_words(monkeypatch, tmp_path):
    monkeypatch.setenv("BOB_LEARN_PYTORCH_OFFLINE", "1")

    assert "bob config set" in refused(
        "models", "fetch", "campplus-zh-en", "--path", tmp_path / "a.pt", status=1
    )


def test_compare_gives_the_cosine_and_says_what_it_means(weights, recordings):
    extractor = DltResNetExtractor(weights)
    left, right = extractor.embed("a.wav"), extractor.embed("b.flac")
    expected = left @ right / np.linalg.norm(left) / np.linalg.norm(right)

    text = run("compare", "a.wav", "b.flac", "--model", weights)
    report = reported("compare", "a.wav", "b.flac", "--model", weights)

    assert text.exit_code == 0
    assert text.stdout.startswith(f"score {expected:.4f} with dltresnet34-voxceleb1")
    assert "from -1 to 1: the higher" in text.stdout
    assert report["score"] == pytest.approx(expected, abs=1e-6)
    assert report["threshold"] is None
    assert report["recordings"] == [
        {"path": "a.wav", "seconds": 2, "sample_rate": RATE},
        {"path": "b.flac", "seconds": 2, "sample_rate": RATE},
    ]


def test_compare_warns_of_short_recordings(weights, recordings):
    result = run("compare", "a.wav", "short.wav", "--model", weights)

    assert "short.wav lasts 0.50 s; below 1 s an embedding of dlt" in result.stdout


@pytest.mark.parametrize(
    ("second", "says"),
    [
        ("missing.wav", "missing.wav: does not exist"),
        ("silent.wav", "silent.wav: is silent"),
        ("stereo.wav", "stereo.wav: has 2 channels"),
        (".", ".: is a directory"),
    ],
)
def test_compare_refuses_a_bad_recording_in_one_line(weights, recordings, second, says):
    for first_and_second in (("a.wav", second), (second, "a.wav")):
        result = run("compare", *first_and_second, "--model", weights)

        assert result.exit_code == 1
        assert result.stdout == ""
        assert result.stderr.startswith(f"Error: {says}")
        assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--model", "camplus"), "the nearest is campplus-zh-en"),
        (("--channel", "left"), "neither a number from 0 nor 'mix'"),
        (("--device", "gpu", "--model", "WEIGHTS"), "cuda"),
    ],
)
def test_compare_refuses_bad_options(weights, recordings, options, says):
    options = [str(weights) if option == "WEIGHTS" else option for option in options]

    assert says in refused("compare", "a.wav", "b.flac", *options, status=2)


def test_a_misspelt_template_is_told_with_the_nearest(recordings):
    said = refused("compare", "a.wav", "b.flac", "--model", "speech/ecapa_tdn")

    assert "the nearest template is speech/ecapa_tdnn" in said


def test_a_missing_file_is_found_before_a_model_is_fetched(recordings, monkeypatch):
    monkeypatch.setenv("BOB_LEARN_PYTORCH_OFFLINE", "1")

    assert "missing.wav" in run("compare", "a.wav", "missing.wav").stderr


def test_a_channel_makes_a_stereo_recording_usable(weights, recordings):
    for channel in ("0", "mix"):
        result = run(
            "compare", "a.wav", "stereo.wav", "--model", weights, "--channel", channel
        )
        # a.wav has one channel: its number is 0, and its mean is itself.
        assert result.stdout.startswith("score 1.0000")


def test_embed_writes_what_it_can_and_reports_the_rest(weights, recordings):
    (recordings / "some.txt").write_text("named b.flac\nmissing.wav\n")
    arguments = ("embed", "a.wav", "some.txt", "silent.wav", "--model", weights)

    result = run(*arguments, "-o", "out/x.npz")

    assert result.exit_code == 1
    assert result.stdout.splitlines()[:3] == [
        "2 of 4 recordings are in out/x.npz",
        "0 of 4 came from the store, 2 were computed now (on cpu, float32, torch)",
        "2 could not be used:",
    ]
    assert "  missing.wav: does not exist" in result.stdout
    extractor = DltResNetExtractor(weights)
    expected = [extractor.embed("a.wav"), extractor.embed("b.flac")]
    with np.load("out/x.npz") as file:
        assert file["names"].tolist() == ["a.wav", "named"]
        np.testing.assert_allclose(file["embeddings"], expected, rtol=0, atol=1e-6)
        assert file["failed"].tolist() == ["missing.wav", "silent.wav"]
        made_by = json.loads(str(file["made_by"]))
    assert made_by["model"] == "dltresnet34-voxceleb1"


def test_embed_may_be_told_to_accept_failures(weights, recordings):
    result = run(
        "embed", "a.wav", "silent.wav", "--model", weights, "-o", "x.npz",
        "--allow-failures", "--json",
    )  # fmt: skip

    report = json.loads(result.stdout)
    assert result.exit_code == 0
    assert report["embeddings"] == 1
    assert report["dimensions"] == 128
    assert list(report["failures"]) == ["silent.wav"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("missing.txt", "-o", "x.npz"), "missing.txt"),
        (("twice.txt", "-o", "x.npz"), "line 2: one stands there twice"),
        (("one.txt", "other.txt", "-o", "x.npz"), "one stands for a.wav and for b"),
        (("a.wav", "-o", "a.wav/x.npz"), "cannot be written"),
        (("-o", "x.npz"), "Missing argument"),
    ],
)
def test_embed_refuses_before_it_loads_a_model(
    recordings, monkeypatch, arguments, says
):
    monkeypatch.setattr("bob.learn.pytorch.recordings.open_model", None)
    (recordings / "twice.txt").write_text("one a.wav\none b.flac\n")
    (recordings / "one.txt").write_text("one a.wav\n")
    (recordings / "other.txt").write_text("one b.flac\n")

    assert says in refused("embed", *arguments, status=2)
