"""Pictures as PDF and PNG."""

import numpy as np
import pytest

from bob.learn.pytorch.drawing import pictures
from bob.learn.pytorch.drawing.plot import Line
from bob.learn.pytorch.report.plots import save_pictures
from bob.learn.pytorch.report.systems import System, evaluate_systems


@pytest.mark.parametrize(("suffix", "start"), [("pdf", b"%PDF"), ("png", b"\x89PNG")])
def test_pictures_are_written_and_equal_for_equal_scores(two, tmp_path, suffix, start):
    first = save_pictures(tmp_path / f"a.{suffix}", two).read_bytes()
    second = save_pictures(tmp_path / f"b.{suffix}", two).read_bytes()

    assert first.startswith(start)
    assert first == second


def test_pictures_of_another_kind_are_refused(two, tmp_path):
    with pytest.raises(ValueError, match=r"\.pdf or \.png"):
        save_pictures(tmp_path / "a.gif", two)


def test_systems_without_any_score_have_pictures_too(table, tmp_path):
    trials = table(failed=range(len(table())))

    path = save_pictures(
        tmp_path / "a.png", evaluate_systems([System("none", trials)], resamples=0)
    )

    assert path.stat().st_size > 1000


def test_a_thin_line_has_the_dash_of_its_system():
    ends = np.array([0.0, 1.0])

    own, thin = (
        pictures._stroke(Line(ends, ends, 2, stroke=stroke))
        for stroke in ("own", "thin")
    )

    assert own["linestyle"] == thin["linestyle"] != "-"
    assert own["linewidth"] > thin["linewidth"]
