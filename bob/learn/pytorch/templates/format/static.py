"""Problems in the code of a template, found without running it."""

from __future__ import annotations

import ast
import builtins
import symtable
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from bob.learn.pytorch.templates.format.schema import nearest
from bob.learn.pytorch.templates.guest.bob_template_stages import statements

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bob.learn.pytorch.templates.format.template import Template

# Names that exist before the first stage, and those that the runner adds before one.
_ALWAYS = frozenset(dir(builtins)) | {"weights", "device", "__builtins__"}
_GIVEN = {"pre_proc": {"x"}, "embed_fwd": {"x"}}
# These calls, and imports with a star, may define names that are not found here.
_DYNAMIC = frozenset({"exec", "globals", "eval", "vars", "locals"})
_FETCHING = ("pip", "pip3", "git", "wget", "curl", "python -m pip", "conda", "apt")
_STAGES = ("import_cmds", "download_cmds", "model_init", "pre_proc", "embed_fwd")


class _Code(NamedTuple):
    """A statement of a stage: one or more of its items, and the names in it."""

    place: str
    text: str
    problem: str | None
    is_shell: bool = False
    bound: frozenset[str] = frozenset()
    wanted: frozenset[str] = frozenset()
    is_dynamic: bool = False

    def told(self, message: str) -> str:
        line = " ".join(self.text.split())
        shown = line if len(line) <= 70 else line[:67] + "..."
        return f"{self.place} at `{shown}`: {message}"


def static_problems(template: Template) -> list[str]:
    """Return what cannot work, beyond `schema.problems`: each names stage and item.

    Lines that are no Python, a `model` or `y` that is never assigned, weights that the
    template does not list.
    """
    stages = _codes(template)
    codes = [code for stage in stages.values() for code in stage]
    found = [code.told(code.problem) for code in codes if code.problem is not None]
    found += _unassigned(stages)
    names = [str(weights["name"]) for weights in template.weights]
    found += [
        code.told(f"weights[{used!r}] is not in the list; {nearest(used, names)}")
        for code in codes
        for used in _weights_used(code)
        if used not in names
    ]
    return found


def static_warnings(template: Template) -> list[str]:
    """Return what may not work: undefined names, and weights that nothing uses."""
    stages = _codes(template)
    text = "\n".join(code.text for stage in stages.values() for code in stage)
    return [
        *_undefined(stages),
        *_shell_lines_at_each_start(stages["import_cmds"]),
        *(
            f"weights: nothing uses {weights['name']!r}"
            for weights in template.weights
            if str(weights["name"]) not in text
        ),
        *_strange_contexts(template),
    ]


def _codes(template: Template) -> dict[str, list[_Code]]:
    return {
        stage: list(_stage_codes(stage, template.content.get(stage, ())))
        for stage in _STAGES
    }


def _stage_codes(stage: str, items: Iterable[str]) -> Iterator[_Code]:
    for statement in statements(list(items), shell=stage == "import_cmds"):
        place = f"{stage}[{statement.item}]"
        if statement.is_shell or statement.problem is not None:
            problem = None if statement.is_shell else _syntax(statement.problem)
            shell = statement.is_shell
            yield _Code(place, statement.text, problem, is_shell=shell)
            continue
        try:
            bound, wanted = _names(statement.text)
            dynamic = bool(wanted & _DYNAMIC) or _imports_star(statement.text)
            problem = None
        except SyntaxError as error:  # such as a global that is used before
            bound, wanted, dynamic = frozenset(), frozenset(), True
            problem = _syntax(error)
        yield _Code(
            place,
            statement.text,
            problem,
            bound=bound,
            wanted=wanted,
            is_dynamic=dynamic,
        )


def _syntax(error: SyntaxError | ValueError) -> str:
    if not isinstance(error, SyntaxError):
        return f"no Python: {error}"
    where = f" (line {error.lineno}, column {error.offset})" if error.lineno else ""
    return f"no Python: {error.msg}{where}"


def _names(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return the names that code binds in its module, and those that it looks up."""
    module = symtable.symtable(text, "<template>", "exec")
    bound, wanted = set(), set()
    tables = [module]
    while tables:
        table = tables.pop()
        tables.extend(table.get_children())
        for symbol in table.get_symbols():
            here = table is module or symbol.is_global()
            if here and (symbol.is_assigned() or symbol.is_imported()):
                bound.add(symbol.get_name())
            if here and symbol.is_referenced():
                wanted.add(symbol.get_name())
    return frozenset(bound), frozenset(wanted)


def _imports_star(text: str) -> bool:
    return any(
        isinstance(node, ast.ImportFrom) and node.names[0].name == "*"
        for node in ast.walk(ast.parse(text))
    )


def _unassigned(stages: dict[str, list[_Code]]) -> Iterator[str]:
    """Report the names `model` and `y` where no line assigns them."""
    # Where a line is wrong already, another message about its names would only confuse.
    for name, stage, others in (
        ("model", "model_init", ("import_cmds",)),
        ("y", "embed_fwd", ()),
    ):
        codes = [code for key in (stage, *others) for code in stages[key]]
        if not any(
            name in code.bound or code.is_dynamic or code.problem is not None
            for code in codes
        ):
            yield f"{stage}: no line assigns `{name}`; expected `{name} = ...`"


def _weights_used(code: _Code) -> list[str]:
    """Names in code such as `weights["encoder"]`."""
    if code.is_shell or code.problem is not None:
        return []
    return [
        node.slice.value
        for node in ast.walk(ast.parse(code.text))
        if isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Name)
        and node.value.id == "weights"
        and isinstance(node.slice, ast.Constant)
        and isinstance(node.slice.value, str)
    ]


def _undefined(stages: dict[str, list[_Code]]) -> Iterator[str]:
    known, dynamic = set(_ALWAYS), False
    for stage, codes in stages.items():
        bound = {name for code in codes for name in code.bound}
        dynamic = dynamic or any(code.is_dynamic or code.problem for code in codes)
        defined = known | bound | _GIVEN.get(stage, set())
        for code in codes:
            missing = sorted(code.wanted - defined)
            if missing and not dynamic:
                yield code.told(f"nothing defines {', '.join(map(repr, missing))}")
        if stage != "download_cmds":  # that runs in a process of its own
            known |= bound


def _shell_lines_at_each_start(codes: list[_Code]) -> Iterator[str]:
    for code in codes:
        if code.is_shell and code.text.startswith(_FETCHING):
            yield code.told(
                "runs at each start, when there is no network; it belongs into "
                "install_cmds"
            )


def _strange_contexts(template: Template) -> Iterator[str]:
    for key in ("import_context", "model_init_context", "pre_proc_context"):
        given = PurePosixPath(template.content.get(key, "."))
        if given.is_absolute() or ".." in given.parts:
            yield (
                f"{key}: {str(given)!r} lies outside of the folder where install_cmds "
                "ran; no other machine may have it"
            )
