"""The worker: run by the Python of a template's environment, never imported by ours.

    python -I -S -B <this folder> REQUESTS ANSWERS LIFELINE INPUT OUTPUT NETWORK MEMORY

REQUESTS, ANSWERS and LIFELINE are descriptors of pipes, INPUT and OUTPUT of files that
both processes map. When LIFELINE closes, whoever started the worker is gone, and it
ends with all that it started. NETWORK is 1 where it may have one, and MEMORY the MB
that it may take. Only the standard library is imported here; NumPy or torch when the
template asks for them.

Packages of the environment are looked for once the process is confined: their .pth
files are code, like that of the template.
"""

import faulthandler
import os
import signal
import site
import sys
import time

import bob_template_frames as frames
import bob_template_guard as guard
import bob_template_model as model
import bob_template_stages as stages


def main():
    """Answer requests until there are no more."""
    requests, answers, lifeline, given, taken, network, memory = map(int, sys.argv[1:8])
    del sys.argv[1:]
    others = (requests, answers, given, taken)
    parent = guard.go_on_in_child(lifeline, others, os.getcwd())
    for descriptor in others:
        os.set_inheritable(descriptor, False)
    faulthandler.enable(all_threads=False)
    faulthandler.register(signal.SIGUSR1, all_threads=False)
    isolation = guard.confine(bool(network), memory)
    guard.end_with(parent)
    # What lies beside this file is ours and stays as it is; packages are compiled once.
    sys.dont_write_bytecode = False
    site.main()
    worker = None
    while True:
        request = frames.receive(requests)
        if request is None:
            return
        if worker is None:
            shared = frames.Shared(given), frames.Shared(taken)
            worker = _Worker(request, *shared, isolation)
        frames.send(answers, worker.answer(request))


class _Worker:
    """A template, and what it has defined so far; the first request is its setup."""

    def __init__(self, setup, given, taken, isolation):
        self._content = setup["template"]
        self._given = given
        self._taken = taken
        self._memory_mb = setup["memory_mb"]
        self._device = setup["device"]
        self._isolation = isolation
        self._names = model.names(setup["weights"], self._device)
        self._imported = False
        self._folder = os.getcwd()
        self._at = "import_cmds", 0
        self._process = os.getpid()

    def answer(self, request):
        """Answer a request with a message."""
        started, cpu = time.perf_counter(), time.process_time()
        try:
            answer = getattr(self, "do_" + request["do"])(request)
            self._end_copies()
        except stages.StageFailed as failure:
            return self._told(failure)
        except KeyboardInterrupt:  # of the template's own: nobody else can send one
            stage, item = self._at
            code = self._content[stage][item]
            return self._told(
                stages.StageFailed(stage, item, code, "KeyboardInterrupt")
            )
        answer["ok"] = True
        answer["seconds"] = time.perf_counter() - started
        answer["cpu_seconds"] = time.process_time() - cpu
        return answer

    def _end_copies(self):
        """End a child that code of the template forked, and that came so far."""
        if os.getpid() != self._process:
            os._exit(0)

    def _told(self, failure):
        self._end_copies()
        return {
            "ok": False,
            "stage": failure.stage,
            "item": failure.item,
            "code": failure.code,
            "error": failure.error + self._about_memory(failure.error),
            "traceback": failure.trace,
        }

    def _about_memory(self, error):
        for sign in ("MemoryError", "an't allocate memory", "bad_alloc"):
            if sign in error:
                return (
                    " (the template may take %g MB: limits.memory_mb)" % self._memory_mb
                )
        return ""

    def _run(self, stage):
        stages.run_stage(self._content, stage, self._names, self._folder, self._note)

    def _note(self, stage, item):
        self._at = stage, item
        place = self._taken.map(frames.HEADER_BYTES)
        frames.PLACE.pack_into(place, 0, frames.STAGES.index(stage), item)

    def _import(self):
        if not self._imported:
            model.seed()
            self._run("import_cmds")
            self._imported = True

    def do_download(self, request):  # noqa: ARG002
        """Run the stage that fills caches."""
        self._import()
        self._run("download_cmds")
        return {}

    def do_load(self, request):  # noqa: ARG002
        """Make the model, and say how large it is."""
        self._import()
        model.seed()  # also of what was imported just now
        made = model.make(self._content, self._names, self._folder, self._note)
        return {"parameters": model.parameters(made), "isolation": self._isolation}

    def do_embed(self, request):
        """Embed a batch: float32 in the one file, the answer in the other."""
        with stages.blamed("pre_proc", "x"):
            model.seed()
            self._names["x"] = self._input(request["shape"])
        where = (self._names, self._folder, self._note)
        model.preprocess(self._content, *where)
        y = model.embed(self._content, *where)
        self._end_copies()
        with stages.blamed("embed_fwd", "y"):
            return self._output(model.chosen(y, self._content))

    def do_measure(self, request):  # noqa: ARG002
        """Return how much memory it took at most, in MB."""
        return {"peak_mb": guard.peak_mb()}

    def _input(self, shape):
        count = 1
        for length in shape:
            count *= length
        memory = self._given.map(4 * count)
        if self._content.get("in_type", "torch") == "numpy":
            import numpy as np

            x = np.frombuffer(memory, np.float32, count).reshape(shape)
            return x.copy()
        import torch

        x = torch.frombuffer(memory, dtype=torch.float32, count=count).reshape(shape)
        return x.clone() if self._device == "cpu" else x.to(self._device)

    def _output(self, y):
        y, dtype = model.plain(y)
        shape = [int(length) for length in y.shape]
        count = 1
        for length in shape:
            count *= length
        size = model.DTYPES[dtype] * count
        # Axes that are only repeated take no memory before they are copied.
        if size > self._memory_mb * (1 << 20):
            reason = "y is %s, more than the %g MB that the template may take (limits)"
            reason %= (model.described(y), self._memory_mb)
            raise stages.StageFailed("embed_fwd", None, "", reason)
        memory = self._taken.map(frames.HEADER_BYTES + size)
        if count and hasattr(y, "detach"):
            import torch

            place = torch.frombuffer(
                memory, dtype=y.dtype, count=count, offset=frames.HEADER_BYTES
            )
            place.reshape(shape).copy_(y)
        elif count:
            import numpy as np

            place = np.frombuffer(memory, dtype, count, frames.HEADER_BYTES)
            place.reshape(shape)[...] = y
        return {"shape": shape, "dtype": dtype}


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    main()
