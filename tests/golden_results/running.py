"""Runs the cases, reads what they leave, and says how it differs from what is kept.

`python tests/golden_results/running.py` keeps what the code of today gives, of all
cases or of those named: read the difference before you commit it.
"""

import contextlib
import hashlib
import importlib.util
import io
import json
import math
import os
import re
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

EXPECTED = Path(__file__).with_name("expected")

_HASH = re.compile(r"(?<![\w.])[0-9a-f]{16}(?:[0-9a-f]{16}){0,3}(?!\w)")
_DECIMAL = re.compile(r"[-+]?\d*\.\d+(?:[eE][-+]?\d+)?|[-+]?\d+[eE][-+]?\d+|\bnan\b")
# Files that have results, and what has names of places or times beside them.
_TEXTS = {".txt", ".csv", ".tex", ".tsv", ""}
_ONLY_NAMED = re.compile(r"\.info$|\.png$|\.html$|/(?:dev|eval)/|report\.txt$|it\.txt$")
#: Lines of a file, beyond which only their ends, the scores, are kept as they are.
_MANY = 30
#: Words in a row that make a text prose, which may be said in another way.
_PROSE = 4


def cases():
    """The module beside this one, which the import mode importlib does not find."""
    path = Path(__file__).with_name("cases.py")
    specification = importlib.util.spec_from_file_location("golden_cases", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def run(command):
    """Run a command in the working folder; returns what it prints.

    With one thread: the last bits of products of matrices depend on their number.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        return _run(command)


def _run(command):
    program, *words = command
    if program == "bob":
        from click.testing import CliRunner

        from bob.learn.pytorch.script.pytorch import pytorch

        result = CliRunner().invoke(pytorch, words)
        if result.exit_code != 0:
            raise AssertionError(result.output) from result.exception
        return result.output
    from bob.learn.pytorch.script.verify import main

    configuration, *options = words
    Path("case.py").write_text(configuration)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        status = main(["experiment.py", "case.py", *options])
    if status != 0:
        raise AssertionError(f"verify.py ended with {status}")
    return said.getvalue()


def results(commands):
    """What commands print, and the files below `out` that they leave."""
    shutil.rmtree("out", ignore_errors=True)
    shutil.rmtree("temp/drawn/protocols", ignore_errors=True)
    Path("out").mkdir()
    printed = [_printed(run(command)) for command in commands]
    files = {}
    for path in sorted(Path("out").rglob("*")):
        name = path.relative_to("out").as_posix()
        if not path.is_dir() and path.suffix != ".lock":
            files[name] = None if _ONLY_NAMED.search(f"/{name}") else _content(path)
    return {"printed": printed, "files": files}


def _printed(text):
    try:
        return _plain(json.loads(text))
    except ValueError:
        return [_HASH.sub("<hash>", line.rstrip()) for line in text.splitlines()]


def _content(path):
    import numpy as np

    if path.suffix == ".npz":
        with np.load(path) as file:
            return {name: _plain(file[name].tolist()) for name in file.files}
    if path.suffix == ".npy":
        return _plain(np.load(path).tolist())
    if path.suffix == ".json":
        return _plain(json.loads(path.read_text()))
    return _lines(path.read_text()) if path.suffix in _TEXTS else None


def _lines(text):
    lines = [_HASH.sub("<hash>", line.rstrip()) for line in text.splitlines()]
    parts = [re.split(r"([ ,])", line) for line in lines]
    if len(lines) <= _MANY or any(len(part) < 3 for part in parts):
        return lines
    names = "\n".join("".join(part[:-1]) for part in parts)
    digest = hashlib.blake2b(names.encode(), digest_size=8).hexdigest()
    return {"lines but for their ends": digest, "ends": [part[-1] for part in parts]}


def _plain(value):
    """Without hashes, which are those of the numbers, of versions and of places."""
    if isinstance(value, dict):
        return {
            key: "<version>" if key == "bob.learn.pytorch" else _plain(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    return _HASH.sub("<hash>", value) if isinstance(value, str) else value


def differences(expected, found, *, exact, place=""):
    """Say where what is found differs from what is expected."""
    if isinstance(expected, dict) and isinstance(found, dict):
        if place.endswith("/plda.npz") and not exact:
            return  # signs of directions are free; the scores are compared
        if expected.keys() != found.keys():
            yield f"{place}: {sorted(expected.keys() ^ found.keys())} on one side only"
            return
        for key, item in expected.items():
            yield from differences(
                item, found[key], exact=exact, place=f"{place}/{key}"
            )
    elif isinstance(expected, list) and isinstance(found, list):
        yield from _of_lists(expected, found, exact=exact, place=place)
    elif not _is_same(expected, found, exact=exact):
        yield f"{place}: expected {expected!r}, found {found!r}"


def _of_lists(expected, found, *, exact, place):
    if place.startswith("/printed/") and all(
        isinstance(item, str) for item in (*expected, *found)
    ):
        prose = "\n".join(expected), "\n".join(found)
        if not _is_same_text(*prose, exact=exact):
            yield f"{place}: expected\n{prose[0]}\nfound\n{prose[1]}"
        return
    if len(expected) != len(found):
        yield f"{place}: expected {len(expected)} items, found {len(found)}"
        return
    for number, (one, other) in enumerate(zip(expected, found, strict=True)):
        yield from differences(one, other, exact=exact, place=f"{place}/{number}")


def _is_same(expected, found, *, exact):
    if isinstance(expected, float) and isinstance(found, float):
        return _close(expected, found, exact=exact)
    if isinstance(expected, str) and isinstance(found, str):
        return _is_same_text(expected, found, exact=exact)
    return type(expected) is type(found) and expected == found


def _is_same_text(expected, found, *, exact):
    """The same text; of prose, the same numbers, for its words may be others."""
    if expected == found:
        return True
    pairs = [_DECIMAL.findall(text) for text in (expected, found)]
    prose = max(len(re.findall(r"[a-z]{2,} [a-z]", text)) for text in (expected, found))
    words = [_DECIMAL.sub("#", text).split() for text in (expected, found)]
    if prose < _PROSE and words[0] != words[1]:
        return False
    return len(pairs[0]) == len(pairs[1]) and all(
        one == other or (not exact and _close_texts(one, other))
        for one, other in zip(*pairs, strict=True)
    )


def _close_texts(one, other):
    """Within one unit of the last digit that is printed."""
    if "nan" in (one, other):
        return False
    digits = len(re.split("[eE]", one)[0].partition(".")[2])
    exponent = re.split("[eE]", one)[1:]
    unit = 10.0 ** (int(exponent[0] if exponent else 0) - digits)
    return abs(float(one) - float(other)) <= 1.01 * unit


def _close(one, other, *, exact):
    return one == other or (
        not exact and math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
    )


def file_of(case):
    """Where the results of a case are kept."""
    return EXPECTED / f"{re.sub('[^a-z0-9]+', '-', case.lower()).strip('-')}.json"


def keep(chosen):
    """Run cases, and write what they give."""
    found = cases()
    EXPECTED.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        os.environ["HOME"] = folder
        found.lay_out(Path(folder), run)
        for case in chosen or found.CASES:
            text = json.dumps(results(found.CASES[case]), ensure_ascii=False, indent=0)
            file_of(case).write_text(text + "\n")
            sys.stdout.write(f"{case}\n")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    keep(sys.argv[1:])
