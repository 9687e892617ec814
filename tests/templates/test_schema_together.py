"""Keys of a template that are right alone and wrong together, and its requirements."""

import pytest

from bob.learn.pytorch.templates.format.schema import problems


@pytest.mark.parametrize(
    ("changes", "path", "message"),
    [
        ({"in_layout": "samples"}, "in_layout", "in_shape of 2; expected 'batch_sam"),
        ({"in_layout": "spectrogram"}, "in_layout", "expected 'batch_samples'"),
        ({"in_shape": 1, "in_layout": "batch_samples"}, "in_layout", "'samples'"),
        (
            {"in_shape": 3, "in_layout": "samples"},
            "in_layout",
            "'batch_channels_samples' or 'spectrogram'",
        ),
        ({"in_channels": 2}, "in_channels", "which has no axis for channels"),
        ({"in_shape": 3, "in_layout": "spectrogram"}, "in_layout", "without pre_proc"),
        ({"in_shape": 1, "batching": "equal"}, "batching", "no axis for a batch"),
        ({"pooling": "mean"}, "pooling", "which has no frames"),
        (
            {
                "out_layout": "frames_features",
                "pooling": "mean+std",
                "embedding_size": 3,
            },
            "embedding_size",
            "expected an even number",
        ),
        (
            {"minimum_duration": 3, "maximum_duration": 2.5},
            "minimum_duration",
            "got 3 seconds, more than the maximum_duration of 2.5",
        ),
        ({"python": "3.11"}, "python", "expected versions as '>=3.9,<3.13'"),
        ({"python": "^3.9"}, "python", "PEP 440"),
    ],
)
def test_what_does_not_fit_together_is_told(changes, path, message, told):
    line = told(**changes)

    assert line.startswith(f"$.{path}: ")
    assert message in line


def test_frames_need_a_stated_pooling(told):
    assert "the key 'pooling' is missing" in told(out_layout="frames_features")
    assert told(out_layout="frames_features", pooling="none") == ""


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("numpy", "not pinned to one version"),
        ("numpy>=1.26", "not pinned to one version"),
        ("numpy==1.26.*", "not pinned to one version"),
        ("numpy==1.26.4,>1", "not pinned to one version"),
        ("numpy===1.26.4", "not pinned to one version"),
        ("numpy @ https://example.org/numpy.whl", "this is an address"),
        ("-r requirements.txt", "this is an option of pip"),
        ("--index-url https://example.org", "this is an option of pip"),
        ("git+https://example.org/a", "this is no requirement"),
        ("numpy == ", "this is no requirement"),
        ("import os", "this is no requirement"),
        (" ", "this is no requirement"),
    ],
)
@pytest.mark.parametrize("key", ["requirements", "requirements_without_dependencies"])
def test_a_requirement_is_an_exact_pin(key, line, message, smallest):
    (problem,) = problems({**smallest, key: ["torch==2.11.0", line]})

    assert problem.path == f"$.{key}[1]"
    assert message in problem.message
    assert "name==version" in problem.message


def test_a_package_is_pinned_once(told):
    line = told(
        requirements=["Some.Thing==1"],
        requirements_without_dependencies=["some-thing==2"],
    )

    assert line.startswith("$.requirements_without_dependencies[0]: ")
    assert "$.requirements[0] names" in line


def test_everything_wrong_is_told_at_once(told):
    lines = told(sample_rate=0, pooling="mean", python="x", colour="red").splitlines()

    assert [line.split(":")[0] for line in lines] == [
        "$.colour",
        "$.sample_rate",
        "$.pooling",
        "$.python",
    ]


def test_one_mistake_is_told_once(told):
    """A wrong `in_shape` says nothing about `in_layout`, nor a wrong layout of both."""
    assert len(told(in_shape=4, in_layout="samples").splitlines()) == 1
    assert len(told(out_layout="frame_features").splitlines()) == 1
