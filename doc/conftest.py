"""The examples on the pages run as doctests, each page in an empty folder."""

import pytest

# conf.py and tables.py are Sphinx's; tests/test_manual.py runs the examples.
collect_ignore_glob = ["*.py", "examples/*"]


@pytest.fixture(autouse=True)
def _an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # Where the page on settings writes its bobrc.toml.
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
