"""Axes and the places of numbers upon lines."""

from itertools import pairwise

import numpy as np

from bob.learn.pytorch.drawing.plot import (
    Axis,
    DetCurve,
    Line,
    Plot,
    det_plot,
    round_ticks,
)

AXIS = Axis("", 0, 1, ())


def plotted(x, y, tag=0.5):
    line = Line(np.array(x, dtype=float), np.array(y, dtype=float), 0, tag=tag)
    return Plot("", "", AXIS, AXIS, (line,)), line


def test_ticks_are_round_and_inside():
    for low, high in ((-0.31, 0.97), (0, 1.2), (-17, 3), (0, 1e-5)):
        ticks = [place for place, _ in round_ticks(low, high, 5)]
        steps = [b - a for a, b in pairwise(ticks)]
        assert all(low <= tick <= high for tick in ticks)
        assert 2 <= len(ticks) <= 8
        np.testing.assert_allclose(steps, steps[0])


def test_a_number_stands_along_the_line():
    plot, line = plotted(np.linspace(0, 1, 101), np.full(101, 0.5), tag=0.25)

    assert plot.tag_place(line) == (0.25, 0.5)


def test_a_number_never_stands_where_the_line_was_outside():
    """Up, away, and down again: the middle of the way lies above the picture."""
    plot, line = plotted([0, 0, 0.5, 1, 1], [0, 1, 9, 1, 0])

    assert plot.tag_place(line) in [(0, 1), (1, 1)]


def test_a_line_that_is_not_seen_has_no_number():
    plot, line = plotted([2, 3], [2, 3])
    untagged, other = plotted([0, 1], [0, 1], tag=None)

    assert plot.tag_place(line) is None
    assert untagged.tag_place(other) is None


def test_deviates_are_those_of_the_normal_distribution():
    rates = np.array([0.5, 0.158655254])
    drawn = det_plot([DetCurve("a", 0, rates, rates[::-1], 0.3)]).lines[-1]

    np.testing.assert_allclose([drawn.x[0], drawn.x[-1]], [0, -1], atol=1e-8)
