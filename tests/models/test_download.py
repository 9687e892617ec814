import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from threads import at_once
from web_files import left_in, sha256, web_file

from bob.learn.pytorch.models import download
from bob.learn.pytorch.models.download import Patience, fetch_web_file
from bob.learn.pytorch.models.errors import DownloadError, HashMismatch

CHECKOUT = Path(__file__).resolve().parents[2]
FETCH = """
import sys
from pathlib import Path
from bob.learn.pytorch.models.catalogue import WebFile
from bob.learn.pytorch.models.download import fetch_web_file
url, destination = sys.argv[1:]
source = WebFile(urls=(url,), file_name="toy.pth", sha256=None, size=None)
fetch_web_file(source, Path(destination))
"""


def another_process(url, destination):
    return subprocess.Popen(
        [sys.executable, "-c", FETCH, url, str(destination)],
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
    )


def wait_until(true, seconds=20.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def test_a_file_is_fetched_its_folder_made_and_its_hash_recorded(server, destination):
    path = fetch_web_file(server.file(), destination)

    assert path == destination
    assert destination.read_bytes() == server.body
    record = destination.with_name("toy.pth.sha256").read_text()
    assert record == f"{sha256(server.body)}  toy.pth\n"
    assert left_in(destination.parent) == ["toy.pth", "toy.pth.sha256"]


def test_a_file_that_is_there_is_not_asked_for(server, destination):
    destination.parent.mkdir()
    destination.write_bytes(b"there")

    fetch_web_file(server.file(), destination)

    assert server.asked == []
    assert destination.read_bytes() == b"there"


def test_it_goes_on_where_the_connection_broke(server, destination, hasty):
    server.script = [("cut", 200_000), ("cut", 100_000)]

    fetch_web_file(server.file(), destination, patience=hasty)

    assert destination.read_bytes() == server.body
    starts = [int(asked[6:-1]) for asked in server.ranges_asked()[1:]]
    assert 150_000 < starts[0] <= 200_000
    assert starts[0] < starts[1] <= 300_000
    assert server.asked[1][1]["If-Range"] == '"first"'


def test_many_breaks_are_no_failure_while_each_brings_something(server, destination):
    server.script = [("cut", 80_000)] * 6
    patience = Patience(attempts=2, first_wait=0.0, progress_bytes=40_000)

    fetch_web_file(server.file(), destination, patience=patience)

    assert destination.read_bytes() == server.body
    assert len(server.asked) == 7


def test_it_starts_again_where_the_server_knows_no_ranges(server, destination, hasty):
    server.ranges = False
    server.script = [("cut", 200_000)]

    fetch_web_file(server.file(), destination, patience=hasty)

    assert destination.read_bytes() == server.body


def test_a_file_that_changed_meanwhile_is_not_joined_to_the_old_one(
    server, destination, hasty
):
    server.script = [("cut", 200_000), ("status", 404)]
    with pytest.raises(DownloadError):
        fetch_web_file(server.file(), destination, patience=hasty)
    server.body = bytes(reversed(server.body))
    server.tag = '"second"'

    fetch_web_file(server.file(), destination, patience=hasty)

    assert destination.read_bytes() == server.body


def test_without_a_validator_an_unknown_file_is_not_continued(
    server, destination, hasty
):
    server.tag = None
    server.script = [("cut", 200_000)]

    fetch_web_file(server.file(), destination, patience=hasty)

    assert destination.read_bytes() == server.body
    assert server.ranges_asked() == [None, None]


def test_without_a_validator_a_file_of_known_hash_is_continued(
    server, destination, hasty
):
    server.tag = None
    server.script = [("cut", 200_000)]
    source = server.file(sha256=sha256(server.body))

    fetch_web_file(source, destination, patience=hasty)

    assert destination.read_bytes() == server.body
    assert server.ranges_asked()[1] is not None


def test_an_old_part_of_another_file_is_thrown_away(server, destination, hasty):
    """The hash tells, and the download starts again by itself."""
    server.tag = None
    server.script = [("cut", 200_000), ("status", 404)]
    wrong = server.file(sha256="0" * 64)
    with pytest.raises(DownloadError):
        fetch_web_file(wrong, destination, patience=hasty)
    server.body = bytes(reversed(server.body))

    fetch_web_file(server.file(sha256=sha256(server.body)), destination, patience=hasty)

    assert destination.read_bytes() == server.body
    assert server.ranges_asked()[-1] is None


def test_a_part_that_is_longer_than_the_file_is_thrown_away(server, destination, hasty):
    server.script = [("cut", 200_000), ("status", 404)]
    with pytest.raises(DownloadError):
        fetch_web_file(server.file(), destination, patience=hasty)
    server.body = server.body[:1000]

    fetch_web_file(server.file(), destination, patience=hasty)

    assert destination.read_bytes() == server.body


def test_a_continuation_at_another_place_is_not_joined(server, destination, hasty):
    server.misplaced_bytes = -1000
    server.script = [("cut", 200_000)]

    fetch_web_file(server.file(), destination, patience=hasty)

    assert destination.read_bytes() == server.body
    assert server.ranges_asked()[2] is None


def test_a_part_that_is_complete_is_not_asked_for_again(
    server, destination, monkeypatch
):
    """A process may be killed between the last byte and the move into place."""

    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr(download, "settle", killed)
        with pytest.raises(KeyboardInterrupt):
            fetch_web_file(server.file(), destination)

    fetch_web_file(server.file(), destination)

    assert destination.read_bytes() == server.body
    assert len(server.asked) == 1


def test_a_killed_process_leaves_a_part_that_the_next_one_continues(
    server, destination
):
    server.seconds_per_block = 0.05
    process = another_process(f"{server.url}/toy", destination)
    part = destination.with_name("toy.pth.part")
    wait_until(lambda: part.exists() and part.stat().st_size > 100_000)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = part.stat().st_size
    server.seconds_per_block = 0.0

    fetch_web_file(server.file(), destination)

    assert destination.read_bytes() == server.body
    assert server.ranges_asked() == [None, f"bytes={kept}-"]


def test_two_processes_fetch_a_file_once(server, destination):
    server.seconds_per_block = 0.03
    processes = [another_process(f"{server.url}/toy", destination) for _ in range(2)]

    assert [process.wait(timeout=60) for process in processes] == [0, 0]
    assert len(server.asked) == 1
    assert destination.read_bytes() == server.body


def test_threads_fetch_a_file_once(server, destination):
    server.seconds_per_block = 0.002
    at_once([partial(fetch_web_file, server.file(), destination)] * 4)

    assert len(server.asked) == 1


def test_a_server_that_falls_silent_is_asked_again(server, destination, hasty):
    server.script = [("stall", 200_000, 2.0)]

    fetch_web_file(server.file(), destination, patience=hasty)

    assert destination.read_bytes() == server.body
    assert len(server.asked) == 2


def test_a_slow_server_is_waited_for(server, destination, hasty):
    server.seconds_per_block = 0.02

    fetch_web_file(server.file(), destination, patience=hasty)

    assert len(server.asked) == 1


@pytest.mark.parametrize("code", [500, 503, 429])
def test_a_server_in_trouble_is_asked_again(server, destination, hasty, code):
    server.script = [("status", code)] * 2

    fetch_web_file(server.file(), destination, patience=hasty)

    assert len(server.asked) == 3


def test_it_gives_up_after_some_attempts(server, destination, hasty):
    server.script = [("status", 503)] * 20

    with pytest.raises(
        DownloadError, match="503 Service Unavailable, in the last of 3"
    ):
        fetch_web_file(server.file(), destination, patience=hasty)

    assert len(server.asked) == 3


def test_the_waits_double_up_to_a_limit_and_a_server_may_ask_for_more():
    patience = Patience(first_wait=1.0, longest_wait=5.0)

    waits = [patience.wait(failures, asked_for=0.0) for failures in (1, 2, 3, 4, 9)]

    assert waits == [1.0, 2.0, 4.0, 5.0, 5.0]
    assert patience.wait(1, asked_for=3.0) == 3.0
    assert patience.wait(1, asked_for=900.0) == 5.0


def test_a_server_that_asks_for_time_gets_it(server, destination, monkeypatch):
    waits = []
    monkeypatch.setattr(download, "time", SimpleNamespace(sleep=waits.append))
    server.script = [("status", 503)]
    server.headers = {"Retry-After": "7"}
    patience = Patience(first_wait=1.0, longest_wait=30.0)

    fetch_web_file(server.file(), destination, patience=patience)

    assert waits == [7.0]


@pytest.mark.parametrize("code", [404, 403, 410])
def test_a_missing_file_is_not_asked_for_again(server, destination, hasty, code):
    server.script = [("status", code)] * 5

    with pytest.raises(DownloadError, match=f"answered {code}"):
        fetch_web_file(server.file(), destination, patience=hasty)

    assert len(server.asked) == 1


def test_a_failure_names_address_place_and_the_way_by_hand(server, destination, hasty):
    server.script = [("status", 404)]

    with pytest.raises(DownloadError) as failure:
        fetch_web_file(server.file(), destination, patience=hasty, remedy="\nAND THIS")

    message = str(failure.value)
    assert f"from    {server.url}/toy" in message
    assert f"to      {destination}" in message
    assert "because" in message
    assert "404" in message
    assert message.endswith("AND THIS")


def test_redirects_are_followed(server, destination):
    server.script = [("redirect", "/a"), ("redirect", f"{server.url}/b")]

    fetch_web_file(server.file(), destination)

    assert [path for path, _ in server.asked] == ["/toy", "/a", "/b"]
    assert destination.read_bytes() == server.body


def test_a_circle_of_redirects_ends(server, destination, hasty):
    server.script = [("redirect", "/toy")] * 100

    with pytest.raises(DownloadError, match="redirects"):
        fetch_web_file(server.file(), destination, patience=hasty)


def test_wrong_bytes_are_refused_and_not_kept(server, destination, hasty):
    with pytest.raises(HashMismatch, match=f"published is {'0' * 64}"):
        fetch_web_file(server.file(sha256="0" * 64), destination, patience=hasty)

    assert left_in(destination.parent) == []


def test_a_second_address_is_tried_when_the_first_fails(server, destination, hasty):
    server.script = [("status", 404)]
    urls = (f"{server.url}/first", f"{server.url}/second")
    source = web_file(*urls, sha256=sha256(server.body))

    fetch_web_file(source, destination, patience=hasty)

    assert [path for path, _ in server.asked] == ["/first", "/second"]


def test_when_all_addresses_fail_each_is_named_with_its_reason(
    server, destination, hasty
):
    server.script = [("status", 404), ("status", 403)]
    source = web_file(f"{server.url}/first", f"{server.url}/second")

    with pytest.raises(DownloadError, match=r"/first: .* 404 .*; .*/second: .* 403"):
        fetch_web_file(source, destination, patience=hasty)


def test_a_source_that_changes_after_the_first_download_is_refused(
    server, destination, hasty
):
    fetch_web_file(server.file(), destination)
    first = sha256(server.body)
    destination.unlink()
    server.body = bytes(reversed(server.body))

    with pytest.raises(HashMismatch, match=f"at the first download it was {first}"):
        fetch_web_file(server.file(), destination, patience=hasty)

    destination.with_name("toy.pth.sha256").unlink()
    fetch_web_file(server.file(), destination)
    assert destination.read_bytes() == server.body


def test_a_login_page_is_not_taken_for_the_file(server, destination):
    server.body = b"\n<!DOCTYPE html><html>Please log in</html>"

    with pytest.raises(DownloadError, match="a web page came instead of the file"):
        fetch_web_file(server.file(), destination)

    assert left_in(destination.parent) == []
