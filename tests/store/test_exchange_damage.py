"""Files of others that are damaged, of another kind, or would run code."""

import pickle
from pathlib import Path

import kaldiio
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bob.learn.pytorch.store.exchange import export, import_
from bob.learn.pytorch.store.store import EmbeddingStore, Record, StoreError


class Trap:
    """Unpickled, it leaves a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def refused(path):
    """Why a file is not imported; no store comes of it."""
    store = path.with_name("store.h5")
    with pytest.raises(StoreError) as error:
        import_(path, store)
    assert not store.exists()
    assert str(path) in str(error.value)
    return str(error.value)


def test_no_pickle_of_an_npz_file_is_opened(tmp_path):
    trap = np.array([Trap(tmp_path / "sprung")], dtype=object)
    np.savez(tmp_path / "a.npz", names=np.array(["a"]), embeddings=trap)

    refused(tmp_path / "a.npz")

    assert not (tmp_path / "sprung").exists()


def test_no_pickle_of_an_ark_file_is_opened(tmp_path):
    bomb = pickle.dumps(Trap(tmp_path / "sprung"))
    (tmp_path / "a.ark").write_bytes(b"a PKL" + bomb)
    (tmp_path / "a.scp").write_text(f"a {tmp_path}/a.ark:2\n")

    for suffix in ("ark", "scp"):
        assert "a is no vector of Kaldi" in refused(tmp_path / f"a.{suffix}")

    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("command", ["touch {} |", "| touch {}", "touch {}|  "])
def test_no_command_of_an_scp_file_is_run(tmp_path, command):
    sprung = tmp_path / "sprung"
    (tmp_path / "a.scp").write_text(f"a {command.format(sprung)}\n")

    assert "would run a command for a" in refused(tmp_path / "a.scp")

    assert not sprung.exists()


@pytest.mark.parametrize("suffix", ["npz", "parquet", "ark", "scp", "h5"])
@pytest.mark.parametrize("content", [b"nothing of the kind", b"a \0BFV \4\xff\xff"])
def test_what_is_something_else_is_refused(tmp_path, suffix, content):
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(content)

    assert "cannot be read as" in refused(path)


def test_what_is_cut_short_is_refused(tmp_path):
    vectors = {name: np.arange(50, dtype=np.float32) for name in "abc"}
    np.savez(tmp_path / "a.npz", **vectors)
    lists = [vector.tolist() for vector in vectors.values()]
    table = pa.table({"name": list(vectors), "embedding": lists})
    pq.write_table(table, tmp_path / "a.parquet")
    kaldiio.save_ark(str(tmp_path / "a.ark"), vectors)

    for path in sorted(tmp_path.glob("a.*")):
        content = path.read_bytes()
        for size in (10, len(content) // 2, len(content) - 5):
            path.write_bytes(content[:size])
            assert "cannot be read as" in refused(path)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"names": ["a"], "embeddings": np.zeros((2, 3))}, r"1 names.*\(2, 3\)"),
        ({"names": ["a"], "x": np.zeros((2, 3))}, "its arrays are names, x"),
        ({}, "its arrays are none"),
        ({"names": ["a", "a"], "embeddings": np.zeros((2, 3))}, "holds a twice"),
        (
            {"names": ["a", "b"], "embeddings": [[1, 2, 3], [0, 0, 0]]},
            r"a\.npz: the embedding of b is all zeros.*embed that recording again",
        ),
    ],
)  # fmt: skip
def test_arrays_that_do_not_fit(tmp_path, arrays, message):
    np.savez(tmp_path / "a.npz", **arrays)

    with pytest.raises(StoreError, match=message):
        import_(tmp_path / "a.npz", tmp_path / "a.h5")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"id": ["a"], "embedding": [[1.0]]}, "its columns are id, embedding"),
        ({"name": ["a", "b"], "embedding": [[1.0], [1.0, 2.0]]}, "have .1, 2. numbers"),
        ({"name": ["a"], "embedding": ["text"]}, "cannot be read"),
        ({"name": ["a", None], "embedding": [[1.0], [2.0]]}, "row 2 has no name"),
    ],
)  # fmt: skip
def test_columns_that_do_not_fit(tmp_path, columns, message):
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")

    with pytest.raises(StoreError, match=message):
        import_(tmp_path / "a.parquet", tmp_path / "a.h5")


def test_a_missing_embedding_of_others_is_a_failure(tmp_path):
    columns = {"name": ["a", "b"], "embedding": [[1.0], None]}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")

    imported = import_(tmp_path / "a.parquet", tmp_path / "a.h5")

    assert (imported.embeddings, imported.failures) == (1, 1)


def test_vectors_that_do_not_fit(tmp_path):
    kaldiio.save_ark(str(tmp_path / "a.ark"), {"m": np.zeros((3, 2), np.float32)})
    assert "m has the shape (3, 2)" in refused(tmp_path / "a.ark")

    both = {"a": np.zeros(2, np.float32), "b": np.zeros(3, np.float32)}
    kaldiio.save_ark(str(tmp_path / "b.ark"), both)
    assert "[2, 3] numbers" in refused(tmp_path / "b.ark")

    for _ in range(2):
        kaldiio.save_ark(str(tmp_path / "c.ark"), {"a": np.zeros(2, np.float32)},
                         append=True)  # fmt: skip
    assert "holds a twice" in refused(tmp_path / "c.ark")


def test_an_scp_file_that_names_what_is_not_there(tmp_path):
    (tmp_path / "a.scp").write_text("a nowhere.ark:12\n")

    assert "No such file" in refused(tmp_path / "a.scp")


def test_an_npz_file_that_would_fill_the_memory_is_refused_at_once(tmp_path):
    bomb = np.zeros((2_000, 20_000), np.float32)
    np.savez_compressed(tmp_path / "a.npz", names=np.arange(2_000), embeddings=bomb)

    assert "claim to hold 160" in refused(tmp_path / "a.npz")


@pytest.mark.parametrize("suffix", ["parquet", "ark", "npz"])
def test_one_flipped_bit_of_a_number_in_an_export_is_refused(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    vectors = {name: np.arange(50, dtype=np.float32) + ord(name) for name in "abc"}
    with EmbeddingStore.open(tmp_path / "b.h5", fingerprint={"model": "m"}) as store:
        store.append([Record(name, row) for name, row in vectors.items()])
    export(tmp_path / "b.h5", path)
    content = bytearray(path.read_bytes())
    content[content.index(vectors["b"][30:].tobytes())] ^= 1
    path.write_bytes(content)

    refused(path)


@pytest.mark.parametrize(
    "beside",
    [
        "[1]",
        '{"recordings": {"a": 3}}',
        '{"recordings": {"a": {"seconds": "x"}}}',
        '{"recordings": {"a": {"sample_rate": 1e400}}}',
        '{"made_by": ["x"]}',
        '{"made_by": {"model": 1}}',
        "[" * 100_000,
    ],
)
def test_what_stands_beside_an_ark_file_is_checked(tmp_path, beside):
    kaldiio.save_ark(str(tmp_path / "a.ark"), {"a": np.ones(2, np.float32)})
    (tmp_path / "a.ark.json").write_text(beside)

    refused(tmp_path / "a.ark")
