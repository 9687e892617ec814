"""Pieces of the page: tables, worst trials with players, failures, provenance."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.drawing import svg
from bob.learn.pytorch.drawing.plot import MEANINGS, SHAPES
from bob.learn.pytorch.printing import in_markup
from bob.learn.pytorch.report.figure_tables import failures_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from bob.learn.pytorch.drawing import Plot
    from bob.learn.pytorch.metrics import ScoreTable
    from bob.learn.pytorch.report.systems import Evaluated, Report
    from bob.learn.pytorch.report.tables import Cell, Column, Table

#: Recordings listed of those that failed; the rest is a number.
MOST_FAILURES = 200
#: Columns whose cells head their rows.
_HEADINGS = ("system", "first")
#: More notes are folded.
MOST_NOTES = 5


def table(content: Table) -> str:
    """Return a table in a box that scrolls by itself, and its notes."""
    return f"{table_only(content)}\n{notes(content.notes)}"


def table_only(content: Table, *, sortable: bool = False) -> str:
    """Return a table in a box that scrolls by itself."""
    heads = "".join(_head(column) for column in content.columns)
    rows = "\n".join(
        "<tr>"
        + "".join(
            _cell(column, cell)
            for column, cell in zip(content.columns, row, strict=True)
        )
        + "</tr>"
        for row in content.rows
    )
    kind = ' class="sortable"' if sortable else ""
    return scrolled(content.title, f"<table{kind}>", heads, rows)


def scrolled(title: str, element: str, heads: str, rows: str) -> str:
    """Return a table that scrolls by touch, mouse and keyboard, without the page."""
    return (
        f'<div class="wide" role="region" tabindex="0" aria-label="{in_markup(title)}">'
        f"\n{element}\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n"
        "</table>\n</div>"
    )


def notes(texts: Iterable[str]) -> str:
    """Return a list of notes on the figures; empty without any."""
    items = [f"<li>{in_markup(text)}</li>" for text in texts]
    shown, folded = items[:MOST_NOTES], items[MOST_NOTES:]
    parts = [f'<ul class="notes">{"".join(shown)}</ul>'] if shown else []
    if folded:
        head = "1 more note" if len(folded) == 1 else f"{len(folded)} more notes"
        more = f'<ul class="notes">{"".join(folded)}</ul>'
        parts.append(f"<details><summary>{head}</summary>{more}</details>")
    return "\n".join(parts)


def figure(
    plot: Plot, identifier: str, more: str = "", system: int | None = None
) -> str:
    """Return a picture with its title, notes, and more elements (a legend) below it.

    With the only system in it, by its number, the whole figure is hidden.
    """
    notes = "".join(
        f"<figcaption>{in_markup(note)}</figcaption>" for note in plot.notes
    )
    which = "" if system is None else f' data-system="{system}"'
    picture = svg.draw(plot, identifier=identifier, switchable=system is None)
    return (
        f"<figure{which}>\n<h3>{in_markup(plot.title)}</h3>\n{picture}\n{more}{notes}"
        "</figure>"
    )


def legend(names: Sequence[str]) -> str:
    """Return a list of the systems with their lines, which the script lets one hide."""
    items = "".join(
        f'<li data-system="{look}">{svg.swatch(look)}'
        f"<span>{look + 1} {in_markup(name)}</span></li>"
        for look, name in enumerate(names)
    )
    return f'<ul class="legend systems" aria-label="Systems">{items}</ul>'


def signs(kinds: Iterable[str]) -> str:
    """Return a list of marks with their meanings, by the kinds of their decisions."""
    items = "".join(
        f"<li>{svg.sign(SHAPES[kind])}<span>{in_markup(MEANINGS[kind])}</span></li>"
        for kind in kinds
    )
    return f'<ul class="legend" aria-label="Marks">{items}</ul>'


def worst(
    one: Evaluated,
    count: int,
    player: Callable[[str], str | None],
    *,
    unfolded: bool,
    alone: bool,
) -> str:
    """Return the trials that a system got most wrong, to unfold."""
    non_targets, targets = worst_trials(one.system.table, count)
    parts = [
        _trials("Highest non-targets", non_targets, player, one.name),
        _trials("Lowest targets", targets, player, one.name),
    ]
    content = "\n".join([_wrong(one), *(part for part in parts if part)])
    if alone:
        return content
    state = " open" if unfolded else ""
    summary = f"<summary>{in_markup(one.name)}</summary>"
    return f"<details{state}>{summary}\n{content}\n</details>"


def _wrong(one: Evaluated) -> str:
    """Count the trials that are decided wrongly at the threshold that one would use."""
    chosen = [
        m for kind in ("dev", "eer") for m in one.figures.decisions if m.kind == kind
    ]
    if not chosen:
        return ""
    threshold, table = chosen[0].point.threshold, one.system.table
    misses = int(np.count_nonzero(table.targets < threshold))
    matches = int(np.count_nonzero(table.non_targets >= threshold))
    where = "EER threshold of dev" if chosen[0].kind == "dev" else "EER threshold"
    return (
        f'<p class="note">At {threshold:.4g}, the {where}, {matches:,} of '
        f"{one.figures.non_targets:,} non-target trials are accepted and {misses:,} of "
        f"{one.figures.targets:,} target trials are rejected.</p>"
    )


def _trials(
    title: str, trials: ScoreTable, player: Callable[[str], str | None], name: str
) -> str:
    if not len(trials):
        return ""
    references = trials.claimed if trials.model is None else trials.model
    columns = references, trials.probe, trials.real
    fields = zip(trials.score.tolist(), *(c.tolist() for c in columns), strict=True)
    heads = '<th scope="col">Score</th>' + "".join(
        f'<th scope="col" class="words">{head}</th>'
        for head in ("Reference", "Probe", "Speaker of the probe")
    )
    rows = "\n".join(
        f"<tr><td>{score:.4f}</td>{_recording(reference, player)}"
        f"{_recording(probe, player)}"
        f'<td class="words">{in_markup(real)}</td></tr>'
        for score, reference, probe, real in fields
    )
    shown = scrolled(f"{title} of {name}", "<table>", heads, rows)
    return f"<h3>{title}</h3>\n{shown}"


def _recording(name: str, player: Callable[[str], str | None]) -> str:
    address = player(name)
    sound = ""
    if address is not None:
        sound = (
            f'<audio controls preload="none" src="{in_markup(address)}" '
            f'aria-label="{in_markup(name)}"></audio>'
        )
    kind = "words sound" if sound else "words"
    return f'<td class="{kind}">{_name(name)}{sound}</td>'


def failures(report: Report) -> str:
    """Return trials without a score, and the recordings that are the reason."""
    content = failures_table(report)
    parts = [table(content)] if content.rows else []
    for one in report.systems:
        found = one.system.failures
        if not found:
            continue
        heads = "".join(
            f'<th scope="col" class="words">{head}</th>'
            for head in ("Recording", "Stage", "Reason")
        )
        rows = "\n".join(
            f'<tr><th scope="row" class="words">{in_markup(item.key)}</th>'
            f'<td class="words">{in_markup(item.stage)}</td>'
            f'<td class="words">{in_markup(item.reason)}</td></tr>'
            for item in found[:MOST_FAILURES]
        )
        title = f"{one.name}: {len(found):,} recordings that could not be used"
        more = len(found) - MOST_FAILURES
        rest = f'<p class="note">and {more:,} more</p>' if more > 0 else ""
        parts.append(
            f"<details><summary>{in_markup(title)}</summary>\n"
            f"{scrolled(title, '<table>', heads, rows)}{rest}\n</details>"
        )
    if not parts:
        return '<p class="empty">None: every trial has a score.</p>'
    return "\n".join(parts)


def provenance(report: Report, made_by: Sequence[tuple[str, str]]) -> str:
    """Return the provenance of the scores of each system, and of the page."""
    parts = [
        f"<details><summary>{in_markup(one.name)}</summary>\n"
        f"{_facts(one.system.provenance)}\n</details>"
        for one in report.systems
        if one.system.provenance
    ]
    if made_by:
        parts.append(
            f"<details><summary>This page</summary>\n{_facts(made_by)}\n</details>"
        )
    return "\n".join(parts)


def _facts(facts: Iterable[tuple[str, str]]) -> str:
    items = "".join(f"<dt>{in_markup(a)}</dt><dd>{in_markup(b)}</dd>" for a, b in facts)
    return f'<dl class="facts">{items}</dl>'


def _head(column: Column) -> str:
    kind = "" if column.numeric else ' class="words"'
    meaning = f' title="{in_markup(column.meaning)}"' if column.meaning else ""
    return f'<th scope="col"{kind}{meaning}>{in_markup(column.title)}</th>'


def _cell(column: Column, cell: Cell) -> str:
    value = "" if cell.value is None else f' data-value="{in_markup(str(cell.value))}"'
    text = in_markup(cell.text) if column.numeric else _name(cell.text)
    if cell.interval:
        text += f'<span class="range">{in_markup(cell.interval)}</span>'
    if column.key in _HEADINGS:
        return f'<th scope="row" class="words"{value}>{text}</th>'
    kind = "" if column.numeric else ' class="words"'
    return f"<td{kind}{value}>{text}</td>"


def _name(text: str) -> str:
    """Let a text break behind the marks that names are made of."""
    return re.sub(r"(?<=[/_.-])(?=[^\W_])", "<wbr>", in_markup(text))


def worst_trials(table: ScoreTable, count: int) -> tuple[ScoreTable, ScoreTable]:
    """Return non-target trials of the highest and target trials of the lowest scores.

    The worst come first; of equal scores, those that come first in the table. Trials
    without a score are left out.
    """
    scored, is_target = ~np.isnan(table.score), table.is_target
    return (
        table.take(_lowest(-table.score, scored & ~is_target, count)),
        table.take(_lowest(table.score, scored & is_target, count)),
    )


def _lowest(
    values: NDArray[np.float64], chosen: NDArray[np.bool_], count: int
) -> NDArray[np.intp]:
    """Return positions of the lowest of the chosen values, ascending."""
    index = np.flatnonzero(chosen)
    if index.size > count:
        limit = np.partition(values[index], count - 1)[count - 1] if count else -np.inf
        index = index[values[index] <= limit]
    return index[np.argsort(values[index], kind="stable")][:count]
