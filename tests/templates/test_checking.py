"""What `bob pytorch template check --run` finds."""

import pytest

from bob.learn.pytorch.templates.run import checking
from bob.learn.pytorch.templates.run.checking import check

MEANS = ["y = np.stack([x[:, :4].mean(1), x.std(1)], 1)"]


@pytest.fixture
def found(toy, environment, temporary, monkeypatch):
    """`found(**keys)`: findings by their names."""
    monkeypatch.setattr(checking, "install", lambda *_, **__: (environment, {}))

    def run(**keys):
        findings = list(check(toy(**keys), trusted=True))
        assert list(temporary.iterdir()) == []
        return {finding.name: finding for finding in findings}

    return run


def test_a_good_template_passes_everything(found):
    findings = found(embed_fwd=MEANS, batching="equal", embedding_size=2)

    assert list(findings) == [
        "installed",
        "loads",
        "has no network",
        "noise of 0.5 s",
        "noise of 1 s",
        "noise of 3 s",
        "noise of 10 s",
        "silence of 1 s",
        "the same twice",
        "the same in another process",
        "a batch equals one by one",
        "speed and memory",
    ]
    assert {finding.ok for finding in findings.values()} == {True, None}
    assert findings["noise of 3 s"].detail == "2 numbers of float32"
    assert "x real time" in findings["speed and memory"].detail


def test_a_template_that_cannot_be_loaded_is_not_tried_further(found):
    findings = found(model_init=["model = nothing"])

    assert list(findings) == ["installed", "loads"]
    assert findings["loads"].ok is False
    assert "model_init[0] at `model = nothing`: NameError" in findings["loads"].detail


def test_wrong_outputs_are_found_and_named(found):
    lines = [
        "import random",
        "calls = calls + 1",
        "y = x[:, :4] + calls * 1e-3 if x.any() else x[:, :4] * np.nan",
        "y = y * np.inf if x.shape[1] == 8000 else y",
        "y = y[:, :3] if x.shape[1] == 16000 else y",
    ]
    start = ["model, calls = 1, 0"]

    findings = found(
        model_init=start, embed_fwd=lines, batching="equal", embedding_size=4
    )

    failed = {name: one.detail for name, one in findings.items() if one.ok is False}
    assert "y is NaN or infinite in 4 of 4 numbers" in failed["noise of 0.5 s"]
    assert "3 numbers; the template promises 4" in failed["noise of 1 s"]
    assert failed["the same twice"].endswith("of the largest number apart")
    assert failed["a batch equals one by one"].endswith("of the largest number apart")
    assert "noise of 3 s" not in failed


def test_a_model_that_is_another_in_each_process_is_found(found):
    lines = ["import os", "model = 1 + os.getpid()"]

    findings = found(model_init=lines, embed_fwd=["y = x[:, :4] * model"])

    assert findings["the same twice"].ok is True
    assert findings["the same in another process"].ok is False


def test_a_model_of_random_weights_is_the_same_in_each_process(found):
    lines = ["import random", "model = np.random.normal(size=4) * random.random()"]

    findings = found(model_init=lines, embed_fwd=["y = x[:, :4] * model"])

    assert {finding.ok for finding in findings.values()} == {True, None}


@pytest.mark.parametrize(
    ("keys", "ok"), [({}, None), ({"maximum_duration": 5.0}, False)]
)
def test_silence_matters_where_a_part_of_a_recording_may_be_silent(found, keys, ok):
    forward = ["y = x[:, :4] if x.any() else x[:, :4] * np.nan"]

    finding = found(embed_fwd=forward, **keys)["silence of 1 s"]

    assert finding.ok is ok
    assert "y is NaN or infinite in 4 of 4 numbers; " in finding.detail


def test_a_batch_of_another_size_is_found(found):
    findings = found(embed_fwd=["y = x[:1, :4]"], batching="equal")

    finding = findings["a batch equals one by one"]
    assert finding.ok is False
    assert "expected (4, dimensions)" in finding.detail


def test_parts_that_differ_by_a_sample_are_no_trouble(found):
    findings = found(
        embed_fwd=["y = x[:, :4, None] + np.zeros((1, 1, x.shape[1]))"],
        out_layout="features_frames",
        pooling="none",
        batching="equal",
        maximum_duration=0.23,
    )

    assert {finding.ok for finding in findings.values()} == {True, None}


def test_codes_are_compared_as_numbers(found):
    """Of uint8, 0 - 1 is 255."""
    lines = ["calls += 1", "y = np.uint8([[calls % 2 * 200, 250]])"]
    start = ["model, calls = 1, 0"]
    keys = {"out_layout": "frames_features", "pooling": "none"}

    findings = found(model_init=start, embed_fwd=lines, **keys)

    assert findings["the same twice"].detail == "0.8 of the largest number apart"


def test_a_process_that_dies_ends_the_trial(found):
    lines = ["import os", "x.any() or os._exit(3)", "y = x[:, :4]"]

    findings = found(embed_fwd=lines)

    assert list(findings)[-1] == "silence of 1 s"
    assert "exit status 3" in findings["silence of 1 s"].detail


def test_the_size_of_a_model_is_told(found):
    lines = [
        "class Numbers:\n    def numel(self): return 1234567",
        "class Model:\n    def parameters(self): return [Numbers()]",
        "model = Model()",
    ]

    assert "1,234,567 parameters" in found(model_init=lines)["loads"].detail
