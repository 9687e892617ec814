"""The DET picture: that it is there, whole, and says what it must."""

from dataclasses import replace

import matplotlib.figure
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from score_tables import made_up, table

from bob.learn.pytorch.report import plot_det


def made_up_table(*, speakers=8, gap=2.0, rounded=6):
    found = made_up(speakers=speakers, probes_each=5, gap=gap)
    return replace(found, score=found.score.round(rounded))


@pytest.fixture
def figures(monkeypatch):
    """Every figure that is saved."""
    saved = []
    save = matplotlib.figure.Figure.savefig

    def remember(figure, *arguments, **options):
        saved.append(figure)
        return save(figure, *arguments, **options)

    monkeypatch.setattr(matplotlib.figure.Figure, "savefig", remember)
    return saved


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


@pytest.mark.parametrize(
    ("name", "start"), [("det.png", b"\x89PNG"), ("det.PDF", b"%PDF")]
)
def test_the_suffix_says_the_format(tmp_path, name, start):
    path = plot_det(tmp_path / "new" / name, {"eval": made_up_table()})

    assert path.read_bytes().startswith(start)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("suffix", ["png", "pdf"])
def test_equal_scores_give_equal_files(tmp_path, suffix):
    first = plot_det(tmp_path / f"1.{suffix}", {"a": made_up_table()}, resamples=5)
    second = plot_det(tmp_path / f"2.{suffix}", {"a": made_up_table()}, resamples=5)

    assert first.read_bytes() == second.read_bytes()


def test_another_suffix_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"end in \.pdf or \.png"):
        plot_det(tmp_path / "det.txt", {})


def test_the_legend_gives_the_figures(tmp_path, figures):
    """Scores 2 3 against 0 1, with one swapped pair of four: EER 1/2."""
    scores = table([[2.0, 3.0], [1.0, 0.0]], [0, 1])

    plot_det(tmp_path / "det.png", {"cost $5 _x": scores})

    assert legend(figures[0])[0] == r"cost \$5 _x: EER 50.00 %, minDCF 1.000"


def test_marks_lie_at_the_figures(tmp_path, figures):
    """On a probit axis the rate Phi(-1) stands at -1."""
    from scipy.stats import norm

    table = made_up_table(speakers=40, gap=2.0)
    plot_det(tmp_path / "det.png", {"eval": table})

    (axes,) = figures[0].axes
    (mark,) = [line for line in axes.lines if line.get_marker() == "o"]
    expected = norm.ppf(table.curve().equal_error_rate())
    assert mark.get_xdata()[0] == pytest.approx(expected)
    assert mark.get_ydata()[0] == pytest.approx(expected)
    labels = [text.get_text() for text in axes.get_xticklabels()]
    places = dict(zip(labels, axes.get_xticks(), strict=True))
    assert len(places) > 5
    for label, place in places.items():
        assert place == pytest.approx(norm.ppf(float(label) / 100))


def test_a_perfect_system_is_put_into_words(tmp_path, figures):
    plot_det(tmp_path / "det.png", {"perfect": made_up_table(gap=99)}, resamples=5)

    (axes,) = figures[0].axes
    (notes,) = axes.texts
    assert "No error at the best threshold: perfect." in notes.get_text()
    assert "EER 0 % (no error)" in legend(figures[0])[0]


def test_a_system_without_curve_is_named(tmp_path, figures):
    alone = made_up_table(speakers=1)

    plot_det(tmp_path / "1.png", {"good": made_up_table(), "alone": alone})
    plot_det(tmp_path / "2.png", {"alone": alone}, resamples=5)

    for figure in figures:
        (notes,) = [one for one in figure.axes[0].texts if "curve" in one.get_text()]
        assert "No curve, for lack of target or non-target trials: alone." in (
            notes.get_text()
        )


@pytest.mark.parametrize("gap", [-99, -1, 0, 1, 99])
@pytest.mark.parametrize("rounded", [-2, 0, 6])
def test_everything_stays_inside_the_picture(tmp_path, figures, gap, rounded):
    """Also for worse than chance, all tied, and perfect scores."""
    table = made_up_table(gap=gap, rounded=rounded)

    plot_det(tmp_path / "det.png", {f"system {i}": table for i in range(3)})

    (figure,) = figures
    canvas = FigureCanvasAgg(figure)
    box = figure.get_tightbbox(canvas.get_renderer())
    width, height = figure.get_size_inches()
    assert box.x0 >= -0.01
    assert box.y0 >= -0.01
    assert box.x1 <= width + 0.01
    assert box.y1 <= height + 0.01
    low, high = figure.axes[0].get_xlim()
    for line in figure.axes[0].lines:
        if line.get_marker() in "oD":
            assert low <= line.get_xdata()[0] <= high
