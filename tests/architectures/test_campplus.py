"""CAM++ against 3D-Speaker's class, with weights by formula."""

import copy
import warnings
import zlib

import numpy as np
import pytest
import torch
from files import from_json
from golden_cases import CAMPPLUS as CASES

from bob.learn.pytorch.architectures import campplus
from bob.learn.pytorch.architectures.campplus import _ContextAwareMask
from bob.learn.pytorch.masking import weights_of_segments


@pytest.fixture(scope="module")
def filled(golden_weights):
    """The network in float32, with the weights by formula; not to be changed."""
    return golden_weights.fill(campplus())


@pytest.fixture(scope="module")
def in_double(filled):
    return copy.deepcopy(filled).double()


def golden_features(golden, case):
    features = np.load(golden / "campplus" / "fbank.npz")[case]
    return torch.from_numpy(features.T.copy())[None]


@pytest.mark.parametrize("case", CASES)
def test_embeddings_of_the_published_class(golden, filled, case):
    expected = np.load(golden / "campplus" / "embeddings.npz")[f"{case}__formula__f32"]

    with torch.inference_mode():
        embedding = filled(golden_features(golden, case))[0].numpy()

    np.testing.assert_allclose(embedding, expected, atol=2e-5, rtol=0)


@pytest.mark.parametrize("case", ["voice16k_int16", "voice16k_concat"])
def test_every_stage_in_double_precision(golden, in_double, case):
    """Where an embedding is off, the first stage that fails says where to look."""
    stages = from_json(golden / "campplus" / "stages.json")
    expected = stages[f"{case}__formula"]
    # The pooled vector has a name of its own; the first stage is after a ReLU.
    layers = {"xvector.stats": "xvector.pooling", "head.conv1": "head.bn1"}
    answers = {}
    hooks = [
        in_double.get_submodule(layers.get(stage, stage)).register_forward_hook(
            lambda _, __, answer, stage=stage: answers.update({stage: answer[0]})
        )
        for stage in expected
    ]

    with torch.inference_mode():
        in_double(golden_features(golden, case).double())
    for hook in hooks:
        hook.remove()

    answers["head.conv1"] = answers["head.conv1"].relu()
    assert list(answers) == list(expected)
    for stage, numbers in expected.items():
        answer = answers[stage].numpy()
        assert list(answer.shape) == numbers["shape"], stage
        flat = answer.reshape(-1)
        found = [answer.mean(), answer.std(), *flat[:4], *flat[-4:]]
        stored = [
            numbers["mean"],
            numbers["std"],
            *numbers["first4"],
            *numbers["last4"],
        ]
        np.testing.assert_allclose(found, stored, rtol=1e-9, atol=1e-9, err_msg=stage)


def test_state_dictionary_has_the_published_names_shapes_and_order(golden):
    published = from_json(golden / "campplus" / "keys_campplus.json")

    state = campplus().state_dict()

    assert {key: list(value.shape) for key, value in state.items()} == published
    assert list(state) == list(published)


def test_weights_by_formula_are_those_of_the_golden_data(golden, golden_weights):
    folder = golden / "campplus"
    published = from_json(folder / "weights_crc32_campplus.json")

    state = golden_weights.state(from_json(folder / "keys_campplus.json"))

    crcs = {key: zlib.crc32(value.numpy().tobytes()) for key, value in state.items()}
    assert crcs == {key: int(crc, 16) for key, crc in published.items()}


def test_the_embedding_reads_all_but_the_counters():
    network = campplus()

    others = set(network.state_dict()) - network.embedding_keys()

    assert len(network.embedding_keys()) == 937 - 122
    assert all(key.endswith(".num_batches_tracked") for key in others)


def test_rows_of_a_batch_are_single_runs(filled):
    features = torch.randn(3, 80, 250, generator=torch.Generator().manual_seed(0))

    with torch.inference_mode():
        together = filled(features)

        for row, single in zip(together, features, strict=True):
            torch.testing.assert_close(row, filled(single[None])[0], atol=2e-5, rtol=0)


def test_the_mask_sees_its_segment_and_the_whole_recording():
    """250 frames are segments of 100, 100 and 50, each divided by its own length."""
    torch.manual_seed(0)
    layer = _ContextAwareMask(dilation=2).double()
    frames = torch.randn(1, 128, 250, dtype=torch.float64)

    with torch.inference_mode():
        masked = layer(frames)

        for frame in (0, 99, 100, 199, 200, 249):
            first = frame // 100 * 100
            segment = frames[0, :, first : first + 100]
            context = segment.mean(dim=1) + frames[0].mean(dim=1)
            hidden = (
                layer.linear1.weight[..., 0] @ context + layer.linear1.bias
            ).relu()
            mask = (
                layer.linear2.weight[..., 0] @ hidden + layer.linear2.bias
            ).sigmoid()
            local = sum(
                layer.linear_local.weight[..., tap] @ frames[0, :, frame + shift]
                for tap, shift in enumerate((-2, 0, 2))
                if 0 <= frame + shift < 250
            )
            torch.testing.assert_close(masked[0, :, frame], local * mask)


@pytest.mark.parametrize("lengths", [None, [250, 101], [100, 3]])
@pytest.mark.parametrize("time", [250, 300])
def test_a_mask_written_in_place_is_the_same(lengths, time):
    """Into channels in the middle of others, which stay as they are."""
    torch.manual_seed(0)
    layer = _ContextAwareMask(dilation=2).double()
    frames = torch.randn(2, 128, time, dtype=torch.float64)
    lengths = None if lengths is None else torch.tensor(lengths)
    grown = torch.full((2, time, 64), 7.0, dtype=torch.float64).transpose(1, 2)
    weights = weights_of_segments(lengths, time=time, size=100, like=frames)

    with torch.inference_mode():
        expected = layer(frames, lengths)  # zeroes what is behind the lengths
        layer.into(grown[:, 16:48], frames, weights)

    kept = lengths if lengths is not None else [time, time]
    for row, wanted, length in zip(grown, expected, kept, strict=True):
        torch.testing.assert_close(row[16:48, :length], wanted[:, :length])
    assert (grown[:, :16] == 7).all()
    assert (grown[:, 48:] == 7).all()


@pytest.mark.parametrize("frames", [0, 1, 2])
def test_too_few_frames_are_refused_by_number(filled, frames):
    with pytest.raises(ValueError, match=rf"^{frames} frames .* 3 or more"):
        filled(torch.zeros(1, 80, frames))


def test_the_shortest_input_is_finite(filled):
    assert filled(torch.randn(1, 80, 3)).isfinite().all()


def test_other_features_are_refused_by_shape(filled):
    with pytest.raises(ValueError, match=r"\(batch, 80, frames\); got \(1, 257, 100\)"):
        filled(torch.zeros(1, 257, 100))


def test_another_embedding_size():
    assert campplus(512).eval()(torch.randn(1, 80, 50)).shape == (1, 512)


def test_all_weights_are_trained():
    torch.manual_seed(0)
    network = campplus()

    network(torch.randn(2, 80, 40)).square().sum().backward()

    assert all(weight.grad.isfinite().all() for weight in network.parameters())


def test_a_traced_mask_takes_any_number_of_segments():
    """What is exported later must not remember the length it was shown."""
    layer = _ContextAwareMask(dilation=2)
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.filterwarnings(
            "ignore", message=".*torch.jit", category=DeprecationWarning
        )
        traced = torch.jit.trace(layer, torch.randn(1, 128, 60))
        frames = torch.randn(2, 128, 250)

        torch.testing.assert_close(traced(frames), layer(frames))
