"""A template as a model, in the Python of the tests."""

import random
from collections import namedtuple
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from bob.learn.pytorch.templates.guest import bob_template_model as model
from bob.learn.pytorch.templates.guest.bob_template_stages import StageFailed


def names(**more):
    return {**model.names({}, "cpu"), **more}


def failure(function, *arguments):
    with pytest.raises(StageFailed) as raised:
        function(*arguments)
    return raised.value


def test_the_first_line_finds_weights_and_device():
    found = names()

    model.make({"model_init": ["model = (weights, device, __name__)"]}, found)

    assert found["model"] == ({}, "cpu", "__template__")


def test_a_model_is_set_to_evaluation():
    found = names(torch=torch)

    made = model.make({"model_init": ["model = torch.nn.Dropout()"]}, found)

    assert not made.training


def test_what_has_another_eval_is_left_alone():
    lines = ["from types import SimpleNamespace", "model = SimpleNamespace(eval=3)"]

    assert model.make({"model_init": lines}, names()).eval == 3


def test_an_eval_that_fails_is_the_templates_error():
    lines = [
        "class Bad:\n    def eval(self): raise ValueError('not me')",
        "model = Bad()",
    ]

    said = failure(model.make, {"model_init": lines}, names())

    assert (said.stage, said.error) == (
        "model_init",
        "model.eval(): ValueError: not me",
    )


def test_a_model_goes_to_its_device():
    class Movable:
        def to(self, device):
            return f"moved to {device}"

    found = {**model.names({}, "cuda:0"), "Movable": Movable}

    assert model.make({"model_init": ["model = Movable()"]}, found) == "moved to cuda:0"
    assert found["model"] == "moved to cuda:0"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is one")
def test_a_device_that_is_not_there_is_an_error_of_the_stage():
    found = {**model.names({}, "cuda:0"), "torch": torch}

    said = failure(model.make, {"model_init": ["model = torch.nn.Linear(1, 1)"]}, found)

    assert said.error.startswith("model.to('cuda:0'): ")


def test_a_stage_that_makes_no_model_is_told():
    said = failure(model.make, {"model_init": ["modle = 1"]}, names())

    assert str(said) == "model_init at ``: no variable `model` is there afterwards"


def test_a_stage_that_makes_no_y_is_told_also_when_the_last_one_did():
    found = names(x=1)
    model.embed({"embed_fwd": ["y = x"]}, found)

    said = failure(model.embed, {"embed_fwd": ["z = x"]}, found)

    assert "no variable `y`" in said.error


def test_an_input_that_was_deleted_is_told():
    said = failure(model.preprocess, {"pre_proc": ["del x"]}, names(x=1))

    assert (said.stage, "no variable `x`" in said.error) == ("pre_proc", True)


def test_without_pre_proc_the_input_is_the_same_object():
    x = object()

    assert model.preprocess({}, names(x=x)) is x


@pytest.mark.parametrize("stage", ["pre_proc", "embed_fwd"])
def test_nothing_is_recorded_for_gradients(stage):
    found = names(x=torch.ones(2, requires_grad=True))
    run = {"pre_proc": model.preprocess, "embed_fwd": model.embed}[stage]
    name = {"pre_proc": "x", "embed_fwd": "y"}[stage]

    made = run({stage: [f"{name} = x * 2", "x.is_inference()"]}, found)

    assert made.is_inference()
    assert not made.requires_grad


def test_a_spectrogram_has_three_axes():
    content = {"in_layout": "spectrogram", "pre_proc": ["x = x[None]"]}

    assert model.preprocess(content, names(x=np.ones((2, 2)))).shape == (1, 2, 2)
    said = failure(model.preprocess, content, names(x=np.ones(2)))
    assert (
        "x is a numpy.ndarray of shape (1, 2) and type float64 afterwards" in said.error
    )


Pair = namedtuple("Pair", ["first", "second"])


@pytest.mark.parametrize(
    ("y", "output", "expected"),
    [
        (5, None, 5),
        ((5, 6), None, 5),
        ([5, 6], None, 5),
        ((5, 6), 1, 6),
        ([5, 6], -1, 6),
        ({"a": 5, "b": 6}, "b", 6),
        ({"a": 5}, None, 5),
        (Pair(5, 6), 1, 6),
        (Pair(5, 6), "second", 6),
        (SimpleNamespace(hidden=5), "hidden", 5),
    ],
)
def test_of_several_outputs_the_named_one_is_taken(y, output, expected):
    assert model.chosen(y, {} if output is None else {"output": output}) == expected


def test_an_array_is_one_output():
    y = np.arange(3)

    assert model.chosen(y, {"output": 1}) is y


@pytest.mark.parametrize(
    ("y", "output", "shown"),
    [
        ((), None, "a tuple of 0"),
        ((1,), 1, "a tuple of 1"),
        ({"a": 1}, "b", "a dict of a"),
        (7, "a", "a int"),
    ],
)
def test_an_output_that_is_not_there_is_told(y, output, shown):
    said = failure(model.chosen, y, {} if output is None else {"output": output})

    assert said.error == f"y is {shown}, which has no {output or 0!r} (output)"


@pytest.mark.parametrize(
    ("y", "dtype"),
    [
        (np.ones(2, np.float32), "float32"),
        (np.ones(2, np.float16), "float32"),
        (np.ones(2, ">f4"), "float32"),
        (np.ones(2, np.int16), "int16"),
        (np.float64(1), "float64"),
        ([1.0, 2.0], "float64"),
        (1.0, "float64"),
        (torch.ones(2), "float32"),
        (torch.ones(2).half(), "float32"),
        (torch.ones(2).bfloat16(), "float32"),
        (torch.ones(2, requires_grad=True), "float32"),
        (torch.ones(2).long(), "int64"),
    ],
)
def test_numbers_of_any_usual_type_go_back(y, dtype):
    made, name = model.plain(y)

    assert name == dtype
    assert np.asarray(made).ravel()[0] == 1


@pytest.mark.parametrize(
    "y",
    [
        np.ones(2, bool),
        np.ones(2, complex),
        np.array([None, "a"]),
        np.array(["a"]),
        torch.ones(2, dtype=torch.complex64),
        torch.ones(2).bool(),
        [[1.0], [1.0, 2.0]],
        "a text",
        None,
        7,
    ],
    ids=str,
)
def test_what_is_no_array_of_numbers_is_refused(y):
    said = failure(model.plain, y)

    assert said.stage == "embed_fwd"
    assert said.error.endswith("expected a tensor or array of numbers")


def test_learned_numbers_are_counted():
    """A layer of 3 times 2 and 2."""
    assert model.parameters(torch.nn.Linear(3, 2)) == 8
    assert model.parameters(abs) is None


def test_a_model_that_cannot_count_is_no_error():
    assert model.parameters(torch.nn.LazyLinear(2)) is None


def test_random_numbers_are_the_same_in_every_call():
    def draw():
        model.seed()
        return random.random(), np.random.rand(), float(torch.rand(()))  # noqa: NPY002

    assert draw() == draw()
