"""Numbers become paths, and lines that show less of what cannot be seen."""

import numpy as np

from bob.learn.pytorch.drawing import svg
from bob.learn.pytorch.drawing.plot import Axis, Line, Mark, Plot


def test_a_path_drops_points_on_one_line_and_keeps_the_corners():
    x, y = svg._thinned(np.array([0, 1, 2, 2, 2.01]), np.array([0, 0, 0, 5, 5]))

    assert list(zip(x, y, strict=True)) == [(0, 0), (2, 0), (2, 5)]


def test_a_picture_has_a_title_a_description_and_escaped_names():
    line = Line(np.array([0.0, 1.0]), np.array([0.0, 1.0]), 1, "a<b", tag=0.5)
    axis = Axis("Rate", 0, 1, ((0.0, "0"), (1.0, "1")))
    mark = Mark(0.5, 0.5, 1, "circle", "here & now")
    plot = Plot("Title", "What it shows", axis, axis, (line,), (mark,))

    text = svg.draw(plot, identifier="p")

    assert 'role="img" aria-labelledby="p-title p-text"' in text
    assert '<title id="p-title">Title</title>' in text
    assert '<desc id="p-text">What it shows</desc>' in text
    assert "a&lt;b" in text
    assert "here &amp; now" in text
    assert text.count('data-system="1"') == 3  # line, number, mark
    assert "data-system" not in svg.draw(plot, identifier="p", switchable=False)


def test_a_thin_line_has_the_dash_of_its_system():
    """As in the legend, so that colour is not all that tells systems apart."""
    ends = np.array([0.0, 1.0])
    axis = Axis("Rate", 0, 1, ())
    lines = (Line(ends, ends, 2), Line(ends, ends, 2, stroke="thin"))

    text = svg.draw(Plot("T", "D", axis, axis, lines), identifier="p")

    own, thin = [one for one in text.splitlines() if 'class="line' in one]
    assert 'class="line c2"' in own
    assert 'class="line thin c2"' in thin
    assert all('stroke-dasharray="2 2"' in one for one in (own, thin))


def test_looks_of_a_legend_are_those_of_the_lines():
    assert 'class="line c2"' in svg.swatch(2)
    assert 'stroke-dasharray="2 2"' in svg.swatch(2)
    assert 'class="line guide"' in svg.swatch(-1, dashed=True)
    assert "stroke-dasharray" not in svg.swatch(-1, dashed=False)
