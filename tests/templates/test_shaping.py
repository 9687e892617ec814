"""Samples into parts and batches, and outputs into embeddings; sums made by hand."""

import numpy as np
import pytest

from bob.learn.pytorch.templates.format.errors import StageError
from bob.learn.pytorch.templates.run import shaping

RATE = 1000
SAMPLES = np.arange(1.0, 11)
MILLISECOND = 0.001  # one sample
FRAMES = np.array(
    [[[1.0, 2], [3, 6], [5, 1]]]
)  # one piece, three frames of two numbers


@pytest.fixture
def made(toy):
    """`made(y, **keys)`: the embeddings of outputs, by a template of one piece."""

    def make(y, count=1, instead=None, **keys):
        if keys.get("out_layout", "vector") != "vector":
            keys.setdefault("pooling", "none")
        return shaping.embeddings(
            np.asarray(y), toy(**keys), count=count, pooling=instead
        )

    return make


def parts(template, samples=SAMPLES):
    return [part.tolist() for part in shaping.parts(samples, template)]


def test_a_recording_is_one_part_unless_the_template_says_otherwise(toy):
    assert parts(toy()) == [SAMPLES.tolist()]


@pytest.mark.parametrize(
    ("samples", "lengths"),
    [
        (10, [10]),
        (9.9, [10]),
        (9, [5, 5]),
        (4, [4, 3, 3]),
        (1, [1] * 10),
        (0.1, [1] * 10),
    ],
)
def test_a_long_recording_is_split_into_the_fewest_equal_parts(toy, samples, lengths):
    found = parts(toy(sample_rate=RATE, maximum_duration=samples * MILLISECOND))

    assert [len(part) for part in found] == lengths
    assert np.concatenate(found).tolist() == SAMPLES.tolist()


@pytest.mark.parametrize(
    ("padding", "end"),
    [
        ("zeros", [0, 0, 0]),
        ("repeat", [1, 2, 3]),
    ],
)
def test_a_short_recording_is_padded_at_its_end(toy, padding, end):
    (found,) = parts(
        toy(sample_rate=RATE, minimum_duration=12.5 * MILLISECOND, padding=padding)
    )

    assert found == [*SAMPLES, *end]


def test_a_sample_is_repeated_as_often_as_it_takes(toy):
    template = toy(sample_rate=RATE, minimum_duration=7 * MILLISECOND, padding="repeat")

    assert parts(template, SAMPLES[:3]) == [[1, 2, 3, 1, 2, 3, 1]]


def test_parts_are_padded_too(toy):
    found = parts(
        toy(
            sample_rate=RATE,
            minimum_duration=4 * MILLISECOND,
            maximum_duration=5 * MILLISECOND,
        ),
        SAMPLES[:6],
    )

    assert found == [[1, 2, 3, 0], [4, 5, 6, 0]]


@pytest.mark.parametrize(
    ("keys", "shape"),
    [
        ({"in_shape": 1}, (5,)),
        ({"in_shape": 2}, (1, 5)),
        ({"in_shape": 3}, (1, 1, 5)),
        ({"in_shape": 3, "in_channels": 2}, (1, 2, 5)),
        ({"in_shape": 3, "in_layout": "spectrogram", "pre_proc": ["x = x"]}, (1, 5)),
        ({"in_shape": 3, "in_layout": "batch_channels_samples"}, (1, 1, 5)),
    ],
)
def test_samples_come_in_the_layout_that_the_template_wants(toy, keys, shape):
    piece = np.arange(5, dtype=np.float32)

    found = shaping.batch([piece], toy(**keys))

    assert found.shape == shape
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found.reshape(-1, 5)[-1], piece)


def test_several_pieces_are_one_batch(toy):
    found = shaping.batch([np.zeros(4, np.float32), np.ones(4, np.float32)], toy())

    np.testing.assert_array_equal(found, [[0] * 4, [1] * 4])


@pytest.mark.parametrize(
    "y", [[1, 2, 3], [[1, 2, 3]], [[[1], [2], [3]]], [[[[1]], [[2]], [[3]]]]]
)
def test_a_vector_may_have_axes_of_one(made, y):
    np.testing.assert_array_equal(made(y), [[1, 2, 3]])


def test_embeddings_are_float32(made):
    assert made(np.arange(3)).dtype == np.float32


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ("mean", [[3, 3]]),
        # Squares of 2, 0, 2 and of 1, 3, 2 from the means, a third of each sum.
        ("mean+std", [[3, 3, (8 / 3) ** 0.5, (14 / 3) ** 0.5]]),
        ("first", [[1, 2]]),
        ("none", FRAMES),
    ],
)
@pytest.mark.parametrize("layout", ["frames_features", "features_frames"])
@pytest.mark.parametrize("rank", [2, 3])
def test_frames_become_one_vector(made, pooling, expected, layout, rank):
    y = FRAMES if layout == "frames_features" else FRAMES.swapaxes(1, 2)
    y = y if rank == 3 else y[0]

    found = made(y, out_layout=layout, pooling=pooling)

    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_another_pooling_counts_before_the_templates(made):
    keys = {"out_layout": "frames_features", "pooling": "mean", "embedding_size": 2}

    assert made(FRAMES, instead="mean+std", **keys).shape == (1, 4)


def test_codes_keep_their_type_without_pooling(made):
    codes = FRAMES.astype(np.int64)

    assert made(codes, out_layout="frames_features", pooling="none").dtype == np.int64


def test_a_batch_keeps_its_order(made):
    np.testing.assert_array_equal(made([[1, 2], [3, 4]], count=2), [[1, 2], [3, 4]])


@pytest.mark.parametrize(
    ("shape", "count", "keys"),
    [
        ((), 1, {}),
        ((0,), 1, {}),
        ((1, 0), 1, {}),
        ((2, 3), 1, {}),
        ((1, 2, 3), 1, {}),
        ((6,), 2, {}),
        ((3, 3), 2, {}),
        ((1, 3), 1, {"out_layout": "vector", "embedding_size": 4}),
        ((3,), 1, {"out_layout": "frames_features"}),
        ((1, 0, 3), 1, {"out_layout": "frames_features"}),
        ((1, 2, 3, 4), 1, {"out_layout": "features_frames"}),
    ],
)
def test_another_shape_than_promised_names_template_and_stage(made, shape, count, keys):
    with pytest.raises(StageError) as raised:
        made(np.zeros(shape), count=count, **keys)

    assert str(raised.value).startswith("template toy, embed_fwd: ")
    wrong = "embedding_size" if "embedding_size" in keys else f"y is of shape {shape}"
    assert wrong in str(raised.value)


def test_numbers_too_large_for_float32_are_no_warning(made):
    assert made([1e300, 1]).tolist() == [[np.inf, 1]]
