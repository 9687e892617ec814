"""Arrays in, arrays out."""

import os
import resource
import shutil
import subprocess
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from threads import at_once

from bob.learn.pytorch import settings
from bob.learn.pytorch.templates.format.errors import TemplateError, WorkerDied
from bob.learn.pytorch.templates.run.worker import Worker

BATCH = np.linspace(-1, 1, 1600, dtype=np.float32)[None]


def test_samples_go_in_and_numbers_come_out(start):
    made = start().embed(BATCH, seconds=0.1)

    np.testing.assert_array_equal(made, BATCH[:, :4])
    assert made.dtype == np.float32


def test_loading_tells_of_the_model(start):
    worker = start(load=False, model_init=["model = 1"])

    told = worker.load()

    assert told["parameters"] is None
    assert told["isolation"][-1] == "audit hook"


def test_names_of_all_stages_are_one_namespace(start):
    """An imported x does not replace the input, and what a stage defines stays."""
    worker = start(
        weights={"a": "/somewhere/a.pt"},
        import_cmds=["import numpy as np", "from math import pi as x"],
        model_init=[
            "def model(v): return [v * k for k in range(factor)]",
            "factor = 3",
        ],
        pre_proc=["x = x[:, :2]", "kept = x + 1"],
        embed_fwd=["y = np.concatenate([*model(kept), [[len(weights['a'])]]], axis=1)"],
    )

    made = worker.embed(BATCH, seconds=0.1)

    first = BATCH[:, :2] + 1
    expected = np.concatenate([0 * first, first, 2 * first, [[15]]], axis=1)
    np.testing.assert_allclose(made, expected, rtol=1e-6)


def test_state_stays_from_one_recording_to_the_next(start):
    worker = start(
        model_init=["model = 1", "seen = []"],
        embed_fwd=["seen.append(x)", "y = np.array([[float(len(seen))]])"],
    )

    assert [worker.embed(BATCH, seconds=0.1).item() for _ in range(3)] == [1, 2, 3]


def test_a_template_may_change_its_input(start):
    worker = start(pre_proc=["x *= 0"])

    for _ in range(2):
        assert not worker.embed(BATCH, seconds=0.1).any()


def test_a_template_for_torch_gets_a_tensor(start):
    lines = ["import torch", "model = torch.nn.Dropout(0.5)"]
    forward = ["y = model(x[:, :4] * 1)", "y += not y.is_inference()"]
    worker = start(in_type="torch", model_init=lines, embed_fwd=forward)

    np.testing.assert_array_equal(worker.embed(BATCH, seconds=0.1), BATCH[:, :4])


def test_whatever_lies_in_memory_comes_out(start):
    cases = {
        "x[:, ::400]": BATCH[:, ::400],
        "x[:, 3::-1]": BATCH[:, 3::-1],
        "x[:, :0]": BATCH[:, :0],
        "x.T[:3]": BATCH.T[:3],
        "x[0, 1]": BATCH[0, 1],
        "np.arange(3, dtype='>i8')": np.arange(3),
        "(x[:, :2], x)": BATCH[:, :2],
        "{'a': x[:, :2]}": BATCH[:, :2],
    }
    lines = [f"model = iter({list(cases)!r})"]
    worker = start(model_init=lines, embed_fwd=["y = eval(next(model))"])

    for expected in cases.values():
        made = worker.embed(BATCH, seconds=0.1)

        np.testing.assert_array_equal(made, expected)
        assert made.shape == expected.shape


def test_batches_of_any_size_go_through_one_after_the_other(start):
    worker = start(embed_fwd=["y = x * 2"])

    for samples in (10, 1_000_000, 1, 50_000):
        batch = np.full((1, samples), samples, np.float32)
        np.testing.assert_array_equal(worker.embed(batch, seconds=0.1), 2 * batch)


def test_the_protocol_is_not_disturbed_by_what_is_written_to_standard_output(start):
    lines = ["import os", "os.write(1, b'\\0\\0\\0\\5hello' * 1000)", "y = x"]

    assert start(embed_fwd=lines).embed(BATCH, seconds=0.1).shape == BATCH.shape


def test_code_that_is_no_ascii_runs(start):
    lines = ["größe = len('音楽')", "y = np.array([[größe]])"]

    assert start(embed_fwd=lines).embed(BATCH, seconds=0.1) == 2


def test_two_threads_may_use_one_worker(start):
    worker = start()
    found = []

    def use(number):
        batch = np.full((1, 50 * number), number, np.float32)
        found.extend(
            (worker.embed(batch, seconds=0.1) == number).all() for _ in range(20)
        )

    at_once(partial(use, number) for number in range(1, 5))

    assert found == [True] * 80


def test_many_open_files_of_the_parent_do_no_harm(start):
    """select() knows 1024 of them."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, limits[1]), limits[1]))
    files = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        assert start().embed(BATCH, seconds=0.1).shape == (1, 4)
    finally:
        for file in files:
            os.close(file)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_a_python_that_is_gone_says_how_to_get_it_back(toy, environment, temporary):
    gone = replace(environment, python=environment.folder / "gone")

    with pytest.raises(
        TemplateError, match=r"gone cannot be started.*template remove 0000"
    ):
        Worker(toy(), gone, {})

    assert list(temporary.iterdir()) == []


def test_a_python_that_is_none_is_a_worker_that_died(toy, environment, temporary):
    strange = environment.folder / "python"
    strange.write_text("#!/bin/sh\necho not me >&2\nexit 5\n")
    strange.chmod(0o755)
    worker = Worker(toy(), replace(environment, python=strange), {})

    with pytest.raises(WorkerDied, match=r"before its first line.*status 5") as raised:
        worker.load()

    assert "not me" in str(raised.value)
    assert list(temporary.iterdir()) == []


def test_no_place_for_temporary_folders_is_told(toy, environment, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", "/proc/nowhere")

    with pytest.raises(TemplateError, match=r"no folder can be made .*TMPDIR"):
        Worker(toy(), environment, {})


def test_without_memory_files_the_disk_serves(start, monkeypatch):
    monkeypatch.delattr(os, "memfd_create")

    np.testing.assert_array_equal(start().embed(BATCH, seconds=0.1), BATCH[:, :4])


def test_how_much_memory_it_took_is_told(start):
    worker = start(embed_fwd=["y = np.ones(10_000_000)[None, :4]"])
    before = worker.peak_mb()
    worker.embed(BATCH, seconds=0.1)

    assert worker.peak_mb() - before == pytest.approx(76, abs=20)


@pytest.mark.slow
@pytest.mark.parametrize("version", ["3.8", "3.9", "3.10", "3.11", "3.12", "3.13"])
def test_a_template_may_have_another_python(toy, environment, temporary, version):
    """In an environment of its own, whose packages it finds."""
    path = settings.python_search_path()
    python = shutil.which(f"python{version}", path=path)
    if python is None:
        pytest.skip("this machine has none")
    venv = environment.folder / "venv"
    subprocess.run([python, "-m", "venv", "--without-pip", venv], check=True)
    (packages,) = venv.glob("lib/python*/site-packages")
    (packages / "of_the_venv.py").write_text("import sys\nversion = sys.version_info\n")
    template = toy(
        import_cmds=["import of_the_venv"], model_init=["model = of_the_venv.version"]
    )
    worker = Worker(template, replace(environment, python=venv / "bin/python"), {})

    assert worker.load()["isolation"][-1] == "audit hook"
    worker.close()

    assert list(temporary.iterdir()) == []
