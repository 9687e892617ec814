"""A store of embeddings: what goes in comes out, across openings and closings."""

import logging
import tempfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bob.learn.pytorch.store import image as store_index
from bob.learn.pytorch.store import store as store_module
from bob.learn.pytorch.store.image import _hashes_of, _NameIndex, state_of
from bob.learn.pytorch.store.store import EmbeddingStore, Record, StoreError, summarise

MADE_BY = {"model": "campplus", "channel": "0"}


def vector(*numbers):
    return np.array(numbers, dtype=np.float32)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "some.h5"


def write(path, *records, fingerprint=MADE_BY):
    with EmbeddingStore.open(path, fingerprint=fingerprint) as store:
        store.append(records)


def test_a_recording_comes_back_with_everything_that_is_known_of_it(path):
    write(path, Record("ü b", vector(1, 2), 3.5, 8000, source="44 12"))

    stored = EmbeddingStore.read(path)

    assert stored.names == ("ü b",)
    np.testing.assert_array_equal(stored.embeddings, [[1, 2]])
    assert stored.embeddings.dtype == np.float32
    assert stored.seconds.tolist() == [3.5]
    assert stored.sample_rates.tolist() == [8000]
    assert stored.sources == ("44 12",)
    assert stored.failures == {}
    assert stored.fingerprint == MADE_BY


def test_a_failure_is_kept_with_its_reason_and_is_not_done(path):
    with EmbeddingStore.open(path, fingerprint=MADE_BY) as store:
        store.append([Record("a", None, reason="is silent"), Record("b", vector(1))])

        assert len(store) == 1
        assert "a" not in store
        assert store.has_failed("a")
        assert not store.has_failed("b")
        assert not store.has_failed("c")
        assert store.names == ("b",)
    assert EmbeddingStore.read(path).failures == {"a": "is silent"}


@pytest.mark.parametrize("closed_between", [True, False])
def test_of_one_name_the_last_record_counts(path, closed_between):
    batches = [
        [Record("a", None, reason="is silent"), Record("b", vector(1, 1))],
        [Record("a", vector(2, 2)), Record("c", vector(9, 9))],
        [Record("c", vector(4, 4)), Record("c", vector(3, 3))],
        [Record("b", None, reason="is gone")],
    ]  # fmt: skip
    store = EmbeddingStore.open(path, fingerprint=MADE_BY)
    for batch in batches:
        store.append(batch)
        if closed_between:
            store.close()
            store = EmbeddingStore.open(path, fingerprint=MADE_BY)

    before = EmbeddingStore.read(path)
    assert len(store) == 2
    store.close()

    for stored in (before, EmbeddingStore.read(path)):
        assert stored.names == ("a", "c")
        np.testing.assert_array_equal(stored.embeddings, [[2, 2], [3, 3]])
        assert stored.failures == {"b": "is gone"}


def test_a_changed_recording_is_not_current(path):
    write(path, Record("a", vector(1), source="10 bytes"), Record("b", vector(1)))

    with EmbeddingStore.open(path, fingerprint=MADE_BY) as store:
        assert store.is_current("a", source="10 bytes")
        assert not store.is_current("a", source="11 bytes")
        assert store.is_current("a"), "nothing is known of it now"
        assert store.is_current("b", source="10 bytes"), "nothing was known then"
        assert not store.is_current("c", source="10 bytes")


def test_another_fingerprint_is_refused_with_what_differs(path):
    write(path, Record("a", vector(1)))

    with pytest.raises(StoreError) as error:
        EmbeddingStore.open(path, fingerprint={"model": "resnet", "channel": "0"})

    assert "model is 'campplus' there and 'resnet' now" in str(error.value)
    assert "channel" not in str(error.value)
    assert "another store" in str(error.value)
    write(path, Record("b", vector(1)))  # and it let go of the lock


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (Record("b", vector(1, 2, 3)), "embedding of b has 3 numbers.* of 2"),
        (Record("b", np.zeros((1, 2))), r"shape \(1, 2\)"),
        (Record("b", vector(1, np.nan)), "b is NaN or infinite in 1 of 2"),
        (Record("b", vector(0, 0)), "embedding of b is all zeros"),
        (Record("b", None), "b comes without an embedding and without a reason"),
        (Record("", vector(1, 2)), "a recording is called ''"),
        (Record("a\0b", vector(1, 2)), "a recording is called"),
        (Record("\udcff", vector(1, 2)), "storable"),
    ],
)
def test_what_cannot_be_stored_leaves_nothing_of_its_batch(path, record, message):
    with EmbeddingStore.open(path, fingerprint=MADE_BY) as store:
        store.append([Record("a", vector(1, 2))])

        with pytest.raises(StoreError, match=message):
            store.append([Record("c", vector(3, 4)), record])

        assert len(store) == 1
    assert EmbeddingStore.read(path).names == ("a",)


def test_reasons_from_anywhere_can_be_stored(path):
    write(path, Record("a", None, reason="no\0 \udcff file\n"))

    assert EmbeddingStore.read(path).failures == {"a": "no\\x00 \\udcff file\n"}


def test_a_store_without_records_can_be_read(path):
    write(path)

    stored = EmbeddingStore.read(path)

    assert stored.names == ()
    assert stored.embeddings.shape == (0, 0)


def test_a_reader_sees_a_store_grow_and_fold(path):
    with EmbeddingStore.open(path, fingerprint=MADE_BY) as store:
        store.append([Record("a", vector(1))])
        stored = EmbeddingStore.read(path)
        store.append([Record("b", vector(2))])

        assert stored.names == ("a",)
        assert stored.refresh().names == ("a", "b")
        assert summarise(path).waiting == 2
    assert stored.refresh().names == ("a", "b")
    assert summarise(path).waiting == 0


def test_a_store_that_grows_long_is_folded_meanwhile(path, monkeypatch):
    monkeypatch.setattr(store_module, "_FOLD_AT", 4)
    waiting = []
    with EmbeddingStore.open(path, fingerprint=MADE_BY) as store:
        for number in range(20):
            store.append([Record(f"r{number}", vector(number + 1))])
            waiting.append(summarise(path).waiting)

    assert waiting == [1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 4, 5, 0, 1, 2]
    np.testing.assert_array_equal(
        EmbeddingStore.read(path).embeddings[:, 0], range(1, 21)
    )


def test_closed_it_is_plain_hdf5(path):
    """The layout that the manual promises, read without this package."""
    write(path, Record("ü", vector(1, 2)), Record("ab", None, reason="is bad"))

    with h5py.File(path, "r") as file:
        texts = file["texts"][:].tobytes()
        names = [texts[at : at + size].decode() for at, size in file["names"][:]]
        assert names == ["ü", "ab"]
        assert file["failed"][:].tolist() == [False, True]
        np.testing.assert_array_equal(file["embeddings"][0], [1, 2])
        assert np.isnan(file["embeddings"][1]).all()


def test_closing_twice_and_appending_afterwards(path):
    store = EmbeddingStore.open(path, fingerprint=MADE_BY)
    store.close()
    store.close()

    with pytest.raises(StoreError, match="is closed"):
        store.append([Record("a", vector(1))])


def test_a_summary_in_numbers(path):
    write(
        path,
        Record("a", vector(1, 2, 3), seconds=1800),
        Record("b", vector(1, 2, 3), seconds=5400),
        Record("c", vector(1, 2, 3)),
        Record("d", None, seconds=9999, reason="is bad"),
    )

    summary = summarise(path)

    assert (summary.embeddings, summary.dimensions) == (3, 3)
    assert (summary.hours, summary.without_duration) == (2.0, 1)
    assert summary.failures == {"d": "is bad"}


def test_the_rights_of_the_file_stay(path):
    write(path, Record("a", vector(1)))
    path.chmod(0o640)

    write(path, Record("b", vector(1)))

    assert path.stat().st_mode & 0o777 == 0o640


def test_a_link_to_a_store_stays_a_link(path, tmp_path):
    write(path, Record("a", vector(1)))
    link = tmp_path / "link.h5"
    link.symlink_to(path)

    write(link, Record("b", vector(1)))

    assert link.is_symlink()
    assert EmbeddingStore.read(path).names == ("a", "b")


def test_without_locks_there_is_a_warning(path, monkeypatch, caplog):
    import filelock

    def acquire(self, **kwargs):
        raise NotImplementedError

    monkeypatch.setattr(filelock.FileLock, "acquire", acquire)

    with caplog.at_level(logging.WARNING):
        write(path, Record("a", vector(1)))

    assert "has no locks" in caplog.text


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(StoreError, match="cannot be opened for writing"):
        EmbeddingStore.open(tmp_path / "file" / "some.h5", fingerprint=MADE_BY)


def test_who_speaks_is_kept_and_stores_of_old_that_lack_it_open(path):
    write(path, Record("a", vector(1, 2)), Record("b", None, reason="is bad"))
    with h5py.File(path, "r+") as file:
        del file["speakers"], file["settings"]

    before = EmbeddingStore.read(path)
    write(path, Record("c", vector(3, 4), speaker="ann", settings="channel=mix"))
    after = EmbeddingStore.read(path)

    assert (before.names, before.speakers) == (("a",), ())
    assert (after.names, after.speakers) == (("a", "c"), ("", "ann"))
    with EmbeddingStore.open(path, fingerprint=MADE_BY) as store:
        assert store.columns().settings == ["", "", "channel=mix"]
        store.renew({}, {"a": "bob"})
        assert EmbeddingStore.read(path).speakers == ("bob", "ann")
    np.testing.assert_array_equal(EmbeddingStore.read(path).embeddings[0], [1, 2])


def test_a_row_that_is_no_embedding_counts_as_failed_and_says_why(path):
    """Whatever wrote it: this package refuses to."""
    write(path, *(Record(name, vector(1, 2, 3)) for name in "abcd"))
    with h5py.File(path, "r+") as file:
        file["embeddings"][:3] = [[0, 0, 0], [7, 7, 7], [1, np.inf, -np.inf]]

    stored = EmbeddingStore.read(path)

    assert stored.names == ("d",)
    assert [reason[:27] for reason in stored.failures.values()] == [
        "its embedding is all zeros,",
        "its embedding is one number",
        "its embedding is NaN or inf",
    ]


@pytest.mark.parametrize(
    ("there", "now", "fits"),
    [
        ("None", "mix", True),  # none of its recordings has several channels
        (None, "mix", True),  # its recordings say it themselves
        ("mix", "mix", True),
        ("mix", "0", False),
        ("mix", "None", False),
    ],
)
def test_a_setting_that_cannot_have_mattered_may_change(path, there, now, fits):
    write(path, fingerprint={"model": "m", **({"channel": there} if there else {})})

    def opened():
        settings = {"channel": now}
        EmbeddingStore.open(path, fingerprint={"model": "m"}, settings=settings).close()

    if fits:
        opened()
    else:
        with pytest.raises(StoreError, match=f"channel is 'mix' there and '{now}' now"):
            opened()


names = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1
)
embeddings = st.lists(
    st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=2, max_size=2
).filter(any)
records = st.builds(
    Record,
    st.one_of(st.sampled_from("abc"), names),
    st.one_of(st.none(), embeddings.map(np.float32)),
    st.floats(0, 1e6),
    st.integers(0, 192_000),
    st.text(min_size=1),
    st.text(),
    st.text(),
)


@settings(max_examples=15)
@given(
    st.lists(st.tuples(st.lists(records, max_size=5), st.booleans()), max_size=5),
    st.sampled_from([3, 1000]),
)
def test_a_store_is_a_dictionary_that_remembers(history, fold_at):
    """Against a dict, whatever the batches and whenever it is closed or folded."""
    expected = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(store_module, "_FOLD_AT", fold_at)
        path = Path(folder) / "some.h5"
        store = EmbeddingStore.open(path, fingerprint=MADE_BY)
        for batch, closed in history:
            store.append(batch)
            expected.update((record.name, record) for record in batch)
            if closed:
                store.close()
                store = EmbeddingStore.open(path, fingerprint=MADE_BY)
        known = {name: r for name, r in expected.items() if r.embedding is not None}
        assert len(store) == len(known)
        assert all((name in store) == (name in known) for name in expected)
        before = store.read(path)
        store.close()
        after = EmbeddingStore.read(path)

    for stored in (before, after):
        assert set(stored.failures) == set(expected) - set(known)
        assert stored.names == tuple(known)
        for row, record in enumerate(known.values()):
            assert stored.embeddings[row].tobytes() == record.embedding.tobytes()
            assert stored.seconds[row] == record.seconds
            assert stored.sample_rates[row] == record.sample_rate


def test_what_was_read_shows_itself_in_a_line(path):
    write(path, Record("a", np.arange(4)), Record("<b>", None, reason="is silent"))

    stored = EmbeddingStore.read(path)

    assert len(stored) == 1
    assert stored.dimensions == 4
    assert repr(stored) == f"<embeddings (1, 4) by campplus, 1 failed, in {path}>"
    assert stored._repr_html_().startswith("<code>&lt;embeddings (1, 4)")
    assert EmbeddingStore.read(path), "true also if it were empty"


def test_an_index_is_a_dictionary(monkeypatch):
    monkeypatch.setattr(store_index, "_RECENT", 7)
    random = np.random.default_rng(0)
    names = [f"n{number}" for number in range(50)]
    expected = {name: number for number, name in enumerate(names[:20])}
    index = _NameIndex(_hashes_of(names[:20]), np.arange(20, dtype=np.uint64))

    for value in range(200):
        name = names[random.integers(40)]
        expected[name] = value
        index.put(name, value)
        assert all(index.get(name) == expected.get(name) for name in names)


def test_names_that_share_half_of_their_hash_are_told_apart():
    hashes = _hashes_of(["a", "b"])
    hashes[1, 0] = hashes[0, 0]

    index = _NameIndex(hashes[::-1], np.array([2, 1], dtype=np.uint64))

    assert index.get("a") == 1


def test_the_largest_value_comes_back():
    value = 2**64 - 1
    index = _NameIndex(_hashes_of([]), np.array([], dtype=np.uint64))
    index.put("a", value)
    index._sort_in()

    assert index.get("a") == value


def test_what_is_remembered_of_a_record():
    assert state_of("", failed=False) == 0
    assert state_of("", failed=True) == 1
    assert state_of("x", failed=True) == state_of("x", failed=False) + 1
    assert state_of("x", failed=False) != state_of("y", failed=False)
