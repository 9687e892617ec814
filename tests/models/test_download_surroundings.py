"""Downloads where something around them is set, broken or missing."""

import errno
import os
import subprocess
import sys

import pytest
from web_files import web_file

from bob.learn.pytorch.models import download
from bob.learn.pytorch.models.catalogue import WebFile
from bob.learn.pytorch.models.download import fetch_web_file
from bob.learn.pytorch.models.errors import DownloadError, OfflineError
from bob.learn.pytorch.models.web import Answer


@pytest.mark.usefixtures("server")
def test_no_server_at_all(destination, hasty):
    source = web_file("http://127.0.0.1:9/toy")

    with pytest.raises(DownloadError, match="no connection"):
        fetch_web_file(source, destination, patience=hasty)


def test_offline_nothing_is_asked(server, destination, monkeypatch):
    monkeypatch.setenv("BOB_LEARN_PYTORCH_OFFLINE", "1")

    with pytest.raises(OfflineError, match="BOB_LEARN_PYTORCH_OFFLINE") as refused:
        fetch_web_file(server.file(), destination)

    assert server.asked == []
    assert server.url in str(refused.value)


def test_offline_a_file_that_is_there_is_used(server, destination, monkeypatch):
    fetch_web_file(server.file(), destination)
    monkeypatch.setenv("BOB_LEARN_PYTORCH_OFFLINE", "1")

    assert fetch_web_file(server.file(), destination) == destination


def test_the_proxy_of_the_environment_is_asked(server, destination, monkeypatch):
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)

    fetch_web_file(web_file("http://weights.invalid/toy"), destination)

    assert server.asked[0][0] == "http://weights.invalid/toy"


@pytest.fixture
def encrypted_server(server, tmp_path):
    """The server behind a certificate that it signed itself, and that certificate."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    extra = ["-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    try:
        subprocess.run(
            [*command.split(), *extra, *files], check=True, stderr=subprocess.DEVNULL
        )
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("openssl is not on this machine")
    server.encrypt(certificate, key)
    return server, certificate


def test_a_private_certificate_of_the_environment_is_trusted(
    encrypted_server, destination, monkeypatch
):
    server, certificate = encrypted_server
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))

    fetch_web_file(server.file(), destination)

    assert destination.read_bytes() == server.body


def test_an_unknown_certificate_is_refused_once_with_the_way_out(
    encrypted_server, destination, monkeypatch, hasty
):
    server, _ = encrypted_server
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)

    with pytest.raises(DownloadError, match="in the environment variable REQUESTS_CA"):
        fetch_web_file(server.file(), destination, patience=hasty)


@pytest.mark.usefixtures("server")
def test_a_certificate_file_that_is_not_there_is_named(destination, monkeypatch, hasty):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/file.pem")
    source = WebFile(
        urls=("https://127.0.0.1:9/toy",), file_name="toy.pth", sha256=None, size=None
    )

    with pytest.raises(DownloadError, match=r"/no/such/file\.pem"):
        fetch_web_file(source, destination, patience=hasty)


def test_a_full_disk_is_said_so(server, destination, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(download._Transfer, "_pour", full)

    with pytest.raises(DownloadError, match="no space is left on the disk of"):
        fetch_web_file(server.file(), destination)


def test_a_folder_that_cannot_be_made_is_said_so(server, tmp_path):
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(DownloadError, match=r"cannot be written: .*bob config set"):
        fetch_web_file(server.file(), tmp_path / "file" / "toy.pth")


@pytest.mark.parametrize(("terminal", "drawn"), [(True, True), (False, False)])
def test_a_bar_is_drawn_on_a_terminal_only(
    server, destination, capsys, monkeypatch, terminal, drawn
):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)

    fetch_web_file(server.file(), destination, progress=True)

    assert ("toy.pth" in capsys.readouterr().err) is drawn


def test_a_redirect_out_of_encryption_is_refused():
    transfer = download._Transfer("https://a.example/toy", None, None, False, None)
    hops = ["https://a.example/toy", "http://b.example/toy", "https://c.example/toy"]

    with pytest.raises(DownloadError, match="not all of it is encrypted"):
        transfer._refuse(Answer(200, "OK", {}, hops, None))
