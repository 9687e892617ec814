"""Docstrings of public functions on arrays give the shapes."""

import ast
import re
from pathlib import Path

import pytest

import bob.learn.pytorch

HOUSE = Path(bob.learn.pytorch.__file__).parent
ROOMS = (
    "architectures",
    "audio",
    "calibration",
    "features",
    "inference",
    "metrics",
    "scoring",
    "store",
)
ARRAYS = re.compile(r"\b(ArrayLike|FloatArray|NDArray|ndarray|Tensor)\b")
# "(n,)", "(batch, 2 * channels)", or "of any shape".
SHAPE = re.compile(r"\(\w+,[^()]*\)|\bshapes?\b")


def public_functions(body, within=""):
    """Yield name and node of public functions, and of methods of public classes."""
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node.body, f"{node.name}.")
        elif isinstance(node, ast.FunctionDef) and (
            node.name == "__call__" or not node.name.startswith("_")
        ):
            yield within + node.name, node


def takes_or_gives_arrays(function):
    given = [item.annotation for item in ast.walk(function.args)
             if isinstance(item, ast.arg)]  # fmt: skip
    texts = [ast.unparse(item) for item in (*given, function.returns) if item]
    return any(ARRAYS.search(text) for text in texts)


@pytest.mark.parametrize("room", ROOMS)
def test_functions_on_arrays_give_shapes(room):
    places = sorted((HOUSE / room).rglob("*.py"))
    functions = [
        (f"{place.name}: {name}", node)
        for place in places
        if not place.stem.startswith("_") or place.stem == "__init__"
        for name, node in public_functions(ast.parse(place.read_text()).body)
        if takes_or_gives_arrays(node)
    ]

    without = [name for name, node in functions
               if not SHAPE.search(ast.get_docstring(node) or "")]  # fmt: skip

    assert functions
    assert without == []
