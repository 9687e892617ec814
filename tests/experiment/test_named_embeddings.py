"""Embeddings out of files of several kinds, and rows by the names that trials use."""

import numpy as np
import pytest

from bob.learn.pytorch.errors import ScoringError
from bob.learn.pytorch.experiment.named_embeddings import (
    RowsByName,
    refuse_other_model,
)
from bob.learn.pytorch.experiment.stored_speakers import speakers_of
from bob.learn.pytorch.files import source_of
from bob.learn.pytorch.store import exchange, read_embeddings
from bob.learn.pytorch.store.store import EmbeddingStore, Record, StoreError

NAMES = ["/data/m1/ann/1 a.wav", "/data/m1/bob/2.flac", "/data/m2/ann/2.flac", "utt-7"]


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("/data/m1/bob/2.flac", 1),
        ("/data/m1/bob/2", 1),
        ("/data/m1/../m1/bob/2.wav", 1),
        ("m2/ann/2", 2),
        ("m1/ann/1%20a", 0),  # as keys of protocols write it
        ("utt-7", 3),
        ("m3/ann/2", None),
        ("n/2", None),  # ends in ann/2, but no folder is called n
        ("utt-77", None),
    ],
)
def test_a_recording_is_found_by_its_name(name, row):
    assert RowsByName(NAMES).find(name) == row


def test_relative_names_and_absolute_paths_are_the_same(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert RowsByName(["a/1.wav"]).find(str(tmp_path / "a/1.wav")) == 0


def test_the_path_of_a_recording_comes_before_its_name():
    """Another database had a recording of that name."""
    rows = RowsByName(["ann/1", "/data/b/ann/1.wav"])

    assert rows.find("ann/1") == 0
    assert rows.find("ann/1", "/data/b/ann/1.wav") == 1
    assert rows.find("ann/1", "/data/c/ann/1.wav") == 0


def test_the_file_that_an_embedding_was_made_of_finds_it(tmp_path):
    (tmp_path / "1.wav").write_bytes(b"sound")
    rows = RowsByName(["utt1", "utt2"], ["", source_of(tmp_path / "1.wav")])

    assert rows.find("ann/1", str(tmp_path / "1.wav")) == 1


@pytest.mark.parametrize("name", ["ann\\1.wav", "./ann/1", "ann/1/", "c:/x/../ann/1"])
def test_spellings_of_one_name(name):
    assert RowsByName(["/data/bob/1.wav", "/data/c:/ann/1.wav"]).find(name) == 1


def test_what_may_be_two_recordings_is_refused():
    with pytest.raises(ScoringError, match="2 may be more than one"):
        RowsByName(NAMES).find("2")


@pytest.mark.parametrize("suffix", [".npz", ".parquet", ".ark", ".scp", ".h5"])
def test_files_of_all_kinds(tmp_path, suffix):
    with EmbeddingStore.open(tmp_path / "a.h5", fingerprint={"model": "x"}) as store:
        store.append([Record("u", np.float32([1, 2]), 3.0)])
        store.append([Record("v", None, reason="is silent")])
    path = tmp_path / f"b{suffix}"
    exchange.export(tmp_path / "a.h5", path)

    found = read_embeddings(path)

    assert found.names == ("u",)
    assert found.embeddings.tolist() == [[1, 2]]
    assert found.seconds.tolist() == [3.0]
    assert list(found.failures) == ["v"]
    assert found.fingerprint == {"model": "x"}


def test_a_file_that_is_missing_names_the_next_step(tmp_path):
    with pytest.raises(StoreError, match="make it with `bob pytorch embed"):
        read_embeddings(tmp_path / "a.h5")


def test_embeddings_of_other_lengths_do_not_go_together(tmp_path):
    for name, size in (("a", 2), ("b", 3)):
        np.savez(tmp_path / f"{name}.npz", x=np.arange(size, dtype=np.float32))
    one, other = (read_embeddings(tmp_path / f"{name}.npz") for name in "ab")

    with pytest.raises(ScoringError, match="2 and 3 numbers an embedding"):
        refuse_other_model(one, other)


def test_speakers_of_a_folder_of_speakers(tmp_path):
    for speaker in ("ann", "bob"):
        (tmp_path / speaker).mkdir()
        (tmp_path / speaker / "1.wav").write_bytes(b"RIFF")
    np.savez(
        tmp_path / "a.npz", **{f"{tmp_path}/{n}/1.wav": [1.0] for n in ("bob", "cid")}
    )

    rows, speakers = speakers_of(read_embeddings(tmp_path / "a.npz"), tmp_path)

    assert (rows.tolist(), speakers) == ([0], ["bob"])
