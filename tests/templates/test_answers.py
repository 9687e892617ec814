"""Which answers of a worker are believed."""

import pytest

from bob.learn.pytorch.templates.run.process import checked

TIMES = {"ok": True, "seconds": 0.5, "cpu_seconds": 1}
ARRAY = {**TIMES, "shape": [1, 4], "dtype": "float32"}
LOADED = {**TIMES, "parameters": None, "isolation": ["audit hook"]}
FAILED = {
    "ok": False,
    "stage": "pre_proc",
    "item": None,
    "code": "",
    "error": "bad",
    "traceback": "",
}


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        ("embed", ARRAY),
        ("embed", {**ARRAY, "shape": []}),
        ("embed", {**ARRAY, "shape": [0, 3]}),
        ("embed", FAILED),
        ("load", {**FAILED, "item": 3}),
        ("load", LOADED),
        ("load", {**LOADED, "parameters": 7}),
        ("measure", {**TIMES, "peak_mb": 3.5}),
        ("download", TIMES),
    ],
)
def test_what_our_worker_answers_is_believed(request_, answer):
    assert checked(answer, request_, most_bytes=16) == answer


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        ("embed", None),
        ("embed", [ARRAY]),
        ("embed", {}),
        ("embed", {**ARRAY, "ok": 1}),
        ("embed", {**ARRAY, "shape": [1, 5]}),
        ("embed", {**ARRAY, "shape": [-1, -4]}),
        ("embed", {**ARRAY, "shape": [1.0, 4]}),
        ("embed", {**ARRAY, "shape": "14"}),
        ("embed", {**ARRAY, "shape": [1] * 33}),
        ("embed", {**ARRAY, "dtype": "object"}),
        ("embed", {**ARRAY, "dtype": ["float32"]}),
        ("embed", {**ARRAY, "seconds": float("nan")}),
        ("embed", {**ARRAY, "cpu_seconds": 10**400}),
        ("load", {**FAILED, "stage": 3}),
        ("load", {**FAILED, "item": "3"}),
        ("load", {"ok": False}),
        ("load", TIMES),
        ("load", {**LOADED, "parameters": "many"}),
        ("load", {**LOADED, "isolation": "all"}),
        ("measure", {**TIMES, "peak_mb": None}),
    ],
)
def test_anything_else_is_not(request_, answer):
    assert checked(answer, request_, most_bytes=16) is None
