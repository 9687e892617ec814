"""Score files of an experiment, summed up beside them."""

from files import from_json

from bob.learn.pytorch.report.experiment_report import write_report


def test_a_report_says_how_the_threshold_of_dev_does_on_eval(tmp_path, results):
    place = results(tmp_path / "first") / "session" / "nonorm"
    files = {group: place / f"scores-{group}" for group in ("dev", "eval")}

    text = write_report(
        files, tmp_path / "out", title="Mine", failures=2, normalisation="as-norm"
    )

    content = from_json(tmp_path / "out" / "report.json")
    assert content["failed_recordings"] == 2
    assert content["normalisation"] == "as-norm"
    assert content["eval"]["scores"] == str(files["eval"])
    assert (tmp_path / "out" / "report.txt").read_text() == text + "\n"
    assert text.startswith("Scores normalised by as-norm")
    assert (tmp_path / "out" / "det.png").read_bytes().startswith(b"\x89PNG")
