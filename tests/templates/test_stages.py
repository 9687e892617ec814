"""The code that a template's own Python runs, here in the Python of the tests."""

import ast
import os
import sys
import warnings
from pathlib import Path

import pytest

from bob.learn.pytorch.templates import guest
from bob.learn.pytorch.templates.guest import bob_template_stages as stages

GUEST = Path(guest.__file__).parent


def run(lines, namespace=None, stage="model_init", **content):
    namespace = {} if namespace is None else namespace
    stages.run_stage({stage: lines, **content}, stage, namespace)
    return namespace


def failure(lines, stage="model_init", **content):
    with pytest.raises(stages.StageFailed) as raised:
        run(lines, stage=stage, **content)
    return raised.value


@pytest.mark.parametrize("file", sorted(GUEST.glob("*.py")), ids=lambda file: file.name)
def test_an_environment_may_have_python_3_8(file):
    ast.parse(file.read_text(encoding="utf-8"), feature_version=(3, 8))


@pytest.mark.parametrize("file", sorted(GUEST.glob("*.py")), ids=lambda file: file.name)
def test_an_environment_needs_nothing_of_ours(file):
    """Only the standard library, and each other, at the top of a module."""
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        for name in imported(node):
            assert name in sys.stdlib_module_names or name.startswith("bob_template_")


def imported(node):
    if isinstance(node, ast.Import):
        return [alias.name.split(".")[0] for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [node.module.split(".")[0]]
    return []


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        pytest.param(["a = 1", "b = 2"], [(0, "a = 1"), (1, "b = 2")], id="single"),
        pytest.param(["a = 1\nb = 2"], [(0, "a = 1\nb = 2")], id="several lines"),
        pytest.param(
            ["for i in (1, 2):", "    a = i", "    b = a", "c = b"],
            [(0, "for i in (1, 2):\n    a = i\n    b = a"), (3, "c = b")],
            id="a block in several items",
        ),
        pytest.param(
            ["if a:", "  b = 1", "else:", "  b = 2", "c = b"],
            [(0, "if a:\n  b = 1\nelse:\n  b = 2"), (4, "c = b")],
            id="a block that goes on",
        ),
        pytest.param(
            ["f(1,", "  2)", "a = 3"], [(0, "f(1,\n  2)"), (2, "a = 3")], id="brackets"
        ),
        pytest.param(
            ["def f(x):", "    return (x,", "        1)", "y = f(1)"],
            [(0, "def f(x):\n    return (x,\n        1)"), (3, "y = f(1)")],
            id="brackets in a block",
        ),
        pytest.param([""], [(0, "")], id="nothing"),
        pytest.param(
            ["  a = 1", "\tb = 2"],
            [(0, "a = 1"), (1, "b = 2")],
            id="indented, as before",
        ),
        pytest.param(
            ["try:", "  a = 1", "finally:", "  b = 2", "class C:", "  pass", "c = 1"],
            [
                (0, "try:\n  a = 1\nfinally:\n  b = 2"),
                (4, "class C:\n  pass"),
                (6, "c = 1"),
            ],
            id="blocks after each other",
        ),
    ],
)
def test_items_are_joined_where_they_are_no_statement_alone(items, expected):
    found = stages.statements(items)

    assert [(one.item, one.text) for one in found] == expected
    assert not any(one.problem or one.is_shell for one in found)


@pytest.mark.parametrize(
    ("line", "shell"),
    [
        ("!pip list", "pip list"),
        ("$ make", "make"),
        ("pip install a", "pip install a"),
        ("cd somewhere", "cd somewhere"),
        ("git clone https://example.org/a", "git clone https://example.org/a"),
    ],
)
def test_lines_for_the_shell_are_marked_or_unambiguous(line, shell):
    (found,) = stages.statements([line], shell=True)  # noqa: S604

    assert (found.is_shell, found.text) == (True, shell)


@pytest.mark.parametrize("line", ["make", "ls", "import os os", "cd = 1", "lss -a"])
def test_no_other_line_is_for_the_shell(line):
    """Of the original, a typo in Python went to the shell."""
    (found,) = stages.statements([line], shell=True)  # noqa: S604

    assert not found.is_shell


def test_only_imports_may_use_the_shell():
    (found,) = stages.statements(["!rm -rf something"])

    assert not found.is_shell
    assert found.problem is not None


def test_a_line_that_is_no_python_does_not_spoil_the_others():
    first, second, third = stages.statements(["a = 1", "import os os", "b = 2"])

    assert (first.problem, third.problem) == (None, None)
    assert (second.item, second.text) == (1, "import os os")


@pytest.mark.parametrize("text", ["a\0b", "(" * 500, "x = " + "-" * 100_000 + "1"])
def test_what_no_parser_takes_is_a_problem_and_no_crash(text):
    (found,) = stages.statements([text])

    assert found.problem is not None


def test_looking_at_code_does_not_warn_of_it():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (found,) = stages.statements([r"a = '\d'"])

    assert found.problem is None


def test_names_are_visible_in_comprehensions_functions_and_lambdas():
    """Of the original, NameError."""
    found = run(
        [
            "import math",
            "a = [math.pi for _ in range(2)]",
            "f = lambda: math.pi",
            "def g():",
            "    return f() + sum(math.pi for _ in range(2))",
            "model = g()",
        ]
    )

    assert found["model"] == pytest.approx(9.4248, abs=1e-4)


def test_what_a_stage_defines_is_there_in_the_next():
    namespace = run(["helper = 2"], stage="import_cmds")
    run(["model = helper + 1", "other = 5"], namespace)
    run(["x = model * other"], namespace, stage="pre_proc")

    assert namespace["x"] == 15


def test_unicode_in_code_is_code():
    found = run(["größe = '音'", "model = größe + '\N{EARTH GLOBE EUROPE-AFRICA}'"])

    assert found["model"] == "音🌍"


def test_the_working_directory_is_as_before(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "inside").mkdir()

    found = run(
        ["import os", "model = os.getcwd()", "os.chdir('/')"],
        model_init_context="inside",
    )

    assert found["model"] == str(tmp_path / "inside")
    assert Path.cwd() == tmp_path


def test_the_working_directory_is_as_before_when_a_line_raised(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    failure(["import os", "os.chdir('/')", "1 / 0"])

    assert Path.cwd() == tmp_path


def test_a_template_may_remove_the_directory_that_it_is_in(tmp_path, monkeypatch):
    inside = tmp_path / "inside"
    inside.mkdir()
    monkeypatch.chdir(inside)
    lines = ["import os", "os.rmdir(os.getcwd())", "model = 1"]

    assert run(lines)["model"] == 1
    said = failure(["model = 2"])

    assert "the directory to work in cannot be entered" in said.error
    monkeypatch.chdir(tmp_path)


def test_a_context_that_is_not_there_is_named():
    said = failure(["model = 1"], model_init_context="nowhere")

    assert (said.stage, said.item) == ("model_init", None)
    assert "the directory of model_init_context cannot be entered" in said.error
    assert "nowhere" in said.error


def test_sys_path_is_as_before_and_its_additions_come_back_in_later_stages(tmp_path):
    (tmp_path / "of_the_template.py").write_text("value = 7\n")
    before = list(sys.path)
    namespace = run(["import sys", f"sys.path.append({str(tmp_path)!r})"])
    between = list(sys.path)
    run(["import of_the_template as model"], namespace)

    assert namespace["model"].value == 7
    assert before == between == sys.path
    del sys.modules["of_the_template"]


def test_a_line_for_the_shell_runs_where_cd_led(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a b").mkdir()

    run(["cd 'a b'", "!echo hello > said"], stage="import_cmds")

    assert (tmp_path / "a b" / "said").read_text() == "hello\n"
    assert Path.cwd() == tmp_path


def test_a_shell_that_fails_is_an_error_with_its_status():
    said = failure(["!exit 3"], stage="import_cmds")

    assert (said.stage, said.item, said.code) == ("import_cmds", 0, "exit 3")
    assert said.error == "the shell ended with status 3"


def test_a_directory_that_cd_cannot_enter_is_an_error():
    assert "nowhere" in failure(["cd nowhere"], stage="import_cmds").error


def test_an_error_names_stage_item_line_and_the_way_there():
    lines = [
        "a = 1",
        "def f(n):\n    if n:\n        return 1 / (n - 1)\n",
        "model = f(1)",
    ]

    said = failure(lines)

    assert (said.stage, said.item, said.code) == ("model_init", 2, "model = f(1)")
    assert said.error == "ZeroDivisionError: division by zero"
    assert 'File "<model_init[1]>", line 3, in f' in said.trace
    assert "return 1 / (n - 1)" in said.trace
    assert "bob_template_stages" not in said.trace


def test_an_error_in_an_item_of_several_lines_names_the_one():
    assert failure(["a = 1\nb = a / 0\nmodel = 1"]).code == "b = a / 0"


def test_a_typo_names_its_item():
    said = failure(["model = 1", "import os os"])

    assert (said.item, said.code) == (1, "import os os")
    assert said.error.startswith("no Python: invalid syntax")


def test_a_typo_in_an_import_says_how_the_shell_is_asked():
    assert "put '!' in front" in failure(["lss a b"], stage="import_cmds").error


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("import sys; sys.exit('enough')", "SystemExit: enough"),
        ("import sys; sys.exit()", "SystemExit()"),
        ("raise ValueError", "ValueError()"),
        ("raise GeneratorExit('odd')", "GeneratorExit: odd"),
        (
            "import no_such_module",
            "ModuleNotFoundError: No module named 'no_such_module'",
        ),
        ("def f(): f()\nf()", "RecursionError: maximum recursion depth exceeded"),
    ],
)
def test_whatever_a_line_raises_is_told(line, error):
    assert failure([line]).error == error


def test_an_error_whose_own_code_fails_is_told():
    lines = [
        "class Bad(Exception):\n    def __str__(self): raise ValueError",
        "raise Bad",
    ]

    assert failure(lines).error == "Bad: (what it says cannot be shown)"


def test_a_message_of_a_gigabyte_is_cut():
    said = failure(["raise ValueError('a' * 10_000_000)"])

    assert len(said.error) + len(said.trace) < 20_000


def test_ctrl_c_goes_through():
    with pytest.raises(KeyboardInterrupt):
        run(["raise KeyboardInterrupt"])


def test_each_line_is_noted_before_it_runs():
    noted = []

    stages.run_stage(
        {"model_init": ["a = 1", "b = 2"]},
        "model_init",
        {},
        notice=lambda stage, item: noted.append((stage, item)),
    )

    assert noted == [("model_init", 0), ("model_init", 1)]


def test_a_stage_that_is_not_there_does_nothing():
    assert "x" not in run([], stage="pre_proc")
    stages.run_stage({}, "pre_proc", {})


@pytest.mark.parametrize(
    ("line", "folder"),
    [
        ("cd a", "/w/a"),
        ("cd 'a b'", "/w/a b"),
        ("cd ..", "/"),
        ("cd /abs", "/abs"),
        ("cd a && b", None),
        ("cd 'a", None),
        ("cdx a", None),
        ("pip list", None),
    ],
)
def test_a_line_that_only_changes_the_directory(line, folder):
    assert stages.changed_folder(line, "/w") == folder


def test_home_is_where_the_variable_says(monkeypatch):
    monkeypatch.setenv("HOME", "/h")

    assert stages.changed_folder("cd ~/a", "/w") == os.path.join("/h", "a")  # noqa: PTH118


def test_the_mark_of_a_shell_line_is_dropped():
    assert [stages.shell_line(line) for line in ("!a b", "$ a b", " a b ")] == [
        "a b"
    ] * 3
