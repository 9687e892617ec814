"""A row of a store is of a recording's content, whatever its file is called."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from bob.learn.pytorch import files
from bob.learn.pytorch.inference.batching import Result
from bob.learn.pytorch.inference.extract import extract_into
from bob.learn.pytorch.store import exchange
from bob.learn.pytorch.store.store import EmbeddingStore, Record, StoreError

LONG_AGO = 10**18


class SumOfBytes:
    """Embeds a file as the sum of its bytes."""

    def prepare(self, *, progress=True):
        pass

    def fingerprint(self):
        return {"model": "sum"}

    def embed_many(self, recordings, /):
        for name, path in recordings:
            total = sum(Path(path).read_bytes())
            yield Result(name, total + np.arange(3, dtype=np.float32), seconds=1.0)


@pytest.fixture
def corpus(tmp_path):
    folder = tmp_path / "corpus"
    folder.mkdir()
    for number in range(4):
        write(folder / f"{number}.wav", bytes([number + 1]) * 100)
    return folder


def write(path, content):
    path.write_bytes(content)
    os.utime(path, ns=(LONG_AGO, LONG_AGO))


def embed(folder, store):
    paths = {path.stem: str(path) for path in sorted(folder.glob("*.wav"))}
    return extract_into(store, SumOfBytes(), paths)


def check(store, sums):
    stored = EmbeddingStore.read(store)
    found = dict(zip(stored.names, stored.embeddings[:, 0].tolist(), strict=True))
    assert found == sums


def test_a_replaced_recording_of_equal_size_and_time_is_embedded_again(
    corpus, tmp_path
):
    store = tmp_path / "e.h5"
    embed(corpus, store)
    write(corpus / "2.wav", bytes([9]) * 100)

    run = embed(corpus, store)

    assert (run.computed, run.reused) == (1, 3)
    check(store, {"0": 100, "1": 200, "2": 900, "3": 400})


def test_a_second_run_reads_no_recording_and_writes_nothing(
    corpus, tmp_path, monkeypatch
):
    store = tmp_path / "e.h5"
    embed(corpus, store)
    before = store.read_bytes()
    monkeypatch.setattr(files, "content_hash", None)

    assert embed(corpus, store).reused == 4
    assert store.read_bytes() == before


def test_a_copy_of_a_corpus_is_not_embedded_again_and_read_once(
    corpus, tmp_path, monkeypatch
):
    store = tmp_path / "e.h5"
    embed(corpus, store)
    copy = tmp_path / "copy"
    shutil.copytree(corpus, copy, copy_function=shutil.copyfile)

    assert embed(copy, store).reused == 4
    monkeypatch.setattr(files, "content_hash", None)
    assert embed(copy, store).reused == 4
    check(store, {"0": 100, "1": 200, "2": 300, "3": 400})


def test_a_store_that_knows_size_and_time_alone_is_used_and_learns_the_rest(
    corpus, tmp_path
):
    store = tmp_path / "e.h5"
    embed(corpus, store)
    stored = EmbeddingStore.read(store)
    store.unlink()
    with EmbeddingStore.open(store, fingerprint={"model": "sum"}) as old:
        old.append(
            [
                Record(name, embedding, source=f"100 {LONG_AGO}")
                for name, embedding in zip(stored.names, stored.embeddings, strict=True)
            ]
        )

    assert embed(corpus, store).reused == 4
    write(corpus / "2.wav", bytes([9]) * 100)
    assert embed(corpus, store).computed == 1
    check(store, {"0": 100, "1": 200, "2": 900, "3": 400})


def test_another_recording_of_the_name_in_another_folder_is_refused(corpus, tmp_path):
    store = tmp_path / "e.h5"
    embed(corpus, store)
    other = tmp_path / "other"
    other.mkdir()
    write(other / "0.wav", bytes([1]) * 100)
    write(other / "1.wav", bytes([7]) * 100)
    before = store.read_bytes()

    with pytest.raises(StoreError, match=r"1 is .*corpus/1\.wav there.*other/1\.wav"):
        embed(other, store)
    assert store.read_bytes() == before


def test_import_does_not_replace_another_recording_of_the_name(corpus, tmp_path):
    first, second = tmp_path / "a.h5", tmp_path / "b.h5"
    embed(corpus, first)
    other = tmp_path / "other"
    shutil.copytree(corpus, other)
    write(other / "1.wav", bytes([7]) * 100)
    embed(other, second)

    with pytest.raises(StoreError, match=r"name 1: .*corpus/1\.wav there"):
        exchange.import_(second, first)
    check(first, {"0": 100, "1": 200, "2": 300, "3": 400})


def test_a_changed_recording_at_a_new_place_takes_the_place_of_one_that_is_gone(
    corpus, tmp_path
):
    store = tmp_path / "e.h5"
    embed(corpus, store)
    moved = corpus.rename(tmp_path / "moved")
    write(moved / "1.wav", bytes([7]) * 100)

    assert embed(moved, store).computed == 1
    check(store, {"0": 100, "1": 700, "2": 300, "3": 400})
