"""What goes through pipes and shared files between two processes."""

import json
import os
import struct
import threading
from contextlib import suppress

import pytest

from bob.learn.pytorch.templates.guest import bob_template_frames as frames


@pytest.fixture
def pipe():
    reads, writes = os.pipe()
    yield reads, writes
    os.close(reads)
    with suppress(OSError):
        os.close(writes)


@pytest.fixture
def file(tmp_path):
    descriptor = os.open(tmp_path / "shared", os.O_RDWR | os.O_CREAT)
    yield descriptor
    os.close(descriptor)


def test_a_message_is_its_length_and_json(pipe):
    reads, writes = pipe

    frames.send(writes, {"a": "ü"})

    raw = os.read(reads, 100)
    assert struct.unpack(">I", raw[:4]) == (len(raw) - 4,)
    assert json.loads(raw[4:]) == {"a": "ü"}


@pytest.mark.parametrize(
    "message", [{}, {"a": [1, None, "x\udcff"]}, {"b": "ü" * 300_000}]
)
def test_what_is_sent_is_received(pipe, message):
    """The last one is longer than a pipe holds."""
    reads, writes = pipe
    sender = threading.Thread(target=frames.send, args=(writes, message))
    sender.start()

    assert frames.receive(reads) == message
    sender.join()


def test_two_messages_do_not_mix(pipe):
    reads, writes = pipe

    frames.send(writes, {"a": 1})
    frames.send(writes, {"b": 2})

    assert [frames.receive(reads), frames.receive(reads)] == [{"a": 1}, {"b": 2}]


@pytest.mark.parametrize("sent", [b"", b"\0\0", b"\0\0\0\x09{", b"\0\0\0\x09"])
def test_the_end_of_a_pipe_is_none_wherever_it_comes(pipe, sent):
    reads, writes = pipe
    os.write(writes, sent)
    os.close(writes)

    assert frames.receive(reads) is None


def test_a_half_message_is_not_waited_for_longer_than_the_caller_wants(pipe):
    reads, writes = pipe
    os.write(writes, b"\0\0\1\0{")
    calls = []

    def wait():
        calls.append(None)
        if len(calls) > 2:
            raise TimeoutError

    with pytest.raises(TimeoutError):
        frames.receive(reads, wait)


def test_two_maps_of_a_file_are_one_memory(file):
    ours, theirs = frames.Shared(file), frames.Shared(os.dup(file))

    ours.map(100)[:3] = b"abc"

    assert theirs.map(50)[:3] == b"abc"
    os.close(theirs.descriptor)


def test_a_map_that_grows_keeps_what_was_there(file):
    shared = frames.Shared(file)
    shared.map(10)[:3] = b"abc"

    grown = shared.map(100_000)

    assert len(grown) >= 100_000
    assert grown[:3] == b"abc"
    assert shared.map(10) is grown
