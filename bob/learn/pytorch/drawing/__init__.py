"""Numbers -> pictures: described once, drawn as SVG in a page, as PDF and as PNG."""

from bob.learn.pytorch.drawing.plot import (
    Axis,
    DetCurve,
    DetPoint,
    Line,
    Mark,
    Plot,
    det_plot,
)

__all__ = ["Axis", "DetCurve", "DetPoint", "Line", "Mark", "Plot", "det_plot"]
