"""Scores -> a summary in words and a picture."""

from bob.learn.pytorch.report.det import plot_det
from bob.learn.pytorch.report.summary import Summary, summarise

__all__ = ["summarise", "Summary", "plot_det"]
