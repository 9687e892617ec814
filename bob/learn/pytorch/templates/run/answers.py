"""What a worker answers: code of the template may have written it, so it is checked."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from bob.learn.pytorch.templates.guest.bob_template_model import DTYPES

if TYPE_CHECKING:
    from collections.abc import Mapping

# Of NumPy's oldest.
MOST_AXES = 32
# No seconds and no megabytes are more, and some integers are too large for a float.
MOST = 1e18


def checked(answer: object, request: str, *, most_bytes: int) -> dict[str, Any] | None:
    """An answer, if it is one to that request; else None.

    Parameters
    ----------
    answer
        Whatever came as JSON.
    request
        What was to be done.
    most_bytes
        How large an array may be.
    """
    if not isinstance(answer, dict):
        return None
    if answer.get("ok") is not True:
        good = _is_failure(answer)
    elif not all(_is_amount(answer.get(name)) for name in ("seconds", "cpu_seconds")):
        good = False
    elif request == "embed":
        good = _is_array(answer, most_bytes)
    elif request == "load":
        good = _is_about_a_model(answer)
    else:
        good = request != "measure" or _is_amount(answer.get("peak_mb"))
    return answer if good else None


def _is_failure(answer: Mapping[str, Any]) -> bool:
    item = answer.get("item", "")
    texts = ("stage", "code", "error", "traceback")
    return (
        answer.get("ok") is False
        and all(isinstance(answer.get(name), str) for name in texts)
        and (item is None or _is_count(item))
    )


def _is_array(answer: Mapping[str, Any], most_bytes: int) -> bool:
    shape, dtype = answer.get("shape"), answer.get("dtype")
    if not (isinstance(shape, list) and isinstance(dtype, str) and dtype in DTYPES):
        return False
    return (
        len(shape) <= MOST_AXES
        and all(_is_count(length) for length in shape)
        and math.prod(shape) * DTYPES[dtype] <= most_bytes
    )


def _is_about_a_model(answer: Mapping[str, Any]) -> bool:
    parameters, isolation = answer.get("parameters", ""), answer.get("isolation")
    return (
        (parameters is None or _is_count(parameters))
        and isinstance(isolation, list)
        and all(isinstance(one, str) for one in isolation)
    )


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0


def _is_amount(value: object) -> bool:
    return isinstance(value, int | float) and 0 <= value <= MOST
