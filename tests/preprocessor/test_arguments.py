"""Mistakes in arguments show when the extractor is made, before any download."""

import logging

import numpy as np
import pytest

from bob.learn.pytorch.audio import RecordingError
from bob.learn.pytorch.extractor import CallableExtractor
from bob.learn.pytorch.preprocessor.audio import (
    DltResNetExtractor,
    EmbeddingExtractor,
    ResNetExtractor,
)

RATE = 16_000


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: EmbeddingExtractor(3), TypeError, "name_or_path is 3; expected the n"),
        (lambda: EmbeddingExtractor(None), TypeError, "name_or_path is None"),
        (
            lambda: EmbeddingExtractor(precision="f16"),
            ValueError,
            "'f16'.*float32, float64",
        ),
        (lambda: EmbeddingExtractor(channel="left"), ValueError, "'left'.*the first"),
        (lambda: EmbeddingExtractor(channel=-1), ValueError, "is -1; expected 0"),
        (lambda: EmbeddingExtractor(channel=1.5), TypeError, "is 1.5; expected 0"),
        (lambda: EmbeddingExtractor(device=0), TypeError, "device is 0;.*'cuda:0'"),
        (
            lambda: DltResNetExtractor(3),
            TypeError,
            "model_file is 3; expected the path",
        ),
        (lambda: DltResNetExtractor(bn_dim="x"), TypeError, "bn_dim is 'x'; expected"),
        (lambda: ResNetExtractor(bn_dim=0), ValueError, "bn_dim is 0; expected 1 or"),
        (lambda: CallableExtractor(3), TypeError, "callable is 3; expected a function"),
    ],
)
def test_a_wrong_argument_is_named_with_what_was_expected(make, error, says):
    with pytest.raises(error, match=says) as caught:
        make()
    assert not isinstance(caught.value, RecordingError)


def test_a_wrong_argument_is_found_in_set_params_too():
    with pytest.raises(ValueError, match="channel is -1"):
        EmbeddingExtractor().set_params(channel=-1)


@pytest.mark.parametrize("channel", [None, 0, 3, np.int64(1), "mix"])
def test_right_channels_are_taken(channel):
    assert EmbeddingExtractor(channel=channel).channel == channel


def test_one_path_is_no_list_of_recordings(tmp_path):
    for path in ("a.wav", tmp_path / "a.wav"):
        with pytest.raises(TypeError, match=r"one path .*expected a list.*\[path\]"):
            EmbeddingExtractor().transform(path)


def test_the_log_notes_a_recording_shorter_than_recommended(checkpoint, caplog):
    extractor = DltResNetExtractor(checkpoint("dltresnet34"))
    noise = 0.1 * np.random.default_rng(0).standard_normal(RATE)

    with caplog.at_level(logging.INFO, "bob.learn.pytorch.inference"):
        extractor.embed((RATE, noise))
        assert not caplog.records
        extractor.embed((RATE, noise[:8000]))

    assert [record.getMessage() for record in caplog.records] == [
        "a recording lasts 0.50 s; below 1 s an embedding of dltresnet34-voxceleb1 "
        "says little"
    ]
    assert caplog.records[0].levelno == logging.INFO
