"""A web server on this machine that misbehaves as told."""

import http.server
import re
import ssl
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from web_files import web_file

from bob.learn.pytorch.models.catalogue import WebFile
from bob.learn.pytorch.models.download import Patience

BLOCK_BYTES = 1 << 14


@dataclass
class Server:
    """What the server holds, how it behaves, and what it was asked.

    `script` holds what to do with the requests to come, in turn: ("cut", bytes to send
    before the connection breaks), ("stall", bytes, seconds), ("status", code),
    ("redirect", address). Past its end the file is sent.
    """

    url: str = ""
    body: bytes = b""
    ranges: bool = True
    tag: str | None = '"first"'
    headers: dict[str, str] = field(default_factory=dict)
    script: list[tuple] = field(default_factory=list)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    seconds_per_block: float = 0.0
    misplaced_bytes: int = 0  # how far off the place it was asked for a range begins
    http_server: http.server.HTTPServer | None = None

    def encrypt(self, certificate: Path, key: Path) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        plain = self.http_server.socket
        self.http_server.socket = context.wrap_socket(plain, server_side=True)
        self.url = self.url.replace("http:", "https:")

    def file(self, *, sha256: str | None = None, name: str = "toy.pth") -> WebFile:
        return web_file(f"{self.url}/toy", file_name=name, sha256=sha256)

    def ranges_asked(self) -> list[str | None]:
        return [headers.get("Range") for _, headers in self.asked]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: Server

    def log_message(self, *_):
        pass

    def do_GET(self):
        state = self.state
        state.asked.append((self.path, dict(self.headers)))
        action, *values = state.script.pop(0) if state.script else ("send",)
        if action == "status":
            self.answer(values[0], b"", state.headers)
        elif action == "redirect":
            self.answer(302, b"", {"Location": values[0]})
        else:
            self.send_body(action, values)

    def answer(self, code, body, headers):
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def send_body(self, action, values):
        state = self.state
        headers = dict(state.headers)
        if state.tag:
            headers["ETag"] = state.tag
        first = self.first_byte()
        first += state.misplaced_bytes if first else 0
        whole = len(state.body)
        if first > 0 and first >= whole:
            self.answer(416, b"", {"Content-Range": f"bytes */{whole}"})
            return
        if first:
            headers["Content-Range"] = f"bytes {first}-{whole - 1}/{whole}"
        headers["Content-Length"] = str(whole - first)
        self.send_response(206 if first else 200)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.send_slowly(state.body[first:], values[0] if values else whole)
        if action == "stall":
            time.sleep(values[1])
        self.close_connection = action != "send"

    def send_slowly(self, body, limit):
        for start in range(0, min(limit, len(body)), BLOCK_BYTES):
            self.wfile.write(body[start : min(start + BLOCK_BYTES, limit)])
            if self.state.seconds_per_block:
                time.sleep(self.state.seconds_per_block)

    def first_byte(self):
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        state = self.state
        same = self.headers.get("If-Range", state.tag) == state.tag
        return int(found[1]) if found and state.ranges and same else 0


class QuietServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """A client that was killed is no error of the server."""


@pytest.fixture
def no_proxy(monkeypatch):
    """No proxy of the environment is asked."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def server(no_proxy):
    """A web server on this machine."""
    state = Server(body=bytes(range(256)) * 2000)
    handler = type("OneHandler", (Handler,), {"state": state})
    http_server = QuietServer(("127.0.0.1", 0), handler)
    state.http_server = http_server
    state.url = f"http://127.0.0.1:{http_server.server_address[1]}"
    thread = threading.Thread(target=http_server.serve_forever, args=(0.005,))
    thread.start()
    yield state
    http_server.shutdown()
    thread.join()
    http_server.server_close()


@pytest.fixture
def hasty() -> Patience:
    """Patience for tests: the same counts, hardly any waiting."""
    return Patience(
        attempts=3,
        first_wait=0.01,
        longest_wait=0.05,
        connect_seconds=2.0,
        read_seconds=0.5,
        progress_bytes=100_000,
    )


@pytest.fixture
def destination(tmp_path) -> Path:
    """A place in a folder that is still to be made."""
    return tmp_path / "folder" / "toy.pth"
