"""`bob pytorch metrics`: scores become error rates."""

from __future__ import annotations

import json
import math
import textwrap
from typing import TYPE_CHECKING, Any

import click

from bob.learn.pytorch.printing import printable
from bob.learn.pytorch.script.score_options import (
    FILE,
    SOURCE,
    costs_option,
    json_option,
    plain_errors,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bob.learn.pytorch.metrics import Interval, Names, ScoreTable
    from bob.learn.pytorch.scorefiles.figures import Measured

# Of a file this long, a table in memory would take gigabytes.
_LONG_FILE = 2 << 30
_NAMES = {
    "eer": "EER",
    "rocch_eer": "EER, convex hull",
    "min_dcf": "minDCF",
    "act_dcf": "actDCF",
    "cllr": "Cllr, bits",
    "min_cllr": "min Cllr, bits",
    "fnmr": "FNMR",
    "fmr": "FMR",
}
_RATES = ("eer", "rocch_eer", "fnmr", "fmr")


@click.command()
@click.argument("scores", metavar="FILE", type=FILE)
@click.option("--dev", type=FILE, help="Scores that give the threshold of HTER.")
@click.option(
    "--trials",
    type=SOURCE,
    help="List of the trials, or protocol: the labels of scores that have none, and "
    "columns for --by.",
)
@costs_option
@click.option(
    "--at-fmr", multiple=True, type=float, metavar="RATE", help="Give FNMR there."
)
@click.option(
    "--at-fnmr", multiple=True, type=float, metavar="RATE", help="Give FMR there."
)
@click.option(
    "--by",
    multiple=True,
    metavar="COLUMN",
    help="Also for each class of this column of CSV, or of --trials; gender joins "
    "bio_ref_gender and probe_gender.",
)
@click.option(
    "--versus",
    multiple=True,
    type=FILE,
    metavar="OTHER",
    help="Compare with another system on the same trials.",
)
@click.option(
    "--resamples",
    type=click.IntRange(min=0),
    help="Of speakers, for intervals; 0 for none.  [1000, or 200 for a million trials]",
)
@click.option(
    "--stream",
    is_flag=True,
    help="In bounded memory, figures only; so are files of more than 2 GiB.",
)
@json_option
def metrics(
    scores: Path,
    *,
    dev: Path | None,
    trials: Path | None,
    cost: tuple[str, ...],
    by: tuple[str, ...],
    versus: tuple[Path, ...],
    stream: bool,
    as_json: bool,
    **asked: Any,  # noqa: ANN401 - points and resamples
) -> None:
    """Print the error rates of a score file of any kind: EER, DCF, Cllr …

    FILE has four or five columns, is CSV of Bob, or of the form 'score a b', 'a b
    score' and the like, perhaps with a column of labels (1 and 0, target and
    nontarget); without labels, --trials may say who is who. Higher means more alike.
    Rates are fractions in JSON and percent in the table.
    """
    with plain_errors():
        from bob.learn.pytorch.metrics import find_several_costs
        from bob.learn.pytorch.scorefiles import figures as score_figures
        from bob.learn.pytorch.scorefiles import read_scores, read_with_metadata

        costs = find_several_costs(cost)
        if stream or scores.stat().st_size > _LONG_FILE:
            if dev or by or versus or costs[1:] or any(asked.values()):
                raise click.UsageError(
                    "in bounded memory there are no conditions, comparisons, points "
                    "and intervals, and one --cost; leave --stream out, or ask for "
                    "nothing else"
                )
            measured = score_figures.measure_in_bounded_memory(
                scores, trials=trials, cost=costs[0]
            )
        else:
            table, metadata = read_with_metadata(scores, trials=trials)
            measured = score_figures.measure_scores(
                table,
                dev=None if dev is None else _dev(dev, trials),
                cost=costs,
                conditions=_conditions(scores, metadata, by),
                others={str(path): read_scores(path, trials=trials) for path in versus},
                **asked,
            )
    if as_json:
        content = {"scores": click.format_filename(scores), **measured.as_dict()}
        click.echo(json.dumps(content, indent=2))
    else:
        click.echo("\n".join([f"{printable(scores)}:", *_lines(measured)]))


def _dev(path: Path, trials: Path | None) -> ScoreTable:
    """Scores that give a threshold; the list of trials may be of the other ones."""
    from bob.learn.pytorch.scorefiles import UnlabelledError, read_scores

    try:
        return read_scores(path, trials=trials)
    except UnlabelledError:
        if trials is None:
            raise
        return read_scores(path)


def _conditions(
    path: Path, metadata: Mapping[str, Names], wanted: tuple[str, ...]
) -> dict[str, Names]:
    """Title -> class of each trial, of the columns that were asked for."""
    from bob.learn.pytorch.errors import ScoringError
    from bob.learn.pytorch.report.trial_conditions import trial_conditions

    found: dict[str, Names] = {}
    for name in wanted:
        titles = [name, f"bio_ref_{name}", f"probe_{name}"]
        columns = {title: metadata[title] for title in titles if title in metadata}
        if not columns:
            raise ScoringError(
                f"{path} has no column {name}; it has "
                f"{', '.join(metadata) or 'no columns beside those of its trials'}; a "
                "protocol with such a column may be given as --trials"
            )
        classes = trial_conditions(columns, by_name=True)
        if not classes:
            raise ScoringError(
                f"the column {name} of {path} does not part its trials into classes: "
                "it has one value, or more than 12 that are no numbers; give a column "
                "of numbers, or of fewer classes"
            )
        found.update(classes)
    return found


def _lines(measured: Measured) -> list[str]:
    found = measured.figures
    failed = found.failures / max(1, found.targets + found.non_targets + found.failures)
    rows = [
        ("target trials", f"{found.targets:,}", ""),
        ("non-target trials", f"{found.non_targets:,}", ""),
        (
            "failed trials",
            f"{found.failures:,}",
            f"{100 * failed:.3f} %" if failed else "",
        ),
    ]
    if measured.speakers is not None:
        rows.append(("speakers", f"{measured.speakers:,}", ""))
    level = next((item.level for item in measured.intervals.values()), None)
    rows.append(("", "", "" if level is None else f"{100 * level:g} % interval"))
    for name in ("eer", "rocch_eer", "min_dcf", "act_dcf", "cllr", "min_cllr"):
        value: float = getattr(found, name)
        between = _between(name, measured.intervals.get(name))
        rows.append((_NAMES[name], _text(name, value), between))
    if len(found.costs) > 1:
        for one in found.costs:
            rows.append((f"minDCF, {one.cost}", _text("", one.min_dcf), ""))
            rows.append((f"actDCF, {one.cost}", _text("", one.act_dcf), ""))
    rows += _other_rows(measured)
    lines = [*_aligned(rows), "", f"DCF: {found.cost_function}"]
    lines += [f"DCF, {one.cost.name}: {one.cost}" for one in measured.others]
    lines += _point_lines(measured)
    for title, conditions in measured.conditions.items():
        lines += [
            "",
            *_aligned([("by " + title, "trials", "EER / minDCF / FNMR / FMR")]),
        ]
        lines += _aligned([
            (
                f"  {one.name}",
                f"{one.targets} + {one.non_targets}",
                " / ".join(_text(name, value) for name, value in one.figures.items()),
            )
            for one in conditions
        ])  # fmt: skip
    lines += _versus_lines(measured)
    notes = [
        textwrap.fill(f"Note: {warning}.", 79, subsequent_indent="      ")
        for warning in measured.warnings
    ]
    if notes and not (found.targets and found.non_targets):
        # The whole table is empty, and this says why.
        return [*notes, "", *lines]
    return [*lines, *(line for note in notes for line in ("", note))]


def _other_rows(measured: Measured) -> list[tuple[str, str, str]]:
    """Return rows with the figures of further --cost."""
    rows = []
    for one in measured.others:
        for name in ("min_dcf", "act_dcf"):
            interval = measured.intervals.get(f"{name} {one.cost.name}")
            value = _text(name, getattr(one, name))
            title = f"{_NAMES[name]}, {one.cost.name}"
            rows.append((title, value, _between(name, interval)))
    return rows


def _point_lines(measured: Measured) -> list[str]:
    lines = []
    if measured.dev is not None:
        dev, here = measured.dev
        rows = [("", "dev", "here")]
        for name, title in (
            ("false_match_rate", "FMR"),
            ("false_non_match_rate", "FNMR"),
            ("half_total_error_rate", "HTER"),
        ):
            rates = [_text("fmr", getattr(point, name)) for point in (dev, here)]
            rows.append((title, rates[0], rates[1]))
        heading = f"At the threshold {dev.threshold:.6g}, the EER threshold of dev:"
        lines += ["", heading, *_aligned(rows)]
    for name, point in measured.points.items():
        both = (
            f"FMR {100 * point.false_match_rate:.3f} %, "
            f"FNMR {100 * point.false_non_match_rate:.3f} %"
        )
        lines.append(f"{name}: {both}, at the threshold {point.threshold:.6g}")
    return lines


def _versus_lines(measured: Measured) -> list[str]:
    lines = []
    for path, other in measured.versus.items():
        drawn = any(found.interval.resamples for found in other.differences.values())
        rows = [("", "this - that", "95 % interval, p" if drawn else "")]
        for name, found in other.differences.items():
            change = _text(name, found.difference)
            between = _between(name, found.interval)
            said = f"{between}, {found.p_value:.3g}" if drawn else ""
            rows.append((_NAMES[name], change, said))
        only = other.decisions
        lines += ["", f"against {printable(path)}:", *_aligned(rows)]
        lines.append(
            f"wrong only here {only.first_only}, only there {only.second_only} "
            f"(McNemar's p {only.p_value:.3g}), each at its EER threshold"
        )
    return lines


def _text(name: str, value: float) -> str:
    if math.isnan(value):
        return "none"
    return f"{100 * value:.3f} %" if name in _RATES else f"{value:.4f}"


def _between(name: str, interval: Interval | None) -> str:
    if interval is None:
        return ""
    if math.isnan(interval.low):
        return "none"
    return f"{_text(name, interval.low)} to {_text(name, interval.high)}"


def _aligned(rows: list[tuple[str, str, str]]) -> list[str]:
    first, second = (max(len(row[at]) for row in rows) for at in (0, 1))
    return [
        f"{name:<{first}}  {value:>{second}}   {more}".rstrip()
        for name, value, more in rows
    ]
