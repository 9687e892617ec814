"""Files that experiments left before the redesign are taken up as they are."""

import re
import runpy
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from bob.learn.pytorch.script.verify import main

OLD = runpy.run_path(str(Path(__file__).with_name("old_run.py")))
COUNTED = re.compile(r"(preprocessing|extraction)\D+(\d+) computed\D+(\d+) reused")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("old")
    OLD["lay_out"](folder)
    return folder


@pytest.fixture
def old_run(laid_out):
    """The old files, whatever the test before has made of them."""
    for name in ("temp", "results"):
        shutil.rmtree(laid_out / name, ignore_errors=True)
    OLD["unpack"](laid_out)
    return laid_out


def below(*tops):
    """Path -> time of change and content, of every file."""
    return {
        path: (path.stat().st_mtime_ns, path.read_bytes())
        for top in tops
        for path in sorted(Path(top).rglob("*"))
        if path.is_file() and not path.name.endswith(".lock")
    }


def array_of(path):
    import h5py

    if path.suffix not in (".h5", ".hdf5"):
        return None
    try:
        with h5py.File(path) as file:
            return np.array(file["array"])
    except OSError:  # in another format, by a function of the user's
        return np.load(path)


def rows_of(store):
    import h5py

    with h5py.File(store) as file:
        return np.array(file["embeddings"]).tolist()


def _is_of_this_python(case):
    return not case.startswith("toy ") or sys.version_info[:2] == OLD["PYTHON"]


@pytest.mark.parametrize("case", OLD["CASES"])
def test_nothing_is_computed_again(case, old_run, monkeypatch, tmp_path, capsys):
    """Only the notes of where recordings lie may be written anew, with each file."""
    if not _is_of_this_python(case):
        pytest.skip("fingerprints of the user's classes hold the code of their Python")
    monkeypatch.chdir(old_run)
    notes = tmp_path / "notes"
    monkeypatch.setenv("NOTES", str(notes))
    name = OLD["CASES"][case]
    before = below("temp"), below(f"results/{name}")
    arrays = {path: array_of(path) for path in before[0]}
    configuration = OLD["configuration"](case)

    assert main([*configuration, "-vv"]) == 0

    said = capsys.readouterr()
    counts = COUNTED.findall(said.err)
    assert counts
    for stage, computed, reused in counts:
        assert int(computed) == 0, (stage, said.err)
        assert int(reused) > 0, (stage, said.err)
    assert "anew" not in said.err
    assert not notes.exists()
    after = below("temp"), below(f"results/{name}")
    new = {path.name for path in set(after[0]) - set(before[0])}
    assert new <= {"durations.json"}  # kept for every model that needs some seconds
    assert set(before[0]) <= set(after[0])
    for path, array in arrays.items():
        if array is not None:
            np.testing.assert_array_equal(array_of(path), array)
        if "preprocessed" not in path.parts and not path.name.startswith("durations"):
            is_noted_anew = "in-memory" in str(path) and "extracted" in path.parts
            assert is_noted_anew or after[0][path] == before[0][path], path
    for path, (_, content) in before[1].items():
        if re.match("(scores|calibrated)-[a-z]+$", path.name):
            assert after[1][path][1] == content, path

    assert main(configuration) == 0  # what has been noted is not noted again

    assert below("temp") == after[0]


def test_a_store_is_taken_up(old_run, monkeypatch):
    monkeypatch.chdir(old_run)
    before = rows_of("store.h5")

    report = OLD["embed"]()

    assert (report["computed"], report["reused"]) == (0, 16)
    assert rows_of("store.h5") == before


@pytest.mark.parametrize("case", ["toy cosine", "campplus"])
def test_stages_may_be_left_out(case, old_run, monkeypatch, tmp_path):
    if not _is_of_this_python(case):
        pytest.skip("fingerprints of the user's classes hold the code of their Python")
    monkeypatch.chdir(old_run)
    monkeypatch.setenv("NOTES", str(tmp_path / "notes"))
    stages = ("preprocessing", "extraction", "enrollment", "score-computation")

    skipped = [f"--skip-{stage}" for stage in stages]

    assert main([*OLD["configuration"](case), *skipped]) == 0


def test_the_fingerprints_see_what_is_another(old_run, monkeypatch, tmp_path, capsys):
    """Else the tests above would pass with fingerprints that say nothing."""
    if sys.version_info[:2] != OLD["PYTHON"]:
        pytest.skip("fingerprints of the user's classes hold the code of their Python")
    monkeypatch.chdir(old_run)
    monkeypatch.setenv("NOTES", str(tmp_path / "notes"))
    Path("other.py").write_text("preprocessor = Bands(12)\nextractor = Bands(3)\n")

    stages = ["--execute-only", "score-computation"]

    assert main(["toy.py", "other.py", *stages]) == 1
    assert "made by another model or setting" in capsys.readouterr().err
