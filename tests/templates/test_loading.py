"""From a template to a process that has it loaded."""

import os
import socket
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from bob.learn.pytorch.templates.format.errors import StageError, UntrustedTemplate
from bob.learn.pytorch.templates.install import artefacts, trust
from bob.learn.pytorch.templates.run import runner
from bob.learn.pytorch.templates.run.worker import Worker

BATCH = np.ones((1, 8), np.float32)


@pytest.fixture
def made(environment, temporary, monkeypatch):
    """Environments are made in no time; what was asked for."""
    there = environment
    asked = []

    def ensure(template, *, progress, download):
        asked.append((template.name, progress))
        if template.download_cmds:
            download(there)
        return there

    monkeypatch.setattr(runner.environment, "ensure", ensure)
    monkeypatch.setattr(artefacts, "fetch", lambda template, progress: {"a": "/a.pt"})
    return asked


def test_nothing_is_fetched_or_installed_that_is_not_trusted(toy, made):
    with pytest.raises(UntrustedTemplate):
        runner.start(toy())

    assert made == []


@pytest.mark.parametrize("how", ["answered for", "trusted"])
def test_what_is_trusted_is_started(toy, made, how):
    template = toy(embed_fwd=["y = np.array([[len(weights['a'])]])"])
    if how == "trusted":
        trust.trust(template)

    worker = runner.start(template, trusted=how == "answered for")

    assert worker.embed(BATCH, seconds=0.1) == 5
    worker.close()


def test_a_template_that_cannot_be_loaded_leaves_no_process(toy, made, temporary):
    with pytest.raises(StageError, match="NameError"):
        runner.start(toy(model_init=["model = nothing"]), trusted=True)

    assert list(temporary.iterdir()) == []


def test_downloads_run_once_it_is_installed_and_fill_its_home(
    toy, made, environment, temporary
):
    template = toy(
        import_cmds=["import os, pathlib"],
        download_cmds=["pathlib.Path.home().joinpath('kept').write_text('a')"],
    )

    there, weights = runner.install(template, trusted=True, progress=True)

    assert (environment.home / "kept").read_text() == "a"
    assert (there, weights) == (environment, {"a": "/a.pt"})
    assert made == [("toy", True)]
    assert list(temporary.iterdir()) == []


def test_a_download_has_a_network(toy, made):
    code = "import socket; socket.create_connection(('127.0.0.1', %d), 5).close()"
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        template = toy(import_cmds=[], download_cmds=[code % port])

        runner.install(template, trusted=True)


def test_a_download_that_fails_names_its_line(toy, made, temporary):
    template = toy(import_cmds=[], download_cmds=["raise OSError('no route')"])

    with pytest.raises(
        StageError, match=r"download_cmds\[0\] at `raise OSError.*no route"
    ):
        runner.install(template, trusted=True)

    assert list(temporary.iterdir()) == []


HUB = """
def call(): raise ConnectionError('HTTPSConnectionPool: Max retries exceeded with url')
call()
"""


def test_a_hub_that_cannot_be_reached_is_told_without_a_traceback(
    toy, made, temporary, environment
):
    template = toy(import_cmds=[], download_cmds=[HUB])

    with pytest.raises(StageError) as raised:
        runner.install(template, trusted=True)

    first, *rest = str(raised.value).splitlines()
    assert first.startswith("template toy, download_cmds[0] at `call()`: ConnectionErr")
    assert "Traceback" not in str(raised.value)
    (advice,) = rest
    assert "HTTPS_PROXY" in advice
    assert str(environment.home) in advice


def test_a_download_sees_no_secrets_of_other_processes(toy, made):
    """Where the system has user namespaces."""
    look = f"open('/proc/{os.getpid()}/environ').read()"
    asked = (
        "import ctypes, os; os._exit(0 if ctypes.CDLL(None).unshare(1 << 28) else 7)"
    )
    child = subprocess.run([sys.executable, "-c", asked], check=False)
    if child.returncode == 0:
        pytest.skip("this system has none")

    with pytest.raises(StageError, match="PermissionError"):
        runner.install(toy(import_cmds=[], download_cmds=[look]), trusted=True)


def test_two_environments_serve_one_process(
    toy, made, tmp_path, environment, temporary
):
    """As templates with conflicting requirements have them: each sees its own."""
    found = []
    for name in ("one", "two"):
        work = tmp_path / name
        work.mkdir()
        (work / "conflict.py").write_text(f"version = {len(name)}{ord(name[0])}\n")
        template = toy(
            import_cmds=[
                "import sys; sys.path.insert(0, '.')",
                "import conflict, numpy",
            ],
            embed_fwd=["y = numpy.array([[conflict.version]])"],
        )
        worker = Worker(template, replace(environment, work=work), {})
        worker.load()
        found.append(worker)

    assert [worker.embed(BATCH, seconds=0.1).item() for worker in found] == [3111, 3116]
    for worker in found:
        worker.close()
