"""Scores -> figures in words, tables, pictures and a page."""

from bob.learn.pytorch.report.det import plot_det
from bob.learn.pytorch.report.evaluation import Evaluation, evaluate
from bob.learn.pytorch.report.figure_tables import all_tables, systems_table
from bob.learn.pytorch.report.page import as_page
from bob.learn.pytorch.report.pictures import save_pictures
from bob.learn.pytorch.report.summary import Summary, summarise
from bob.learn.pytorch.report.systems import FailedRecording, System
from bob.learn.pytorch.report.tables import as_csv, as_latex, as_text

__all__ = [
    "Evaluation",
    "FailedRecording",
    "Summary",
    "System",
    "all_tables",
    "as_csv",
    "as_latex",
    "as_page",
    "as_text",
    "evaluate",
    "plot_det",
    "save_pictures",
    "summarise",
    "systems_table",
]
