"""Many models in one table: as text, as CSV, as a page."""

import csv
import html.parser
import io

import numpy as np
from score_tables import table

from bob.learn.pytorch.metrics import evaluate
from bob.learn.pytorch.report.models import Costs, ModelRow, as_csv, as_page, as_text

COSTS = Costs(
    parameters=1_423_616,
    minimum_seconds=0.1,
    cpu_ms=4.125,
    peak_mb=748.9,
    install_mb=5255.2,
)


def evaluation():
    """By hand: of two target and two non-target trials, one each is wrong."""
    found = evaluate(table([[0.9, 0.5], [0.1, 0.3]], [0, 1]))
    assert found.eer == 0.5
    return found


def rows():
    return [
        ModelRow("speech/a", evaluation(), dimensions=256, costs=COSTS),
        ModelRow("b<i>", reason="it is <not> trusted"),
        ModelRow("c", evaluation(), dimensions=8, costs=COSTS, left_out=3),
    ]


def test_the_text_has_a_line_a_model_and_figures_below_their_headings():
    heading, first, second, third, note = as_text(rows()).splitlines()

    assert heading.split()[0] == "model"
    assert first.startswith("speech/a  50.00")
    for name, figure in [
        ("parameters", "1,423,616"), ("CPU ms/s", "4.1"), ("install MB", "5,255"),
    ]:  # fmt: skip
        assert first.index(figure) + len(figure) == heading.index(name) + len(name)
    assert second == "b<i>      failed: it is <not> trusted"
    assert len(third) == len(first)
    assert note.startswith("Note: c has no embedding of 3 recordings")


def test_the_csv_has_numbers_and_reasons():
    first, second, third = csv.DictReader(io.StringIO(as_csv(rows())))

    assert first["eer_percent"] == "50"
    assert float(first["cpu_ms_per_second"]) == 4.125
    assert first["parameters"] == "1423616"
    assert second["reason"] == "it is <not> trusted"
    assert second["eer_percent"] == second["peak_mb"] == ""
    assert third["recordings_left_out"] == "3"


def test_without_errors_no_interval_is_claimed():
    scores = table(np.eye(3), range(3))
    row = ModelRow("m", evaluate(scores), dimensions=2, costs=COSTS)

    assert as_text([row]).splitlines()[1].split()[1:3] == ["0.00", "-"]
    (written,) = csv.DictReader(io.StringIO(as_csv([row])))
    assert written["eer_percent"] == "0"
    assert written["eer_low_percent"] == written["eer_high_percent"] == ""


class Page(html.parser.HTMLParser):
    """The text of each cell, and everything that is loaded or run."""

    def __init__(self, text):
        super().__init__()
        self.cells, self.loaded, self.open, self.text = [], [], [], text
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.loaded += [values[name] for name in ("src", "href") if name in values]
        self.loaded += [tag] if tag in ("script", "link", "iframe") else []
        if tag in ("td", "th"):
            self.cells.append("")
        self.open = tag

    def handle_data(self, data):
        if self.open in ("td", "th"):
            self.cells[-1] += data.strip()


def test_the_page_needs_nothing_else():
    page = Page(as_page(rows(), title="T & t", about="<p>"))

    assert all(one == "script" or one.startswith("#") for one in page.loaded)
    assert "<svg viewBox" in page.text
    assert "speech/a" in page.cells
    assert "b<i>" in page.cells
    assert "failed: it is <not> trusted" in page.cells


def test_a_page_without_curves_has_no_picture():
    text = as_page(rows()[1:2], title="T", about="")

    assert "<svg viewBox" not in text
    assert 'id="curves"' not in text
    assert 'id="notes"' not in text


def test_what_holds_for_two_models_is_noted_once():
    text = as_page(rows(), title="T", about="")

    assert text.count("with 2 speakers the intervals are rough guides") == 1
    assert "speech/a, c: with 2 speakers" in text
