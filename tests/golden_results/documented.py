"""Commands, options, names of modules and entry points that the manual told of.

`python tests/golden_results/documented.py` has written documented.json and
documented_imports.json at commit 8acd6b9. They are added to by hand, if at all.
"""

import argparse
import ast
import contextlib
import importlib
import json
import re
import runpy
from pathlib import Path
from unittest import mock

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PAGES = [
    *sorted((ROOT / "doc").rglob("*.rst")),
    ROOT / "README.md",
]
_PACKAGE = "bob.learn.pytorch"


def _commands(text):
    joined = re.sub(r"\\\n\s*", " ", text)
    known = r"(?:\w+=\S+ )*(?:verify\.py|bob pytorch|python -m bob\.learn\.pytorch)\b.*"
    found = re.findall(rf"^(?: +\$ |    )({known})$", joined, flags=re.MULTILINE)
    quoted = re.findall(r"``((?:verify\.py|bob\s+pytorch)\s[^`]+)``", joined)
    return sorted({" ".join(line.split()) for line in [*found, *quoted]})


def _click(command, path=()):
    """Words of a command -> all its options, hidden ones too."""
    options = [
        name for item in command.params for name in (*item.opts, *item.secondary_opts)
        if name.startswith("-")
    ]  # fmt: skip
    yield " ".join(path), sorted(options)
    for name in getattr(command, "list_commands", lambda _: ())(None):
        yield from _click(command.get_command(None, name), (*path, name))


def _argparse(main):
    """Options of verify.py: its parser is looked at as it begins to parse."""
    seen = []

    def stop(self, *_, **__):
        seen.append(self)
        raise SystemExit

    parser = argparse.ArgumentParser
    with (
        mock.patch.object(parser, "parse_known_intermixed_args", stop),
        contextlib.suppress(SystemExit),
    ):
        main([])
    return sorted(flag for action in seen[0]._actions for flag in action.option_strings)


def _names(tree):
    """(module, name) of imports; the name may be none."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for item in node.names:
                yield node.module, item.name
        elif isinstance(node, ast.Import):
            for item in node.names:
                yield item.name, None


def _imports(path):
    text = path.read_text()
    if path.suffix == ".py":
        yield from _names(ast.parse(text))
        return
    lines = re.findall(
        r"^[ >]*((?:from|import) bob[\w. ]+(?:import [\w, ]+)?)$",
        text,
        flags=re.MULTILINE,
    )
    for line in lines:
        yield from _names(ast.parse(line.strip()))
    for module in re.findall(r"automodule:: (\S+)", text):
        yield module, None
    dotted = re.findall(r"auto(?:function|class|exception|data):: (\S+)", text)
    dotted += re.findall(
        rf":(?:class|func|exc|data|meth|mod|obj):`~?({_PACKAGE}[\w.]+)`", text
    )
    dotted += re.findall(rf"``({_PACKAGE}\.[\w.]+)", text)
    for name in dotted:
        yield tuple(name.rsplit(".", 1))


def is_there(module, name):
    """Whether a name, if any, can be imported from a module."""
    try:
        loaded = importlib.import_module(module)
        if name and not hasattr(loaded, name):
            importlib.import_module(f"{module}.{name}")
    except ImportError:
        return False
    return True


def main():
    """Write both files."""
    from bob.learn.pytorch.script.pytorch import pytorch
    from bob.learn.pytorch.script.verify import main as verify

    setup = runpy.run_path(str(ROOT / "setup.py"))
    from bob.learn.pytorch.verification.configuration import known_names
    from bob.learn.pytorch.verification.options import (
        GRID_OPTIONS,
        OPTIONS,
        UNUSED_PLACES,
    )

    kinds = {item.name: item.kind for item in (*OPTIONS, *GRID_OPTIONS, *UNUSED_PLACES)}
    documented = {
        "lines": {
            page.relative_to(ROOT).as_posix(): found
            for page in PAGES
            if (found := _commands(page.read_text()))
        },
        "bob pytorch": dict(_click(pytorch)),
        "verify.py": _argparse(verify),
        "configuration": {
            name: kinds.get(name, "flag") for name in sorted(known_names())
        },
        "entry points": setup["ENTRY_POINTS"],
    }
    _write("documented.json", documented)
    found = {}
    for path in [*PAGES, *sorted((ROOT / "doc/examples").glob("*.py"))]:
        for module, name in _imports(path):
            is_ours = f"{module}.{name}.".startswith(f"{_PACKAGE}.")
            if is_ours and is_there(module, name):
                found.setdefault(module, set()).add(name)
    _write(
        "documented_imports.json",
        {
            module: sorted(filter(None, names))
            for module, names in sorted(found.items())
        },
    )


def _write(name, content):
    text = json.dumps(content, indent=1, ensure_ascii=False)
    (HERE / name).write_text(text + "\n")


if __name__ == "__main__":
    main()
