"""Messages in the pipes between a worker and the process that started it.

A message is its length, four bytes with the highest first, and JSON in UTF-8. Arrays
are not in it: they lie in two files that both processes map into memory.
"""

import json
import mmap
import os
import struct

_LENGTH = struct.Struct(">I")
# At the beginning of the file that the worker writes: which stage it is in, and which
# item of it; what is left of it when the worker dies.
PLACE = struct.Struct("<ii")
STAGES = ("import_cmds", "download_cmds", "model_init", "pre_proc", "embed_fwd")
HEADER_BYTES = 64
# No message of ours is longer; a longer one comes from other code.
MOST_BYTES = 1 << 26


def send(descriptor, message):
    """Write a message; it is whole or the other end is gone."""
    content = json.dumps(message).encode()
    rest = memoryview(_LENGTH.pack(len(content)) + content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def receive(descriptor, wait=None):
    """Read a message; None where the other end is gone, ValueError for other bytes.

    `wait` is called before each part of it is read.
    """
    head = _exactly(descriptor, _LENGTH.size, wait)
    if head is None:
        return None
    size = _LENGTH.unpack(head)[0]
    if size > MOST_BYTES:
        raise ValueError("a message of %d bytes" % size)
    content = _exactly(descriptor, size, wait)
    try:
        return None if content is None else json.loads(content.decode())
    except RecursionError:
        raise ValueError("a message that is nested too deep")


def _exactly(descriptor, count, wait):
    parts = []
    while count:
        if wait is not None:
            wait()
        part = os.read(descriptor, min(count, 1 << 20))
        if not part:
            return None
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


class Shared:
    """A file without a name, by its descriptor, that two processes map."""

    def __init__(self, descriptor):
        self.descriptor = descriptor
        self._map = None

    def map(self, size):
        """Map at least so many of its first bytes as writable memory."""
        if self._map is None or len(self._map) < size:
            if os.fstat(self.descriptor).st_size < size:
                os.ftruncate(self.descriptor, size)
            # No more of it than that: the other process may say that it is endless. An
            # older map is closed when the last array that lies in it is gone.
            self._map = mmap.mmap(self.descriptor, size)
        return self._map

    def close(self):
        """Let go of the file, and of the memory when no array lies in it any more."""
        self._map = None
        os.close(self.descriptor)
