"""What an environment is made of: locks, downloads, with and without a network."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest

from bob.learn.pytorch.templates.format.errors import InstallError
from bob.learn.pytorch.templates.install import environment, packages
from bob.learn.pytorch.templates.install.environment import ensure, find, remove

pytestmark = pytest.mark.usefixtures("local_index")


def test_a_lock_stays_when_newer_packages_appear(
    wheels, monkeypatch, tmp_path, toy, make_wheel
):
    asked = toy(requirements=["tinya==1.0"])
    made = ensure(asked)
    remove(asked)
    newer = shutil.copytree(wheels, tmp_path / "newer")
    make_wheel(newer, "tinyb", "3.0")
    monkeypatch.setenv("PIP_FIND_LINKS", str(newer))

    assert ensure(asked).lock_sha256 == made.lock_sha256


def test_a_lock_depends_on_no_path(wheels, monkeypatch, tmp_path, toy):
    asked = toy(requirements=["tinya==1.0"])
    made = ensure(asked)
    monkeypatch.setenv("PIP_FIND_LINKS", str(shutil.copytree(wheels, tmp_path / "w")))
    monkeypatch.setenv("BOB_LEARN_PYTORCH_TEMPLATES_FOLDER", str(tmp_path / "t"))

    again = ensure(asked)

    assert again.folder != made.folder
    assert (again.key, again.lock_sha256) == (made.key, made.lock_sha256)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# a comment\nA==1  # why\n", "A==1\n"),
        ("b==2\na_x==1 \\\n    --hash=sha256:0\n", "a_x==1 --hash=sha256:0\nb==2\n"),
        ("a @ file:///tmp/b.c/a-1.whl\n", "a @ a-1.whl\n"),
        ("-e file:///home/me/work/a\n", "-e a\n"),
        (
            "a @ git+https://example.org/x/a@12ab\n",
            "a @ git+https://example.org/x/a@12ab\n",
        ),
        ("--index-url https://example.org/simple\na==1\n", "a==1\n"),
    ],
)
def test_a_normalised_lock(text, expected):
    assert packages.normalised(text) == expected


def test_a_version_that_does_not_exist_is_told(toy, failure):
    said = failure(toy(requirements=["tinya==7.0"]))

    assert "tinya==7.0" in said
    assert "exact versions" in said
    assert "each must be on the package index" in said


def test_a_package_that_changed_is_refused(toy, failure):
    asked = toy(requirements=["tinyb==1.0"])
    ensure(asked)
    remove(asked)
    place = packages.Lock.place(asked)
    text = place.read_text()
    start = text.index("sha256:") + 7
    place.write_text(text[:start] + 64 * "0" + text[start + 64 :])

    said = failure(asked)

    assert "Hash mismatch" in said
    assert f"remove {place}" in said


def test_downloads_come_before_the_environment_counts_and_are_written_down(toy):
    asked = toy(requirements=["tinyb==1.0"], download_cmds=["pass"])
    seen = []

    def download(partial):
        seen.append((partial, find(asked)))
        (partial.home / "weights").write_text("a")

    made = ensure(asked, download=download)

    assert seen == [(replace(made, downloaded=None), None)]
    assert made.downloaded == environment.contents_sha256(made.home)
    assert find(asked) == ensure(asked, download=pytest.fail) == made


@pytest.mark.parametrize("kind", [InstallError, KeyboardInterrupt, ValueError])
def test_a_download_that_fails_is_done_again_and_nothing_else(kind, toy):
    asked = toy(requirements=["tinyb==1.0"], download_cmds=["pass"])
    seen = []

    def fail(partial):
        seen.append(partial)
        raise kind("no weights")

    with pytest.raises(kind, match="no weights"):
        ensure(asked, download=fail)
    missing = find(asked)
    made = ensure(asked, download=seen.append)

    assert missing is None
    assert [one.folder for one in seen] == [made.folder] * 2
    assert find(asked) == made


def test_what_was_downloaded_is_told_apart_by_names_and_contents(tmp_path):
    """Links of a hub lead to files beside them; locks and logs are as they come."""

    def digest(name, text="a", revision="1"):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        blob = folder / "blobs" / name
        blob.parent.mkdir(parents=True)
        blob.write_text(text)
        link = folder / "snapshots" / revision / "model"
        link.parent.mkdir(parents=True)
        link.symlink_to(blob)
        for changing in ("a.lock", "b.log", ".locks/c", "__pycache__/d.pyc"):
            (folder / changing).parent.mkdir(exist_ok=True)
            (folder / changing).write_text(str(folder))
        return environment.contents_sha256(folder)

    assert digest("x") == digest("x")
    assert len({digest("x"), digest("y"), digest("x", "b"), digest("x", "a", "2")}) == 4


def test_offline_what_was_fetched_earlier_suffices(monkeypatch, toy, version_of_b):
    monkeypatch.setenv("BOB_LEARN_PYTORCH_OFFLINE", "1")

    assert version_of_b(ensure(toy(requirements=["tinyb==1.0"]))) == "1.0"


def test_offline_what_is_missing_is_told_with_the_setting(monkeypatch, toy, failure):
    monkeypatch.setenv("BOB_LEARN_PYTORCH_OFFLINE", "1")
    monkeypatch.delenv("PIP_NO_INDEX")

    said = failure(toy(requirements=["nosuchpackageatall==1.0"]))

    assert "bob.learn.pytorch.offline" in said
    assert "BOB_LEARN_PYTORCH_OFFLINE=0" in said


@pytest.mark.parametrize("key", ["install_cmds", "download_cmds"])
def test_offline_commands_are_not_run(monkeypatch, key, tmp_path, toy, failure):
    monkeypatch.setenv("BOB_LEARN_PYTORCH_OFFLINE", "1")

    said = failure(toy(**{key: [f"touch {tmp_path}/ran"]}))

    assert "need the network" in said
    assert not (tmp_path / "ran").exists()


def test_an_environment_that_is_there_is_used_offline(monkeypatch, toy):
    asked = toy(install_cmds=["true"])
    made = ensure(asked)
    monkeypatch.setenv("BOB_LEARN_PYTORCH_OFFLINE", "1")

    assert ensure(asked) == made


def test_a_python_that_is_nowhere_is_told(monkeypatch, toy, failure):
    monkeypatch.setenv("PATH", os.defpath)
    said = failure(toy(python=">=9"))

    assert "fetch Python >=9" in said
    assert "by hand" in said


def test_a_python_that_is_nowhere_is_told_offline(monkeypatch, toy, failure):
    monkeypatch.setenv("PATH", os.defpath)
    monkeypatch.setenv("BOB_LEARN_PYTORCH_OFFLINE", "1")

    assert "needs Python >=9, and this machine has none" in failure(toy(python=">=9"))


def test_a_missing_uv_is_told(monkeypatch, toy, failure):
    monkeypatch.setitem(sys.modules, "uv", None)

    assert "pip install uv" in failure(toy(requirements=["tinyb==1.0"]))


@pytest.mark.network
def test_a_package_of_the_registry_is_installed(monkeypatch, toy):
    for name in ("PIP_NO_INDEX", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name)

    made = ensure(toy(requirements=["six==1.16.0"]))

    subprocess.run([made.python, "-I", "-c", "import six"], check=True)
