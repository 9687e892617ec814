"""Calibrations of score files, of tables in memory, and of scores with measures."""

from dataclasses import replace

import numpy as np
import pytest

from bob.learn.pytorch.calibration import CalibrationError, Origin, fit_calibration
from bob.learn.pytorch.errors import ScoringError
from bob.learn.pytorch.scorefiles import (
    UnlabelledError,
    read_score_file,
    read_scores,
    write_scores,
)
from bob.learn.pytorch.scorefiles.calibrating import calibrate, calibrated


@pytest.fixture
def path(tmp_path):
    random = np.random.default_rng(0)
    lines = [
        f"a a t{i} {score:.8f}\n" for i, score in enumerate(random.normal(1, 1, 40))
    ]
    lines += [
        f"a b n{i} {score:.8f}\n" for i, score in enumerate(random.normal(size=90))
    ]
    path = tmp_path / "scores-dev"
    path.write_text("".join(lines))
    return path


def test_a_path_a_file_and_a_table_give_one_calibration(path):
    table = read_scores(path)
    expected = fit_calibration(table.targets, table.non_targets)

    found = [calibrate(scores) for scores in (path, read_score_file(path), table)]

    for one in found:
        assert (one.weights, one.offset) == (expected.weights, expected.offset)
        assert one.provenance["speakers"] == "2"
    assert found[0].provenance["scores"] == str(path)
    assert "scores" not in found[2].provenance


def test_what_is_wrong_with_a_table_is_named(path):
    table = read_scores(path)

    with pytest.raises(ScoringError, match="the scores has no column bio_ref_duration"):
        calibrate(table, quality=["duration"])
    with pytest.raises(CalibrationError, match="the scores: score is 1 in all 130"):
        calibrate(replace(table, score=np.ones(len(table))))


def test_a_list_of_trials_labels_a_file(tmp_path, path):
    table = replace(read_scores(path), model=read_scores(path).claimed)
    blind = write_scores(tmp_path / "blind", table, form="kaldi")
    listed = tmp_path / "list"
    rows = zip(table.probe.tolist(), table.is_target.tolist(), strict=True)
    listed.write_text("".join(f"{int(same)} a {probe}\n" for probe, same in rows))

    with pytest.raises(UnlabelledError) as refused:
        calibrate(blind)
    found = calibrate(blind, trials=listed)

    assert refused.value.remedy == "trials"
    assert found.weights == calibrate(table).weights


def test_measures_in_memory_are_those_of_the_columns(path):
    file = read_score_file(path)
    seconds = np.random.default_rng(1).uniform(1, 9, (2, len(file.table)))
    measured = replace(file, measures={"duration": tuple(seconds)})

    found = calibrate(measured, quality=["duration"])

    columns = [file.table.score, *np.log(np.sort(seconds, axis=0))]
    expected = found.offset + np.dot(found.weights, columns)
    new = calibrated(found, measured)
    np.testing.assert_allclose(new.table.score, expected)
    assert new.notes == ()
    longer = replace(measured, measures={"duration": tuple(9 * seconds)})
    assert "the smaller duration lies outside" in calibrated(found, longer).notes[0]


def test_scores_that_were_made_otherwise_are_refused(path):
    file = replace(read_score_file(path), origin=Origin({"measure": "cosine"}))
    found = calibrate(file)
    other = replace(file, origin=Origin({"measure": "plda"}))

    with pytest.raises(CalibrationError, match="the measure is 'plda', not 'cosine'"):
        calibrated(found, other)

    np.testing.assert_array_equal(
        calibrated(found, file).table.score, found(file.table.score)
    )
