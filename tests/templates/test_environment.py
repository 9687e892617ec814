"""Environments that uv makes from wheels made here: who shares one, who waits."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from programs import printed_by

from bob.learn.pytorch import settings
from bob.learn.pytorch.files import locked
from bob.learn.pytorch.templates.format.errors import InstallError
from bob.learn.pytorch.templates.install import packages
from bob.learn.pytorch.templates.install.environment import (
    ensure,
    find,
    installed,
    remove,
)

pytestmark = pytest.mark.usefixtures("local_index")


CHECKOUT = Path(__file__).resolve().parents[2]


def test_what_is_asked_for_is_installed_with_what_it_needs_and_nothing_else(
    toy, version_of_b
):
    made = ensure(toy(requirements=["tinya==1.0"]))

    assert version_of_b(made) == "2.0"
    lock = (made.folder / "lock.txt").read_text()
    assert [line.split()[0] for line in lock.splitlines()] == [
        "tinya==1.0",
        "tinyb==2.0",
    ]
    assert lock.count("--hash=sha256:") == 2
    assert made.lock_sha256 == packages.Lock(lock, "").sha256
    assert made.work.is_dir()
    assert made.home.is_dir()
    names = made.folder.glob("venv/lib/python*/site-packages/*.dist-info")
    assert sorted(path.name[:5] for path in names) == ["tinya", "tinyb"]


def test_an_environment_is_found_and_not_made_again(toy):
    asked = toy(requirements=["tinya==1.0"])
    assert find(asked) is None
    made = ensure(asked)
    stamp = made.folder.stat().st_mtime_ns

    assert find(asked) == made
    assert ensure(asked, download=lambda _: pytest.fail("made again")) == made
    assert made.folder.stat().st_mtime_ns == stamp


def test_templates_with_equal_locks_share_one(toy):
    """They ask in different words for the same packages, and run different code."""
    first = ensure(toy("first", requirements=["tinya==1.0"]))
    second = ensure(
        toy("second", requirements=["tinyb==2.0", "tinya==1.0"], model_init=["m"])
    )

    assert second == first
    (only,) = installed()
    assert only.templates == ("first", "second")
    assert only.key == first.key
    assert only.megabytes > 0
    assert only.python == f"{sys.version_info.major}.{sys.version_info.minor}"


def test_conflicting_requirements_live_side_by_side(toy, version_of_b):
    old = ensure(toy(requirements=["tinyb==1.0"]))
    new = ensure(toy(requirements=["tinyb==2.0"]))

    assert (version_of_b(old), version_of_b(new)) == ("1.0", "2.0")


def test_a_requirement_without_dependencies_brings_none(toy):
    made = ensure(toy(requirements_without_dependencies=["tinya==1.0"]))

    assert "tinyb" not in (made.folder / "lock.txt").read_text()


def test_what_stands_alone_goes_before_a_dependency(toy, version_of_b):
    made = ensure(
        toy(
            requirements=["tinya==1.0"],
            requirements_without_dependencies=["tinyb==1.0"],
        )
    )

    assert version_of_b(made) == "1.0"


def test_a_disk_that_is_full_for_us_is_told_too(monkeypatch, toy, failure):
    def write_record(folder, text):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))

    monkeypatch.setattr(packages, "write_text", write_record)

    said = failure(toy(requirements=["tinyb==1.0"]))

    assert "No space left on device" in said
    assert "free some space" in said


def test_a_folder_that_cannot_be_written_is_told(monkeypatch, tmp_path, toy):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BOB_LEARN_PYTORCH_TEMPLATES_FOLDER", str(tmp_path / "file"))

    with pytest.raises(InstallError, match=r"file/.* cannot be written"):
        ensure(toy(requirements=["tinyb==1.0"]))


def test_an_environment_whose_python_is_gone_is_made_anew(toy, version_of_b, left):
    asked = toy(requirements=["tinyb==1.0"])
    made = ensure(asked)
    made.python.unlink()
    assert find(asked) is None

    again = ensure(asked)

    assert version_of_b(again) == "1.0"
    assert left() == [again.folder]


SCRIPT = """
import json, sys
from bob.learn.pytorch.templates.install.environment import ensure
from bob.learn.pytorch.templates.format.template import from_content
print(ensure(from_content(json.loads(sys.argv[1]), name="toy")).folder)
"""


def elsewhere(made):
    """Another process that ensures a template."""
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, json.dumps(dict(made.content))],
        stdout=subprocess.PIPE,
        text=True,
        cwd=CHECKOUT,
        start_new_session=True,
    )


def test_of_two_processes_at_once_one_installs(tmp_path, toy):
    asked = toy(install_cmds=[f"echo ran >> {tmp_path}/log; sleep 0.3"])
    processes = [elsewhere(asked) for _ in range(2)]

    folders = {process.communicate(timeout=60)[0] for process in processes}

    assert [process.returncode for process in processes] == [0, 0]
    assert folders == {f"{find(asked).folder}\n"}
    assert (tmp_path / "log").read_text() == "ran\n"


def test_what_a_killed_process_left_half_built_is_removed(tmp_path, toy, left):
    flag = tmp_path / "flag"
    asked = toy(
        install_cmds=[f"test -e {flag} || {{ echo $$ > {flag}; exec sleep 60; }}"]
    )
    process = elsewhere(asked)
    for _ in range(300):
        if flag.exists() and flag.read_text().endswith("\n"):
            break
        time.sleep(0.1)
    process.kill()
    process.communicate()
    (half,) = left()

    # The command of the killed process still runs, and the new one does not mind.
    made = ensure(asked)
    os.kill(int(flag.read_text()), signal.SIGKILL)

    assert made.folder != half
    assert left() == [made.folder]


def test_half_built_ones_of_other_templates_are_removed_too(toy, left):
    folder = settings.templates_folder() / "environments" / "0123456789abcdef.abcdef"
    (folder / "venv").mkdir(parents=True)

    made = ensure(toy(requirements=["tinyb==1.0"]))

    assert left() == [made.folder]
    assert [one.key for one in installed()] == [made.key]


@pytest.mark.parametrize("by", ["key", "name", "template"])
def test_an_environment_is_removed(by, toy, left):
    asked, other = toy(requirements=["tinyb==1.0"]), toy("b", in_shape=1)
    made, kept = ensure(asked), ensure(other)

    (gone,) = remove({"key": made.key, "name": "toy", "template": asked}[by])

    assert gone.key == made.key
    assert find(asked) is None
    assert find(other) == kept
    assert left() == [kept.folder]


def test_what_is_not_installed_cannot_be_removed(toy):
    made = ensure(toy(requirements=["tinyb==1.0"]))

    with pytest.raises(
        InstallError, match=rf"for speech/x; there are {made.key} \(toy"
    ):
        remove("speech/x")


def test_an_environment_that_is_being_made_is_not_removed(toy):
    asked = toy(requirements=["tinyb==1.0"])
    made = ensure(asked)

    with (
        locked(settings.templates_folder() / f".{made.key}.lock", waiting=None),
        pytest.raises(InstallError, match="another process"),
    ):
        remove(asked)

    assert find(asked) == made


def test_importing_loads_no_heavy_package():
    code = (
        "import sys\n"
        "from bob.learn.pytorch.templates import artefacts, environment, trust\n"
        "heavy = {'torch', 'requests', 'scipy', 'bob.bio', 'bob.pipelines', 'uv'}\n"
        "print(heavy & set(sys.modules))"
    )

    assert printed_by(code) == "set()"
