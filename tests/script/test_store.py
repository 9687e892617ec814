import json
from functools import partial

import commands
import numpy as np
import pytest

from bob.learn.pytorch.store.store import EmbeddingStore, Record

MADE_BY = {"model": "campplus"}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "some.h5"
    failures = [Record(f"f{n:02}", None, reason="is silent") for n in range(12)]
    with EmbeddingStore.open(path, fingerprint=MADE_BY) as store:
        store.append([Record("a", np.float32([1, 2, 3]), 5400), *failures])
        store.append([Record("b", np.float32([1, 2, 3]))])
    return path


run = partial(commands.run, "store")
reported = partial(commands.reported, "store")
refused = partial(commands.refused, "store")
done = partial(commands.done, "store")


def test_a_store_is_shown(path):
    output = done("show", path)

    assert output.splitlines()[:4] == [
        "embeddings: 2 of 3 numbers",
        "duration: 1.50 hours, and 1 recording of unknown duration",
        "failures: 12",
        "  f00: is silent",
    ]
    assert "f09" in output
    assert "f10" not in output
    assert "  model: campplus" in output


def test_a_store_is_shown_in_json_with_all_failures(path):
    report = reported("show", path)

    assert report["embeddings"] == 2
    assert report["hours"] == 1.5
    assert report["fingerprint"] == MADE_BY
    assert len(report["failures"]) == 12
    assert report["waiting"] == 0


def test_a_growing_store_is_shown(tmp_path):
    with EmbeddingStore.open(tmp_path / "a.h5", fingerprint=MADE_BY) as store:
        store.append([Record("a", np.float32([1]))])

        result = run("show", tmp_path / "a.h5")

    assert "not in the HDF5 part yet: 1 records" in result.output


def test_a_store_goes_out_and_in(path, tmp_path):
    out = run("export", path, tmp_path / "a.parquet")
    back = run("import", tmp_path / "a.parquet", tmp_path / "b.h5")

    assert out.output == f"written: {tmp_path / 'a.parquet'}\n"
    assert back.output == (
        f"2 embeddings and 12 failures are in {tmp_path / 'b.h5'} "
        "(made by: model=campplus)\n"
    )
    assert EmbeddingStore.read(tmp_path / "b.h5").names == ("a", "b")


def test_reports_in_json(path, tmp_path):
    out = run("export", path, tmp_path / "a.npz", "--json")
    back = run("import", tmp_path / "a.npz", tmp_path / "b.h5", "--json")

    assert json.loads(out.output) == {"output": str(tmp_path / "a.npz")}
    assert json.loads(back.output) == {
        "embeddings": 2, "failures": 12, "fingerprint": MADE_BY,
    }  # fmt: skip


def test_who_made_what_others_wrote_is_said(tmp_path):
    np.savez(tmp_path / "a.npz", a=np.arange(3.0))

    done(
        "import",
        tmp_path / "a.npz",
        tmp_path / "b.h5",
        "--made-by",
        "model=x",
        "--made-by",
        "rate=8000=8k",
    )

    stored = EmbeddingStore.read(tmp_path / "b.h5")
    assert stored.fingerprint == {"model": "x", "rate": "8000=8k"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "a.npz"], "a.npz is an npz file; expected a store"),
        (["export", "some.h5", "a.csv"], "unknown kind"),
        (["import", "a.npz", "some.h5"], "made differently"),
        (["import", "some.h5", "a.npz"], "swap them"),
        (["export", "a.npz", "some.h5"], "a.npz is an npz file; expected a store"),
        (
            ["import", "a.npz", "b.h5", "--made-by", "mine"],
            "'mine': expected KEY=VALUE",
        ),
    ],
)
def test_what_cannot_be_done_is_said(path, arguments, message):
    np.savez("a.npz", a=np.arange(3.0))

    assert message in refused(*arguments)
