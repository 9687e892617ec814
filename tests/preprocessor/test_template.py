"""Anyone's audio model as Bob's preprocessor and transformer."""

import json
import logging
import pickle
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from programs import printed_by
from sklearn.base import clone
from template_files import content

from bob.learn.pytorch.audio import RecordingError
from bob.learn.pytorch.inference.engine import ChoiceError
from bob.learn.pytorch.preprocessor.audio import TemplateExtractor, load_model
from bob.learn.pytorch.templates.format.errors import (
    InvalidTemplate,
    StageError,
    UnknownTemplate,
    UntrustedTemplate,
)
from bob.learn.pytorch.templates.format.template import load
from bob.learn.pytorch.templates.install import artefacts
from bob.learn.pytorch.templates.run import runner

RATE = 16_000
FRAMES = {"out_layout": "frames_features", "pooling": "mean"}


@pytest.fixture
def noise():
    return np.random.default_rng(0).normal(0, 0.1, 1600).astype(np.float32)


@pytest.fixture
def written(tmp_path):
    """`written(**keys)`: the path of a template."""

    def write(**keys):
        path = tmp_path / "mine.json"
        path.write_text(json.dumps(content(**keys)))
        return path

    return write


@pytest.fixture
def installed(environment, monkeypatch):
    """Every template is installed already, in the environment of the tests."""
    asked = []

    def install(template, *, trusted=False, progress=False):
        if not trusted:
            runner.trust.require(template)
        asked.append(template.name)
        return environment, {}

    monkeypatch.setattr(runner, "install", install)
    return asked


@pytest.fixture
def extractor(written, installed):
    """`extractor(**keys)`: closed afterwards."""
    made = []

    def make(options=None, **keys):
        chosen = {"trusted": True, **(options or {})}
        made.append(TemplateExtractor(written(**keys), **chosen))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_a_recording_becomes_an_embedding(extractor, noise, tmp_path):
    soundfile.write(tmp_path / "a.wav", noise, RATE, "FLOAT")
    found = extractor()

    np.testing.assert_array_equal(found.embed(tmp_path / "a.wav"), noise[:4])
    np.testing.assert_array_equal(found.embed(noise, rate=RATE), noise[:4])
    np.testing.assert_array_equal(found((RATE, noise)), noise[None, :4])


@pytest.mark.usefixtures("installed")
def test_a_template_is_loaded_as_any_model_is(written, noise):
    model = load_model(written(), trusted=True, memory_mb=4096)

    np.testing.assert_array_equal(model.embed(noise, rate=RATE), noise[:4])
    model.close()
    with pytest.raises(UntrustedTemplate):
        load_model(written(embed_fwd=["y = x[:, :5]"]))
    with pytest.raises(ChoiceError, match="a template decides this") as refused:
        load_model(written(), engine="onnxruntime")
    assert refused.value.option == "engine"
    with pytest.raises(TypeError, match="no option 'speed'"):
        load_model(written(), speed=2)


def test_in_this_process_it_is_the_same(extractor, noise, installed):
    options = {"isolated": False}

    np.testing.assert_array_equal(extractor(options).embed((RATE, noise)), noise[:4])
    assert extractor(options).chosen()["engine"] == "this process"
    assert installed == []


@pytest.mark.parametrize("isolated", [True, False])
def test_what_is_not_trusted_does_not_run(extractor, noise, isolated):
    found = extractor({"trusted": False, "isolated": isolated})

    with pytest.raises(UntrustedTemplate, match="bob pytorch template trust"):
        found.embed((RATE, noise))


def test_making_one_runs_and_installs_nothing(extractor, installed):
    found = extractor(import_cmds=["raise SystemExit"], model_init=["model = 1 / 0"])

    assert found.model.name == "mine"
    assert repr(found)
    assert installed == []


def test_a_recording_that_fails_is_none_and_told(extractor, noise, caplog):
    lines = ["import os", "x[0, 0] == 0.5 and os._exit(3)", "y = x[:, :4]"]
    bad = np.concatenate([[np.float32(0.5)], noise[1:]])

    with caplog.at_level(logging.WARNING):
        found = extractor(embed_fwd=lines).transform(
            [(RATE, noise), (RATE, bad), (RATE, noise)]
        )

    assert [made is None for made in found] == [False, True, False]
    assert "template mine, embed_fwd[1] at `x[0, 0] == 0.5" in caplog.text
    assert "exit status 3" in caplog.text


def test_a_template_that_fails_at_once_is_an_error_of_its_own(extractor, noise):
    found = extractor(model_init=["model = nothing"])

    with pytest.raises(StageError, match=r"template mine, model_init\[0\]"):
        found.transform([(RATE, noise)])
    with pytest.raises(StageError):
        found.prepare(progress=False)


def test_a_pooling_may_replace_the_templates(extractor, noise):
    lines = ["y = x.reshape(1, -1, 100)"]
    waveform = noise.reshape(-1, 100)

    plain = extractor(embed_fwd=lines, **FRAMES).embed((RATE, noise))
    both = extractor({"pooling": "mean+std"}, embed_fwd=lines, **FRAMES)
    kept = extractor({"pooling": "none"}, embed_fwd=lines, **FRAMES)

    np.testing.assert_allclose(plain, waveform.mean(0), rtol=1e-4, atol=1e-6)
    expected = np.concatenate([waveform.mean(0), waveform.std(0)])
    np.testing.assert_allclose(
        both.embed((RATE, noise)), expected, rtol=1e-4, atol=1e-6
    )
    np.testing.assert_array_equal(kept.embed((RATE, noise)), waveform)


@pytest.mark.parametrize(
    ("options", "keys", "message"),
    [
        ({"pooling": "max"}, FRAMES, "expected one of none, mean"),
        ({"pooling": "mean"}, {}, "gives one vector and no frames"),
        ({"channel": -1}, {}, "channel"),
    ],
)
def test_options_that_are_none_are_refused(extractor, options, keys, message):
    with pytest.raises((ValueError, TypeError), match=message):
        extractor(options, **keys)


def test_a_template_that_is_none_is_refused(tmp_path, written):
    with pytest.raises(UnknownTemplate):
        TemplateExtractor("nowhere/nothing")
    with pytest.raises(InvalidTemplate, match="sample_rate"):
        TemplateExtractor(written(sample_rate="fast"))


def test_two_channels_are_mixed_unless_another_is_asked_for(extractor, noise):
    stereo = np.stack([noise, noise[::-1]])

    mixed = extractor().embed((RATE, stereo))
    second = extractor({"channel": 1}).embed((RATE, stereo))

    np.testing.assert_allclose(mixed, stereo.mean(0)[:4], rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(second, noise[::-1][:4])
    with pytest.raises(RecordingError):
        extractor({"channel": None}).embed((RATE, stereo))


def test_the_fingerprint_changes_with_all_that_changes_an_embedding(extractor):
    first = extractor().fingerprint()

    assert first["template"] == extractor().model.sha256
    assert first["lock"] == "1" * 64
    assert extractor(name="Another name").fingerprint() == first
    for options, keys in (
        ({}, {"embed_fwd": ["y = x[:, :5]"]}),
        ({}, {"sample_rate": 8000}),
        ({"channel": 0}, {}),
        ({"isolated": False}, {}),
    ):
        assert extractor(options, **keys).fingerprint() != first
    frames = extractor({}, **FRAMES).fingerprint()
    assert extractor({"pooling": "first"}, **FRAMES).fingerprint() != frames


def test_a_pickle_holds_the_template_and_no_process(
    extractor, noise, tmp_path, monkeypatch
):
    """Its file may be gone, or another, where the pickle is read."""
    found = extractor()
    found.embed((RATE, noise))
    raw = pickle.dumps(found)
    (tmp_path / "mine.json").unlink()
    monkeypatch.chdir("/")

    copy = pickle.loads(raw)  # noqa: S301

    assert copy.fingerprint() == found.fingerprint()
    np.testing.assert_array_equal(copy.embed((RATE, noise)), noise[:4])
    copy.close()


def test_a_clone_is_the_same(extractor):
    found = extractor({"pooling": "first", "channel": 1}, **FRAMES)

    copy = clone(found)

    assert copy.get_params() == found.get_params()
    assert copy.model.sha256 == found.model.sha256


def test_a_file_that_changed_is_not_read_again_under_the_old_trust(
    extractor, written, noise
):
    found = extractor({"trusted": True})
    path = written(embed_fwd=["y = x[:, 4:8]"])

    for copy in (
        clone(found),
        pickle.loads(pickle.dumps(found)),  # noqa: S301
        clone(found).set_params(channel=0),
    ):
        np.testing.assert_array_equal(copy.embed((RATE, noise)), noise[:4])
        assert copy.get_params()["name_or_path"] == path
        copy.close()
    other = clone(found).set_params(name_or_path=path)
    np.testing.assert_array_equal(other.embed((RATE, noise)), noise[4:8])
    other.close()


def test_a_template_that_was_loaded_is_taken_as_it_is(written, installed, noise):
    path = written()
    template = load(path)
    path.unlink()

    found = TemplateExtractor(template, trusted=True)

    assert clone(found).get_params() == found.get_params()
    assert clone(found).model is template
    assert len(repr(found)) < 300
    np.testing.assert_array_equal(found.embed((RATE, noise)), noise[:4])
    found.close()


def test_the_fingerprint_tells_files_apart_that_the_template_has_no_hash_of(
    extractor, installed, monkeypatch, tmp_path
):
    weights = {"name": "a", "url": "http://example.org/a.pt", "sha256": None}
    place = tmp_path / "a.pt"
    monkeypatch.setattr(artefacts, "fetch", lambda *_, **__: {"a": str(place)})
    monkeypatch.setattr(artefacts, "_place", lambda _: place)

    def fingerprint(text, *, isolated=True, **keys):
        place.write_text(text)
        made = extractor({"isolated": isolated}, weights=[{**weights, **keys}])
        return made.fingerprint()

    assert fingerprint("a") == fingerprint("a") != fingerprint("b")
    assert fingerprint("a", isolated=False) != fingerprint("b", isolated=False)
    known = {"sha256": "0" * 64}
    assert fingerprint("a", **known) == fingerprint("b", **known)


def test_the_fingerprint_tells_downloads_apart(extractor, monkeypatch, environment):
    def fingerprint(downloaded):
        made = replace(environment, downloaded=downloaded)
        monkeypatch.setattr(runner, "install", lambda *_, **__: (made, {}))
        return extractor().fingerprint()

    assert fingerprint("a" * 64) != fingerprint("b" * 64)


def test_recordings_of_one_length_go_together(extractor, noise):
    lines = ["y = np.stack([x[:, 0], np.full(len(x), len(x))], 1)"]
    found = extractor(embed_fwd=lines, batching="equal")
    waveforms = [noise, noise[::-1], noise * 2]

    made = found.transform([(RATE, waveform) for waveform in waveforms])

    assert [one[1] for one in made] == [3, 3, 3]
    assert [one[0] for one in made] == [waveform[0] for waveform in waveforms]


def test_closing_ends_the_process_and_the_next_recording_starts_another(
    extractor, noise
):
    import psutil

    found = extractor()
    children = psutil.Process().children
    before = len(children())

    for _ in range(2):
        found.embed((RATE, noise))
        assert len(children()) == before + 1
        found.close()
        assert len(children()) == before


@pytest.mark.slow
def test_importing_it_imports_no_templates():
    code = (
        "import sys\n"
        "from bob.learn.pytorch.preprocessor.audio import TemplateExtractor\n"
        "print('bob.learn.pytorch.templates.run.worker' in sys.modules)"
    )

    assert printed_by(code) == "False"
