"""Evaluations as text, tables, pictures and pages."""

from importlib import import_module
from typing import TYPE_CHECKING

from bob.learn.pytorch._moved import moved_names

if TYPE_CHECKING:
    from bob.learn.pytorch.report.figure_tables import all_tables, systems_table
    from bob.learn.pytorch.report.page import as_page
    from bob.learn.pytorch.report.plots import plot_det, save_pictures
    from bob.learn.pytorch.report.systems import Report, System, evaluate_systems
    from bob.learn.pytorch.report.tables import as_csv, as_latex, as_text

__all__ = [
    "Report",
    "System",
    "all_tables",
    "as_csv",
    "as_latex",
    "as_page",
    "as_text",
    "evaluate_systems",
    "plot_det",
    "save_pictures",
    "systems_table",
]

_PLACES = {
    "figure_tables": ("all_tables", "systems_table"),
    "page": ("as_page",),
    "plots": ("plot_det", "save_pictures"),
    "systems": ("Report", "System", "evaluate_systems"),
    "tables": ("as_csv", "as_latex", "as_text"),
}


_old_name = moved_names(__name__)


def __getattr__(name: str) -> object:
    # Commands print their help without matplotlib and NumPy.
    for module, names in _PLACES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    return _old_name(name)
