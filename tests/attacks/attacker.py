"""Reads damaged files in a process of its own, which may hang, die or grow.

Run as `attacker.py FOLDER JOBS`, where JOBS is JSON: lists of an attack's name, the
first mutant, and one past the last. Each is announced before it is read, and its
outcome told behind it, so that whoever started this knows what it did not survive.
"""

import contextlib
import faulthandler
import importlib.util
import json
import os
import random
import resource
import shutil
import sys
import time
import traceback
import warnings
from pathlib import Path

MEMORY_BYTES = 1 << 30


def beside(name):
    """Import a module of this folder, which is no package."""
    spec = importlib.util.spec_from_file_location(
        f"attacks_{name}", Path(__file__).with_name(f"{name}.py")
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def attempt(attack, folder, number, damage):
    """Read mutant `number`; return what came of it, and the message."""
    from bob.learn.pytorch.errors import UserError

    chance = random.Random(f"{attack.name} {number}")
    files, kind = attack.case(number)
    shutil.rmtree(folder, ignore_errors=True)
    for place, (name, content) in enumerate(files.items()):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        damaged = content if place else damage(content, chance, kind=kind)
        path.write_bytes(damaged)
    try:
        return attack.read(folder, number)
    # What commands show as an error; everything else would be a traceback.
    except (UserError, *attack.also_named()) as error:
        return "refused", str(error)[:300]
    except BaseException as error:  # noqa: BLE001 - what is not named is a fault
        if isinstance(error, OSError) and error.errno:  # of the system, also shown
            return "refused", str(error)[:300]
        where = traceback.extract_tb(error.__traceback__)[-1]
        told = f"{type(error).__name__} in {where.name}: {error}"
        return "crash", told[:300]


def main(folder, jobs):
    """Read every mutant of some jobs."""
    faulthandler.enable()
    warnings.simplefilter("ignore")  # those of libraries on what they read
    mutation = beside("mutation")
    attacks = {
        attack.name: attack for attack in beside("files").attacks(beside("texts"))
    }
    attacks |= beside("recordings").ATTACKS
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for name, first, last in jobs:
        attack = attacks[name]
        for number in range(getattr(attack, "forms", 1)):
            whole = attempt(attack, folder, number, lambda content, *_, **__: content)
            if whole[0] not in ("same", "not told"):
                tell("end", name, number, "crash", 0.0, f"undamaged: {whole}")
        limit_memory()
        for number in range(first, last):
            tell("try", name, number)
            start = time.process_time()
            outcome, detail = attempt(attack, folder, number, mutation.mutant)
            tell("end", name, number, outcome, time.process_time() - start, detail)


def limit_memory():
    """Allow so much more than is in use now; what needs more fails."""
    if not Path("/proc/self/statm").exists():
        return
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    limit = pages * resource.getpagesize() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))


def tell(*words):
    """Write a line for whoever started this."""
    print(json.dumps(words), file=TOLD, flush=True)


if __name__ == "__main__":
    # Libraries in C print to the standard output, which is for this program.
    TOLD = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
