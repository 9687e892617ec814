"""Ctrl-C, as Python has it."""

import signal
import threading

#: The exit status of a process that Ctrl-C ended.
INTERRUPTED = 130


def take_back() -> None:
    """Let Ctrl-C raise KeyboardInterrupt, and a termination end the process.

    dask_jobqueue, which Bob imports, makes both end it with the status 0, as if all
    were done.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
