"""The process that runs a template, seen from the process that started it."""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import subprocess
import tempfile
import textwrap
import threading
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bob.learn.pytorch import settings
from bob.learn.pytorch.templates.format.errors import (
    StageError,
    TemplateError,
    TookTooLong,
    WorkerDied,
)
from bob.learn.pytorch.templates.guest import bob_template_frames as frames
from bob.learn.pytorch.templates.install.commands import Tail, homes, how_it_ended
from bob.learn.pytorch.templates.run.process import (
    LONGEST,
    Descriptors,
    Stopwatch,
    checked,
    end_leftovers,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from bob.learn.pytorch.templates.format.template import Template
    from bob.learn.pytorch.templates.install.environment import Environment

GUEST = Path(__file__).parents[1] / "guest"
# No variables, no packages until the process is confined, nothing compiled into GUEST.
PYTHON = ("-I", "-S", "-B", "-u")
# Seconds between two looks at a worker that says nothing, and until what it printed
# before an answer has come.
LOOK = 0.5
LAST_LINES = 0.02
# Seconds that a process is waited for when it has no reason to go on.
PATIENCE = 10.0
# Lines of what a model printed that are shown when it fails, and seconds that the last
# of it is waited for.
SHOWN_LINES = 20
LAST_WORDS = 0.5
# Lines in a stack of Python's faulthandler that are not about the template.
_OURS = re.compile(
    r'File "(<frozen runpy>|.*/templates/guest/[^"]*)"|^Extension modules: '
)
# Seconds of computing that a second of sound may take above the limit of the template.
SECONDS_A_SECOND = 5.0


class Worker:
    """A process of its own for a template, in an environment of its own.

    It has no network, unless asked for, nor what of the environment of this process
    could be a secret; its working directory is a new one that disappears with it. It
    ends, with all that it started, when it is closed or this process ends in whatever
    way; several threads may use it.

    Parameters
    ----------
    template
        The template to run.
    environment
        Where.
    weights
        Path of each file of weights, by name.
    device
        Device of torch.
    network
        Whether it may reach other machines.
    """

    def __init__(
        self,
        template: Template,
        environment: Environment,
        weights: Mapping[str, str],
        *,
        device: str = "cpu",
        network: bool = False,
    ) -> None:
        self._template = template
        self._setup: dict[str, Any] = {
            "template": dict(template.content),
            "weights": dict(weights),
            "device": device,
            "memory_mb": template.limits.memory_mb,
        }
        self.is_alive = False
        self._lock = threading.RLock()
        self._owner = os.getpid()
        try:
            self._folder = Path(tempfile.mkdtemp(prefix="bob-template-"))
        except OSError as error:
            raise TemplateError(
                f"template {template.name}: no folder can be made for it ({error}); "
                f"TMPDIR names another place"
            ) from error
        try:
            for entry in sorted(environment.work.glob("*")):
                (self._folder / entry.name).symlink_to(entry)
            self._start(environment, network=network)
        except OSError as error:
            self._give_up()
            raise TemplateError(
                f"template {template.name}: {environment.python} cannot be started "
                f"({error}); `bob pytorch template remove {environment.key}` lets it "
                f"be installed anew"
            ) from error
        except BaseException:
            self._give_up()
            raise

    def _give_up(self) -> None:
        self.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self, environment: Environment, *, network: bool) -> None:
        with Descriptors() as open_:
            theirs_in, self._requests = open_.pipe()
            self._answers, theirs_out = open_.pipe()
            lifeline, self._lifeline = open_.pipe()
            given, taken = open_.memory(), open_.memory()
            handed = (theirs_in, theirs_out, lifeline, given, taken)
            limits = (int(network), self._template.limits.memory_mb)
            self._given, self._taken = frames.Shared(given), frames.Shared(taken)
            place = self._taken.map(frames.HEADER_BYTES)
            frames.PLACE.pack_into(place, 0, 0, -1)
            self._waiting = select.poll()
            self._waiting.register(self._answers, select.POLLIN)
            self._process = subprocess.Popen(  # noqa: S603 - no shell, our own program
                [environment.python, *PYTHON, GUEST, *map(str, handed + limits)],
                bufsize=0,
                cwd=self._folder,
                env=_variables(environment, self._folder, network=network),
                pass_fds=handed,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
            self._said = [Tail(self._process.stdout), Tail(self._process.stderr)]
            open_.keep(self._requests, self._answers, self._lifeline, given, taken)
            self.is_alive = True

    def download(self) -> None:
        """Run the stage that needs the network."""
        # A process that waits for a network computes nothing.
        seconds = self._template.limits.install_seconds
        self._ask({"do": "download"}, seconds, longest=1)

    def load(self) -> dict[str, Any]:
        """Import, and make the model; return the facts about it."""
        return self._ask({"do": "load"}, self._template.limits.load_seconds)

    def embed(self, batch: NDArray[np.float32], *, seconds: float) -> NDArray[Any]:
        """Run `pre_proc` and `embed_fwd` on a batch in the template's layout.

        The raw output comes back. A batch of more seconds may take longer.
        """
        limit = self._template.limits.seconds + SECONDS_A_SECOND * seconds
        self._check_usable()
        with self._lock:
            self._check_usable()
            memory = self._given.map(max(1, batch.nbytes))
            place = np.frombuffer(memory, np.float32, batch.size)
            place.reshape(batch.shape)[...] = batch
            answer = self._ask({"do": "embed", "shape": list(batch.shape)}, limit)
            count = int(np.prod(answer["shape"], dtype=np.int64))
            dtype = np.dtype(answer["dtype"])
            memory = self._taken.map(frames.HEADER_BYTES + count * dtype.itemsize)
            made = np.frombuffer(memory, dtype, count, frames.HEADER_BYTES)
            self.cpu_seconds = float(answer["cpu_seconds"])
            return made.reshape(answer["shape"]).copy()

    def peak_mb(self) -> float:
        """Return how much memory the process took at most, in MB."""
        return float(self._ask({"do": "measure"}, LOOK * 20)["peak_mb"])

    def close(self) -> None:
        """End the process and whatever it started."""
        if not self.is_alive:
            return
        self.is_alive = False
        # The first ends it, if it is the last of its kind.
        for descriptor in (self._lifeline, self._requests, self._answers):
            os.close(descriptor)
        for shared in (self._given, self._taken):
            shared.close()
        if os.getpid() != self._owner:  # forked off the one whose worker it is
            self._process.returncode = 0
            return
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        if self._process.returncode:
            end_leftovers(self._folder)
        for tail in self._said:
            tail.join(LAST_WORDS)
        shutil.rmtree(self._folder, ignore_errors=True)

    def __del__(self) -> None:
        if getattr(self, "is_alive", False):
            self.close()

    def _check_usable(self) -> None:
        name = self._template.name
        if os.getpid() != self._owner:
            raise WorkerDied(
                f"template {name}: the worker belongs to the process that this one was "
                f"forked off"
            )
        if not self.is_alive:
            raise WorkerDied(f"template {name}: the worker has ended")

    def _ask(
        self, request: dict[str, Any], seconds: float, *, longest: float = LONGEST
    ) -> dict[str, Any]:
        """Send a request and wait for its answer."""
        self._check_usable()
        with self._lock:
            try:
                watch = Stopwatch(self._process.pid, seconds, longest=longest)
                answer = self._answer(request, watch)
            except KeyboardInterrupt:
                self.close()
                raise
        if answer is None:
            raise self._died()
        if not answer["ok"]:
            time.sleep(LAST_LINES)  # until what was printed has come
            raise StageError.told(
                answer, template=self._template.name, said=self._last_said()
            )
        return answer

    def _answer(
        self, request: dict[str, Any], watch: Stopwatch
    ) -> dict[str, Any] | None:
        self._check_usable()
        request, self._setup = {**self._setup, **request}, {}
        with suppress(BrokenPipeError):
            frames.send(self._requests, request)
        try:
            answer = frames.receive(self._answers, partial(self._wait, watch))
        except TimeoutError:
            raise self._took_too_long(watch) from None
        except ValueError:  # something else wrote into the pipe
            return None
        most = self._template.limits.memory_mb << 20
        return checked(answer, request["do"], most_bytes=most)

    def _wait(self, watch: Stopwatch) -> None:
        """Wait for something to read, or the end of it."""
        while True:
            left = watch.left()
            if left <= 0:
                raise TimeoutError
            has_ended = self._process.poll() is not None
            if self._waiting.poll(0 if has_ended else 1000 * min(left, LOOK)):
                return
            if has_ended:
                raise ValueError("no answer")

    def _took_too_long(self, watch: Stopwatch) -> TookTooLong:
        how = str(watch)
        with suppress(ProcessLookupError):
            # It then prints where it is, by Python's faulthandler.
            os.kill(self._process.pid, signal.SIGUSR1)
        time.sleep(LAST_WORDS)
        place = self._place()
        self.close()
        return TookTooLong(
            f"template {self._template.name}, {place}: {how}{self._shown()}"
        )

    def _died(self) -> WorkerDied:
        try:
            status = self._process.wait(LAST_WORDS)
            how = f"ended in the middle, with {how_it_ended(status)}"
        except subprocess.TimeoutExpired:
            how = "does not answer any more, though it goes on; it was ended"
        place = self._place()
        self.close()
        return WorkerDied(
            f"template {self._template.name}, {place}: the process of the model "
            f"{how}{self._shown()}"
        )

    def _place(self) -> str:
        """Name the line of the template that was run last, as the worker noted it."""
        noted = self._taken.map(frames.HEADER_BYTES)
        stage, item = frames.PLACE.unpack_from(noted)
        if not 0 <= stage < len(frames.STAGES):  # code of the template wrote there
            return "at a place that it does not tell"
        name = frames.STAGES[stage]
        items = self._template.content.get(name) or ()
        if not 0 <= item < len(items):
            return "before its first line"
        return f"{name}[{item}] at `{' '.join(items[item].split())[:80]}`"

    def _shown(self) -> str:
        said = self._last_said()
        return f"\n{said}" if said else ""

    def _last_said(self) -> str:
        """Return the last lines that the model printed, on both streams."""
        parts = []
        names = ("standard output", "standard error")
        for name, tail in zip(names, self._said, strict=True):
            if lines := tail.last_lines(SHOWN_LINES, but=_OURS):
                parts.append(f"  last on {name}:\n{textwrap.indent(lines, '    ')}")
        return "\n".join(parts)


def _variables(
    environment: Environment, temporary: Path, *, network: bool
) -> dict[str, str]:
    """Return the variables that code of a template sees, without any secret."""
    found = settings.plain_environment(network=network)
    hugging_face = (
        {} if network else {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    )
    programs = str(environment.python.parent)
    return {
        "OMP_WAIT_POLICY": "passive",
        **found,
        **homes(environment.home),
        **hugging_face,
        "NUMBA_CACHE_DIR": str(environment.home / ".cache" / "numba"),
        "PATH": os.pathsep.join([programs, found.get("PATH", os.defpath)]),
        "TMPDIR": str(temporary),
        "VIRTUAL_ENV": str(environment.python.parent.parent),
    }
