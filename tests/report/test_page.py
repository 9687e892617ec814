"""The page: whole, by itself, and readable without a script."""

from dataclasses import replace

import pytest
from pages import Elements

from bob.learn.pytorch.report import page_parts
from bob.learn.pytorch.report.page import as_page
from bob.learn.pytorch.report.systems import System, evaluate_systems


def section(text, name):
    return text[text.index(f'<section id="{name}"') :].split("</section>")[0]


@pytest.fixture(scope="module")
def two(system):
    systems = [system("a<1>"), system("b", noise=2, seed=1, failed=[3, 4])]
    return evaluate_systems(systems, resamples=10)


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
    text = as_page(evaluate_systems([system()], resamples=5), title="One")

    sections = [section["id"] for section in Elements(text).all("section")]
    assert "comparisons" not in sections


def test_twenty_systems_fold_what_would_be_long(system):
    systems = [system(f"s{number}", seed=number) for number in range(20)]

    text = as_page(evaluate_systems(systems, resamples=0), title="Many", worst=2)

    elements = Elements(text)
    assert "Of 20 systems" in elements.words
    assert len(text) < 2_000_000


def test_a_system_without_a_curve_is_named_below_the_pictures(system, table):
    trials = table()
    none = System("nothing", trials.take(~trials.is_target))

    text = as_page(evaluate_systems([none, system()], resamples=5), title="None")

    assert "No curve, for lack of target or non-target trials: nothing." in text


def test_without_any_curve_there_is_a_sentence_and_no_empty_picture(table):
    trials = table()
    none = System("nothing", trials.take(~trials.is_target))

    text = as_page(evaluate_systems([none], resamples=5), title="None")

    curves = text[text.index('<section id="curves"') :].split("</section>")[0]
    assert "None, for lack of target or non-target trials" in curves
    assert "<svg" not in curves


def test_how_scores_were_made_stands_below_the_names(system):
    made = [replace(system(name), scores=f"as {name}") for name in ("a", "b")]

    text = as_page(evaluate_systems(made, resamples=0), title="T")

    assert 'b<span class="range">as b</span>' in text
    assert "Scores" not in [word.strip() for word in Elements(text).words]


def test_counts_that_all_systems_share_are_said_once(system):
    same = as_page(evaluate_systems([system(), system("b")], resamples=0), title="T")
    other = system("b", failed=[1])
    different = as_page(evaluate_systems([system(), other], resamples=0), title="T")

    assert "36 target and 396 non-target trials of 12 speakers; group eval." in same
    assert "Non-targets" not in section(same, "systems")
    assert "Non-targets" in section(different, "systems")


def test_it_is_said_how_many_trials_are_decided_wrongly(system):
    one = evaluate_systems([system(noise=2)], resamples=0).systems[0]
    threshold = one.figures.decisions[-1].point.threshold  # of dev
    table = one.system.table
    accepted = int((table.non_targets >= threshold).sum())
    rejected = int((table.targets < threshold).sum())

    text = as_page(evaluate_systems([system(noise=2)], resamples=0), title="T")

    assert min(accepted, rejected) > 0
    assert (
        f"the EER threshold of dev, {accepted} of 396 non-target trials are accepted "
        f"and {rejected} of 36 target trials are rejected"
    ) in text


def test_names_break_behind_slashes_and_not_inside_of_entities():
    assert page_parts._name("a/b_c & d.e") == "a/<wbr>b_<wbr>c &amp; d.<wbr>e"
    assert page_parts._name("a/") == "a/"


def test_more_notes_than_a_few_are_folded():
    few = page_parts.notes(str(number) for number in range(5))
    many = page_parts.notes(str(number) for number in range(7))

    assert "<details>" not in few
    assert "<summary>2 more notes</summary>" in many
    assert page_parts.notes([]) == ""
