"""Names of a store: looked up by hash, whatever their number."""

import numpy as np

from bob.learn.pytorch.store import image as store_index
from bob.learn.pytorch.store.image import NameIndex, _hashes_of, state_of


def test_an_index_is_a_dictionary(monkeypatch):
    monkeypatch.setattr(store_index, "_RECENT", 7)
    random = np.random.default_rng(0)
    names = [f"n{number}" for number in range(50)]
    expected = {name: number for number, name in enumerate(names[:20])}
    index = NameIndex(_hashes_of(names[:20]), np.arange(20, dtype=np.uint64))

    for value in range(200):
        name = names[random.integers(40)]
        expected[name] = value
        index.put(name, value)
        assert all(index.get(name) == expected.get(name) for name in names)


def test_names_that_share_half_of_their_hash_are_told_apart():
    hashes = _hashes_of(["a", "b"])
    hashes[1, 0] = hashes[0, 0]

    index = NameIndex(hashes[::-1], np.array([2, 1], dtype=np.uint64))

    assert index.get("a") == 1


def test_the_largest_value_comes_back():
    value = 2**64 - 1
    index = NameIndex(_hashes_of([]), np.array([], dtype=np.uint64))
    index.put("a", value)
    index._sort_in()

    assert index.get("a") == value


def test_what_is_remembered_of_a_record():
    assert state_of("", failed=False) == 0
    assert state_of("", failed=True) == 1
    assert state_of("x", failed=True) == state_of("x", failed=False) + 1
    assert state_of("x", failed=False) != state_of("y", failed=False)
