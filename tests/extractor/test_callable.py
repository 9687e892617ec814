"""Any function as Bob's extractor."""

import pickle

import numpy as np
import pytest

from bob.learn.pytorch.extractor import CallableExtractor


def twice(feature):
    return 2 * feature


def test_it_calls_the_function():
    extractor = CallableExtractor(lambda x: x)

    assert extractor("feature") == "feature"
    assert CallableExtractor(twice).transform([1, None, 3]) == [2, None, 6]


def test_a_feature_is_written_and_read_as_hdf5(tmp_path):
    extractor = CallableExtractor(lambda x: x)
    feature = np.arange(6.0).reshape(2, 3)

    extractor.write_feature(feature, tmp_path / "a.hdf5")

    np.testing.assert_array_equal(
        extractor.read_feature(str(tmp_path / "a.hdf5")), feature
    )


def test_functions_of_the_user_write_and_read(tmp_path):
    extractor = CallableExtractor(
        twice, lambda feature, path: path.write_text(str(feature)), lambda path: 7
    )

    extractor.write_feature(3, tmp_path / "a.txt")

    assert (tmp_path / "a.txt").read_text() == "3"
    assert extractor.read_feature(tmp_path / "a.txt") == 7


def test_it_pickles_with_its_function():
    twin = pickle.loads(pickle.dumps(CallableExtractor(twice, note="a")))  # noqa: S301

    assert twin(4) == 8
    assert "note='a'" in repr(twin)


@pytest.mark.parametrize("arguments", [("twice",), (twice, "write"), (None,)])
def test_what_cannot_be_called_is_refused(arguments):
    with pytest.raises(TypeError, match="expected a function"):
        CallableExtractor(*arguments)


def test_a_file_of_another_kind_is_named(tmp_path):
    import h5py

    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file["other"] = 1

    with pytest.raises(ValueError, match=r"a\.hdf5 holds no dataset 'array'"):
        CallableExtractor(twice).read_feature(tmp_path / "a.hdf5")


def test_it_is_a_step_of_a_scikit_learn_pipeline():
    pipeline = pytest.importorskip("sklearn.pipeline")
    base = pytest.importorskip("sklearn.base")

    steps = base.clone(pipeline.make_pipeline(CallableExtractor(twice)))

    assert steps.fit([]).transform([2]) == [4]
