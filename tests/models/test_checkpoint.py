"""Weights are saved, read and put into a network."""

import pytest
import torch
from programs import printed_by
from torch import nn

from bob.learn.pytorch.models.checkpoint import (
    load_weights,
    read_weights,
    recognise,
    record_sha256,
    save_weights,
)
from bob.learn.pytorch.models.errors import WrongWeights


class ToyNetwork(nn.Module):
    """Two layers that an embedding needs, and a head that it does not."""

    def __init__(self, *, classes=5, size=3):
        super().__init__()
        self.em = nn.Linear(4, size)
        self.bn = nn.BatchNorm1d(size)
        self.fc = nn.Linear(size, classes)

    def embedding_keys(self):
        return frozenset(
            key
            for key in self.state_dict()
            if not key.startswith("fc.") and not key.endswith("num_batches_tracked")
        )


@pytest.fixture
def trained():
    torch.manual_seed(1)
    network = ToyNetwork()
    network.bn(network.em(torch.randn(7, 4)))
    return network


@pytest.fixture
def weights(trained):
    return dict(trained.state_dict())


def assert_same(network, weights, keys):
    state = network.state_dict()
    for key in keys:
        torch.testing.assert_close(state[key], weights[key], rtol=0, atol=0)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("wrapped", [True, False])
def test_every_usual_form_of_a_checkpoint_is_read(
    tmp_path, weights, zipped, prefix, wrapped
):
    path = tmp_path / "toy.pth.tar"
    content = {prefix + key: tensor for key, tensor in weights.items()}
    if wrapped:
        content = {"epoch": 3, "arch": "toy", "state_dict": content}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)

    found = read_weights(path)

    assert found.keys() == weights.keys()
    for key, tensor in weights.items():
        torch.testing.assert_close(found[key], tensor, rtol=0, atol=0)


def test_a_checkpoint_of_data_parallel_loads(tmp_path, trained, weights):
    path = tmp_path / "toy.pth.tar"
    torch.save({"state_dict": nn.DataParallel(trained).state_dict()}, path)
    network = ToyNetwork()

    load_weights(network, path)

    assert_same(network, weights, network.embedding_keys())


@pytest.mark.parametrize("name", ["toy.safetensors", "toy.pth.tar", "toy.pt"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_what_is_saved_can_be_loaded(tmp_path, trained, weights, name, prefix):
    save_weights(trained, tmp_path / "new" / name, prefix=prefix)
    network = ToyNetwork()

    load_weights(network, tmp_path / "new" / name, everything=True)

    assert_same(network, weights, weights)
    assert [path.name for path in (tmp_path / "new").iterdir()] == [name]


def test_the_original_package_finds_every_entry_of_a_saved_file(tmp_path, trained):
    """It loads so: DataParallel, strict=False, which is silent where names differ."""
    path = tmp_path / "toy.pth.tar"
    save_weights(trained, path, prefix="module.")
    original = nn.DataParallel(ToyNetwork())

    answer = original.load_state_dict(
        torch.load(path, weights_only=True)["state_dict"], strict=False
    )

    assert answer.missing_keys == []
    assert answer.unexpected_keys == []


def test_safetensors_under_any_name_are_read(tmp_path, trained, weights):
    save_weights(trained, tmp_path / "toy.safetensors")
    (tmp_path / "toy.safetensors").rename(tmp_path / "toy.bin")

    assert read_weights(tmp_path / "toy.bin").keys() == weights.keys()


def test_a_failed_save_leaves_the_old_file(tmp_path, trained, monkeypatch):
    path = tmp_path / "toy.pth"
    path.write_bytes(b"old")

    def fail(*_):
        raise RuntimeError("no")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(RuntimeError):
        save_weights(trained, path)

    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_head_of_another_size_does_not_matter(tmp_path, trained, weights):
    path = tmp_path / "toy.pth"
    torch.save(weights, path)
    network = ToyNetwork(classes=99)

    load_weights(network, path)

    assert_same(network, weights, network.embedding_keys())


def test_a_missing_head_does_not_matter(tmp_path, weights):
    torch.save(
        {key: weights[key] for key in weights if not key.startswith("fc.")},
        tmp_path / "toy.pth",
    )

    load_weights(ToyNetwork(), tmp_path / "toy.pth")


def test_other_entries_keep_their_values(tmp_path, weights):
    torch.save(weights, tmp_path / "toy.pth")
    network = ToyNetwork()
    before = network.fc.weight.detach().clone()

    load_weights(network, tmp_path / "toy.pth")

    assert torch.equal(network.fc.weight, before)


@pytest.mark.parametrize("everything", [True, False])
def test_a_checkpoint_without_counters_loads(tmp_path, weights, everything):
    """PyTorch before 0.4.1 had no num_batches_tracked."""
    del weights["bn.num_batches_tracked"]
    torch.save(weights, tmp_path / "toy.pth")

    load_weights(ToyNetwork(), tmp_path / "toy.pth", everything=everything)


def test_values_that_are_not_needed_need_not_be_finite(tmp_path, weights):
    weights["fc.weight"][0] = float("nan")
    torch.save(weights, tmp_path / "toy.pth")

    load_weights(ToyNetwork(), tmp_path / "toy.pth")


def test_half_precision_is_widened(tmp_path, weights):
    torch.save({key: t.half() for key, t in weights.items()}, tmp_path / "toy.pth")
    network = ToyNetwork()

    load_weights(network, tmp_path / "toy.pth")

    assert network.em.weight.dtype == torch.float32


@pytest.mark.parametrize(
    ("entry", "shape", "name"),
    [
        ("conv1.weight", (16, 1, 5, 5), "dltresnet34-voxceleb1"),
        ("conv1.weight", (64, 1, 5, 5), "resnet34-voxceleb1"),
        ("xvector.dense.linear.weight", (192, 1024, 1), "campplus-zh-en"),
    ],
)
def test_a_file_of_another_network_is_recognised(tmp_path, entry, shape, name):
    torch.save({"state_dict": {f"module.{entry}": torch.zeros(shape)}}, tmp_path / "x")

    assert recognise(tmp_path / "x").name == name
    with pytest.raises(WrongWeights, match=f"looks like the network of .*'{name}'"):
        load_weights(ToyNetwork(), tmp_path / "x")


def test_a_file_of_no_known_network_is_not_recognised(tmp_path, weights):
    torch.save(weights, tmp_path / "toy.pth")

    assert recognise(tmp_path / "toy.pth") is None


def entry(change, key="em.weight"):
    """Change one entry of a file."""
    return lambda weights: {**weights, key: change(weights[key])}


def more(name):
    """As if it was trained as another network: adapters, layers, parameters."""
    return lambda weights: {**weights, name: torch.ones(2)}


def with_second(value):
    return lambda tensor: torch.stack([tensor[0], torch.tensor(value), tensor[2]])


VARIANCE = "bn.running_var"
TWICE = "module.em.weight"
QUANTISED = {"scale": 0.1, "zero_point": 0, "dtype": torch.quint8}
REFUSED = {
    "a missing entry": (
        lambda weights: {key: weights[key] for key in weights if key != "em.bias"},
        r"misses 1 of 6 entries: em\.bias",
    ),
    "not a number": (entry(with_second(torch.nan), VARIANCE), "not finite in bn.runn"),
    "infinite": (entry(with_second(torch.inf), VARIANCE), r"not finite in bn\.run.*;"),
    "a variance below zero": (entry(with_second(-1.0), VARIANCE), "below zero in bn.r"),
    "complex": (
        entry(lambda t: t.to(torch.complex64), "bn.bias"),
        f"holds bn.bias of {torch.complex64}; expected real",
    ),
    "whole": (
        entry(lambda t: t.long(), "bn.bias"),
        f"holds bn.bias of {torch.int64}; expected real",
    ),
    "an adapter": (more("em.lora_A"), "has 1 entries more: em.lora_A;"),
    "another parameter": (more("bn.gamma"), "has 1 entries more: bn.gamma;"),
    "a deeper layer": (more("em.deeper.weight"), "has 1 entries more: em.deeper.w"),
    "one twice": (
        lambda weights: {**weights, TWICE: weights["em.weight"] + 1},
        "holds 'em.weight' twice",
    ),
    "a list": (entry(lambda t: t.tolist()), "a list as 'em.weight'; expected a tensor"),
    "an array": (
        entry(lambda t: t.numpy()),
        "a ndarray as 'em.weight'; expected a tensor",
    ),
    "nothing": (entry(lambda t: None), "a NoneType as 'em.weight'; expected a tensor"),
    "sparse": (
        entry(lambda t: t.to_sparse()),
        r"holds em.weight \(torch.sparse_coo, cpu\)",
    ),
    "empty": (
        entry(lambda t: t.to("meta")),
        r"holds em.weight \(torch.strided, meta\)",
    ),
    "quantised": (
        entry(lambda t: torch.quantize_per_tensor(t, **QUANTISED)),
        "holds em.weight of torch.quint8",
    ),
    "too large": (entry(lambda t: t.double() * 1e300), "not finite in em.weight"),
    "whole numbers": (entry(lambda t: t.long()), "holds em.weight of torch.int64"),
    "a scalar": (entry(lambda t: t.sum()), r"em.weight \(\) instead of \(3, 4\)"),
}


@pytest.mark.parametrize("odd", REFUSED)
def test_an_odd_entry_is_refused_by_file_and_name(tmp_path, weights, odd):
    change, message = REFUSED[odd]
    torch.save({"state_dict": change(weights)}, tmp_path / "toy.pth")

    with pytest.raises(WrongWeights, match=f"toy.pth .*{message}"):
        load_weights(ToyNetwork(), tmp_path / "toy.pth")


@pytest.mark.parametrize(
    ("sizes", "everything", "message"),
    [
        ({"size": 9}, False, r"bn\.bias \(3,\) instead of \(9,\)"),
        ({"classes": 99}, True, r"fc.bias \(5,\) instead of \(99,\)"),
    ],
)
def test_an_entry_of_another_shape_is_named_with_both(
    tmp_path, weights, sizes, everything, message
):
    """Of a head, only where everything is asked for."""
    torch.save(weights, tmp_path / "toy.pth")

    with pytest.raises(WrongWeights, match=message):
        load_weights(ToyNetwork(**sizes), tmp_path / "toy.pth", everything=everything)


def test_numbers_of_eight_bits_are_widened(tmp_path, weights):
    weights["em.weight"] = weights["em.weight"].to(torch.float8_e4m3fn)
    torch.save(weights, tmp_path / "toy.pth")
    network = ToyNetwork()

    load_weights(network, tmp_path / "toy.pth")

    assert torch.equal(network.em.weight, weights["em.weight"].float())


@pytest.mark.parametrize("content", [b"class Mine: pass\n" * 9, b"PK\x03\x04" * 9])
def test_only_a_file_that_was_fetched_is_said_to_be_fetched_again(tmp_path, content):
    own, fetched = tmp_path / "own_network.py", tmp_path / "weights.pt"
    for path in (own, fetched):
        path.write_bytes(content)
    record_sha256(fetched, "0" * 64)

    for path, said, unsaid in (
        (own, "verify.py", "remove"),
        (fetched, "remove it, with weights.pt.sha256,", "verify.py"),
    ):
        with pytest.raises(WrongWeights) as caught:
            read_weights(path)
        assert said in str(caught.value)
        assert unsaid not in str(caught.value)


def test_importing_the_store_does_not_load_torch():
    code = (
        "import sys, bob.learn.pytorch.models.store;"
        "print({'torch', 'numpy', 'requests', 'safetensors'} & set(sys.modules))"
    )

    assert printed_by(code) == "set()"
