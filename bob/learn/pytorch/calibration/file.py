"""Calibrations as JSON, which people can read and other programs can use."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, NoReturn

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
_OPTIONAL = {"ranges", "score_alone"}
_TRIALS = {"targets", "non_targets", "failures"}


def save_calibration(calibration: Calibration, path: Path) -> None:
    """Write a file that is there whole or not at all."""
    write_text(path, to_json(calibration))


def load_calibration(path: Path) -> Calibration:
    """Read a file of :func:`save_calibration`.

    Raises
    ------
    CalibrationError
        It is something else; the message names the file and what is wrong.
    """
    try:
        return _from_json(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise CalibrationError(f"{path}: {error}; {_EXPECTED}") from error
    except CalibrationError as error:
        raise CalibrationError(f"{path}: {error}") from error


def to_json(calibration: Calibration) -> str:
    """Write a calibration as text; numbers read back to the last bit."""
    trials = calibration.trained_on
    fields: dict[str, object]
    if isinstance(calibration, LinearCalibration):
        fields = {
            "format": _FORMAT,
            "kind": "linear",
            "columns": list(calibration.columns),
            "weights": list(calibration.weights),
            "offset": calibration.offset,
            "p_target": calibration.p_target,
        }
        if calibration.ranges:
            fields["ranges"] = {
                name: list(ends) for name, ends in calibration.ranges.items()
            }
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
    fields["trained_on"] = {
        "targets": trials.targets,
        "non_targets": trials.non_targets,
        "failures": trials.failures,
    }
    fields["provenance"] = dict(calibration.provenance)
    return json.dumps(fields, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _from_json(text: str) -> Calibration:
    """Read the text of :func:`to_json`, strictly.

    Raises
    ------
    CalibrationError
        A field is missing, unknown, of another type, not finite, or the weight of a
        score is not positive.
    """
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
    optional = _OPTIONAL if kind == "linear" else set()
    _require_keys(fields, _KINDS[kind] | (optional & set(fields)), "the calibration")
    trials = _trials(fields["trained_on"])
    provenance = fields["provenance"]
    if not (
        isinstance(provenance, dict)
        and all(isinstance(value, str) for value in provenance.values())
    ):
        raise CalibrationError("provenance must map names to texts")
    if kind == "isotonic":
        return IsotonicCalibration(
            _floats(fields, "thresholds", infinite=True),
            _floats(fields, "ratios", infinite=True),
            trials,
            provenance,
        )
    return _linear(fields, trials, provenance)


def _linear(
    fields: Mapping[str, object], trials: TrainingTrials, provenance: Mapping[str, str]
) -> LinearCalibration:
    columns = fields["columns"]
    if not (isinstance(columns, list) and all(isinstance(c, str) for c in columns)):
        raise CalibrationError("columns must be a list of texts")
    if len(set(columns)) < len(columns):
        raise CalibrationError(f"a column is there twice: {', '.join(columns)}")
    calibration = LinearCalibration(
        columns=tuple(columns),
        weights=_floats(fields, "weights"),
        offset=_float(fields["offset"], "offset"),
        p_target=_float(fields["p_target"], "p_target"),
        trained_on=trials,
        provenance=provenance,
        ranges=_ranges(fields.get("ranges", {})),
        plain=_plain(fields.get("score_alone")),
    )
    if calibration.weights[0] <= 0 and not is_fusion(calibration):
        raise CalibrationError(
            f"the weight of {columns[0]} is {calibration.weights[0]:g}, expected a "
            "positive one: higher means more alike"
        )
    return calibration


def _ranges(fields: object) -> dict[str, tuple[float, float]]:
    if not isinstance(fields, dict):
        raise CalibrationError("ranges must map columns to two numbers")
    found = {name: _floats(fields, name) for name in fields}
    for name, ends in found.items():
        if len(ends) != 2:
            raise CalibrationError(f"the range of {name} must be two numbers")
    return {name: (ends[0], ends[1]) for name, ends in found.items()}


def _plain(fields: object) -> tuple[float, float] | None:
    if fields is None:
        return None
    if not isinstance(fields, dict):
        raise CalibrationError("score_alone must have a weight and an offset")
    _require_keys(fields, {"weight", "offset"}, "score_alone")
    return _float(fields["weight"], "weight"), _float(fields["offset"], "offset")


def _number(value: float) -> float | str:
    """JSON has no infinity."""
    return value if math.isfinite(value) else str(value)


def _refuse(constant: str) -> NoReturn:
    raise CalibrationError(f"{constant} is no number of JSON")


def _require_keys(fields: Mapping[str, object], expected: set[str], what: str) -> None:
    missing, unknown = expected - set(fields), set(fields) - expected
    if missing or unknown:
        raise CalibrationError(
            f"{what} lacks {', '.join(sorted(missing)) or 'nothing'} and has unknown "
            f"{', '.join(sorted(unknown)) or 'nothing'}"
        )


def _trials(fields: object) -> TrainingTrials:
    if not isinstance(fields, dict):
        raise CalibrationError("trained_on must have counts of trials")
    _require_keys(fields, _TRIALS, "trained_on")
    for name, count in fields.items():
        if type(count) is not int or count < 0:
            raise CalibrationError(f"{name} is {count!r}, expected a count")
    return TrainingTrials(**fields)


def _floats(
    fields: Mapping[str, object], name: str, *, infinite: bool = False
) -> tuple[float, ...]:
    values = fields[name]
    if not isinstance(values, list):
        raise CalibrationError(f"{name} must be a list of numbers")
    return tuple(_float(value, name, infinite=infinite) for value in values)


def _float(value: object, name: str, *, infinite: bool = False) -> float:
    if infinite and value in ("inf", "-inf"):
        return float(str(value))
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise CalibrationError(f"{name} has {value!r}, expected a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise CalibrationError(f"{name} has {number}, expected a finite number")
    return number
