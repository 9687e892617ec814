"""Confine what a template starts, and end it once nobody waits for it any more.

The process that is started forks: the child runs the template, and the parent, which
has nothing of it in memory, waits for the child to end or for the other end of a pipe
to close. Whatever the template left behind ends then: on Linux also processes in
sessions of their own, and also while its code holds Python's lock. The child cuts
itself off from the network and limits its memory, as far as the system lets it.
"""

import contextlib
import ctypes
import os
import select
import shutil
import signal
import sys
import time

# Constants of Linux's prctl.
SET_PDEATHSIG, SET_CHILD_SUBREAPER = 1, 36
# Milliseconds between two looks at who started this process: another process of theirs
# may hold the pipe open.
LOOK = 1000
# Seconds that processes which cannot be found are waited for.
PATIENCE = 1.0


def go_on_in_child(lifeline, others, folder):
    """Return in a child, with its guard; this process stays, and ends as that does.

    When the other end of the pipe `lifeline` closes, everything ends, and the folder is
    removed. The other descriptors are the child's alone.
    """
    starter, guard = os.getppid(), os.getpid()
    # Whoever started this may have blocked them.
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    _prctl(SET_CHILD_SUBREAPER, 1)
    child = os.fork()
    if child:
        # By this signal the parent asks where the template is; the child prints it.
        signal.signal(signal.SIGUSR1, lambda *_: os.kill(child, signal.SIGUSR1))
        for descriptor in (0, 1, 2, *others):
            with contextlib.suppress(OSError):
                os.close(descriptor)
        _leave(_outcome(child, lifeline, woken, starter), child, folder)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for descriptor in (woken, wake, lifeline):
        os.close(descriptor)
    os.setpgid(0, 0)
    end_with(guard)
    return guard


def end_with(guard):
    """Let this process end when its guard does, though code of the template kills it.

    Linux forgets that when a process moves into a user namespace.
    """
    _prctl(SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != guard:
        os._exit(1)


def _prctl(what, value):
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(what, value, 0, 0, 0)


def _outcome(child, lifeline, woken, starter):
    """Return the status of the child; None where nobody waits for it any more."""
    waiting = select.poll()
    waiting.register(lifeline, select.POLLIN)
    waiting.register(woken, select.POLLIN)
    while True:
        ready = [descriptor for descriptor, _ in waiting.poll(LOOK)]
        if woken in ready:
            os.read(woken, 1 << 10)
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return status
        if (lifeline in ready and not os.read(lifeline, 1)) or os.getppid() != starter:
            return None


def _leave(status, child, folder):
    """End what is left, and then this process, as the child ended."""
    if status is None:
        _kill(child)
    # Its group, which has the number until the last of it is gone.
    with contextlib.suppress(OSError):
        os.killpg(child, signal.SIGKILL)
    end = time.monotonic() + PATIENCE
    while True:
        for found in _children():
            _kill(found)
            end = time.monotonic() + PATIENCE
        try:
            if not os.waitpid(-1, os.WNOHANG)[0]:
                if time.monotonic() > end:
                    break
                time.sleep(0.001)
        except ChildProcessError:
            break
    _remove(folder)
    _end_like(status or 0)


def _remove(folder):
    """Remove a folder, also if folders in it are read-only."""
    for place, names, _ in os.walk(folder):
        for path in (os.path.join(place, name) for name in names):
            with contextlib.suppress(OSError):
                if not os.path.islink(path):
                    os.chmod(path, 0o700)
    shutil.rmtree(folder, ignore_errors=True)


def _kill(process):
    with contextlib.suppress(OSError):
        os.kill(process, signal.SIGKILL)


def _children():
    """Return the processes whose parent is this one; only Linux knows."""
    try:
        with open("/proc/self/task/%d/children" % os.getpid()) as file:
            return [int(number) for number in file.read().split()]
    except OSError:
        return []


def _end_like(status):
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        with contextlib.suppress(ImportError, ValueError, OSError):
            import resource

            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with contextlib.suppress(ValueError, OSError):  # SIGKILL has no other
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.WEXITSTATUS(status))


# Constants of Linux's unshare.
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
_STATUS = "/proc/self/status"
_NO_NETWORK = (
    "a template has no network while it runs; what it needs belongs into "
    "requirements, weights or download_cmds"
)


def confine(network, memory_mb):
    """Cut this process off, as far as the system lets it; return what was done.

    With a network, it only has no right to look into other processes of its user, which
    may have secrets in their environment. Its private memory is limited.
    """
    done = []
    if network:
        _own_namespaces(CLONE_NEWUSER)
    else:
        if _own_namespaces(CLONE_NEWUSER | CLONE_NEWNET):
            done.append("network namespace")
        if hasattr(sys, "addaudithook"):
            sys.addaudithook(_refuse_network)
            done.append("audit hook")
    _limit_memory(memory_mb)
    return done


def peak_mb():
    """Most memory that this process has had, in MB."""
    try:
        # Elsewhere, the most of whatever started it counts too.
        with open(_STATUS) as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) / 1024
    except OSError:
        pass
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # In bytes there, in kB elsewhere.
    return most / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def _limit_memory(megabytes):
    """Let allocations above a limit fail; Linux counts what is private and writable."""
    try:
        import resource

        most = int(megabytes * (1 << 20))
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    except (ImportError, ValueError, OSError):
        pass


def _own_namespaces(flags):
    """Move into namespaces of its own; a network has nothing but a dead loopback."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        user, group = os.getuid(), os.getgid()
        if libc.unshare(flags) != 0:
            return False
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", "%d %d 1" % (user, user)),
            ("gid_map", "%d %d 1" % (group, group)),
        ):
            with open("/proc/self/" + name, "w") as file:
                file.write(text)
    except (AttributeError, OSError):
        return False
    return True


def _refuse_network(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        refused = isinstance(arguments[1], tuple)
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        refused = arguments[0] not in (None, "localhost")
    else:
        refused = False
    if refused:
        raise PermissionError(_NO_NETWORK)
