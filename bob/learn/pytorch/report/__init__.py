"""Evaluations as text, tables, pictures and pages."""

from typing import TYPE_CHECKING

from bob.learn.pytorch._lazy import lazy_names
from bob.learn.pytorch._moved import moved_names

if TYPE_CHECKING:
    from bob.learn.pytorch.report.experiment_report import plot_det
    from bob.learn.pytorch.report.figure_tables import all_tables, systems_table
    from bob.learn.pytorch.report.opening import read_systems
    from bob.learn.pytorch.report.outputs import write_output
    from bob.learn.pytorch.report.page import as_page
    from bob.learn.pytorch.report.plots import save_pictures
    from bob.learn.pytorch.report.result_folders import ReportError
    from bob.learn.pytorch.report.systems import Report, System, evaluate_systems
    from bob.learn.pytorch.report.tables import as_csv, as_latex, as_text

__all__ = [
    "Report",
    "ReportError",
    "System",
    "all_tables",
    "as_csv",
    "as_latex",
    "as_page",
    "as_text",
    "evaluate_systems",
    "plot_det",
    "read_systems",
    "save_pictures",
    "systems_table",
    "write_output",
]

_PLACES = {
    "figure_tables": "all_tables systems_table",
    "opening": "read_systems",
    "outputs": "write_output",
    "page": "as_page",
    "experiment_report": "plot_det",
    "plots": "save_pictures",
    "result_folders": "ReportError",
    "systems": "Report System evaluate_systems",
    "tables": "as_csv as_latex as_text",
}

__getattr__, __dir__ = lazy_names(__name__, _PLACES, otherwise=moved_names(__name__))
