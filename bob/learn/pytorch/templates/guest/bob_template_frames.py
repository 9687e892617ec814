"""What goes through the pipes between a worker and who started it.

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


def send(descriptor, message):
    """Write a message; it is whole or the other end is gone."""
    content = json.dumps(message).encode()
    rest = memoryview(_LENGTH.pack(len(content)) + content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def receive(descriptor, wait=None):
    """Read a message; None where the other end is gone.

    Parameters
    ----------
    wait
        Called before each part of it is read.
    """
    head = _exactly(descriptor, _LENGTH.size, wait)
    if head is None:
        return None
    content = _exactly(descriptor, _LENGTH.unpack(head)[0], wait)
    return None if content is None else json.loads(content.decode())


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
    """A file without a name that two processes map.

    Parameters
    ----------
    descriptor
        Of the open file.
    """

    def __init__(self, descriptor):
        self.descriptor = descriptor
        self._map = None

    def map(self, size):
        """The first bytes of it as writable memory, so many at least."""
        if self._map is None or len(self._map) < size:
            there = os.fstat(self.descriptor).st_size
            if there < size:
                os.ftruncate(self.descriptor, size)
                there = size
            # An older map is closed when the last array that lies in it is gone.
            self._map = mmap.mmap(self.descriptor, there)
        return self._map

    def close(self):
        """Let go of the file, and of the memory when no array lies in it any more."""
        self._map = None
        os.close(self.descriptor)
