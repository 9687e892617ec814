"""Pictures of a report, and of the trials of one experiment, as PDF and PNG."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.drawing import DetCurve, det_plot, pictures
from bob.learn.pytorch.metrics import (
    CostFunction,
    DetectionCost,
    Evaluation,
    ScoreTable,
    evaluate,
)
from bob.learn.pytorch.metrics.bootstrap import resampled_curves
from bob.learn.pytorch.metrics.showing import det_curve
from bob.learn.pytorch.report import plots

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from bob.learn.pytorch.report.systems import Report

_LEVEL = 0.95


def save_pictures(path: str | os.PathLike[str], report: Report) -> Path:
    """Draw curves and histograms into one file; it appears complete or not at all.

    A PDF has pages and its text is text; a PNG has everything below each other.

    Parameters
    ----------
    path
        Its suffix says the format: pdf or png.

    Raises
    ------
    ValueError
        The suffix is not known.
    """
    curves = [plots.det_plot(report), plots.bayes_plot(report)]
    if len(report.systems) > 1:
        curves.append(plots.interval_plot(report))
    names = [one.name for one in report.systems]
    return pictures.save(path, curves, plots.histogram_plots(report), names=names)


def plot_det(
    path: str | os.PathLike[str],
    tables: Mapping[str, ScoreTable | Evaluation],
    *,
    title: str = "Detection error trade-off",
    p_target: float = 0.01,
    resamples: int = 0,
    seed: int = 0,
) -> Path:
    """Draw the DET curve of each table of scores into one picture.

    The file appears at once and complete, or not at all; missing folders are made.

    Parameters
    ----------
    path
        Its suffix says the format: png or pdf.
    tables
        Name of a system or of a group -> its trials, or their evaluation. Those that
        have no target or no non-target trial are named below the picture.
    p_target
        Prior of a target trial for the point of minDCF; both costs are 1.
    resamples
        Draws of the speakers, for a band that holds 95 % of the curves of trials; 0
        for none.

    Raises
    ------
    ValueError
        The suffix is not known.
    """
    cost = CostFunction(f"p{p_target:g}", (DetectionCost(p_target),))
    curves: list[DetCurve] = []
    labels, missing = [], []
    for name, table in tables.items():
        found = (
            table
            if isinstance(table, Evaluation)
            else evaluate(table, cost=cost, resamples=0)
        )
        if found.curve is None:
            missing.append(name)
            continue
        curves.append(
            det_curve(
                found,
                name=name,
                look=len(curves),
                kinds=("eer", "minimum"),
                band=_band(table, resamples=resamples, seed=seed),
            )
        )
        rate = f"EER {100 * found.eer:.2f} %" if found.eer else "EER 0 % (no error)"
        labels.append(
            f"{pictures.clipped(name, 48)}: {rate}, minDCF {found.min_dcf:.3f}"
        )
    notes = plots.absent_notes(missing)
    if any(one.band is not None for one in curves):
        notes.append(f"Bands: {100 * _LEVEL:g} % of the curves of resampled speakers.")
    plot = det_plot(curves, title=title, notes=[f"minDCF: {cost}.", *notes])
    return pictures.save(path, [plot], names=labels)


def _band(
    table: ScoreTable | Evaluation, *, resamples: int, seed: int
) -> NDArray[np.float64] | None:
    """Return false match rates, and the range of 95 % of the miss rates there."""
    if not resamples or isinstance(table, Evaluation):
        return None
    grid = np.concatenate([np.geomspace(1e-6, 0.1, 300), np.linspace(0.11, 0.999, 90)])
    curves = []
    for curve in resampled_curves(table, resamples=resamples, seed=seed):
        rates = curve.false_match_rates[::-1]
        last = np.searchsorted(rates, grid, side="right") - 1
        curves.append(curve.false_non_match_rates[::-1][last])
    if not curves:
        return None
    low, high = np.quantile(curves, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2], axis=0)
    band: NDArray[np.float64] = np.stack([grid, low, high])
    return band
