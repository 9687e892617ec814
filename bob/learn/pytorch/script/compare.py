"""`bob pytorch compare`: how alike two recordings are."""

from __future__ import annotations

import json
import math
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bob.learn.pytorch.script.extractors import (
    extractor_options,
    make_extractor,
    plain_errors,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bob.learn.pytorch.calibration.decision import Calibration, Decision
    from bob.learn.pytorch.inference.compare import Comparison
    from bob.learn.pytorch.models.catalogue import TrainedModel
    from bob.learn.pytorch.preprocessor.audio.loading import Extractor
    from bob.learn.pytorch.templates.format.template import Template

#: What is known of two recordings, beside the score, for calibrations that weigh it.
QUALITY = ("duration", "magnitude")
COST = click.FloatRange(min=0, min_open=True)
MEANING = (
    "cosine of two embeddings, from -1 to 1: the higher, the more likely it is one "
    "speaker"
)
# Of where a calibration comes from, what people are told.
_SAID = ("database", "protocol", "group", "speakers", "penalty", "scores")
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
    "calibration_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="What makes likelihood ratios of scores: calibration.json of verify.py "
    "--calibrate-scores or of `bob pytorch calibrate`.",
)
@click.option(
    "--p-target",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Prior probability that it is one speaker, for the decision.  [0.5]",
)
@click.option("--c-miss", type=COST, help="Cost of taking one for two.  [1]")
@click.option("--c-fa", type=COST, help="Cost of taking two for one.  [1]")
@click.option("--json", "as_json", is_flag=True, help="Report in JSON.")
def compare(
    first: str,
    second: str,
    calibration_file: Path | None,
    as_json: bool,  # noqa: FBT001 - click hands it over
    **options: Any,  # noqa: ANN401 - those of extractor_options, and of the decision
) -> None:
    """Compare the speakers of two recordings, FIRST and SECOND.

    The score is the cosine of their embeddings, from -1 to 1; higher means more
    alike. With --calibration, the answer is a likelihood ratio and a decision. A
    model that is not here yet is downloaded.
    """
    asked = {
        name: value
        for name in ("p_target", "c_miss", "c_fa")
        if (value := options.pop(name)) is not None
    }
    if asked and calibration_file is None:
        raise click.UsageError(
            "--p-target, --c-miss and --c-fa are for a decision, which takes "
            "--calibration"
        )
    with _own_errors(calibration_file):
        from bob.learn.pytorch.audio import files
        from bob.learn.pytorch.inference.compare import compare as compare_recordings
        from bob.learn.pytorch.printing import printable

        paths = (first, second)
        for path in paths:
            files.info(path)  # a misspelt name should not wait for a download
        calibration = _loaded(calibration_file)
        extractor = make_extractor(**options)
        _refuse_other_scores(calibration, extractor, path=calibration_file)
        comparison = compare_recordings(extractor, *paths)
        shown = (printable(first), printable(second))
        decision = _decision(comparison, calibration, **asked)
        notes = _notes(comparison, extractor.model, shown)
    if decision is None or calibration is None:
        report: dict[str, Any] = {"threshold": None}
        lines = [MEANING]
        notes = [*notes, NO_THRESHOLD]
    else:
        report, lines = _told(decision, calibration, str(calibration_file))
        notes = [*notes, *_cautions(decision, calibration)]
    if as_json:
        report = _everything(comparison, extractor.model.name, shown, report, notes)
        click.echo(json.dumps(report, indent=2))
    else:
        click.echo(f"score {comparison.score:.4f} with {extractor.model.name}")
        click.echo("\n".join(f"  {line}" for line in (*lines, *notes)))


def _everything(
    comparison: Comparison,
    model: str,
    paths: tuple[str, str],
    decision: dict[str, Any],
    notes: list[str],
) -> dict[str, Any]:
    return {
        "model": model,
        "score": comparison.score,
        "meaning": MEANING,
        **decision,
        "recordings": [
            {"path": path, "seconds": round(seconds, 4), "sample_rate": rate}
            for path, seconds, rate in zip(
                paths, comparison.seconds, comparison.rates, strict=True
            )
        ],
        "notes": notes,
    }


@contextmanager
def _own_errors(calibration_file: Path | None) -> Iterator[None]:
    """Those of every command, and those of calibrations."""
    from bob.learn.pytorch.calibration import CalibrationError

    try:
        with plain_errors():
            yield
    except CalibrationError as error:
        text, name = str(error), str(calibration_file)
        raise click.ClickException(
            text if name in text else f"{name}: {text}"
        ) from error


def _loaded(path: Path | None) -> Calibration | None:
    """The calibration, if it is one that two recordings may do for."""
    from bob.learn.pytorch.calibration import load_calibration
    from bob.learn.pytorch.calibration.decision import refuse_unknown_quality

    if path is None:
        return None
    calibration = load_calibration(path)
    refuse_unknown_quality(calibration, known=QUALITY)
    return calibration


def _refuse_other_scores(
    calibration: Calibration | None, extractor: Extractor, *, path: Path | None
) -> None:
    from bob.learn.pytorch.calibration.decision import refuse_other_scores

    if calibration is None or path is None:
        return
    # As verify.py lays them out: the scores before normalisation stand beside.
    beside = path.parent.parent / "nonorm" / path.name
    plain = str(beside) if beside.is_file() else None
    refuse_other_scores(calibration, made_by=extractor.fingerprint(), plain=plain)


def _decision(
    comparison: Comparison,
    calibration: Calibration | None,
    **asked: float,
) -> Decision | None:
    from bob.learn.pytorch.calibration.decision import decide

    if calibration is None:
        return None
    quality = {"duration": comparison.seconds, "magnitude": comparison.magnitudes}
    return decide(comparison.score, calibration, quality=quality, **asked)


def _cautions(decision: Decision, calibration: Calibration) -> list[str]:
    from bob.learn.pytorch.calibration.decision import cautions

    return cautions(decision, calibration)


def _told(
    decision: Decision, calibration: Calibration, path: str
) -> tuple[dict[str, Any], list[str]]:
    """Return a decision for programs, and in lines for people."""
    report = _for_programs(decision, calibration, path)
    return report, _for_people(decision, calibration, path, report)


def _for_programs(
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


def _for_people(
    decision: Decision, calibration: Calibration, path: str, report: dict[str, Any]
) -> list[str]:
    threshold, trials = decision.threshold, calibration.trained_on
    ratio = decision.log_likelihood_ratio
    at = "" if threshold.score is None else f", cosine {threshold.score:.4f}"
    at += ", out of reach" if at and decision.beyond_cosines else ""
    at += " for such recordings" if at and decision.quality else ""
    said = ", ".join(
        f"{name.replace('_', ' ')} {calibration.provenance[name]}"
        for name in _SAID
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
        f"decision: {report['decision']}, since the log is {sign}at or above "
        f"{threshold.log_likelihood_ratio:.4f} (P_target {threshold.p_target:g}, "
        f"C_miss {threshold.c_miss:g}, C_fa {threshold.c_fa:g}{at})",
        f"threshold from {path}: {trials.targets} target and {trials.non_targets} "
        f"non-target trials{', ' if said else ''}{said}",
    ]
    without = report["without_quality"]
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


def _notes(
    comparison: Comparison, model: TrainedModel | Template, paths: tuple[str, str]
) -> list[str]:
    notes = [
        f"{path} lasts {seconds:.2f} s; below {model.recommended_seconds:g} s an "
        f"embedding of {model.name} says little"
        for path, seconds in zip(paths, comparison.seconds, strict=True)
        if seconds < model.recommended_seconds
    ]
    low, high = sorted(zip(comparison.rates, paths, strict=True))
    if low[0] != high[0] and low[0] < model.sample_rate:
        notes.append(
            f"{low[1]} has a sampling rate of {low[0]} Hz and {high[1]} of {high[0]} "
            "Hz: what lies above half of the lower one is in one recording only, and "
            "scores of one speaker are lower than for equal rates"
        )
    return notes + [
        f"{path} may hold little speech: {doubt} (seen by its level alone)"
        for path, doubt in zip(paths, comparison.doubts, strict=True)
        if doubt
    ]
