"""What a process that runs a template may not do, as far as the system enforces it."""

import ctypes
import os
import sys

# Of Linux's unshare.
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
_STATUS = "/proc/self/status"
_NO_NETWORK = (
    "a template has no network while it runs; what it needs belongs into "
    "requirements, weights or download_cmds"
)


def confine(network, memory_mb):
    """Cut this process off, as far as the system lets it; return what was done.

    Parameters
    ----------
    network
        Whether it may reach other machines; it then only has no right to look into
        other processes of its user, which may have secrets in their environment.
    memory_mb
        How much private memory it may take.
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
