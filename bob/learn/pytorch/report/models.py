"""Many models on one protocol: a table as text, as CSV and as a page."""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bob.learn.pytorch import printing
from bob.learn.pytorch.printing import in_markup
from bob.learn.pytorch.report.experiment_report import summary_warnings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bob.learn.pytorch.metrics import Evaluation

NOTHING = "-"
HEADINGS = (
    "model",
    "EER %",
    "95 % interval",
    "minDCF",
    "dimension",
    "parameters",
    "minimum s",
    "CPU ms/s",
    "peak MB",
    "install MB",
)
DEFINITIONS = {
    "EER %": "equal error rate, with the range of 95 % over speakers drawn with "
    "replacement",
    "minDCF": "smallest detection cost, normalised; P_target 0.01, both costs 1",
    "dimension": "numbers in an embedding; they are compared by their cosine",
    "minimum s": "shorter recordings are padded by templates, and refused by built-in "
    "models",
    "CPU ms/s": "processor time per second of audio, over all threads of the process "
    "that runs the model: one recording at a time, loading, decoding and resampling "
    "left out",
    "peak MB": "memory of that process at most, interpreter and libraries included",
    "install MB": "on the disk: the environment, shared or not, and the weights; of a "
    "built-in model, its weights",
}


@dataclass(frozen=True)
class Costs:
    """What a model takes.

    Attributes
    ----------
    parameters
        None where it has none that can be counted.
    minimum_seconds
        The shortest recording that it takes as it is.
    cpu_ms
        Milliseconds of processor time per second of audio.
    peak_mb
        Memory of the process that runs it, at most.
    install_mb
        On the disk.
    """

    parameters: int | None
    minimum_seconds: float
    cpu_ms: float
    peak_mb: float
    install_mb: float


@dataclass(frozen=True)
class ModelRow:
    """One model: its figures, or why it has none.

    Attributes
    ----------
    left_out
        Recordings without an embedding; their trials are part of no rate.
    reason
        Why the model could not be used; empty if it could.
    """

    name: str
    evaluation: Evaluation | None = None
    dimensions: int | None = None
    costs: Costs | None = None
    left_out: int = 0
    reason: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Every figure by the name of its column in the CSV; None where there is none.

        Rates are in percent here.
        """
        found, costs = self.evaluation, self.costs
        interval = found.intervals.get("eer") if found else None
        return {
            "model": self.name,
            "eer_percent": _percent(found.eer if found else None),
            "eer_low_percent": _percent(interval.low if interval else None),
            "eer_high_percent": _percent(interval.high if interval else None),
            "min_dcf": _finite(found.min_dcf if found else None),
            "dimensions": self.dimensions,
            "parameters": costs.parameters if costs else None,
            "minimum_seconds": costs.minimum_seconds if costs else None,
            "cpu_ms_per_second": costs.cpu_ms if costs else None,
            "peak_mb": costs.peak_mb if costs else None,
            "install_mb": costs.install_mb if costs else None,
            "recordings_left_out": self.left_out,
            "reason": self.reason,
        }


def as_csv(rows: Iterable[ModelRow]) -> str:
    """Return a line for each model, in numbers; missing values are empty.

    A text that a spreadsheet would evaluate has an apostrophe before it.
    """
    lines = [list(ModelRow("").as_dict())]
    lines += [[_number(value) for value in row.as_dict().values()] for row in rows]
    return printing.as_csv(lines)


def as_text(rows: Sequence[ModelRow]) -> str:
    """A table for people; a model that failed has its reason in place of figures."""
    cells = [HEADINGS, *(_cells(row) for row in rows if not row.reason)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    widths[0] = max([widths[0], *(len(row.name) for row in rows)])
    lines = [_line(HEADINGS, widths)]
    for row in rows:
        if row.reason:
            lines.append(f"{row.name:<{widths[0]}}  failed: {row.reason}")
        else:
            lines.append(_line(_cells(row), widths))
    return "\n".join([*lines, *(f"Note: {note}" for note in _left_out(rows))])


def as_page(
    rows: Sequence[ModelRow], *, title: str, about: str, picture: bytes | None
) -> str:
    """One page of HTML that needs no other file.

    Parameters
    ----------
    title, about
        What was run, and on what.
    picture
        A PNG with the curves; None where there are none.
    """
    heads = "".join(f'<th scope="col">{in_markup(text)}</th>' for text in HEADINGS)
    body = "\n".join(_row(row) for row in rows)
    curves = ""
    if picture is not None:
        data = base64.b64encode(picture).decode("ascii")
        curves = (
            '<img alt="The DET curve of each model" '
            f'src="data:image/png;base64,{data}">'
        )
    notes = "\n".join(f"<li>{in_markup(note)}</li>" for note in _notes(rows))
    meanings = "\n".join(
        f"<dt>{in_markup(name)}</dt><dd>{in_markup(text)}</dd>"
        for name, text in DEFINITIONS.items()
    )
    return _PAGE.format(
        title=in_markup(title),
        about=in_markup(about),
        heads=heads,
        body=body,
        curves=curves,
        notes=f"<h2>Notes</h2>\n<ul>\n{notes}\n</ul>" if notes else "",
        meanings=meanings,
    )


def _cells(row: ModelRow) -> tuple[str, ...]:
    values = row.as_dict()
    low, high = values["eer_low_percent"], values["eer_high_percent"]
    return (
        row.name,
        _shown(values["eer_percent"], ".2f"),
        NOTHING if low is None else f"{low:.2f} to {high:.2f}",
        _shown(values["min_dcf"], ".3f"),
        _shown(values["dimensions"], ","),
        _shown(values["parameters"], ","),
        _shown(values["minimum_seconds"], ".2g"),
        _shown(values["cpu_ms_per_second"], ".1f"),
        _shown(values["peak_mb"], ",.0f"),
        _shown(values["install_mb"], ",.0f"),
    )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Names to the left, figures to the right."""
    pairs = zip(cells[1:], widths[1:], strict=True)
    figures = "  ".join(f"{cell:>{width}}" for cell, width in pairs)
    return f"{cells[0]:<{widths[0]}}  {figures}"


def _row(row: ModelRow) -> str:
    name, *cells = map(in_markup, _cells(row))
    if row.reason:
        reason = in_markup(row.reason)
        figures = f'<td class="reason" colspan="{len(cells)}">failed: {reason}</td>'
    else:
        figures = "".join(f"<td>{cell}</td>" for cell in cells)
    return f'<tr><th scope="row">{name}</th>{figures}</tr>'


def _notes(rows: Iterable[ModelRow]) -> list[str]:
    """What is to be known of the figures; what holds for several models, once."""
    rows = list(rows)
    said: dict[str, list[str]] = {}
    for row in rows:
        for warning in summary_warnings(row.evaluation) if row.evaluation else ():
            said.setdefault(warning, []).append(row.name)
    warnings = [f"{', '.join(names)}: {text}." for text, names in said.items()]
    return [*_left_out(rows), *warnings]


def _left_out(rows: Iterable[ModelRow]) -> list[str]:
    return [
        f"{row.name} has no embedding of {row.left_out} recordings; their trials are "
        f"part of no rate."
        for row in rows
        if row.left_out and not row.reason
    ]


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _percent(rate: float | None) -> float | None:
    found = _finite(rate)
    return None if found is None else 100 * found


def _number(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else printing.inert(str(value))


def _shown(value: float | None, form: str) -> str:
    return NOTHING if value is None else format(value, form)


_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fff;
  margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; }}
th, td {{ padding: .35rem .6rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid #ddd; }}
thead th {{ border-bottom: 2px solid #888; white-space: normal;
  vertical-align: bottom; }}
th:first-child {{ text-align: left; }}
tbody th {{ font-weight: 600; }}
td.reason {{ text-align: left; white-space: normal; color: #a30; }}
img {{ max-width: 100%; height: auto; margin-top: 1.5rem; }}
dt {{ font-weight: 600; float: left; clear: left; width: 7rem; }}
dd {{ margin-left: 7.5rem; }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{about}</p>
<div class="wide">
<table>
<thead><tr>{heads}</tr></thead>
<tbody>
{body}
</tbody>
</table>
</div>
{curves}
{notes}
<h2>What the columns say</h2>
<dl>
{meanings}
</dl>
</body>
</html>
"""
