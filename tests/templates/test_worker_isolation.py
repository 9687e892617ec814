"""What a template sees of the world, and what the world sees of it."""

import os
import shutil
import socket
import time
from dataclasses import replace
from pathlib import Path
from venv import EnvBuilder

import numpy as np
import pytest

from bob.learn.pytorch.templates.format.errors import StageError
from bob.learn.pytorch.templates.run.worker import GUEST, Worker

BATCH = np.linspace(-1, 1, 1600, dtype=np.float32)[None]


def tells(start, expression, *imports, **keys):
    """What an expression is inside: numbers."""
    lines = ["import numpy as np", *imports]
    worker = start(import_cmds=lines, embed_fwd=[f"y = np.array({expression})"], **keys)
    return worker.embed(BATCH, seconds=0)


def test_a_template_for_numpy_starts_no_torch(start):
    assert tells(start, "[[float('torch' in sys.modules)]]", "import sys") == 0


def test_standard_input_is_empty(start):
    assert tells(start, "[[len(sys.stdin.read())]]", "import sys") == 0


def test_what_is_written_to_the_working_directory_goes_with_it(start, temporary):
    before = Path.cwd()
    forward = [
        "open('here', 'w').write('a' * 100)",
        "import os, tempfile",
        "open(os.path.join(tempfile.mkdtemp(), 'b'), 'w').close()",
        "os.mkdir('inside')",
        "os.chdir('/')",
        "y = np.array([[len(os.listdir(home))]])",
    ]
    worker = start(
        model_init=["import os", "model = home = os.getcwd()"], embed_fwd=forward
    )

    assert worker.embed(BATCH, seconds=0.1) == 3
    worker.close()

    assert list(temporary.iterdir()) == []
    assert Path.cwd() == before


def test_what_install_commands_left_is_in_the_working_directory(start, environment):
    (environment.work / "cloned").mkdir()
    (environment.work / "cloned" / "of_the_clone.py").write_text("value = 7\n")

    made = tells(
        start,
        "[[float(of_the_clone.value)]]",
        "import sys",
        "sys.path.append('cloned')",
        "import of_the_clone",
    )

    assert made == 7
    assert (environment.work / "cloned" / "of_the_clone.py").exists()


def test_secrets_of_the_environment_are_not_seen(start, monkeypatch, environment):
    for name in ("HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "SSH_AUTH_SOCK", "MY_PASSWORD"):
        monkeypatch.setenv(name, "seekrit")
    monkeypatch.setenv("HTTPS_PROXY", "http://me:seekrit@proxy")
    monkeypatch.setenv("PYTHONPATH", "/seekrit")
    lines = [
        "import os, sys, pathlib",
        "seen = dict(os.environ), sys.argv, sys.path, pathlib.Path.home()",
        "raise ValueError(repr(seen))",
    ]

    with pytest.raises(StageError) as raised:
        start(import_cmds=lines)

    assert "seekrit" not in str(raised.value)
    assert "'PATH'" in raised.value.reason
    assert f"'HOME': '{environment.home}'" in raised.value.reason
    assert str(Path.home()) not in raised.value.reason


CONNECT = """
import socket
udp = socket.socket(type=socket.SOCK_DGRAM)
there = ('127.0.0.1', {port})
for call in (
    lambda: socket.create_connection(there),
    lambda: socket.socket().connect_ex(there),
    lambda: socket.getaddrinfo('example.org', 80),
    lambda: socket.gethostbyname('example.org'),
    lambda: udp.sendto(b'a', there),
    lambda: udp.sendmsg([b'a'], [], 0, there),
):
    try:
        call()
    except PermissionError as error:
        assert 'has no network' in str(error), error
    else:
        raise ValueError('reached')
"""


def test_secrets_of_other_processes_are_not_seen(start):
    """Where the system has namespaces: else a process reads what its user may."""
    look = f"open('/proc/{os.getpid()}/environ').read()"
    worker = start(load=False, embed_fwd=[look])
    if "network namespace" not in worker.load()["isolation"]:
        pytest.skip("this system has none")

    with pytest.raises(StageError, match="PermissionError"):
        worker.embed(BATCH, seconds=0.1)


def test_there_is_no_network(start):
    with socket.create_server(("127.0.0.1", 0)) as server:
        start(model_init=[CONNECT.format(port=server.getsockname()[1]), "model = 1"])


def test_programs_that_a_template_starts_have_no_network_either(start):
    """Where the system has network namespaces."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        code = f"import socket; socket.create_connection(('127.0.0.1', {port}), 5)"
        run = f"subprocess.run([sys.executable, '-c', {code!r}], stderr=-3).returncode"
        worker = start(
            load=False,
            import_cmds=["import subprocess, sys", "import numpy as np"],
            embed_fwd=[f"y = np.array([[{run}]])"],
        )
        if "network namespace" not in worker.load()["isolation"]:
            pytest.skip("this system has none")

        assert worker.embed(BATCH, seconds=0.1) == 1


@pytest.fixture
def venv(environment, tmp_path):
    """`venv(line)`: an environment with our packages, and a .pth file with a line."""

    def make(line):
        folder = tmp_path / "venv"
        EnvBuilder(symlinks=True).create(folder)
        (packages,) = folder.glob("lib/python*/site-packages")
        ours = Path(np.__file__).parents[1]
        (packages / "a.pth").write_text(f"{ours}\n{line}\n")
        return replace(environment, python=folder / "bin" / "python")

    return make


PTH = """
import os, resource, socket
try:
    socket.create_connection(('127.0.0.1', 9))
except PermissionError:
    os.limit = resource.getrlimit(resource.RLIMIT_DATA)[0]
with open({seen!r}, 'a') as file:
    file.write('%d ' % os.getpid())
"""


def test_pth_files_of_an_environment_are_confined(venv, toy, temporary, tmp_path):
    """They are code; Python runs it before that of any program, unless told not to."""
    seen = tmp_path / "seen"
    environment = venv(f"import os; exec({PTH.format(seen=str(seen))!r})")
    template = toy(
        import_cmds=["import numpy as np", "import os"],
        embed_fwd=["y = np.array([[os.limit, os.getpid()]])"],
        limits={"memory_mb": 3000},
    )
    worker = Worker(template, environment, {})
    worker.load()

    ((limit, process),) = worker.embed(BATCH, seconds=0.1)
    worker.close()

    assert limit == 3000 << 20
    assert set(seen.read_text().split()) == {str(process)}


def test_nothing_is_compiled_into_our_folder(venv, toy, temporary, monkeypatch):
    """It may be read-only, or another user's; packages are compiled as ever."""
    guest = shutil.copytree(
        GUEST, temporary / "guest", ignore=shutil.ignore_patterns("__pycache__")
    )
    monkeypatch.setattr("bob.learn.pytorch.templates.run.worker.GUEST", guest)
    environment = venv("")
    (environment.work / "module.py").write_text("a = 1\n")
    line = "import sys; sys.path.append('.'); import module"
    worker = Worker(toy(import_cmds=[line]), environment, {})

    worker.load()
    worker.close()

    assert not (guest / "__pycache__").exists()
    shutil.rmtree(guest)


def test_isolation_costs_little(start):
    """The issue allows 2 ms for three seconds of sound; a busy machine takes longer."""
    worker = start()
    batch = np.zeros((1, 48_000), np.float32)
    took = []
    for _ in range(50):
        started = time.perf_counter()
        worker.embed(batch, seconds=3)
        took.append(time.perf_counter() - started)

    assert np.median(took) < 0.01
