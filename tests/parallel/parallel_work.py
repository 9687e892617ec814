"""Work for other processes, which import this module by its name."""

import os
import signal
import sys
import time
from pathlib import Path


def make_squares():
    return squares


def squares(numbers):
    return [number * number for number in numbers]


def make_noted(folder):
    """Squares; each process that makes the work leaves a file of its number."""
    (Path(folder) / f"made-{os.getpid()}").touch()
    return squares


def make_slow(seconds, folder=None):
    """Squares after a while; who does them leaves a file of its process's number."""

    def work(numbers):
        if folder is not None:
            (Path(folder) / f"working-{os.getpid()}").touch()
        time.sleep(seconds)
        return squares(numbers)

    return work


def make_deadly(deadly, times, folder):
    """Squares; whoever comes to the deadly number is killed, so many times."""

    def work(numbers):
        for number in numbers:
            graves = len(list(Path(folder).glob(f"grave-{deadly}-*")))
            if number == deadly and graves < times:
                (Path(folder) / f"grave-{deadly}-{graves}").touch()
                os.kill(os.getpid(), signal.SIGKILL)
        return squares(numbers)

    return work


def make_dead_on_arrival():
    os.kill(os.getpid(), signal.SIGKILL)


class MissingWeightsError(RuntimeError):
    pass


def make_without_weights():
    raise MissingWeightsError("there are no weights in /models; fetch them")


class OddError(Exception):
    """Pickles, and does not come back."""

    def __init__(self, *, place):
        super().__init__(f"something odd at {place}")


def make_odd():
    return odd


def odd(numbers):
    raise OddError(place="the end")


def make_too_few():
    return too_few


def too_few(numbers):
    return squares(numbers[1:])


def make_surroundings():
    return surroundings


def surroundings(numbers):
    names = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY")
    return [(os.environ.get(names[0]), os.environ.get(names[1])) for _ in numbers]


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


def main():
    """For a test of Ctrl-C: two processes, busy for long."""
    from functools import partial

    from bob.learn.pytorch.parallel.processes import in_processes

    partitions = [[n] for n in range(100)]
    work = partial(make_slow, 60, sys.argv[1])
    for _ in in_processes(work, partitions, jobs=2, give_up=give_up):
        pass


if __name__ == "__main__":
    main()
