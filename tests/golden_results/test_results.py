"""What the commands give is what they gave before the redesign: see README.md."""

import json
import os
import runpy
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent
RUNNING = runpy.run_path(str(HERE / "running.py"))
CASES = RUNNING["cases"]()

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

EXACT = os.environ.get("GOLDEN_EXACT") == "1"


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory):
    """A folder with all that the cases read, filled once for all of them."""
    folder = tmp_path_factory.mktemp("golden")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        CASES.lay_out(folder, RUNNING["run"])
    return folder


@pytest.mark.parametrize("case", CASES.CASES)
def test_results_are_those_of_before(case, laid_out, monkeypatch):
    monkeypatch.chdir(laid_out)
    expected = json.loads(RUNNING["file_of"](case).read_text())

    found = RUNNING["results"](CASES.CASES[case])

    found = json.loads(json.dumps(found))
    told = list(RUNNING["differences"](expected, found, exact=EXACT))
    assert not told, "\n".join(told[:10])


def test_nothing_is_kept_of_cases_that_are_gone():
    kept = {path.name for path in RUNNING["EXPECTED"].iterdir()}

    assert kept == {RUNNING["file_of"](case).name for case in CASES.CASES}


def test_the_inputs_are_those_of_their_script(tmp_path, monkeypatch):
    script = runpy.run_path(str(HERE / "make_inputs.py"))
    script["main"].__globals__["INPUTS"] = tmp_path

    script["main"]()

    for path in (HERE / "inputs").iterdir():
        made = tmp_path / path.name
        if path.suffix != ".npz":
            assert made.read_text() == path.read_text()
            continue
        with np.load(path) as kept, np.load(made) as file:
            assert kept.files == file.files
            for name in kept.files:
                np.testing.assert_array_equal(kept[name], file[name])


@pytest.mark.parametrize(
    ("expected", "found", "same"),
    [
        ({"a": 0.1}, {"a": 0.1}, True),
        ({"a": 0.1}, {"a": 0.1 + 1e-12}, False),
        ({"a": 1}, {"a": True}, False),
        (["a a/1 b b/2 0.50000000"], ["a a/1 b b/2 0.50000001"], False),
        (["a a/1 b b/2 0.50000000"], ["a a/1 b b/3 0.50000000"], False),
        ("few errors were seen: 0.5 of them", "there were few errors, 0.5", True),
        ("few errors were seen: 0.5 of them", "there were few errors, 0.6", False),
        ({"a": [1, 2]}, {"a": [1]}, False),
        ({"a": 1}, {"a": 1, "b": 2}, False),
    ],
)
def test_what_counts_as_a_difference(expected, found, same):
    assert same != bool(list(RUNNING["differences"](expected, found, exact=True)))


def test_on_another_machine_the_last_bits_do_not_count():
    differences = RUNNING["differences"]

    for one, other in ((0.1, 0.1 + 1e-12), ("a b 0.50000000", "a b 0.50000001")):
        assert not list(differences([one], [other], exact=False))
    for one, other in ((0.1, 0.1001), ("a b 0.50000000", "a b 0.50000003")):
        assert list(differences([one], [other], exact=False))
