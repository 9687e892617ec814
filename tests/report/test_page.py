"""The page: whole, by itself, and readable without a script."""

import html.parser
import re
from itertools import pairwise

import numpy as np
import pytest

from bob.learn.pytorch.metrics import ScoreTable
from bob.learn.pytorch.report import plots, svg
from bob.learn.pytorch.report.evaluation import evaluate
from bob.learn.pytorch.report.page import as_page
from bob.learn.pytorch.report.page_style import STYLE
from bob.learn.pytorch.report.pictures import save_pictures
from bob.learn.pytorch.report.provenance import description_facts, model_facts
from bob.learn.pytorch.report.systems import System
from bob.learn.pytorch.report.worst import worst_trials

VOID = {"meta", "input", "br", "path", "circle", "rect", "link"}


class Elements(html.parser.HTMLParser):
    """Checks that elements close in order, and keeps what they say."""

    def __init__(self, text):
        super().__init__()
        self.open, self.found, self.words = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.found if name == tag]


@pytest.fixture(scope="module")
def two(system):
    systems = [system("a<1>"), system("b", noise=2, seed=1, failed=[3, 4])]
    return evaluate(systems, resamples=10)


@pytest.fixture(scope="module")
def page(two):
    return as_page(two, title="A & B", made_by=[("Versions", "1")], worst=3)


def test_every_element_closes_and_every_link_leads_somewhere(page):
    elements = Elements(page)

    ids = [attributes["id"] for _, attributes in elements.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [attributes["href"] for attributes in elements.all("a")]
    assert {link.removeprefix("#") for link in links} <= set(ids)
    for attributes in elements.all("svg"):
        for name in attributes.get("aria-labelledby", "").split():
            assert name in ids


def test_nothing_is_fetched(page):
    assert "http:" not in page
    assert "https:" not in page
    assert "@import" not in page
    elements = Elements(page)
    assert not elements.all("link")
    assert not elements.all("img")
    assert all("src" not in script for script in elements.all("script"))


def test_names_of_systems_and_reasons_are_text_and_no_elements(page):
    assert "a<1>" not in page
    assert "a&lt;1&gt;" in page
    assert "a&lt;b&gt;" in page
    assert "verify.py &lt;config&gt;.py" in page


def test_every_part_is_there_and_tables_scroll_by_keyboard(page):
    elements = Elements(page)

    sections = [section["id"] for section in elements.all("section")]
    assert sections == [
        "systems", "curves", "histograms", "points", "comparisons", "conditions",
        "worst", "failures", "provenance",
    ]  # fmt: skip
    boxes = [box for box in elements.all("div") if box.get("class") == "wide"]
    assert len(boxes) == len(elements.all("table"))
    assert all(box["tabindex"] == "0" and box["aria-label"] for box in boxes)


def test_recordings_that_can_be_played_have_players(two):
    def player(name):
        return f"{name}.wav" if "/" in name else None

    text = as_page(two, title="T", worst=2, player=player)

    players = Elements(text).all("audio")
    assert len(players) == 2 * 2 * 2  # systems, kinds, trials: probes only
    assert all(player["preload"] == "none" for player in players)
    assert all(player["aria-label"] for player in players)


def test_one_system_needs_no_comparison(system):
    text = as_page(evaluate([system()], resamples=5), title="One")

    sections = [section["id"] for section in Elements(text).all("section")]
    assert "comparisons" not in sections


def test_twenty_systems_fold_what_would_be_long(system):
    systems = [system(f"s{number}", seed=number) for number in range(20)]

    text = as_page(evaluate(systems, resamples=0), title="Many", worst=2)

    elements = Elements(text)
    assert "Of 20 systems" in elements.words
    assert len(text) < 2_000_000


def test_a_system_without_a_curve_is_named_below_the_pictures(table):
    trials = table()
    none = System("nothing", trials.take(~trials.is_target))

    text = as_page(evaluate([none], resamples=5), title="None")

    assert "No curve, for lack of target or non-target trials: nothing." in text


def contrast(one, other):
    """Of WCAG 2.2, from its definition."""

    def luminance(colour):
        numbers = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = (
            x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in numbers
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    bright, dark = sorted([luminance(one), luminance(other)], reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [0, 1, 2], ids=["light", "dark", "print"])
def test_colours_stand_out_from_the_paper(theme):
    block = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)[theme]
    found = dict(re.findall(r"--(\w+): (#[0-9a-f]{3,6})\b", block))
    full = {
        name: "#" + "".join(2 * c for c in value[1:]) if len(value) == 4 else value
        for name, value in found.items()
    }

    for name in ("ink", "soft", "link"):
        assert contrast(full[name], full["paper"]) >= 4.5, name
    for name in ("guide", *(f"c{number}" for number in range(7))):
        assert contrast(full[name], full["paper"]) >= 3, name


def test_the_det_curve_of_normal_scores_is_a_straight_line():
    """Targets N(2, 1) and non-targets N(0, 1): the sum of both deviates is -2."""
    grid = (np.arange(4000) + 0.5) / 4000
    from scipy.special import ndtri

    normal = ndtri(grid)
    names = ["t", "o"]
    scores = np.concatenate([normal + 2, normal])
    trials = ScoreTable.from_trials(
        scores,
        trials=(np.zeros(8000), np.repeat([0, 1], 4000)),
        references=["t"],
        reference_subjects=["t"],
        probes=names,
        probe_subjects=names,
    )

    plot = plots.det_plot(evaluate([System("normal", trials)], resamples=0))

    line = next(line for line in plot.lines if line.look == 0)
    inner = (np.abs(line.x) < 2.5) & (np.abs(line.y) < 2.5)
    assert inner.sum() > 100
    np.testing.assert_allclose((line.x + line.y)[inner], -2, atol=0.03)


def test_histograms_have_area_one_each(two):
    for plot in plots.histogram_plots(two):
        for line in plot.lines:
            if line.filled:
                area = np.sum(np.diff(line.x) * (line.y[1:] + line.y[:-1]) / 2)
                assert area == pytest.approx(1)


def test_ticks_are_round_and_inside():
    for low, high in ((-0.31, 0.97), (0, 1.2), (-17, 3), (0, 1e-5)):
        ticks = [place for place, _ in plots._ticks(low, high, 5)]
        steps = [b - a for a, b in pairwise(ticks)]
        assert all(low <= tick <= high for tick in ticks)
        assert 2 <= len(ticks) <= 8
        np.testing.assert_allclose(steps, steps[0])


def test_a_path_drops_points_on_one_line_and_keeps_the_corners():
    x, y = svg._thinned(np.array([0, 1, 2, 2, 2.01]), np.array([0, 0, 0, 5, 5]))

    assert list(zip(x, y, strict=True)) == [(0, 0), (2, 0), (2, 5)]


def test_the_worst_trials_come_worst_first_and_failed_ones_never(table):
    trials = table(noise=2.0, failed=[0])

    non_targets, targets = worst_trials(trials, 4)

    expected = np.sort(trials.non_targets[~np.isnan(trials.non_targets)])[::-1][:4]
    assert [trial.score for trial in non_targets] == expected.tolist()
    expected = np.sort(trials.targets[~np.isnan(trials.targets)])[:4]
    assert [trial.score for trial in targets] == expected.tolist()
    assert all(trial.claimed == trial.real for trial in targets)
    assert all(trial.claimed != trial.real for trial in non_targets)
    assert worst_trials(trials, 0) == ([], [])


@pytest.mark.parametrize(("suffix", "start"), [("pdf", b"%PDF"), ("png", b"\x89PNG")])
def test_pictures_are_written_and_equal_for_equal_scores(two, tmp_path, suffix, start):
    first = save_pictures(tmp_path / f"a.{suffix}", two).read_bytes()
    second = save_pictures(tmp_path / f"b.{suffix}", two).read_bytes()

    assert first.startswith(start)
    assert first == second


def test_pictures_of_another_kind_are_refused(two, tmp_path):
    with pytest.raises(ValueError, match=r"\.pdf or \.png"):
        save_pictures(tmp_path / "a.gif", two)


def test_a_description_is_read_without_the_host_and_models_get_their_hash():
    text = (
        "Command line:\nverify.py a.py\n\nHost:\nsecret\n\nPreprocessor:\n"
        "EmbeddingExtractor(name_or_path='campplus-zh-en')\n\n"
    )

    facts = description_facts(text)

    assert [title for title, _ in facts] == ["Command line", "Preprocessor"]
    ((title, says),) = model_facts(text)
    assert title == "Model"
    assert "92f29b94e6948786" in says
    assert model_facts("campplus-zh-en-2") == []
