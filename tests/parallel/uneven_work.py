"""Work of which a part waits for the rest; other processes import this module."""

import time
from pathlib import Path


def make_held(slow, others, folder):
    """Numbers as they came; the slow one waits until so many others have begun."""
    folder = Path(folder)

    def work(numbers):
        for number in numbers:
            (folder / f"begun-{number}").touch()
        if slow in numbers:
            _wait_for(folder, others)
        return list(numbers)

    return work


def _wait_for(folder, others):
    end = time.monotonic() + 30
    while len(list(folder.glob("begun-*"))) < others:
        if time.monotonic() > end:
            raise RuntimeError(f"fewer than {others} have begun")
        time.sleep(0.01)
    time.sleep(0.3)  # in which no other may begin
    count = len(list(folder.glob("begun-*")))
    (folder / "seen").write_text(str(count))


def give_up(number, reason):
    return f"{number} {reason}"
