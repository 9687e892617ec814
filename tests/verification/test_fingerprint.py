import os

import numpy as np
import pytest

from bob.learn.pytorch.verification.fingerprint import digest, of_component, of_file


class Scaler:
    def __init__(self, **attributes):
        vars(self).update(attributes)


def same(first, second):
    return digest(of_component(first)) == digest(of_component(second))


def test_equal_components_have_equal_fingerprints():
    one = Scaler(factor=2.0, bands=[1, 2], table={"a": np.arange(3)}, name=None)
    other = Scaler(factor=2.0, bands=[1, 2], table={"a": np.arange(3)}, name=None)

    assert same(one, other)


@pytest.mark.parametrize(
    "changed",
    [
        {"factor": 2.5},
        {"bands": [1, 3]},
        {"table": {"a": np.arange(4)}},
        {"table": {"a": np.arange(3.0)}},
        {"name": "x"},
        {"inner": Scaler(depth=3)},
        {"call": lambda x: x + 2},
        {"chosen": {1, 3}},
    ],
)
def test_any_changed_attribute_changes_the_fingerprint(changed):
    plain = {
        "factor": 2.0,
        "bands": [1, 2],
        "table": {"a": np.arange(3)},
        "name": None,
        "inner": Scaler(depth=2),
        "call": lambda x: x + 1,
        "chosen": {1, 2},
    }

    assert same(Scaler(**plain), Scaler(**plain))
    assert not same(Scaler(**plain), Scaler(**{**plain, **changed}))


def test_what_a_function_encloses_counts():
    def times(factor):
        return lambda x: x * factor

    assert same(times(2), times(2))
    assert not same(times(2), times(3))


def test_private_attributes_do_not_count_beside_public_ones():
    assert same(Scaler(factor=1, _cache=5), Scaler(factor=1, _cache=6))
    assert not same(Scaler(_factor=1), Scaler(_factor=2))


def test_a_component_that_refers_to_itself_is_described_all_the_same():
    circle = Scaler(factor=1)
    circle.itself = circle

    assert len(digest(of_component(circle))) == 32


def test_a_component_that_knows_says_so_itself():
    class Knowing:
        def fingerprint(self):
            return {"weights": "abc"}

    assert of_component(Knowing()) == {"weights": "abc"}


def test_a_file_is_known_by_size_and_time_of_change(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(b"1234")
    before = of_file(path)
    os.utime(path, ns=(0, 10**18))

    assert of_file(path) != before
    assert of_file(tmp_path / "absent") == {"missing": True}


def test_a_changed_method_changes_the_fingerprint_and_a_moved_one_does_not():
    def component(text):
        names = {}
        exec(text, names)
        return names["Component"]()

    text = (
        "factor = 2\nclass Component:\n    def __call__(self, x):\n        return {}\n"
    )

    before = component(text.format("x * factor"))

    assert same(before, component("\n\n" + text.format("x * factor")))
    assert not same(before, component(text.format("x + factor")))
    assert not same(before, component(text.format("[x * 3 for x in x]")))
    assert not same(before, component(text.format("x * factor").replace("= 2", "= 5")))
