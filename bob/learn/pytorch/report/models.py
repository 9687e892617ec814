"""A table of many models on one protocol, as text, as CSV and as a page."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bob.learn.pytorch import printing
from bob.learn.pytorch.drawing import det_plot
from bob.learn.pytorch.metrics.showing import det_curve
from bob.learn.pytorch.printing import aligned, counted, in_markup
from bob.learn.pytorch.report import page_parts
from bob.learn.pytorch.report.experiment_report import summary_warnings
from bob.learn.pytorch.report.page_style import document

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bob.learn.pytorch.metrics import Evaluation

_NOTHING = "-"
# Heading, field of `ModelRow.as_dict` (or the interval), form of its cells, meaning.
_COLUMNS = (
    ("model", "model", "", ""),
    (
        "EER %",
        "eer_percent",
        ".2f",
        "equal error rate, with the range of 95 % over speakers drawn with replacement",
    ),
    ("95 % interval", "interval", "", ""),
    (
        "minDCF",
        "min_dcf",
        ".3f",
        "smallest detection cost, normalised; P_target 0.01, both costs 1",
    ),
    (
        "dimension",
        "dimensions",
        ",",
        "numbers in an embedding; they are compared by their cosine",
    ),
    ("parameters", "parameters", ",", ""),
    (
        "minimum s",
        "minimum_seconds",
        ".2g",
        "shorter recordings are padded by templates, and refused by built-in models",
    ),
    (
        "CPU ms/s",
        "cpu_ms_per_second",
        ".1f",
        "processor time per second of audio, over all threads of the process that runs "
        "the model: one recording at a time, loading, decoding and resampling left out",
    ),
    (
        "peak MB",
        "peak_mb",
        ",.0f",
        "memory of that process at most, interpreter and libraries included",
    ),
    (
        "install MB",
        "install_mb",
        ",.0f",
        "on the disk: the environment, shared or not, and the weights; of a built-in "
        "model, its weights",
    ),
)
_HEADINGS = tuple(heading for heading, *_ in _COLUMNS)


@dataclass(frozen=True)
class Costs:
    """Resources that a model takes.

    Parameters may be None, if they cannot be counted. Processor time is milliseconds
    per second of audio; recordings from ``minimum_seconds`` are taken as they are.
    Megabytes are memory of its process at most, and the size on the disk.
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
        Reason why the model could not be used; empty if it could.
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
    """Return a table; a model that failed has its reason in place of figures."""
    width = max(len(row.name) for row in (*rows, ModelRow(_HEADINGS[0])))
    failed = {number: row for number, row in enumerate(rows, 1) if row.reason}
    cells = [_HEADINGS, *(_cells(row) for row in rows if not row.reason)]
    lines = aligned(
        [(f"{name:<{width}}", *figures) for name, *figures in cells],
        "<" + ">" * len(_HEADINGS[1:]),
    )
    for number, row in failed.items():
        lines.insert(number, f"{row.name:<{width}}  failed: {row.reason}")
    return "\n".join([*lines, *(f"Note: {note}" for note in _left_out(rows))])


def as_page(rows: Sequence[ModelRow], *, title: str, about: str) -> str:
    """Return one page of HTML that needs no other file.

    Parameters
    ----------
    title, about
        Protocol in a few words, and in a sentence.
    """
    first, *others = map(in_markup, _HEADINGS)
    heads = f'<th scope="col" class="words">{first}</th>'
    heads += "".join(f'<th scope="col">{text}</th>' for text in others)
    body = "\n".join(_row(row) for row in rows)
    meanings = "\n".join(
        f"<dt>{in_markup(name)}</dt><dd>{in_markup(text)}</dd>"
        for name, _, _, text in _COLUMNS
        if text
    )
    return document(
        title=title,
        about=about,
        sections=[
            ("models", "Models", page_parts.scrolled(title, "<table>", heads, body)),
            ("curves", "Curves", _curves(rows)),
            ("notes", "Notes", page_parts.notes(_notes(rows))),
            ("columns", "Columns", f'<dl class="facts plain">\n{meanings}\n</dl>'),
        ],
        made_by="bob pytorch template bench",
    )


def _curves(rows: Iterable[ModelRow]) -> str:
    named = {row.name: row.evaluation for row in rows if row.evaluation}
    drawn = {name: one for name, one in named.items() if one.curve is not None}
    if not drawn:
        return ""
    curves = [
        det_curve(one, name=name, look=look, kinds=("eer", "minimum"))
        for look, (name, one) in enumerate(drawn.items())
    ]
    picture = page_parts.figure(
        det_plot(curves), "det", page_parts.signs(("eer", "minimum"))
    )
    return f"{page_parts.legend(list(drawn))}\n{picture}"


def _cells(row: ModelRow) -> list[str]:
    values = row.as_dict()
    low, high = values["eer_low_percent"], values["eer_high_percent"]
    values["interval"] = None if low is None else f"{low:.2f} to {high:.2f}"
    return [
        _NOTHING if values[key] is None else format(values[key], form)
        for _, key, form, _ in _COLUMNS
    ]


def _row(row: ModelRow) -> str:
    name, *cells = map(in_markup, _cells(row))
    if row.reason:
        reason = in_markup(row.reason)
        figures = f'<td class="words" colspan="{len(cells)}">failed: {reason}</td>'
    else:
        figures = "".join(f"<td>{cell}</td>" for cell in cells)
    return f'<tr><th scope="row" class="words">{name}</th>{figures}</tr>'


def _notes(rows: Iterable[ModelRow]) -> list[str]:
    """Return notes on the figures; one that holds for several models stands once."""
    rows = list(rows)
    said: dict[str, list[str]] = {}
    for row in rows:
        for warning in summary_warnings(row.evaluation) if row.evaluation else ():
            said.setdefault(warning, []).append(row.name)
    warnings = [f"{', '.join(names)}: {text}." for text, names in said.items()]
    return [*_left_out(rows), *warnings]


def _left_out(rows: Iterable[ModelRow]) -> list[str]:
    return [
        f"{row.name} has no embedding of {counted(row.left_out, 'recording')}, whose "
        "trials are part of no rate."
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
