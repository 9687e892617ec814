"""`bob pytorch compare`: compare the speakers of two recordings."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bob.learn.pytorch.script.extractors import asking, extractor_options

if TYPE_CHECKING:
    from bob.learn.pytorch.calibration.decision import Calibration, Decision
    from bob.learn.pytorch.comparing import Comparison

COST = click.FloatRange(min=0, min_open=True)
MEANING = (
    "cosine of two embeddings, from -1 to 1: the higher, the more likely it is one "
    "speaker"
)
# What people are told of the provenance of a calibration.
_SHOWN = ("database", "protocol", "group", "speakers", "penalty", "scores")
NO_THRESHOLD = (
    "where to draw the line depends on the recordings, and none is published for this "
    "model: train a calibration on recordings like these with verify.py "
    "--calibrate-scores, and give it as --calibration"
)


@click.command()
@click.argument("first", type=click.Path())
@click.argument("second", type=click.Path())
@extractor_options
@click.option(
    "--calibration",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Calibration that turns the score into a likelihood ratio: calibration.json "
    "of verify.py --calibrate-scores or of `bob pytorch calibrate`.",
)
@click.option(
    "--p-target",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Prior probability that it is one speaker, for the decision.  [0.5]",
)
@click.option(
    "--c-miss",
    type=COST,
    help="Cost of a miss: rejecting the true speaker.  [1]",
)
@click.option(
    "--c-fa",
    type=COST,
    help="Cost of a false alarm: accepting another speaker.  [1]",
)
@click.option("--json", "as_json", is_flag=True, help="Report in JSON.")
def compare(
    first: str,
    second: str,
    calibration: Path | None,
    as_json: bool,  # noqa: FBT001 - click hands it over
    yes: bool,  # noqa: FBT001
    **options: Any,  # noqa: ANN401 - those of extractor_options, and of the decision
) -> None:
    """Compare the speakers of two recordings, FIRST and SECOND.

    The score is the cosine of their embeddings, from -1 to 1; higher means more
    alike. With --calibration, the answer is a likelihood ratio and a decision. A
    model that is not here yet is downloaded.
    """
    costs = [options[name] is not None for name in ("p_target", "c_miss", "c_fa")]
    if any(costs) and calibration is None:
        raise click.UsageError(
            "--p-target, --c-miss and --c-fa are for a decision, which takes "
            "--calibration"
        )
    from bob.learn.pytorch.comparing import compare as compare_recordings

    given = {name: value for name, value in options.items() if value is not None}
    comparison = compare_recordings(
        first, second, calibration=calibration, ask=asking(yes=yes), **given
    )
    if as_json:
        report = _for_programs(comparison, (first, second), calibration)
        click.echo(json.dumps(report, indent=2))
        return
    click.echo(f"score {comparison.score:.4f} with {comparison.model}")
    lines = _for_people(comparison, calibration)
    click.echo("\n".join(f"  {line}" for line in lines))


def _for_programs(
    comparison: Comparison, paths: tuple[str, str], calibration: Path | None
) -> dict[str, Any]:
    from bob.learn.pytorch.printing import printable

    notes, decided = list(comparison.notes), {"threshold": None}
    if comparison.decision is None or comparison.calibration is None:
        notes.append(NO_THRESHOLD)
    else:
        decided = _decision_for_programs(
            comparison.decision, comparison.calibration, str(calibration)
        )
    sides = zip(paths, comparison.seconds, comparison.rates, strict=True)
    return {
        "model": comparison.model,
        "score": comparison.score,
        "meaning": MEANING,
        **decided,
        "recordings": [
            {
                "path": printable(path),
                "seconds": round(seconds, 4),
                "sample_rate": rate,
            }
            for path, seconds, rate in sides
        ],
        "notes": notes,
    }


def _for_people(comparison: Comparison, calibration: Path | None) -> list[str]:
    if comparison.decision is None or comparison.calibration is None:
        return [MEANING, *comparison.notes, NO_THRESHOLD]
    lines = _decision_for_people(
        comparison.decision, comparison.calibration, str(calibration)
    )
    return [*lines, *comparison.notes]


def _decision_for_programs(
    decision: Decision, calibration: Calibration, path: str
) -> dict[str, Any]:
    threshold, trials = decision.threshold, calibration.trained_on
    ratio = decision.log_likelihood_ratio
    return {
        "log_likelihood_ratio": ratio if math.isfinite(ratio) else None,
        "likelihood_ratio": decision.likelihood_ratio
        if math.isfinite(decision.likelihood_ratio)
        else None,
        "decision": _decided(accepted=decision.accepted),
        "threshold": {
            "log_likelihood_ratio": threshold.log_likelihood_ratio,
            "score": threshold.score,
            "p_target": threshold.p_target,
            "c_miss": threshold.c_miss,
            "c_fa": threshold.c_fa,
        },
        "quality": {name: list(sides) for name, sides in decision.quality.items()},
        "without_quality": _without_quality(decision),
        "calibration": {
            "path": path,
            "targets": trials.targets,
            "non_targets": trials.non_targets,
            "provenance": dict(calibration.provenance),
        },
    }


def _decision_for_people(
    decision: Decision, calibration: Calibration, path: str
) -> list[str]:
    threshold, trials = decision.threshold, calibration.trained_on
    ratio = decision.log_likelihood_ratio
    at = "" if threshold.score is None else f", cosine {threshold.score:.4f}"
    at += ", out of reach" if at and decision.beyond_cosines else ""
    at += " for such recordings" if at and decision.quality else ""
    said = ", ".join(
        f"{name.replace('_', ' ')} {calibration.provenance[name]}"
        for name in _SHOWN
        if name in calibration.provenance
    )
    sign = "" if decision.accepted else "not "
    weighed = "".join(
        f", with the {_named(name)} {left:.4g} and {right:.4g}"
        for name, (left, right) in decision.quality.items()
    )
    lines = [
        f"likelihood ratio {_ratio(ratio)} (log {ratio:.4f}): how much more likely "
        f"such a score is of one speaker than of two{weighed}",
        f"decision: {_decided(accepted=decision.accepted)}, since the log is {sign}at "
        f"or above {threshold.log_likelihood_ratio:.4f} "
        f"(P_target {threshold.p_target:g}, C_miss {threshold.c_miss:g}, "
        f"C_fa {threshold.c_fa:g}{at})",
        f"threshold from {path}: {trials.targets} target and {trials.non_targets} "
        f"non-target trials{', ' if said else ''}{said}",
    ]
    without = _without_quality(decision)
    if without is not None:
        lines.insert(
            1,
            f"by the score alone: likelihood ratio {_ratio(decision.plain or 0.0)}, "
            f"{without['decision']}",
        )
    return lines


def _without_quality(decision: Decision) -> dict[str, Any] | None:
    """Return the answer by the score alone; None where no measure was weighed."""
    from bob.learn.pytorch.calibration.decision import ratio_of

    ratio = decision.plain
    if ratio is None:
        return None
    accepted = ratio >= decision.threshold.log_likelihood_ratio
    return {
        "log_likelihood_ratio": ratio,
        "likelihood_ratio": ratio_of(ratio) if math.isfinite(ratio_of(ratio)) else None,
        "decision": _decided(accepted=accepted),
    }


def _decided(*, accepted: bool) -> str:
    return "one speaker" if accepted else "two speakers"


def _named(measure: str) -> str:
    return {"duration": "durations in seconds"}.get(measure, f"{measure}s")


def _ratio(log: float) -> str:
    """``e ** log`` for people: below one as a fraction of one."""
    if log < 0:
        return f"1/{_ratio(-log)}"
    return f"{math.exp(log):.3g}" if log < math.log(1e6) else "over a million"
