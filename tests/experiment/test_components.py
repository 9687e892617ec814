import numpy as np
import pytest
import soundfile

from bob.learn.pytorch.experiment.components import Extraction, Preprocessing
from bob.learn.pytorch.experiment.configuration import ConfigurationError
from bob.learn.pytorch.files import source_of
from bob.learn.pytorch.protocols.trials import Recording


class NoDatabase:
    name, protocol = "none", None
    original_directory = original_extension = None

    def annotations(self, recording):
        return {"eyes": 2} if recording.key == "annotated" else None


@pytest.fixture
def recording(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.array([0.5, -0.25]), 8000, subtype="PCM_16")
    return Recording("a", tmp_path / "a.wav", "ann")


def test_an_old_preprocessor_gets_rate_and_samples_in_16_bit_range(recording):
    got = {}

    class Old:
        def __call__(self, data, annotations):
            got["data"] = data
            return 1

    Preprocessing(Old(), NoDatabase())(recording)

    rate, samples = got["data"]
    assert rate == 8000
    assert samples.dtype == np.float64
    assert samples.tolist() == [16384, -8192]


def test_an_old_preprocessor_may_read_by_itself(recording):
    class Reading:
        def read_original_data(self, file, directory, extension):
            return file.make_path(directory, extension)

        def __call__(self, data, annotations):
            return data

    assert Preprocessing(Reading(), NoDatabase())(recording) == str(recording.path)


def test_what_reads_by_itself_finds_the_file_of_old(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.array([1, -2, 300], dtype=np.int16), 8000)

    class Reading:
        def read_original_data(self, file, directory, extension):
            assert file.make_path("anywhere", ".wav") == str(path)
            return file.load("anywhere", ".wav")

        def __call__(self, data, annotations):
            return data

    rate, samples = Preprocessing(Reading(), NoDatabase())(Recording("a", path, "ann"))

    assert rate == 8000
    assert samples.tolist() == [1, -2, 300]


def test_metadata_and_annotations_are_handed_to_whoever_asks():
    class Asking:
        def __call__(self, data, annotations, metadata=None):
            return data, annotations, metadata

    class Sample:
        data = "samples"

    sample = Sample()
    recording = Recording("annotated", None, "ann", source=sample)

    result = Preprocessing(Asking(), NoDatabase())(recording)

    assert result == ("samples", {"eyes": 2}, sample)


def test_the_rate_of_a_sample_comes_first_as_of_old():
    class Sample:
        data, rate = "samples", 16000

    recording = Recording("a", None, "ann", source=Sample())

    class Old:
        def __call__(self, data, annotations):
            return data

    assert Preprocessing(Old(), NoDatabase())(recording) == (16000, "samples")


def test_a_transformer_of_today_is_given_a_list(recording):
    class Transformer:
        def transform(self, items):
            return [item.sum() for item in items]

    result = Preprocessing(Transformer(), NoDatabase())(recording)

    assert result == pytest.approx(8192)


def test_a_files_own_way_to_load_is_respected(tmp_path):
    class File:
        def make_path(self, directory, extension):
            raise AssertionError("never asked")

        def load(self, directory, extension):
            return 8000, np.zeros(3)

    recording = Recording("a", tmp_path / "a", "ann", source=File(), own_loader=True)

    class Old:
        def __call__(self, data, annotations):
            return data[0]

    assert Preprocessing(Old(), NoDatabase())(recording) == 8000


def test_the_fingerprint_changes_with_recording_component_and_annotation(
    recording, tmp_path
):
    class Old:
        def __init__(self, bands):
            self.bands = bands

        def __call__(self, data, annotations):
            return data

    one = Preprocessing(Old(3), NoDatabase())
    assert one.made_by() == Preprocessing(Old(3), NoDatabase()).made_by()
    assert one.made_by() != Preprocessing(Old(4), NoDatabase()).made_by()

    def made_from(recording):
        return one.made_from(recording, source_of(recording.path))

    before = made_from(recording)
    assert before == made_from(recording)
    annotated = Recording("annotated", recording.path, "ann")
    assert before != made_from(annotated)
    soundfile.write(recording.path, np.zeros(5), 8000)
    assert before != made_from(recording)


def test_samples_without_a_file_are_known_by_their_content():
    class Sample:
        def __init__(self, data):
            self.data = data

    class Old:
        def __call__(self, data, annotations):
            return data

    def fingerprint(data):
        recording = Recording("a", None, "ann", source=Sample(data))
        return Preprocessing(Old(), NoDatabase()).made_from(recording, "")

    assert fingerprint(np.zeros(3)) == fingerprint(np.zeros(3))
    assert fingerprint(np.zeros(3)) != fingerprint(np.ones(3))


def test_own_writers_and_readers_are_used(tmp_path, recording):
    class Own:
        def __call__(self, data):
            return data

        def write_feature(self, feature, path):
            np.savetxt(path, feature)

        def read_feature(self, path):
            return np.loadtxt(path)

    extraction = Extraction(Own())

    extraction.write(np.arange(3.0), tmp_path / "a.hdf5", "f")

    assert extraction.read(tmp_path / "a.hdf5").tolist() == [0, 1, 2]
    assert (tmp_path / "a.hdf5").read_text().startswith("0.0")


def test_an_extractor_that_must_be_trained_is_refused():
    class Trained:
        requires_training = True

        def __call__(self, data):
            return data

    with pytest.raises(ConfigurationError, match="Trained requires training"):
        Extraction(Trained())


@pytest.mark.parametrize("component", ["text", 3, None])
def test_what_cannot_work_as_a_component_is_refused(component):
    with pytest.raises(ConfigurationError, match="expected an object"):
        Preprocessing(component, NoDatabase())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_pipeline_of_today_with_our_extractor_gives_its_embedding(tmp_path):
    from bob.learn.pytorch.config.pipelines import make_transformer
    from bob.learn.pytorch.preprocessor.audio import DltResNetExtractor

    noise = np.random.default_rng(0).normal(0, 0.1, 16000)
    soundfile.write(tmp_path / "a.wav", noise, 16000)
    recording = Recording("a", tmp_path / "a.wav", "ann")
    extractor = DltResNetExtractor(test=True)
    preprocessing = Preprocessing(make_transformer(extractor), NoDatabase())

    preprocessing.prepare()
    embedding = preprocessing(recording)

    np.testing.assert_array_equal(embedding, extractor.embed(recording.path))
    other = make_transformer(DltResNetExtractor(test=True, use_res=True))
    assert Preprocessing(other, NoDatabase()).made_by() != preprocessing.made_by()
