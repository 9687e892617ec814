"""`bob pytorch compare`: compare the speakers of two recordings."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import click

from bob.learn.pytorch.printing import printable
from bob.learn.pytorch.script.door import report
from bob.learn.pytorch.script.extractors import asking, extractor_options
from bob.learn.pytorch.script.options import FILE, json_option

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bob.learn.pytorch.calibration.decision import Decision
    from bob.learn.pytorch.comparing import Comparison

_COST = click.FloatRange(min=0, min_open=True)
_MEANING = (
    "cosine of two embeddings, from -1 to 1: the higher, the more likely it is one "
    "speaker"
)
# What people are told of the provenance of a calibration.
_SHOWN = ("database", "protocol", "group", "speakers", "penalty", "scores")
_NO_THRESHOLD = (
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
    type=FILE,
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
    type=_COST,
    help="Cost of a miss: rejecting the true speaker.  [1]",
)
@click.option(
    "--c-fa",
    type=_COST,
    help="Cost of a false alarm: accepting another speaker.  [1]",
)
@json_option
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
    lines = [f"score {comparison.score:.4f} with {comparison.model}"]
    lines += [f"  {line}" for line in _for_people(comparison, calibration)]
    content = _for_programs(comparison, (first, second), calibration)
    report(content, lines, as_json=as_json)


def _for_programs(
    comparison: Comparison, paths: tuple[str, str], calibration: Path | None
) -> dict[str, Any]:
    sides = zip(paths, comparison.seconds, comparison.rates, strict=True)
    content: dict[str, Any] = {
        "model": comparison.model,
        "score": comparison.score,
        "meaning": _MEANING,
        "threshold": None,
        "recordings": [
            {
                "path": printable(path),
                "seconds": round(seconds, 4),
                "sample_rate": rate,
            }
            for path, seconds, rate in sides
        ],
        "notes": [*comparison.notes],
    }
    decision, known = comparison.decision, comparison.calibration
    if decision is None or known is None:
        content["notes"].append(_NO_THRESHOLD)
        return content
    ratio = decision.log_likelihood_ratio
    threshold = {k: v for k, v in vars(decision.threshold).items() if k != "provenance"}
    return content | {
        "log_likelihood_ratio": ratio if math.isfinite(ratio) else None,
        **_answer(ratio, decision),
        "threshold": threshold,
        "quality": {name: list(pair) for name, pair in decision.quality.items()},
        "without_quality": None
        if decision.plain is None
        else {
            "log_likelihood_ratio": decision.plain,
            **_answer(decision.plain, decision),
        },
        "calibration": {
            "path": str(calibration),
            "targets": known.trained_on.targets,
            "non_targets": known.trained_on.non_targets,
            "provenance": dict(known.provenance),
        },
    }


def _for_people(comparison: Comparison, path: Path | None) -> Iterator[str]:
    decision, calibration = comparison.decision, comparison.calibration
    if decision is None or calibration is None:
        yield from (_MEANING, *comparison.notes, _NO_THRESHOLD)
        return
    threshold, trials = decision.threshold, calibration.trained_on
    ratio = decision.log_likelihood_ratio
    weighed = "".join(
        f", with the {_named(name)} {left:.4g} and {right:.4g}"
        for name, (left, right) in decision.quality.items()
    )
    yield (
        f"likelihood ratio {_ratio(ratio)} (log {ratio:.4f}): how much more likely "
        f"such a score is of one speaker than of two{weighed}"
    )
    if decision.plain is not None:
        answer = _answer(decision.plain, decision)["decision"]
        yield (
            f"by the score alone: likelihood ratio {_ratio(decision.plain)}, {answer}"
        )
    at = "" if threshold.score is None else f", cosine {threshold.score:.4f}"
    at += ", out of reach" if at and decision.beyond_cosines else ""
    at += " for such recordings" if at and decision.quality else ""
    sign = "" if decision.accepted else "not "
    yield (
        f"decision: {_answer(ratio, decision)['decision']}, since the log is {sign}at "
        f"or above {threshold.log_likelihood_ratio:.4f} "
        f"(P_target {threshold.p_target:g}, C_miss {threshold.c_miss:g}, "
        f"C_fa {threshold.c_fa:g}{at})"
    )
    facts = "".join(
        f", {name.replace('_', ' ')} {calibration.provenance[name]}"
        for name in _SHOWN
        if name in calibration.provenance
    )
    yield (
        f"threshold from {path}: {trials.targets} target and {trials.non_targets} "
        f"non-target trials{facts}"
    )
    yield from comparison.notes


def _answer(log: float, decision: Decision) -> dict[str, Any]:
    """Return the ratio, None where it is not finite, and the decision."""
    from bob.learn.pytorch.calibration.decision import ratio_of

    accepted = log >= decision.threshold.log_likelihood_ratio
    return {
        "likelihood_ratio": ratio_of(log) if math.isfinite(ratio_of(log)) else None,
        "decision": "one speaker" if accepted else "two speakers",
    }


def _named(measure: str) -> str:
    return {"duration": "durations in seconds"}.get(measure, f"{measure}s")


def _ratio(log: float) -> str:
    """``e ** log`` for people: below one as a fraction of one."""
    if log < 0:
        return f"1/{_ratio(-log)}"
    return f"{math.exp(log):.3g}" if log < math.log(1e6) else "over a million"
