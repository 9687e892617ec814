"""What is wrong with the lines of a template, told without running them."""

import pytest

from bob.learn.pytorch.templates.format.static import static_problems, static_warnings

DIGITS = "0123456789abcdef" * 4


class TestStatic:
    @pytest.mark.parametrize(
        ("changes", "problem"),
        [
            (
                {"model_init": ["model = ("]},
                "model_init[0] at `model = (`: no Python: ",
            ),
            (
                {"model_init": ["a = 1", "import import", "model = a"]},
                "model_init[1] at `import import`: no Python: invalid syntax",
            ),
            ({"pre_proc": ["x = x", "x == = 2"]}, "pre_proc[1] at `x == = 2`: "),
            ({"download_cmds": ["!ls"]}, "download_cmds[0] at `!ls`: no Python"),
            ({"import_cmds": ["import os os"]}, "import_cmds[0] at `import os os`"),
            ({"embed_fwd": ["y = 1\n  y = 2"]}, "unexpected indent (line 2"),
            ({"embed_fwd": ["y = x; return y"]}, "'return' outside function"),
            ({"model_init": ["net = 1"]}, "model_init: no line assigns `model`"),
            ({"model_init": ["model == 1"]}, "model_init: no line assigns `model`"),
            ({"embed_fwd": ["z = x"]}, "embed_fwd: no line assigns `y`"),
            (
                {"embed_fwd": ["def f():", "    y = 1"]},
                "embed_fwd: no line assigns `y`",
            ),
            (
                {"model_init": ["model = open(weights['encoder'])"]},
                "model_init[0] at `model = open(weights['encoder'])`: "
                "weights['encoder'] is not in the list; allowed here: nothing",
            ),
        ],
    )
    def test_what_cannot_work_is_told_with_its_place(self, changes, problem, made):
        (found,) = static_problems(made(**changes))

        assert problem in found

    def test_misspelt_weights_are_answered_with_the_nearest(self, made):
        template = made(
            model_init=["model = open(weights['encode'])"],
            weights=[{"name": "encoder", "sha256": DIGITS, "url": "https://a.org/b"}],
        )

        assert "the nearest is 'encoder'" in static_problems(template)[0]

    def test_weights_that_nothing_uses_are_a_warning(self, made):
        template = made(
            weights=[{"name": "encoder", "sha256": DIGITS, "url": "https://a.org/b"}]
        )

        assert static_warnings(template) == ["weights: nothing uses 'encoder'"]

    @pytest.mark.parametrize(
        "line",
        [
            "model = 1",
            "model: int = 1",
            "import torch as model",
            "from torch import nn as model",
            "(model := 1)",
            "def model(x): return x",
            "class model: pass",
            "for model in [1]: pass",
            "with open('a') as model: pass",
            "a, (model, *b) = 1, (2, 3)",
            "def f():\n    global model\n    model = 1\nf()",
            "if True:\n    model = 1",
            "from models import *",
            "exec('model = 1')",
        ],
    )
    def test_any_way_to_assign_is_one(self, line, made):
        template = made(model_init=[line])

        assert static_problems(template) == []

    def test_a_model_may_be_imported(self, made):
        template = made(import_cmds=["from m import model"], model_init=["model.a()"])

        assert static_problems(template) == []

    def test_a_block_may_be_one_item_or_several(self, made):
        lines = ["def f(a):", "    b = a", "    return b", "model = f"]

        for given in (lines, ["\n".join(lines)], ["\n".join(lines[:3]), lines[3]]):
            template = made(model_init=given)

            assert static_problems(template) == static_warnings(template) == []

    def test_lines_for_the_shell_are_no_problem_where_they_may_be(self, made):
        template = made(import_cmds=["!ls -l", "$ ls", "cd somewhere", "import os"])

        assert static_problems(template) == static_warnings(template) == []

    def test_names_that_nothing_defines_are_a_warning(self, made):
        template = made(
            import_cmds=["import numpy as np"],
            download_cmds=["cache = np.zeros(1)"],
            model_init=["model = [torch.nn for _ in range(3)]"],
            pre_proc=["x = (lambda a: a + shift)(x)"],
            embed_fwd=["y = model(x, cache, device, later)", "later = 1"],
        )

        assert static_problems(template) == []
        assert static_warnings(template) == [
            "model_init[0] at `model = [torch.nn for _ in range(3)]`: nothing defines "
            "'torch'",
            "pre_proc[0] at `x = (lambda a: a + shift)(x)`: nothing defines 'shift'",
            "embed_fwd[0] at `y = model(x, cache, device, later)`: nothing defines "
            "'cache'",
        ]

    def test_x_is_not_there_before_pre_proc(self, made):
        (warning,) = static_warnings(made(model_init=["model = x"]))

        assert "nothing defines 'x'" in warning

    def test_after_an_import_with_a_star_no_name_is_unknown(self, made):
        template = made(import_cmds=["from torch import *"], embed_fwd=["y = relu(x)"])

        assert static_warnings(template) == []

    def test_names_inside_functions_classes_and_comprehensions_are_their_own(
        self, made
    ):
        template = made(
            model_init=[
                "class Net:\n"
                "    size = 3\n"
                "    def __call__(self, a, *b, **c):\n"
                "        try:\n"
                "            return [d + self.size for d in a if d]\n"
                "        except ValueError as error:\n"
                "            raise error\n"
                "model = Net()"
            ]
        )

        assert static_problems(template) == static_warnings(template) == []

    def test_fetching_at_each_start_is_a_warning(self, made):
        (warning,) = static_warnings(made(import_cmds=["!pip install torch"]))

        assert warning.startswith("import_cmds[0] at `pip install torch`")
        assert "install_cmds" in warning

    @pytest.mark.parametrize("folder", ["/opt/model", "../model", "a/../../b"])
    def test_a_folder_outside_is_a_warning(self, folder, made):
        (warning,) = static_warnings(made(import_context=folder))

        assert warning.startswith(f"import_context: '{folder}' lies outside")

    def test_a_long_line_is_not_shown_whole(self, made):
        (found,) = static_problems(made(model_init=["model = (" + "1, " * 1000]))

        assert len(found) < 200

    def test_nothing_is_run(self, tmp_path, made):
        line = f"open({str(tmp_path / 'ran')!r}, 'w')"
        template = made(
            import_cmds=[f"!touch {tmp_path / 'ran'}", line],
            model_init=[line, "model = 1"],
            embed_fwd=[line, "y = 1"],
        )

        static_problems(template)
        static_warnings(template)

        assert not (tmp_path / "ran").exists()
