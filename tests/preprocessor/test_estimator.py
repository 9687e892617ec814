"""What scikit-learn, bob.pipelines and Bob's old wrappers ask of an extractor."""

import numpy as np
import pytest
from programs import printed_by

from bob.learn.pytorch.preprocessor.audio import (
    DltResNetExtractor,
    EmbeddingExtractor,
    ResNetExtractor,
)

RATE = 16_000
NOISE = 0.1 * np.random.default_rng(3).standard_normal(RATE)
HEAVY = ("torch", "scipy", "sklearn", "h5py", "soundfile", "requests", "bob.bio.base")


@pytest.fixture(scope="module")
def extractor(checkpoint):
    return DltResNetExtractor(checkpoint("dltresnet34"))


def test_importing_and_making_an_extractor_loads_nothing_heavy():
    code = (
        "import sys\n"
        "from bob.learn.pytorch.preprocessor.audio import DltResNetExtractor\n"
        "DltResNetExtractor('weights.pth')\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )

    assert printed_by(code) == "[]"


@pytest.mark.parametrize(
    "make",
    [
        lambda: EmbeddingExtractor("campplus-zh-en", channel=0),
        lambda: DltResNetExtractor("a.pth", use_res=True, precision="float64"),
        lambda: ResNetExtractor("a.pth", bn_dim=64),
    ],
)
def test_scikit_learn_clones_it(make):
    base = pytest.importorskip("sklearn.base")
    extractor = make()

    twin = base.clone(extractor)

    assert type(twin) is type(extractor)
    assert twin is not extractor
    assert twin.get_params() == extractor.get_params()


def test_it_is_a_step_of_a_scikit_learn_pipeline(extractor):
    pipeline_module = pytest.importorskip("sklearn.pipeline")
    pipeline = pipeline_module.make_pipeline(extractor)

    (embedding,) = pipeline.fit([]).transform([(RATE, NOISE)])

    np.testing.assert_array_equal(embedding, extractor.embed((RATE, NOISE)))
    assert pipeline._get_tags()["requires_fit"] is not None


@pytest.mark.usefixtures("bob_is_loaded")
def test_bob_pipelines_wraps_it_and_keeps_its_embeddings(extractor, tmp_path):
    from bob.pipelines import CheckpointWrapper, Sample, estimator_requires_fit, wrap

    wrapped = wrap(["sample", "checkpoint"], extractor, features_dir=str(tmp_path))
    good = Sample((RATE, NOISE), key="speaker/one")
    bad = Sample((RATE, NOISE[:100]), key="speaker/two")

    first, failed = wrapped.transform([good, bad])
    again, _ = wrapped.transform([good, bad])

    assert isinstance(wrapped, CheckpointWrapper)
    assert not estimator_requires_fit(wrapped)
    assert failed.data is None
    np.testing.assert_array_equal(first.data, extractor.embed((RATE, NOISE)))
    np.testing.assert_array_equal(again.data, first.data)
    stored = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.h5")]
    assert stored == ["speaker/one.h5"]


@pytest.mark.usefixtures("bob_is_loaded")
def test_it_is_a_preprocessor_where_bob_is_loaded():
    """Made before or after: the next one that is made tells the whole class."""
    from bob.bio.base.preprocessor import Preprocessor
    from bob.bio.base.transformers import PreprocessorTransformer

    extractor = DltResNetExtractor(test=True)

    assert isinstance(extractor, Preprocessor)
    assert issubclass(EmbeddingExtractor, Preprocessor)
    transformer = PreprocessorTransformer(extractor)
    with pytest.warns(UserWarning, match="random weights"):
        (row,) = transformer.transform([(RATE, NOISE)])
    assert row.shape == (1, 128)
    assert str(extractor).startswith("DltResNetExtractor(model_file=None, num_classes")


@pytest.mark.usefixtures("bob_is_loaded")
def test_bob_loads_what_it_writes(extractor, tmp_path):
    import bob.io.base

    embedding = extractor((RATE, NOISE))
    path = str(tmp_path / "one.hdf5")

    extractor.write_data(embedding, path)

    loaded = bob.io.base.load(path)
    np.testing.assert_array_equal(loaded, embedding)
    assert loaded.dtype == np.float64
    bob.io.base.save(embedding, path)
    np.testing.assert_array_equal(extractor.read_data(path), embedding)
