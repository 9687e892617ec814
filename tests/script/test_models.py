"""`bob pytorch models` is honest about weights that cannot be used."""

import pytest
import torch
from commands import reported, run

from bob.learn.pytorch.architectures.resnet import dlt_resnet34, resnet34
from bob.learn.pytorch.models import catalogue, store
from bob.learn.pytorch.models.checkpoint import record_sha256

NAME = "dltresnet34-voxceleb1"
MODEL = catalogue.find(NAME)


@pytest.fixture
def weights(tmp_path, monkeypatch):
    path = tmp_path / "drn34.pth.tar"
    torch.save({"state_dict": dlt_resnet34().state_dict()}, path)
    monkeypatch.setenv("BOB_LEARN_PYTORCH_EXTRACTOR_AUDIO_DRN_MODELPATH", str(path))
    return path


def cut_off(path):
    path.write_bytes(path.read_bytes()[:100_000])


def another_network(path):
    torch.save({"state_dict": resnet34().state_dict()}, path)


def another_than_was_fetched(path):
    record_sha256(path, "0" * 64)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (cut_off, "damaged"),
        (another_network, "not of the network of dltresnet34-voxceleb1, but of that"),
        (another_than_was_fetched, "has changed since it was fetched"),
    ],
)
def test_weights_that_cannot_be_used_are_not_called_fetched(weights, spoil, says):
    assert reported("models", "show", NAME)["fetched"] is True

    spoil(weights)

    entry = reported("models", "show", NAME)
    assert entry["fetched"] is False
    assert says in entry["problem"]
    assert f"problem: {entry['problem']}" in run("models", "show", NAME).stdout
    assert "unusable" in run("models", "list").stdout.splitlines()[0]
    fetched = run("models", "fetch", NAME)
    assert fetched.exit_code == 1
    assert fetched.stdout == ""
    assert says in fetched.stderr


def test_weights_that_are_not_there_are_not_fetched_and_good_ones_have_no_problem(
    weights,
):
    assert store.problem(MODEL) is None
    assert "problem" not in run("models", "show", NAME).stdout

    weights.unlink()

    assert store.problem(MODEL) == (
        f"nothing is at {weights}; `bob pytorch models fetch {NAME}` brings it"
    )
    assert "not fetched" in run("models", "list").stdout.splitlines()[0]


def test_a_hash_that_is_known_spares_opening_the_file(weights, monkeypatch):
    record_sha256(weights, store.file_sha256(weights))
    monkeypatch.setattr(store, "recognise", None)

    assert store.problem(MODEL) is None
