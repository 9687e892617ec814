"""Pictures as SVG inside a page: text as text, colours by class."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.drawing.plot import COLOURS, GREY
from bob.learn.pytorch.printing import in_markup

if TYPE_CHECKING:
    from bob.learn.pytorch.drawing.plot import Axis, Line, Mark, Plot, Shape

_DASHES = ("", "7 3", "2 2", "7 2.5 1.5 2.5")
_DASHED = "4 3"
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 12, 46
# The style of the page as attributes, by the first class; {} is the colour.
_ATTRIBUTES = {
    "grid": 'fill="none" stroke="#d5d9de"',
    "frame": f'fill="none" stroke="{GREY}"',
    "label": 'fill="#5a6068"',
    "line": 'fill="none" stroke="{}" stroke-width="1.7" stroke-linejoin="round"',
    "area": 'fill="{}" fill-opacity="0.22"',
    "mark": 'fill="#fff" stroke="{}" stroke-width="2"',
}


class _Frame:
    """From numbers to places in the picture."""

    def __init__(self, plot: Plot) -> None:
        width, height = plot.size
        self.left = _LEFT if plot.y.ticks or plot.y.label else 12
        self.right, self.top, self.bottom = width - _RIGHT, _TOP, height - _BOTTOM
        self._x, self._y = plot.x, plot.y

    def x(self, values: np.ndarray | float) -> np.ndarray:  # type: ignore[type-arg]
        share = (np.asarray(values) - self._x.low) / (self._x.high - self._x.low)
        return self.left + share * (self.right - self.left)

    def y(self, values: np.ndarray | float) -> np.ndarray:  # type: ignore[type-arg]
        share = (np.asarray(values) - self._y.low) / (self._y.high - self._y.low)
        return self.bottom - share * (self.bottom - self.top)


def draw(plot: Plot, *, identifier: str, switchable: bool = True) -> str:
    """Return an ``<svg>`` element, in which every id begins with the identifier.

    If switchable, parts say which system they are of, so that they can be hidden.
    """
    text = _drawn(plot, identifier)
    return text if switchable else re.sub(r' data-system="\d+"', "", text)


def standalone(plot: Plot) -> str:
    """Return an ``<svg>`` element on white that needs no style sheet around it."""
    name = f"plot-{hashlib.sha256(_drawn(plot, '').encode()).hexdigest()[:12]}"
    width, height = plot.size
    text = re.sub(
        r'class="(\w+)( thin)?(?: (\w+))?"',
        lambda found: _ATTRIBUTES.get(found[1], "").format(_hex(found[3] or "")),
        draw(plot, identifier=name, switchable=False),
    )
    return text.replace(
        "<svg ",
        f'<svg width="{width}" height="{height}" style="background:#fff" '
        'font-family="sans-serif" font-size="13" ',
        1,
    )


def _hex(name: str) -> str:
    return COLOURS[int(name[1:])] if name[1:].isdecimal() else GREY


def _drawn(plot: Plot, identifier: str) -> str:
    frame = _Frame(plot)
    width, height = plot.size
    clip = f"{identifier}-clip"
    lines = "\n".join(_line(line, frame) for line in plot.lines)
    tags = "\n".join(_tag(plot, line, frame) for line in plot.lines)
    marks = "\n".join(_mark(mark, frame) for mark in plot.marks)
    box = (
        f'x="{frame.left}" y="{frame.top}" width="{frame.right - frame.left}" '
        f'height="{frame.bottom - frame.top}"'
    )
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" '
        f'aria-labelledby="{identifier}-title {identifier}-text">\n'
        f'<title id="{identifier}-title">{in_markup(plot.title)}</title>\n'
        f'<desc id="{identifier}-text">{in_markup(plot.description)}</desc>\n'
        f'<clipPath id="{clip}"><rect {box}/></clipPath>\n'
        f"{_grid(plot, frame)}\n"
        f'<g clip-path="url(#{clip})">\n{lines}\n</g>\n'
        f'<rect class="frame" {box}/>\n{marks}\n{tags}\n</svg>'
    )


def swatch(look: int, *, dashed: bool | None = None) -> str:
    """Return a short line in the look of a system, or of a guide (-1), for a legend.

    ``dashed`` stands instead of the dash that the system has.
    """
    dash = _DASHES[look % 4] if dashed is None else _DASHED * dashed
    return (
        '<svg class="swatch" viewBox="0 0 34 10" aria-hidden="true">'
        f'<path class="line {_colour(look)}" d="M1 5H33"{_dash(dash)}/>'
        "</svg>"
    )


def sign(shape: Shape) -> str:
    """Return the mark of an operating point, for a legend."""
    return (
        '<svg class="sign" viewBox="-8 -8 16 16" aria-hidden="true">'
        f'<path class="mark guide" d="{_outline(shape)}"/></svg>'
    )


def _colour(look: int) -> str:
    """Class of a system's colour."""
    return "guide" if look < 0 else f"c{look % len(COLOURS)}"


def _grid(plot: Plot, frame: _Frame) -> str:
    parts = []
    for place, text in plot.x.ticks:
        x = f"{float(frame.x(place)):.1f}"
        parts.append(
            f'<path class="grid" d="M{x} {frame.top}V{frame.bottom}"/>'
            f'<text x="{x}" y="{frame.bottom + 18}" text-anchor="middle">{text}</text>'
        )
    for place, text in plot.y.ticks:
        y = float(frame.y(place))
        # The lowest label makes room for the first one of the other axis.
        base = min(y + 4.5, frame.bottom - 1)
        parts.append(
            f'<path class="grid" d="M{frame.left} {y:.1f}H{frame.right}"/>'
            f'<text x="{frame.left - 8}" y="{base:.1f}" text-anchor="end">{text}</text>'
        )
    return "\n".join([*parts, *_labels(plot.x, plot.y, frame)])


def _labels(x: Axis, y: Axis, frame: _Frame) -> list[str]:
    middle = (frame.left + frame.right) / 2, (frame.top + frame.bottom) / 2
    labels = [
        f'<text class="label" x="{middle[0]:.0f}" y="{frame.bottom + 37}" '
        f'text-anchor="middle">{in_markup(x.label)}</text>'
    ]
    if y.label:
        labels.append(
            '<text class="label" text-anchor="middle" '
            f'transform="translate(13 {middle[1]:.0f}) rotate(-90)">'
            f"{in_markup(y.label)}</text>"
        )
    return labels


def _line(line: Line, frame: _Frame) -> str:
    x, y = _thinned(frame.x(line.x), frame.y(line.y))
    path = "M" + "L".join(f"{a:g} {b:g}" for a, b in zip(x, y, strict=True))
    dash = _DASHED if line.stroke == "dashed" else ""
    if line.stroke in ("own", "thin") and line.look >= 0:
        dash = _DASHES[line.look % 4]
    fill = ""
    if line.filled:
        fill = f'<path class="area {_colour(line.look)}" d="{path}Z"/>'
    title = f"<title>{in_markup(line.name)}</title>" if line.name else ""
    thin = " thin" if line.stroke == "thin" else ""
    stroke = ""
    if line.stroke != "none":
        look = _colour(line.look)
        stroke = f'<path class="line{thin} {look}" d="{path}"{_dash(dash)}/>'
    return f"<g{_system(line.look)}>{title}{fill}{stroke}</g>"


def _thinned(x: np.ndarray, y: np.ndarray) -> tuple[list[float], list[float]]:  # type: ignore[type-arg]
    """Places to a tenth; of runs along one line only both ends."""
    points = np.round(np.stack([x, y]), 1)
    moved = np.append(True, np.any(np.diff(points) != 0, axis=0))
    points = points[:, moved]
    if points.shape[1] > 2:
        steps = np.diff(points)
        cross = steps[0, 1:] * steps[1, :-1] - steps[1, 1:] * steps[0, :-1]
        turns = np.concatenate([[True], np.abs(cross) > 1e-9, [True]])
        points = points[:, turns]
    return points[0].tolist(), points[1].tolist()


def _tag(plot: Plot, line: Line, frame: _Frame) -> str:
    """Return the number of a system in a circle upon its line, where that is seen."""
    found = plot.tag_place(line)
    if found is None:
        return ""
    place = f"translate({float(frame.x(found[0])):.1f} {float(frame.y(found[1])):.1f})"
    return (
        f'<g{_system(line.look)} class="tag" transform="{place}">'
        f'<circle r="9" class="{_colour(line.look)}"/>'
        f'<text y="4" text-anchor="middle">{line.look + 1}</text></g>'
    )


def _mark(mark: Mark, frame: _Frame) -> str:
    x, y = float(frame.x(mark.x)), float(frame.y(mark.y))
    return (
        f"<g{_system(mark.look)}><title>{in_markup(mark.name)}</title>"
        f'<path class="mark {_colour(mark.look)}" d="{_outline(mark.shape)}" '
        f'transform="translate({x:.1f} {y:.1f})"/></g>'
    )


def _outline(shape: Shape) -> str:
    return {
        "circle": "M-5 0A5 5 0 1 1 5 0A5 5 0 1 1 -5 0Z",
        "diamond": "M0 -6L6 0L0 6L-6 0Z",
        "square": "M-4.5 -4.5H4.5V4.5H-4.5Z",
        "triangle": "M0 -6L5.5 4.5H-5.5Z",
    }[shape]


def _system(look: int) -> str:
    return f' data-system="{look}"' if look >= 0 else ""


def _dash(dash: str) -> str:
    return f' stroke-dasharray="{dash}"' if dash else ""
