"""The report as one page of HTML that needs no other file and no network."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bob.learn.pytorch.drawing import svg
from bob.learn.pytorch.drawing.plot import MANY_SYSTEMS, MEANINGS
from bob.learn.pytorch.printing import in_markup
from bob.learn.pytorch.report import figure_tables, page_parts, plots
from bob.learn.pytorch.report.page_style import document

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bob.learn.pytorch.report.systems import Report
    from bob.learn.pytorch.report.tables import Table

    #: Name of a recording -> address for a player, or None.
    Player = Callable[[str], str | None]


def as_page(
    report: Report,
    *,
    title: str,
    made_by: Sequence[tuple[str, str]] = (),
    worst: int = 10,
    player: Player = lambda _: None,
) -> str:
    """Return the page of a report.

    Parameters
    ----------
    made_by
        Titles and texts of the provenance of the page itself.
    worst
        Trials of either kind that are listed for each system; 0 for none.
    player
        Address of a recording that can be played, by its name in the trials.
    """
    sections = [
        ("systems", *_systems(report)),
        ("curves", "Curves", _curves(report)),
        ("histograms", "Score histograms", _histograms(report)),
        ("points", "Operating points", _points(report)),
        ("comparisons", "Differences", _comparisons(report)),
        ("conditions", "Conditions", _conditions(report)),
        ("worst", "Worst trials", _worst(report, worst, player)),
        ("failures", "Failures", page_parts.failures(report)),
        ("provenance", "Provenance", page_parts.provenance(report, made_by)),
    ]
    return document(
        title=title,
        about=_about(report),
        sections=sections,
        made_by="bob pytorch report",
    )


def _about(report: Report) -> str:
    count = len(report.systems)
    same = _counts(report)
    trials = "different trials"
    if same is not None:
        targets, non_targets, failed = same
        trials = f"{targets:,} target and {non_targets:,} non-target trials"
        if failed:
            trials += f" with a score and {failed:,} without one,"
    systems = "1 system" if count == 1 else f"{count} systems"
    speakers = {one.figures.speakers for one in report.systems}
    of = f" of {speakers.pop():,} speakers" if len(speakers) == 1 else ""
    groups = {one.system.group for one in report.systems}
    group = f"; group {groups.pop()}" if len(groups) == 1 and "" not in groups else ""
    return f"{systems} on {trials}{of}{group}."


def _counts(report: Report) -> tuple[int, int, int] | None:
    """Targets, non-targets and failures, if they are the same for all systems."""
    found = {
        (one.figures.targets, one.figures.non_targets, one.figures.failures)
        for one in report.systems
    }
    return found.pop() if len(found) == 1 else None


def _systems(report: Report) -> tuple[str, str]:
    table = figure_tables.systems_table(report)
    if _counts(report) is not None and len(table.rows) > 1:
        table = table.without({"targets", "non_targets", "failures"})
    if "scores" in [column.key for column in table.columns]:
        table = _told_below(table, report)
    shown = page_parts.table_only(table, sortable=len(table.rows) > 1)
    meanings = "".join(
        f"<dt>{in_markup(column.title)}</dt><dd>{in_markup(column.meaning)}</dd>"
        for column in table.columns
        if column.meaning
    )
    intervals = ""
    if len(table.rows) > 1:
        intervals = page_parts.figure(plots.interval_plot(report), "intervals")
    return table.title, (
        f"{shown}\n{intervals}\n{page_parts.notes(table.notes)}\n"
        "<details><summary>What the columns say</summary>"
        f'<dl class="facts plain">{meanings}</dl></details>'
    )


def _told_below(table: Table, report: Report) -> Table:
    """Put how scores were made below the names of systems, to save a column."""
    place = [column.key for column in table.columns].index("system")
    rows = [
        (
            *row[:place],
            replace(row[place], interval=one.system.scores),
            *row[place + 1 :],
        )
        for row, one in zip(table.rows, report.systems, strict=True)
    ]
    return replace(table, rows=tuple(rows)).without({"scores"})


def _curves(report: Report) -> str:
    if all(one.figures.curve is None for one in report.systems):
        return (
            '<p class="empty">None, for lack of target or non-target trials with a '
            "score.</p>"
        )
    pictures = [
        (plots.det_plot(report), page_parts.signs(_marked(report))),
        (plots.bayes_plot(report), ""),
    ]
    figures = "\n".join(
        page_parts.figure(plot, f"curve-{number}", more)
        for number, (plot, more) in enumerate(pictures)
    )
    legend = page_parts.legend([one.name for one in report.systems])
    return f'{legend}\n<div class="pictures">\n{figures}\n</div>'


def _marked(report: Report) -> list[str]:
    """Return the kinds of decisions that the curves mark."""
    return list(
        dict.fromkeys(
            mark.kind
            for one in report.systems
            for mark in one.figures.decisions
            if mark.kind == "eer" or len(report.systems) <= MANY_SYSTEMS
        )
    )


def _histograms(report: Report) -> str:
    figures = "\n".join(
        page_parts.figure(plot, f"histogram-{number}", system=number)
        for number, plot in enumerate(plots.histogram_plots(report))
    )
    figures = f'<div class="pictures small">\n{figures}\n</div>'
    if len(report.systems) > MANY_SYSTEMS:
        summary = f"<summary>Of {len(report.systems)} systems</summary>"
        figures = f"<details>{summary}\n{figures}\n</details>"
    return (
        f'<ul class="legend" aria-label="Kinds of trial">{_kinds(report)}</ul>\n'
        f"{figures}"
    )


def _kinds(report: Report) -> str:
    """Name the lines of histograms."""
    kinds = [
        (svg.swatch(0), "target trials"),
        (svg.swatch(1, dashed=True), "non-target trials"),
        (svg.swatch(-1, dashed=False), "EER threshold"),
    ]
    if any(one.system.dev for one in report.systems):
        kinds.append((svg.swatch(-1, dashed=True), MEANINGS["dev"]))
    return "".join(f"<li>{look}<span>{text}</span></li>" for look, text in kinds)


def _points(report: Report) -> str:
    """Return one table where there are few systems, else one to unfold."""
    table = figure_tables.points_table(report)
    if not table.rows:
        return ""
    shown = page_parts.table(table)
    if len(report.systems) <= 3:
        return shown
    return f"<details><summary>Of all systems</summary>\n{shown}\n</details>"


def _comparisons(report: Report) -> str:
    table = figure_tables.comparisons_table(report)
    if not table.rows:
        return page_parts.notes(table.notes)
    return page_parts.table(table)


def _conditions(report: Report) -> str:
    found = figure_tables.condition_tables(report)
    few = len(report.systems) <= MANY_SYSTEMS
    return "\n".join(
        f"<details{' open' if few and number < 2 else ''}>"
        f"<summary>{in_markup(table.title)}</summary>\n"
        f"{page_parts.table(table)}\n</details>"
        for number, table in enumerate(found)
    )


def _worst(report: Report, count: int, player: Player) -> str:
    if not count:
        return ""
    return "\n".join(
        page_parts.worst(
            one, count, player, unfolded=number == 0, alone=len(report.systems) == 1
        )
        for number, one in enumerate(report.systems)
    )
