"""The masks by hand, and from waveforms in a padded batch to embeddings."""

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from systems import SYSTEMS

from bob.learn.pytorch import masking as masks
from bob.learn.pytorch.architectures.resnet import _unit_length
from bob.learn.pytorch.masking import cut, inside, keep, mean, mean_and_deviation
from bob.learn.pytorch.models.embedder import SpeakerEmbedder

NAN = float("nan")


def test_keep_leaves_nothing_behind_the_lengths_whatever_stands_there():
    image = torch.full((2, 1, 3, 2), NAN)
    image[0, :, :1], image[1, :, :3] = 5.0, 7.0

    kept = keep(image, torch.tensor([1, 3]), axis=2)

    assert kept[0, 0].tolist() == [[5, 5], [0, 0], [0, 0]]
    assert kept[1, 0].tolist() == [[7, 7]] * 3
    assert keep(image, None) is image


@pytest.mark.parametrize("where", ["on a CPU", "in a graph", "in training"])
@settings(max_examples=20)
@given(ends=st.lists(st.integers(0, 7), min_size=1), axis=st.sampled_from([-2, 2, 3]))
def test_cut_is_keep_of_finite_numbers(where, ends, axis):
    """The mask of a GPU is that of a graph."""
    generator = torch.Generator().manual_seed(sum(ends))
    image = torch.randn(len(ends), 2, 7, 7, generator=generator)
    lengths = torch.tensor(ends)
    expected = keep(image.clone(), lengths, axis=axis)

    with pytest.MonkeyPatch.context() as patch:
        if where == "in a graph":
            patch.setattr(masks, "unchecked", lambda: True)
        made = cut(image.requires_grad_(where == "in training"), lengths, axis=axis)

    torch.testing.assert_close(made, expected, atol=0, rtol=0)
    assert cut(image, None) is image


def test_inside_is_true_up_to_the_length():
    assert inside(torch.tensor([0, 2]), 2).tolist() == [[False, False], [True, True]]


def test_mean_and_deviation_are_those_of_an_items_own_frames():
    frames = torch.tensor([[[1.0, 3, NAN, NAN]], [[2.0, 4, 4, 6]]])
    lengths = torch.tensor([2, 4])

    middle, deviation = mean_and_deviation(frames, lengths, correction=1)

    assert mean(frames, lengths).flatten().tolist() == [2, 4]
    assert middle.flatten().tolist() == [2, 4]
    torch.testing.assert_close(deviation.flatten().square(), torch.tensor([2, 8 / 3]))


@pytest.fixture(params=SYSTEMS, scope="module")
def difference_of(request, golden_weights):
    """Of embeddings of length 1 in a padded batch to those of its items alone."""
    front_end, network = SYSTEMS[request.param]
    filled = golden_weights.fill(network())
    embedder = SpeakerEmbedder(front_end(), filled, sample_rate=16_000).eval()

    def of(above, *, dtype, device="cpu"):
        embedder.to(device)
        lengths = [embedder.minimum_samples + samples for samples in above]
        batch = torch.full((len(lengths), max(lengths) + 77), NAN, dtype=dtype)
        generator = torch.Generator().manual_seed(sum(above))
        for row, samples in zip(batch, lengths, strict=True):
            row[:samples] = 0.1 * torch.randn(samples, generator=generator)
        batch = batch.to(device)
        with torch.inference_mode():
            together = embedder(batch, torch.tensor(lengths, device=device))
            alone = [
                embedder(row[None, :samples])
                for row, samples in zip(batch, lengths, strict=True)
            ]
        difference = _unit_length(together) - _unit_length(torch.cat(alone))
        return difference.abs().max().item()

    return of


MIXTURES = st.lists(st.integers(0, 30_000), min_size=1, max_size=4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@settings(max_examples=3)
@given(above=MIXTURES)
@example(above=[0, 30_000, 159, 160])
def test_any_batch_of_waveforms_is_its_items_one_by_one(difference_of, dtype, above):
    assert difference_of(above, dtype=dtype) < 1e-5


@pytest.mark.slow
@settings(max_examples=30)
@given(above=MIXTURES)
def test_any_batch_of_waveforms_is_its_items_one_by_one_at_length(difference_of, above):
    assert difference_of(above, dtype=torch.float32) < 1e-5


@pytest.mark.gpu
@settings(max_examples=30)
@given(above=MIXTURES)
def test_any_batch_of_waveforms_on_a_graphics_card(difference_of, above):
    """In float32: the 10 bits of TensorFloat-32, PyTorch's default, are not enough."""
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        assert difference_of(above, dtype=torch.float32, device="cuda") < 1e-5
