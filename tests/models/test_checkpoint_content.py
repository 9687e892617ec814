"""What else may lie in a file of weights: notes, code, damage."""

import argparse
import errno
import json
import os
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from bob.learn.pytorch.models.checkpoint import file_sha256, read_weights, save_weights
from bob.learn.pytorch.models.errors import WeightsError, WrongWeights


@pytest.fixture
def trained():
    return nn.Linear(4, 3)


@pytest.fixture
def weights(trained):
    return dict(trained.state_dict())


def test_notes_of_training_do_no_harm(tmp_path, weights):
    """Training scripts leave NumPy numbers and the state of the optimiser."""
    momentum = {"step": torch.tensor(3.0), "exp_avg": torch.zeros(3, 4)}
    notes = {
        "best": np.float64(0.5),
        "epoch": np.int64(3),
        "errors": np.zeros(3, dtype=np.float32),
        "optimizer": {"state": {0: momentum}, "param_groups": [{"lr": 0.1}]},
        "state_dict": weights,
    }
    torch.save(notes, tmp_path / "toy.pth")

    assert read_weights(tmp_path / "toy.pth").keys() == weights.keys()


def test_numbers_of_a_newer_numpy_do_no_harm(tmp_path, weights):
    """NumPy 2 moved the module that its numbers are pickled with."""
    path = tmp_path / "toy.pth"
    content = {"best": np.float64(0.5), "state_dict": weights}
    torch.save(content, path, _use_new_zipfile_serialization=False)
    old, new = b"cnumpy.core.multiarray\n", b"cnumpy._core.multiarray\n"
    pickled = path.read_bytes()
    assert old in pickled
    path.write_bytes(pickled.replace(old, new))

    assert read_weights(path).keys() == weights.keys()


class Bomb:
    def __reduce__(self):
        return os.system, ("touch bomb",)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_file_is_not_run(tmp_path, monkeypatch, weights, zipped):
    monkeypatch.chdir(tmp_path)
    content = {"state_dict": weights, "bomb": Bomb()}
    torch.save(content, "bomb.pth", _use_new_zipfile_serialization=zipped)

    with pytest.raises(WrongWeights, match=r"holds a posix\.system, .* run any code"):
        read_weights(tmp_path / "bomb.pth")

    assert not (tmp_path / "bomb").exists()


def test_code_in_a_plain_pickle_is_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bomb.pth").write_bytes(pickle.dumps(Bomb()))

    with pytest.raises(WrongWeights):
        read_weights(tmp_path / "bomb.pth")

    assert not (tmp_path / "bomb").exists()


def test_an_object_in_a_file_is_named(tmp_path, weights):
    content = {"state_dict": weights, "args": argparse.Namespace(a=1)}
    torch.save(content, tmp_path / "toy.pth")

    with pytest.raises(WrongWeights, match=r"holds a argparse\.Namespace") as refused:
        read_weights(tmp_path / "toy.pth")

    assert "weights_only" not in str(refused.value)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        b"PK\x03\x04 not a zip file",
        b"\x80\x02 not a pickle",
        b"{}" * 20,
    ],
)
def test_files_that_hold_no_weights_are_refused(tmp_path, content):
    (tmp_path / "toy.pth").write_bytes(content)

    with pytest.raises(WrongWeights, match=r"toy\.pth .*another file"):
        read_weights(tmp_path / "toy.pth")


@pytest.mark.parametrize("name", ["toy.safetensors", "toy.pth"])
@pytest.mark.parametrize("part", [0.3, 0.99])
def test_a_truncated_file_is_refused(tmp_path, trained, name, part):
    path = tmp_path / name
    save_weights(trained, path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])

    with pytest.raises(WrongWeights, match="damaged"):
        read_weights(path)


def test_a_header_of_safetensors_that_lies_is_refused(tmp_path):
    header = json.dumps({"a": {"dtype": "F32", "shape": [9], "data_offsets": [0, 36]}})
    length = struct.pack("<Q", len(header))
    (tmp_path / "toy.bin").write_bytes(length + header.encode() + b"12345678")

    with pytest.raises(WrongWeights, match="damaged"):
        read_weights(tmp_path / "toy.bin")


@pytest.mark.parametrize("content", [{}, {"epoch": 3, "name": "toy"}, [1, 2], "text"])
def test_a_file_without_tensors_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "toy.pth")

    with pytest.raises(WrongWeights, match="holds no weights but"):
        read_weights(tmp_path / "toy.pth")


def test_an_empty_dict_is_called_that(tmp_path):
    torch.save({}, tmp_path / "toy.pth")

    with pytest.raises(WrongWeights, match="no weights but an empty dict;"):
        read_weights(tmp_path / "toy.pth")


@pytest.mark.parametrize("function", [read_weights, file_sha256])
def test_a_file_that_may_not_be_read_is_named_with_the_next_step(
    tmp_path, monkeypatch, function
):
    """As root, under whom tests may run, every file may be read."""

    def refuse(path, *_):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    path = tmp_path / "toy.pth"

    with pytest.raises(
        WeightsError, match=f"{path} cannot be read .Permission denied.; see `ls -ld"
    ):
        function(path)


def test_one_flipped_bit_of_a_number_is_refused(tmp_path, weights):
    """Torch itself reads the other number."""
    path = tmp_path / "toy.pth"
    torch.save(weights, path)
    content = bytearray(path.read_bytes())
    at = content.index(weights["weight"].numpy().tobytes())
    content[at] ^= 1
    path.write_bytes(content)

    assert (
        torch.load(path, weights_only=True)["weight"][0, 0] != weights["weight"][0, 0]
    )
    with pytest.raises(WrongWeights, match=r"toy.pth is damaged in toy/data/\d"):
        read_weights(path)


def test_a_file_without_checksums_is_read(tmp_path, weights):
    torch.serialization.set_crc32_options(compute_crc32=False)
    try:
        torch.save(weights, tmp_path / "toy.pth")
    finally:
        torch.serialization.set_crc32_options(compute_crc32=True)

    assert read_weights(tmp_path / "toy.pth").keys() == weights.keys()
