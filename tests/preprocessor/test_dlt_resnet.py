"""The extractors of 0.2.0: the same numbers, and what it did wrong done right."""

import warnings

import numpy as np
import pytest
from files import from_json

from bob.learn.pytorch.audio import (
    ConstantRecording,
    SilentRecording,
    TooShortRecording,
)
from bob.learn.pytorch.models.store import WrongWeights
from bob.learn.pytorch.preprocessor.audio import DltResNetExtractor, ResNetExtractor

RATE = 16_000


@pytest.fixture(scope="module")
def extractor(checkpoint):
    return DltResNetExtractor(checkpoint("dltresnet34"), 1211)


def untrained(kind=DltResNetExtractor, **options):
    extractor = kind(test=True, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _ = extractor.embedder
    return extractor


GOLDEN_CASES = [
    "voice16k_int16",
    "voice16k_float",
    "voice8k_int16",
    "voice11025_int16",
    "short37_int16",
    "fullscale_float",
]


@pytest.mark.parametrize("network", ["dltresnet34", "resnet34"])
@pytest.mark.parametrize(
    ("precision", "kind", "tolerance"),
    [("float32", "f32", 1e-5), ("float64", "f64", 1e-7)],
)
def test_the_golden_embeddings(golden, checkpoint, network, precision, kind, tolerance):
    """The unmodified class of 0.2.0 gave float32, its network in double float64."""
    folder = golden / "synthetic"
    waveforms = np.load(folder / "waveforms.npz")
    expected = np.load(folder / "embeddings.npz")
    rates = from_json(folder / "meta.json")
    extractor = DltResNetExtractor(
        checkpoint(network), use_res=network == "resnet34", precision=precision
    )

    for case in GOLDEN_CASES:
        embedding = extractor((rates[case]["rate"], waveforms[case]))

        assert embedding.shape == (1, 128)
        assert embedding.dtype == np.float32
        np.testing.assert_allclose(
            embedding[0],
            expected[f"{case}__{network}__{kind}"],
            rtol=0,
            atol=tolerance,
            err_msg=case,
        )


@pytest.mark.slow
@pytest.mark.parametrize("network", ["dltresnet34", "resnet34"])
def test_the_golden_embeddings_of_speech(shared, checkpoint, network):
    folder = shared / "golden" / "speech"
    waveforms = np.load(folder / "waveforms.npz")
    expected = np.load(folder / "embeddings.npz")
    cases = from_json(folder / "meta.json")
    extractor = DltResNetExtractor(checkpoint(network), use_res=network == "resnet34")

    for case in [case for case in cases if not case.startswith(("silence", "const"))]:
        embedding = extractor((cases[case]["rate"], waveforms[case]))

        np.testing.assert_allclose(
            embedding[0], expected[f"{case}__{network}__f32"], rtol=0, atol=1e-5
        )


@pytest.mark.parametrize("kind", [DltResNetExtractor, ResNetExtractor])
def test_the_extractor_in_test_mode_gives_128_numbers(kind):
    """The published test of 0.2.0: 1 s of random numbers, without weights."""
    noise = np.random.default_rng(0).random(RATE)

    embedding = untrained(kind)((RATE, noise))

    assert embedding.shape == (1, 128)
    assert np.isfinite(embedding).all()


def test_the_test_mode_is_reproducible_and_warns(voice):
    first = DltResNetExtractor(test=True)
    with pytest.warns(UserWarning, match="random weights"):
        once = first((RATE, voice))

    again = untrained()((RATE, voice))

    np.testing.assert_array_equal(once, first((RATE, voice)))
    np.testing.assert_array_equal(once, again)
    assert first.fingerprint()["weights"] == "random weights"


def test_the_test_mode_leaves_the_random_numbers_of_others_alone():
    torch = pytest.importorskip("torch")
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)

    untrained()

    assert torch.equal(torch.rand(3), expected)


def test_an_embedding_does_not_depend_on_the_one_before(extractor, voice):
    """In training mode, as the original with test=True, every call changes it."""
    first = extractor((RATE, voice))
    extractor((RATE, voice[::-1].copy()))

    np.testing.assert_array_equal(extractor((RATE, voice)), first)


def test_weights_of_the_other_network_are_refused(checkpoint, voice):
    extractor = DltResNetExtractor(checkpoint("resnet34"))

    with pytest.raises(WrongWeights, match="resnet34-voxceleb1"):
        extractor((RATE, voice))


def test_another_embedding_size_needs_weights_of_that_size(checkpoint, voice):
    other = untrained(bn_dim=64)

    assert other((RATE, voice)).shape == (1, 64)
    assert other.fingerprint()["embedding_size"] == "64"
    with pytest.raises(WrongWeights, match=r"em\.weight \(128, 1024\) instead of"):
        DltResNetExtractor(checkpoint("dltresnet34"), bn_dim=64)((RATE, voice))


@pytest.mark.parametrize(
    ("samples", "error", "says"),
    [
        (slice(0, 6159), TooShortRecording, r"lasts 0.3849 s; at least 0.385 s"),
        (slice(0, 800), TooShortRecording, r"lasts 0.05 s; at least 0.385 s"),
        (np.zeros(RATE, np.int16), SilentRecording, "silent"),
        (np.full(RATE, 1000, np.int16), ConstantRecording, "constant"),
    ],
)
def test_what_gave_nan_or_the_same_for_everyone_is_refused(
    extractor, voice, samples, error, says
):
    recording = voice[samples] if isinstance(samples, slice) else samples

    with pytest.raises(error, match=says):
        extractor((RATE, recording))


def test_the_shortest_recording_at_8_khz_is_long_enough(extractor, voice):
    assert np.isfinite(extractor((8000, voice[:3080]))).all()


@pytest.mark.gpu
def test_cuda_flag_computes_on_the_gpu(checkpoint, extractor, voice):
    on_gpu = DltResNetExtractor(checkpoint("dltresnet34"), cuda_flag=1)

    np.testing.assert_allclose(
        on_gpu((RATE, voice)), extractor((RATE, voice)), atol=1e-3
    )
    assert next(on_gpu.embedder.parameters()).device.type == "cuda"


def test_a_missing_gpu_is_named(checkpoint):
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")

    for options in ({"cuda_flag": 1}, {"device": "cuda:1"}):
        extractor = DltResNetExtractor(checkpoint("dltresnet34"), **options)
        with pytest.raises(ValueError, match="finds no CUDA device"):
            _ = extractor.embedder


@pytest.mark.parametrize(
    ("frames", "length", "expected"),
    [
        (200, 0, [(0, 200)]),
        (200, 500, [(0, 200)]),
        (200, 100, [(0, 100), (100, 200)]),
        (237, 100, [(0, 100), (100, 200), (200, 237)]),
        (236, 100, [(0, 100), (100, 236)]),
        (230, 100, [(0, 100), (100, 230)]),
        (37, 37, [(0, 37)]),
    ],
)
def test_chunks_cover_every_frame(extractor, frames, length, expected):
    magnitudes = np.random.default_rng(0).uniform(1, 2, (frames, 257))

    rows = extractor.extract_embeddings(None, magnitudes, length, 4)

    alone = [
        extractor.extract_embeddings(None, magnitudes[start:end], 0, 1)[0]
        for start, end in expected
    ]
    np.testing.assert_allclose(rows, alone, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("frames", "length"), [(36, 0), (200, 36)])
def test_chunks_too_short_for_the_network_are_refused(extractor, frames, length):
    with pytest.raises(ValueError, match=r"36 frames is too short.*needs 37"):
        extractor.extract_embeddings(None, np.ones((frames, 257)), length, 1)


@pytest.mark.parametrize("batch_size", [1, 2, 8])
def test_each_chunk_is_embedded_as_a_spectrogram_of_its_own(
    golden, extractor, batch_size
):
    """One chunk of the whole spectrogram gives the golden embedding."""
    folder = golden / "synthetic"
    magnitudes = np.load(folder / "spectrograms.npz")["voice16k_float"]
    expected = np.load(folder / "embeddings.npz")["voice16k_float__dltresnet34__f32"]
    repeated = np.concatenate([magnitudes, magnitudes, magnitudes[:60]])
    length = len(magnitudes)

    rows = extractor.extract_embeddings(None, repeated, length, batch_size)
    last = extractor.extract_embeddings(None, magnitudes[:60], 0, batch_size)

    assert rows.shape == (3, 128)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows[:2], [expected, expected], rtol=0, atol=1e-5)
    np.testing.assert_allclose(rows[2:], last, rtol=0, atol=1e-5)


def test_a_remainder_too_short_for_the_network_is_neither_dropped_nor_nan(
    golden, extractor
):
    magnitudes = np.load(golden / "synthetic" / "spectrograms.npz")["voice16k_float"]

    for frames in (80, 81, 111, 116):  # left over: none, 1, 31 and 36 after two of 40
        rows = extractor.extract_embeddings(
            extractor.embedder.network, magnitudes[None, None, :frames], 40, 4
        )
        whole = extractor.extract_embeddings(None, magnitudes[40:frames], 0, 1)

        assert rows.shape == (2, 128)
        assert np.isfinite(rows).all()
        np.testing.assert_allclose(rows[1:], whole, rtol=0, atol=1e-5)


def test_a_larger_min_length_joins_longer_remainders(golden, extractor):
    magnitudes = np.load(golden / "synthetic" / "spectrograms.npz")["voice16k_float"]

    assert len(extractor.extract_embeddings(None, magnitudes, 80, 1)) == 2
    assert len(extractor.extract_embeddings(None, magnitudes, 80, 1, 0, 60)) == 1


def test_min_length_is_of_remainders_and_not_of_whole_chunks(golden, extractor):
    magnitudes = np.load(golden / "synthetic" / "spectrograms.npz")["voice16k_float"]

    rows = extractor.extract_embeddings(None, magnitudes[:80], 40, 1, 0, 50)

    assert len(rows) == 2
    assert len(extractor.extract_embeddings(None, magnitudes[:45], 0, 1, 0, 60)) == 1


def test_batches_do_not_change_embeddings(golden, extractor):
    magnitudes = np.load(golden / "synthetic" / "spectrograms.npz")["voice16k_int16"]

    one, many = (
        extractor.extract_embeddings(None, magnitudes, 38, size) for size in (1, 3)
    )

    np.testing.assert_allclose(one, many, rtol=0, atol=1e-5)
