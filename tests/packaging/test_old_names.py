"""Old names of modules warn once, at the user's line, of where a name is today."""

import sys

import pytest
from programs import printed_by

PACKAGE = "bob.learn.pytorch"

SHOWN = """
import warnings
warnings.simplefilter("always")
lines = {lines!r}
with warnings.catch_warnings(record=True) as found:
    exec(compile(lines, "user.py", "exec"), {{"__name__": "user"}})
for one in found:
    print(one.filename, one.lineno, str(one.message).replace("bob.learn.pytorch.", ""))
"""

GONE = "the old name will be removed in the next release"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("from {}.comparison.comparer import Comparer",
         "comparison.comparer.Comparer is experiment.backends.backend_of"),
        ("from {}.extraction.comparison import compare",
         "extraction.comparison.compare is compare"),
        ("from {}.extraction.choice import choose",
         "extraction.choice.choose is inference.engine.choose"),
        ("import {}.comparison.stored_scores as s\ns.score_trials",
         "comparison.stored_scores.score_trials is score"),
        ("import {}.evaluation.players", "evaluation.players is report.outputs"),
        ("import {}.evaluation.result_files",
         "evaluation.result_files is report.opening"),
        ("from {}.evaluation.evaluation import Evaluated",
         "evaluation.evaluation.Evaluated is report.systems.Evaluated"),
        ("import {}.comparison.calibrating",
         "comparison.calibrating is scorefiles.calibrating"),
        ("from {}.comparison import calibrating",
         "comparison.calibrating is scorefiles.calibrating"),
        ("import importlib\nimportlib.import_module('{}.hashes')", "hashes is files"),
        ("import {}.weights as w\nw.WeightsError",
         "weights.WeightsError is models.WeightsError"),
        ("from {}.csv_rows import as_text", "csv_rows.as_text is printing.as_csv"),
    ],
)  # fmt: skip
def test_an_old_name_warns_once_of_the_place_of_today(lines, said):
    lines = lines.format(PACKAGE)
    line = len(lines.splitlines())

    printed = printed_by(SHOWN.format(lines=lines))

    assert printed == f"user.py {line} {said} now; {GONE}"
    assert "_old_calls" not in printed


def test_a_configuration_shows_the_warning(tmp_path, caplog):
    from bob.learn.pytorch.experiment.configuration import run_files

    path = tmp_path / "config.py"
    path.write_text(
        "for _ in range(2):\n    from bob.learn.pytorch.comparison.fusing import fuse\n"
    )
    sys.modules.pop("bob.learn.pytorch.comparison.fusing", None)

    assert "fuse" in run_files([str(path)])

    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert record.message == (
        f"configuration {path}, line 2: bob.learn.pytorch.comparison.fusing is "
        f"bob.learn.pytorch.scorefiles.calibrating now; {GONE}"
    )
