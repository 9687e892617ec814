"""One object that is Bob's preprocessor and a transformer."""

import copy
import logging
import pickle
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import soundfile

from bob.learn.pytorch.audio import (
    ChannelError,
    UnreadableRecording,
    UnusableEmbedding,
)
from bob.learn.pytorch.models.errors import (
    DownloadError,
    OfflineError,
    UnknownModelError,
    WeightsError,
    WrongWeights,
)
from bob.learn.pytorch.models.store import file_sha256
from bob.learn.pytorch.preprocessor.audio import (
    DltResNetExtractor,
    EmbeddingExtractor,
    ResNetExtractor,
    load_model,
)

RATE = 16_000


@pytest.fixture(scope="module")
def extractor(checkpoint):
    return DltResNetExtractor(checkpoint("dltresnet34"))


@pytest.fixture
def recording(tmp_path, voice):
    path = tmp_path / "speaker" / "one.wav"
    path.parent.mkdir()
    soundfile.write(path, voice, RATE)
    return path


def test_whatever_carries_the_recording_gives_the_same_embedding(
    extractor, voice, recording
):
    expected = extractor((RATE, voice))[0]

    for same in (
        recording,
        str(recording),
        (voice, RATE),
        (RATE, voice.astype(np.float64)),
        (RATE, voice / 32768),
        SimpleNamespace(data=str(recording)),
        SimpleNamespace(data=voice, rate=RATE),
    ):
        np.testing.assert_allclose(extractor.embed(same), expected, atol=1e-6)
    np.testing.assert_array_equal(extractor.embed(voice, rate=RATE), expected)


def test_a_list_has_a_row_for_each_recording(extractor, voice, recording):
    one = extractor.embed(recording)

    both = extractor.embed([recording, (RATE, voice)])
    arrays = extractor.embed([voice, voice], rate=RATE)

    np.testing.assert_allclose(both, [one, one], atol=1e-5)
    np.testing.assert_array_equal(arrays, [one, one])
    with pytest.raises(UnreadableRecording, match=r"two\.wav"):
        extractor.embed([recording, recording.with_name("two.wav")])
    with pytest.raises(ValueError, match="empty list"):
        extractor.embed([])


def test_a_model_is_loaded_by_the_name_or_by_its_file(checkpoint, voice):
    path = checkpoint("dltresnet34")

    model = load_model(path, progress=False)
    named = load_model("dltresnet34-voxceleb1", model_file=path)

    expected = DltResNetExtractor(path).embed(voice, rate=RATE)
    np.testing.assert_array_equal(model.embed(voice, rate=RATE), expected)
    np.testing.assert_array_equal(named.embed(voice, rate=RATE), expected)
    with pytest.raises(UnknownModelError, match="nearest"):
        load_model("dltresnet")


def test_transform_gives_one_vector_an_item_and_none_for_a_bad_one(
    extractor, voice, recording, caplog
):
    caplog.set_level(logging.WARNING)
    missing = recording.with_name("two.wav")

    good, bad, silent = extractor.transform(
        [recording, missing, (RATE, np.zeros(RATE))]
    )

    np.testing.assert_array_equal(good, extractor((RATE, voice))[0])
    assert good.shape == (128,)
    assert bad is None
    assert silent is None
    assert f"no embedding: {missing}: does not exist" in caplog.text
    assert "no embedding: the recording is silent" in caplog.text


def test_a_call_raises_what_transform_tolerates(extractor, tmp_path):
    with pytest.raises(UnreadableRecording, match=r"two\.wav: does not exist"):
        extractor(tmp_path / "two.wav")


def test_a_stereo_recording_needs_a_channel(checkpoint, extractor, voice):
    both = np.stack([voice, voice[::-1]], axis=1)
    with pytest.raises(ChannelError, match="2 channels"):
        extractor((RATE, both))

    first = DltResNetExtractor(checkpoint("dltresnet34"), channel=0)

    np.testing.assert_array_equal(first((RATE, both)), extractor((RATE, voice)))
    assert first.fingerprint() != extractor.fingerprint()


def test_a_network_that_overflows_is_named(checkpoint, voice):
    extractor = DltResNetExtractor(checkpoint("dltresnet34"))
    extractor.embedder.network.em.bias.data[0] = float("inf")

    with pytest.raises(UnusableEmbedding, match="dltresnet34-voxceleb1"):
        extractor((RATE, voice))


def test_a_pickle_is_small_and_loads_the_network_by_itself(extractor, voice):
    expected = extractor((RATE, voice))

    content = pickle.dumps(extractor)
    twins = [pickle.loads(content), copy.deepcopy(extractor), copy.copy(extractor)]  # noqa: S301

    assert len(content) < 1000
    for twin in twins:
        assert twin._embedder is None
        assert repr(twin) == repr(extractor)
    np.testing.assert_array_equal(twins[0]((RATE, voice)), expected)


def test_making_one_loads_nothing(tmp_path):
    """A configuration of an experiment makes extractors that it may never use."""
    extractor = DltResNetExtractor(tmp_path / "no" / "such" / "file.pth")

    assert extractor._embedder is None
    assert not (tmp_path / "no").exists()


def test_missing_weights_name_the_way_to_have_them(tmp_path, monkeypatch, voice):
    monkeypatch.setenv("BOB_LEARN_PYTORCH_OFFLINE", "1")
    place = str(tmp_path / "rn34.pth.tar")
    monkeypatch.setenv("BOB_LEARN_PYTORCH_EXTRACTOR_AUDIO_RN_MODELPATH", place)
    extractor = ResNetExtractor()

    for use in (lambda: extractor((RATE, voice)), extractor.fingerprint):
        with pytest.raises(OfflineError, match="bob config set"):
            use()
    with pytest.raises(OfflineError):
        extractor.transform([(RATE, voice)])


@pytest.mark.parametrize(
    "make",
    [
        DltResNetExtractor,
        lambda path: DltResNetExtractor(path, use_res=True),
        ResNetExtractor,
        EmbeddingExtractor,
        lambda path: EmbeddingExtractor("campplus-zh-en", model_file=path),
    ],
)
def test_a_file_that_is_named_and_not_there_is_not_downloaded(make, tmp_path, voice):
    path = tmp_path / "typo.pth"
    extractor = make(str(path))

    for use in (
        lambda: extractor((RATE, voice)),
        extractor.fingerprint,
        extractor.fetch,
        lambda: extractor.transform([(RATE, voice)]),
    ):
        with pytest.raises(WeightsError, match=f"there is no file {path}") as caught:
            use()
        assert not isinstance(caught.value, OfflineError | DownloadError)
    assert list(tmp_path.iterdir()) == []


def test_the_setting_says_where_the_weights_are(
    checkpoint, extractor, monkeypatch, voice
):
    path = checkpoint("dltresnet34")
    monkeypatch.setenv("BOB_LEARN_PYTORCH_EXTRACTOR_AUDIO_DRN_MODELPATH", str(path))

    by_setting = DltResNetExtractor()

    np.testing.assert_array_equal(by_setting((RATE, voice)), extractor((RATE, voice)))
    assert by_setting.fingerprint() == extractor.fingerprint()


@pytest.mark.parametrize("network", ["dltresnet34", "resnet34"])
def test_a_file_tells_which_network_it_is_for(checkpoint, extractor, voice, network):
    path = checkpoint(network)
    named = extractor if network == "dltresnet34" else ResNetExtractor(path)

    by_path = EmbeddingExtractor(path)
    by_name = EmbeddingExtractor(f"{network}-voxceleb1", model_file=str(path))

    expected = named((RATE, voice))
    np.testing.assert_array_equal(by_path((RATE, voice)), expected)
    np.testing.assert_array_equal(by_name((RATE, voice)), expected)
    assert by_path.fingerprint()["model"] == f"{network}-voxceleb1"


def test_names_and_files_that_are_none_are_refused(tmp_path, voice):
    torch = pytest.importorskip("torch")
    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.pth")

    with pytest.raises(UnknownModelError, match="campplus-zh-en"):
        EmbeddingExtractor("camplus-zh-en")
    with pytest.raises(WeightsError, match="there is no file"):
        EmbeddingExtractor(tmp_path / "missing.pth")((RATE, voice))
    with pytest.raises(WrongWeights, match="not of the network of a trained model"):
        EmbeddingExtractor(str(tmp_path / "other.pth"))((RATE, voice))
    with pytest.raises(ValueError, match="precision is 'float16'"):
        EmbeddingExtractor(precision="float16")


def test_the_fingerprint_holds_all_that_changes_embeddings(checkpoint):
    path = checkpoint("dltresnet34")
    fingerprint = DltResNetExtractor(path).fingerprint()

    assert fingerprint == {
        "extractor": "DltResNetExtractor",
        "model": "dltresnet34-voxceleb1",
        "weights": file_sha256(path),
        "embedding_size": "128",
        "precision": "float32",
        "channel": "None",
        "resampler": "fft",
        "recipe": "1",
    }
    others = [
        DltResNetExtractor(path, precision="float64"),
        DltResNetExtractor(path, channel="mix"),
        ResNetExtractor(checkpoint("resnet34")),
        DltResNetExtractor(test=True),
    ]
    assert all(other.fingerprint() != fingerprint for other in others)


def test_written_data_is_what_bob_reads_and_comes_back(extractor, voice, tmp_path):
    embedding = extractor((RATE, voice))
    path = tmp_path / "new" / "one.hdf5"

    extractor.write_data(embedding, path)

    with h5py.File(path) as file:
        assert list(file) == ["array"]
        assert file["array"].dtype == np.float64
    np.testing.assert_array_equal(extractor.read_data(str(path)), embedding)
    assert [item.name for item in path.parent.iterdir()] == ["one.hdf5"]
    assert path.stat().st_size >= extractor.min_preprocessed_file_size


def test_an_open_file_is_written_and_read_as_bob_does(extractor, tmp_path):
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        extractor.write_data(np.arange(3.0), file)

        assert extractor.read_data(file).tolist() == [0, 1, 2]


class WithMakePath:
    """The part of Bob's BioFile that knows where a recording is."""

    path = "speaker/one"
    original_directory = "/database"
    original_extension = ".sph"

    def make_path(self, directory, extension):
        return f"{directory}/{self.path}{extension}"


class WithLoad(WithMakePath):
    def load(self, directory, extension):
        return 8000, np.zeros(8), directory, extension


def load_of_bob(*_):
    raise AssertionError("Bob's own load cannot read audio")


load_of_bob.__module__ = "bob.bio.base.database.file"


class WithLoadOfBob(WithMakePath):
    load = load_of_bob


def test_the_file_of_a_database_gives_its_path_or_what_the_user_loads(extractor):
    read = extractor.read_original_data

    assert read(WithMakePath(), "/data", ".wav") == "/data/speaker/one.wav"
    assert read(WithLoadOfBob(), "/data", ".wav") == "/data/speaker/one.wav"
    assert read(WithLoadOfBob()) == "/database/speaker/one.sph"
    assert read(WithLoad(), "/data", ".wav")[2:] == ("/data", ".wav")
    plain = SimpleNamespace(path="speaker/one")
    assert read(plain, "/data", ".wav") == "/data/speaker/one.wav"
    assert read(SimpleNamespace(path="one.wav")) == "one.wav"


def test_parameters_are_those_of_the_constructor():
    extractor = DltResNetExtractor("drn34.pth.tar", use_res=False, channel="mix")

    parameters = extractor.get_params()
    other = extractor.set_params(use_res=True, model_file=None)

    assert list(parameters) == [
        "model_file",
        "num_classes",
        "bn_dim",
        "cuda_flag",
        "test",
        "use_res",
        "device",
        "precision",
        "engine",
        "channel",
    ]
    assert other is extractor
    assert other.model.name == "resnet34-voxceleb1"
    assert other.channel == "mix"
    with pytest.raises(ValueError, match=r"no parameter 'modelfile'; it has model_f"):
        extractor.set_params(modelfile="a")


def test_fitting_does_nothing(extractor, voice):
    assert extractor.fit([(RATE, voice)]) is extractor
    assert extractor.fit_transform([(RATE, voice)])[0].shape == (128,)


@pytest.mark.network
@pytest.mark.slow
def test_campplus_embeds_what_its_makers_embedded(shared, tmp_path, monkeypatch):
    """Embeddings of LibriSpeech recordings by the original network."""
    monkeypatch.setenv("BOB_LEARN_PYTORCH_WEIGHTS_FOLDER", str(tmp_path))
    expected = np.load(shared / "golden" / "campplus" / "embeddings_librispeech.npz")
    extractor = EmbeddingExtractor("campplus-zh-en")
    root = shared / "data" / "librispeech" / "test-other"

    for key in list(expected)[::10]:
        embedding = extractor.embed(root / f"{key}.flac")

        lengths = np.linalg.norm(embedding) * np.linalg.norm(expected[key])
        assert embedding @ expected[key] / lengths > 0.99999
