"""The six functions of Py-Torch-DAE, with its defects mended."""

import json
import random
import sys
from pathlib import Path

import numpy as np
import pytest
from programs import printed_by

from bob.learn.pytorch.templates.format.errors import (
    InstallError,
    InvalidTemplate,
    StageError,
    UnknownTemplate,
    UntrustedTemplate,
)
from bob.learn.pytorch.templates.format.template import load, shipped
from bob.learn.pytorch.templates.install import trust
from bob.learn.pytorch.templates.run import in_process
from bob.learn.pytorch.templates.run.in_process import (
    InProcessSession,
    compute_embedding,
    import_pkgs,
    install_dependencies,
    load_model_dict,
    model_init,
    pre_proc,
)

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture
def loaded(toy, tmp_path):
    """`loaded(**keys)`: the dict of a template in a file, which is answered for."""

    def make(*, trusted=True, **keys):
        path = tmp_path / "mine.json"
        path.write_text(json.dumps(dict(toy(**keys).content)))
        return load_model_dict(path, trusted=trusted)

    return make


def embedded(model_dict, x):
    namespace = import_pkgs(model_dict)
    model = model_init(model_dict, namespace)
    return compute_embedding(
        model_dict, model, pre_proc(model_dict, x, namespace), namespace
    )


def test_the_import_of_the_seed_works(monkeypatch):
    monkeypatch.syspath_prepend(CHECKOUT)
    import deep_audio_embedding as seed

    assert seed.__all__ == in_process.__all__
    for name in seed.__all__:
        assert getattr(seed, name) is getattr(in_process, name)


def test_the_import_of_the_seed_is_installed():
    setup = (CHECKOUT / "setup.py").read_text()

    assert 'py_modules=["deep_audio_embedding"]' in setup


def test_the_six_functions_make_an_embedding(loaded, capfd):
    """Nothing is printed, as the original did for each line."""
    content = loaded(
        import_cmds=["import math", "from math import e as x"],
        model_init=["model = lambda values: [v * scale for v in values]", "scale = 10"],
        pre_proc=["x = [v + 1 for v in x]", "shift = [math.pi for _ in x]"],
        embed_fwd=["y = [a + b for a, b in zip(model(x), shift)]"],
    )

    install_dependencies(content)
    made = embedded(content, [1, 2])

    assert made == pytest.approx([23.1416, 33.1416], abs=1e-4)
    assert capfd.readouterr() == ("", "")


def test_a_dict_of_the_callers_own_runs_like_a_file(toy):
    made = embedded(dict(toy(import_cmds=[]).content), np.ones((1, 6)))

    assert made.tolist() == [[1] * 4]


def test_a_network_is_in_evaluation_and_nothing_is_recorded_for_gradients(loaded):
    import torch

    content = loaded(
        in_type="torch",
        import_cmds=["import torch"],
        model_init=["model = torch.nn.Sequential(torch.nn.Dropout(0.5))"],
        embed_fwd=["y = model(x) * 1"],
    )
    x = torch.ones(1, 8, requires_grad=True)

    made = embedded(content, x)

    assert made.tolist() == [[1] * 8]
    assert not made.requires_grad


def test_working_directory_and_path_are_as_before(loaded, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").mkdir()
    before = list(sys.path)
    content = loaded(
        import_context="a",
        import_cmds=["import os, sys", "sys.path.insert(0, os.getcwd())"],
        model_init=["os.chdir('/')", "model = 1"],
        embed_fwd=["y = 1 / 0"],
    )

    with pytest.raises(StageError):
        embedded(content, 1)

    assert Path.cwd() == tmp_path
    assert sys.path == before


@pytest.mark.parametrize(
    "stage", ["import_cmds", "model_init", "pre_proc", "embed_fwd"]
)
def test_an_error_names_template_stage_item_and_line(loaded, stage):
    content = loaded(**{stage: ["a = 1", "b = a / 0"]})

    with pytest.raises(StageError) as raised:
        embedded(content, np.ones((1, 6)))

    place = f"template mine, {stage}[1] at `b = a / 0`: ZeroDivisionError"
    assert str(raised.value).startswith(place)
    assert isinstance(raised.value, RuntimeError)  # as of the seed


def test_ctrl_c_goes_through(loaded):
    with pytest.raises(KeyboardInterrupt):
        embedded(loaded(embed_fwd=["raise KeyboardInterrupt"]), np.ones((1, 6)))


def test_an_exit_does_not_end_the_caller(loaded):
    with pytest.raises(StageError, match="SystemExit: 3"):
        embedded(loaded(import_cmds=["import sys", "sys.exit(3)"]), 1)


@pytest.mark.parametrize("function", [install_dependencies, import_pkgs])
def test_nothing_runs_that_is_not_trusted(loaded, function, isolated_home):
    content = loaded(trusted=False, import_cmds=["1 / 0"])

    with pytest.raises(UntrustedTemplate, match="is not trusted"):
        function(content)


def test_what_is_trusted_runs(loaded):
    content = loaded(trusted=False)
    trust.trust(content.template)

    assert embedded(content, np.ones((1, 6))).shape == (1, 4)


def test_loading_runs_nothing_and_refuses_what_is_no_template(tmp_path):
    path = tmp_path / "a.json"
    with pytest.raises(UnknownTemplate):
        load_model_dict(path)
    path.write_text('{"model_init": ["raise SystemExit"]}')
    with pytest.raises(InvalidTemplate, match="embed_fwd"):
        load_model_dict(path)


def test_install_commands_run_one_after_the_other(loaded, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "inner").mkdir()

    install_dependencies(
        loaded(
            install_cmds=["cd inner", "!echo a > said", "$ echo b >> said", "echo c"]
        )
    )

    assert (tmp_path / "inner" / "said").read_text() == "a\nb\n"
    assert Path.cwd() == tmp_path
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize(
    ("line", "status"), [("exit 3", "status 3"), ("cd nowhere", "no such directory")]
)
def test_an_install_command_that_fails_is_named(loaded, line, status):
    with pytest.raises(InstallError, match=rf"mine, install_cmds: `{line}` .*{status}"):
        install_dependencies(loaded(install_cmds=["true", line, "touch /never"]))


def test_pip_is_that_of_this_python(loaded, monkeypatch):
    ran = []
    monkeypatch.setattr(in_process, "_shell", lambda line, _: ran.append(line))

    install_dependencies(
        loaded(
            requirements=["a==1", "b[c]==2"],
            requirements_without_dependencies=["d==3"],
            install_cmds=["pip install e", "pipe f"],
        )
    )

    assert ran == [
        f"{sys.executable} -m pip install a==1 'b[c]==2'",
        f"{sys.executable} -m pip install --no-deps d==3",
        f"{sys.executable} -m pip install e",
        "pipe f",
    ]


def test_a_session_gives_arrays(toy):
    session = InProcessSession(toy(), trusted=True)
    batch = np.ones((1, 8), np.float32)

    made = session.embed(batch, seconds=1)

    assert made.tolist() == [[1] * 4]
    session.close()


def test_a_session_leaves_the_batch_alone(toy):
    batch = np.ones((1, 8), np.float32)

    InProcessSession(toy(pre_proc=["x *= 0"]), trusted=True).embed(batch, seconds=1)

    assert batch.all()


def test_a_session_says_of_an_output_that_is_none_what_it_is(toy):
    session = InProcessSession(toy(embed_fwd=["y = 'text'"]), trusted=True)

    with pytest.raises(StageError, match="template toy, embed_fwd: y is a str"):
        session.embed(np.ones((1, 8), np.float32), seconds=1)


def test_random_numbers_of_the_caller_go_on_as_if_nothing_was(toy):
    session = InProcessSession(
        toy(embed_fwd=["y = np.random.rand(1, 2)"]), trusted=True
    )
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    expected = random.random(), np.random.rand()  # noqa: NPY002
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002

    first, second = (
        session.embed(np.ones((1, 8), np.float32), seconds=1) for _ in range(2)
    )

    assert (random.random(), np.random.rand()) == expected  # noqa: NPY002
    np.testing.assert_array_equal(first, second)


def test_a_model_of_random_weights_is_the_same_in_every_session(toy):
    lines = ["model = np.random.normal(size=4)"]
    template = toy(model_init=lines, embed_fwd=["y = x[:, :4] * model"])
    before = np.random.get_state()[1].tolist()  # noqa: NPY002

    first, second = (
        InProcessSession(template, trusted=True).embed(
            np.ones((1, 4), np.float32), seconds=1
        )
        for _ in range(2)
    )

    np.testing.assert_array_equal(first, second)
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


def test_a_shipped_template_is_found_by_the_path_of_the_seed():
    names = shipped()
    if not names:
        pytest.skip("none is shipped yet")

    found = load_model_dict(f"{names[0]}.json")

    assert found.template.sha256 == load(names[0]).sha256


def test_importing_the_six_functions_imports_no_torch():
    code = "import sys, deep_audio_embedding; print('torch' in sys.modules)"

    assert printed_by(code, cwd=CHECKOUT) == "False"
