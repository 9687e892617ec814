"""A store as npz, Parquet, Kaldi ark and scp, and back."""

import json
import math
import tempfile
from pathlib import Path

import kaldiio
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from files import from_json
from hypothesis import given, settings
from hypothesis import strategies as st

from bob.learn.pytorch.store.exchange import UNKNOWN, export, import_
from bob.learn.pytorch.store.reading import read_content
from bob.learn.pytorch.store.store import EmbeddingStore, Record, StoreError

MADE_BY = {"model": "campplus", "weights": "ü"}
SUFFIXES = (".npz", ".parquet", ".ark", ".scp", ".h5", ".hdf5")
RECORDS = (
    Record("anna/1.wav", np.float32([1e-42, 0.1]), 3.5, 8000, "", "44 12", "anna"),
    Record("empty.wav", None, 0.25, 16_000, "is silent", "45", "bob", "channel=mix"),
    Record("ü.wav", np.float32([-3.4e38, np.float32(1) / 3])),
)


@pytest.fixture
def store(tmp_path):
    path = tmp_path / "some.h5"
    with EmbeddingStore.open(path, fingerprint=MADE_BY) as store:
        store.append(RECORDS)
    return path


def records(path):
    """Everything a store holds, in a form that can be compared."""
    columns = read_content(path).columns
    return {
        name: (
            None if columns.failed[row] else columns.embeddings[row].tobytes(),
            None if math.isnan(columns.seconds[row]) else columns.seconds[row],
            columns.sample_rates[row],
            columns.reasons[row],
            columns.sources[row],
            columns.speakers[row],
            columns.settings[row],
        )
        for row, name in enumerate(columns.names)
    }


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_everything_comes_back(store, tmp_path, suffix):
    between, back = tmp_path / f"between{suffix}", tmp_path / "back.h5"

    export(store, between)
    imported = import_(between, back)

    assert (imported.embeddings, imported.failures) == (2, 1)
    assert EmbeddingStore.read(back).fingerprint == MADE_BY
    assert records(back) == records(store)
    assert not list(tmp_path.glob(".unfinished*"))


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    "batch", [[], [Record("a", None, reason="is bad")]], ids=["nothing", "a failure"]
)
def test_a_store_without_embeddings_comes_back(tmp_path, suffix, batch):
    with EmbeddingStore.open(tmp_path / "a.h5", fingerprint=MADE_BY) as store:
        store.append(batch)

    export(tmp_path / "a.h5", tmp_path / f"b{suffix}")
    import_(tmp_path / f"b{suffix}", tmp_path / "c.h5")

    assert records(tmp_path / "c.h5") == records(tmp_path / "a.h5")


numbers = st.floats(width=32, allow_nan=False, allow_infinity=False)
vectors = st.lists(numbers, min_size=3, max_size=3).filter(lambda x: len({*x}) > 1)
batches = st.dictionaries(
    st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), min_size=1),
    st.one_of(st.none(), vectors),
    max_size=5,
)


@pytest.mark.parametrize("suffix", [".npz", ".parquet", ".ark", ".h5"])
@settings(max_examples=8)
@given(batches)
def test_every_number_is_exact(suffix, batch):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with EmbeddingStore.open(folder / "a.h5", fingerprint=MADE_BY) as store:
            store.append(
                [
                    Record(name, vector, reason="" if vector else "is bad")
                    for name, vector in batch.items()
                ]
            )
        export(folder / "a.h5", folder / f"b{suffix}")
        import_(folder / f"b{suffix}", folder / "c.h5")

        assert records(folder / "c.h5") == records(folder / "a.h5")


def test_a_second_import_changes_nothing(store, tmp_path):
    export(store, tmp_path / "a.npz")
    before = records(store)

    import_(tmp_path / "a.npz", store)

    assert records(store) == before


def test_a_failure_does_not_replace_an_embedding(store, tmp_path):
    write_old_npz(tmp_path / "a.npz", {}, {"anna/1.wav": "is gone"})

    import_(tmp_path / "a.npz", store)

    assert "anna/1.wav" in EmbeddingStore.read(store).names


def test_a_growing_store_is_exported_as_it_is(tmp_path):
    path = tmp_path / "some.h5"
    with EmbeddingStore.open(path, fingerprint=MADE_BY) as store:
        store.append(RECORDS)
        for suffix in (".h5", ".npz"):
            export(path, tmp_path / f"copy{suffix}")
        expected = records(path)

    assert records(tmp_path / "copy.h5") == expected


def test_a_store_is_not_exported_onto_itself(store):
    with pytest.raises(StoreError, match="is the store itself"):
        export(store, store)


def write_old_npz(path, embeddings, failures):
    """As version 1.0.0.dev0 wrote them, before there were stores."""
    np.savez(
        path,
        names=np.array(list(embeddings), dtype=np.str_),
        embeddings=np.stack([*embeddings.values()]) if embeddings else np.zeros((0, 0)),
        failed=np.array(list(failures), dtype=np.str_),
        reasons=np.array(list(failures.values()), dtype=np.str_),
        made_by=np.array(json.dumps(MADE_BY)),
    )


def test_numpy_reads_the_exported_npz(store, tmp_path):
    export(store, tmp_path / "a.npz")

    with np.load(tmp_path / "a.npz") as file:
        assert file["names"].tolist() == ["anna/1.wav", "ü.wav"]
        np.testing.assert_array_equal(
            file["embeddings"], [RECORDS[0].embedding, RECORDS[2].embedding]
        )
        assert file["failed"].tolist() == ["empty.wav"]
        assert file["reasons"].tolist() == ["is silent"]
        assert json.loads(str(file["made_by"])) == MADE_BY


def test_an_npz_of_the_time_before_stores_is_read(tmp_path):
    write_old_npz(tmp_path / "a.npz", {"a": np.float32([1, 2])}, {"b": "is bad"})

    import_(tmp_path / "a.npz", tmp_path / "a.h5")

    stored = EmbeddingStore.read(tmp_path / "a.h5")
    assert stored.fingerprint == MADE_BY
    assert stored.embeddings.tolist() == [[1, 2]]
    assert stored.failures == {"b": "is bad"}
    assert np.isnan(stored.seconds).all()


def test_pyarrow_reads_the_exported_parquet(store, tmp_path):
    export(store, tmp_path / "a.parquet")

    table = pq.read_table(tmp_path / "a.parquet")

    assert table["name"].to_pylist() == ["anna/1.wav", "empty.wav", "ü.wav"]
    assert table["embedding"][0].as_py() == RECORDS[0].embedding.tolist()
    assert table["embedding"][1].as_py() is None
    assert table["reason"].to_pylist() == ["", "is silent", ""]


def test_kaldiio_reads_the_exported_ark_and_scp(store, tmp_path):
    export(store, tmp_path / "a.scp")

    for found in (
        dict(kaldiio.load_ark(str(tmp_path / "a.ark"))),
        dict(kaldiio.load_scp(str(tmp_path / "a.scp")).items()),
    ):
        assert list(found) == ["anna/1.wav", "ü.wav"]
        np.testing.assert_array_equal(found["ü.wav"], RECORDS[2].embedding)


VECTORS = {"a": np.float32([1, 2.5]), "b": np.float32([3, 4])}


def write_npz(path):
    np.savez(path, names=["a", "b"], embeddings=np.stack(list(VECTORS.values())))


def write_npz_by_name(path):
    np.savez(path, **VECTORS)


def write_parquet(path):
    # As pandas writes them: doubles, and columns of others.
    columns = {
        "speaker": [1, 2],
        "name": list(VECTORS),
        "embedding": [vector.astype(float).tolist() for vector in VECTORS.values()],
    }
    pq.write_table(pa.table(columns), path)


def write_fixed_size_parquet(path):
    flat = pa.array(np.concatenate(list(VECTORS.values())))
    lists = pa.FixedSizeListArray.from_arrays(flat, 2)
    pq.write_table(pa.table({"name": list(VECTORS), "embedding": lists}), path)


def write_ark(path):
    kaldiio.save_ark(str(path), VECTORS)


def write_text_ark(path):
    # As `copy-vector ark:- ark,t:-` prints them.
    path.write_text("a  [ 1 2.5 ]\nb  [ 3 4 ]\n")


def write_double_ark(path):
    kaldiio.save_ark(str(path), {k: v.astype(np.float64) for k, v in VECTORS.items()})


def write_ark_of_rows(path):
    kaldiio.save_ark(str(path), {k: v[None] for k, v in VECTORS.items()})


def write_scp(path):
    kaldiio.save_ark(str(path.with_suffix(".ark")), VECTORS, scp=str(path))


@pytest.mark.parametrize(
    ("write", "suffix"),
    [
        (write_npz, ".npz"),
        (write_npz_by_name, ".npz"),
        (write_parquet, ".parquet"),
        (write_fixed_size_parquet, ".parquet"),
        (write_ark, ".ark"),
        (write_text_ark, ".ark"),
        (write_double_ark, ".ark"),
        (write_ark_of_rows, ".ark"),
        (write_scp, ".scp"),
    ],
)
def test_what_others_write_is_read(tmp_path, write, suffix):
    write(tmp_path / f"theirs{suffix}")

    imported = import_(tmp_path / f"theirs{suffix}", tmp_path / "ours.h5")

    stored = EmbeddingStore.read(tmp_path / "ours.h5")
    assert imported.fingerprint == stored.fingerprint == UNKNOWN
    assert stored.names == ("a", "b")
    np.testing.assert_array_equal(stored.embeddings, list(VECTORS.values()))


def test_of_what_others_write_the_fingerprint_can_be_given(tmp_path):
    write_npz(tmp_path / "theirs.npz")

    import_(tmp_path / "theirs.npz", tmp_path / "a.h5", fingerprint={"model": "x"})

    assert EmbeddingStore.read(tmp_path / "a.h5").fingerprint == {"model": "x"}


def test_mixtures_of_fingerprints_are_refused(store, tmp_path):
    write_npz(tmp_path / "theirs.npz")
    with pytest.raises(StoreError, match="made differently: made_by is 'not said'"):
        import_(tmp_path / "theirs.npz", store)

    export(store, tmp_path / "ours.npz")
    with pytest.raises(StoreError, match="says itself what made"):
        import_(tmp_path / "ours.npz", tmp_path / "b.h5", fingerprint={"model": "x"})


def test_names_with_blanks_are_not_for_kaldi(tmp_path):
    with EmbeddingStore.open(tmp_path / "a.h5", fingerprint=MADE_BY) as store:
        store.append([Record("a b", np.float32([1]))])

    with pytest.raises(StoreError, match=r"'a b' has a blank.*\.npz or \.parquet"):
        export(tmp_path / "a.h5", tmp_path / "a.ark")

    assert not list(tmp_path.glob("a.[!h]*"))


def test_an_scp_file_is_read_from_any_folder(store, tmp_path, monkeypatch):
    export(store, tmp_path / "a.scp")
    scp = tmp_path / "a.scp"
    scp.write_text(scp.read_text().replace(f"{tmp_path}/", ""))

    import_(scp, tmp_path / "b.h5")

    assert records(tmp_path / "b.h5") == records(store)


def test_unknown_kinds_and_missing_files(store, tmp_path):
    with pytest.raises(StoreError, match=r"a\.csv is of an unknown kind.*\.parquet"):
        export(store, tmp_path / "a.csv")
    with pytest.raises(StoreError, match=r"a\.npz is no file"):
        import_(tmp_path / "a.npz", store)


def test_a_place_that_cannot_be_written(store, tmp_path):
    (tmp_path / "file").touch()

    for suffix in SUFFIXES:
        with pytest.raises(StoreError, match="cannot be written"):
            export(store, tmp_path / "file" / f"a{suffix}")


def test_without_kaldiio_it_says_what_to_install(store, tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "kaldiio", None)

    with pytest.raises(StoreError, match=r"pip install 'bob.learn.pytorch\[kaldi\]'"):
        export(store, tmp_path / "a.ark")


def test_what_ark_files_cannot_hold_stands_beside_them(store, tmp_path):
    export(store, tmp_path / "a.ark")

    rest = from_json(tmp_path / "a.ark.json")

    assert rest["made_by"] == MADE_BY
    assert rest["recordings"]["empty.wav"]["reason"] == "is silent"
    assert rest["recordings"]["ü.wav"]["seconds"] is None
