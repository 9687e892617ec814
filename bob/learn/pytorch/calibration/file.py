"""Calibrations as JSON, which people can read and other programs can use."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NoReturn

from bob.learn.pytorch.calibration.isotonic import IsotonicCalibration
from bob.learn.pytorch.calibration.linear import LinearCalibration, TrainingTrials
from bob.learn.pytorch.calibration.logistic import CalibrationError
from bob.learn.pytorch.calibration.quality import is_fusion
from bob.learn.pytorch.files import write_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bob.learn.pytorch.calibration.decision import Calibration

_FORMAT = "bob.learn.pytorch calibration 1"
_COMMON = {"format", "kind", "trained_on", "provenance"}
_KINDS = {
    "linear": _COMMON | {"columns", "weights", "offset", "p_target"},
    "isotonic": _COMMON | {"thresholds", "ratios"},
}
_EXPECTED = (
    "expected what `bob pytorch calibrate`, `bob pytorch fuse` or verify.py "
    "--calibrate-scores wrote"
)
#: Calibrations with measures, and some fusions, have these; older files do not.
_OPTIONAL = {"linear": {"ranges", "score_alone"}, "isotonic": set[str]()}


def save_calibration(calibration: Calibration, path: Path) -> None:
    """Write a file that is there whole or not at all."""
    write_text(path, to_json(calibration))


def load_calibration(path: Path) -> Calibration:
    """Read a file of :func:`save_calibration`, strictly.

    Raises
    ------
    CalibrationError
        It is something else, a field is missing, unknown, of another type or not
        finite, or the weight of a score is not positive; the message names the file.
    """
    try:
        return _from_json(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise CalibrationError(f"{path}: {error}; {_EXPECTED}") from error
    except CalibrationError as error:
        raise CalibrationError(f"{path}: {error}") from error


def to_json(calibration: Calibration) -> str:
    """Return a calibration as text; numbers read back to the last bit."""
    fields: dict[str, Any]
    if isinstance(calibration, LinearCalibration):
        fields = {
            "format": _FORMAT,
            "kind": "linear",
            "columns": calibration.columns,
            "weights": calibration.weights,
            "offset": calibration.offset,
            "p_target": calibration.p_target,
        }
        if calibration.ranges:
            fields["ranges"] = dict(calibration.ranges)
        if calibration.plain is not None:
            weight, offset = calibration.plain
            fields["score_alone"] = {"weight": weight, "offset": offset}
    else:
        fields = {
            "format": _FORMAT,
            "kind": "isotonic",
            "thresholds": [_number(value) for value in calibration.thresholds],
            "ratios": [_number(value) for value in calibration.ratios],
        }
    fields["trained_on"] = asdict(calibration.trained_on)
    fields["provenance"] = dict(calibration.provenance)
    return json.dumps(fields, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _from_json(text: str) -> Calibration:
    try:
        fields = json.loads(text, parse_constant=_refuse)
    except (json.JSONDecodeError, RecursionError) as error:
        raise CalibrationError(f"this is no JSON ({error}); {_EXPECTED}") from error
    if not isinstance(fields, dict) or fields.get("format") != _FORMAT:
        raise CalibrationError(
            f"this is no calibration of the format {_FORMAT!r}; {_EXPECTED}"
        )
    kind = fields.get("kind")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise CalibrationError(f"the kind is {kind!r}, expected {', '.join(_KINDS)}")
    optional = _OPTIONAL[kind] & set(fields)
    _require_keys(fields, _KINDS[kind] | optional, "the calibration")
    trials = _trials(fields["trained_on"])
    provenance = fields["provenance"]
    _require(
        isinstance(provenance, dict)
        and all(isinstance(value, str) for value in provenance.values()),
        "provenance must map names to texts",
    )
    if kind == "isotonic":
        thresholds, ratios = (
            _floats(fields[name], name, infinite=True)
            for name in ("thresholds", "ratios")
        )
        return IsotonicCalibration(thresholds, ratios, trials, provenance)
    return _linear(fields, trials, provenance)


def _linear(
    fields: Mapping[str, Any], trials: TrainingTrials, provenance: Mapping[str, str]
) -> LinearCalibration:
    columns = fields["columns"]
    _require(
        isinstance(columns, list) and all(isinstance(name, str) for name in columns),
        "columns must be a list of texts",
    )
    _require(
        len(set(columns)) == len(columns),
        f"a column is there twice: {', '.join(columns)}",
    )
    calibration = LinearCalibration(
        columns=tuple(columns),
        weights=_floats(fields["weights"], "weights"),
        offset=_float(fields["offset"], "offset"),
        p_target=_float(fields["p_target"], "p_target"),
        trained_on=trials,
        provenance=provenance,
        ranges=_ranges(fields.get("ranges", {})),
        plain=_plain(fields.get("score_alone")),
    )
    _require(
        calibration.weights[0] > 0 or is_fusion(calibration),
        f"the weight of {columns[0]} is {calibration.weights[0]:g}, expected a "
        "positive one: higher means more alike",
    )
    return calibration


def _ranges(fields: Any) -> dict[str, tuple[float, float]]:  # noqa: ANN401 - of JSON
    _require(isinstance(fields, dict), "ranges must map columns to two numbers")
    found = {}
    for name, value in fields.items():
        ends = _floats(value, name)
        _require(len(ends) == 2, f"the range of {name} must be two numbers")
        found[name] = ends[0], ends[1]
    return found


def _plain(fields: Any) -> tuple[float, float] | None:  # noqa: ANN401 - of JSON
    if fields is None:
        return None
    _require(isinstance(fields, dict), "score_alone must have a weight and an offset")
    _require_keys(fields, {"weight", "offset"}, "score_alone")
    return _float(fields["weight"], "weight"), _float(fields["offset"], "offset")


def _trials(fields: Any) -> TrainingTrials:  # noqa: ANN401 - of JSON
    _require(isinstance(fields, dict), "trained_on must have counts of trials")
    _require_keys(fields, {"targets", "non_targets", "failures"}, "trained_on")
    for name, count in fields.items():
        is_count = type(count) is int and count >= 0
        _require(is_count, f"{name} is {count!r}, expected a count")
    return TrainingTrials(**fields)


def _floats(value: object, name: str, *, infinite: bool = False) -> tuple[float, ...]:
    if not isinstance(value, list):
        raise CalibrationError(f"{name} must be a list of numbers")
    return tuple(_float(item, name, infinite=infinite) for item in value)


def _float(value: object, name: str, *, infinite: bool = False) -> float:
    if infinite and value in ("inf", "-inf"):
        return float(str(value))
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise CalibrationError(f"{name} has {value!r}, expected a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    _require(math.isfinite(number), f"{name} has {number}, expected a finite number")
    return number


def _number(value: float) -> float | str:
    """Return a number as JSON has it, without infinity."""
    return value if math.isfinite(value) else str(value)


def _refuse(constant: str) -> NoReturn:
    raise CalibrationError(f"{constant} is no number of JSON")


def _require(holds: bool, otherwise: str) -> None:  # noqa: FBT001 - as assert has it
    if not holds:
        raise CalibrationError(otherwise)


def _require_keys(fields: Mapping[str, object], expected: set[str], what: str) -> None:
    missing, unknown = expected - set(fields), set(fields) - expected
    _require(
        not (missing or unknown),
        f"{what} lacks {', '.join(sorted(missing)) or 'nothing'} and has unknown "
        f"{', '.join(sorted(unknown)) or 'nothing'}",
    )
