"""buildout.cfg turns an environment that holds the package into working commands."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_buildout_makes_a_working_verify_without_downloading(tmp_path):
    shutil.copy(CHECKOUT / "buildout.cfg", tmp_path)
    no_registry = {**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": ""}

    buildout = Path(sys.executable).with_name("buildout")
    subprocess.run([buildout], cwd=tmp_path, env=no_registry, check=True)

    downloaded = [file for file in (tmp_path / "eggs").rglob("*") if file.is_file()]
    assert downloaded == []
    shown = subprocess.run(
        [tmp_path / "bin" / "verify.py", "--help"],
        capture_output=True,
        check=True,
        text=True,
    )
    assert "verify.py" in shown.stdout
