"""The manual defines what the program gives."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from bob.learn.pytorch.metrics import PRESETS
from bob.learn.pytorch.script.pytorch import pytorch

PAGE = Path(__file__).parents[2] / "doc" / "metrics.rst"
HEADER = "bio_ref_template_id,bio_ref_subject_id,probe_template_id,probe_subject_id"
# Titles and names that the files and the user bring, or that only repeat what is said.
BROUGHT = {"scores", "definitions", "cost"}


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Everything that `bob pytorch metrics --json` can give."""
    folder = tmp_path_factory.mktemp("scores")
    random = np.random.default_rng(0)
    for name in ("one", "other", "dev"):
        lines = [
            f"m{a},s{a},p{b}{take},s{b},{'fm'[b % 2]},{random.normal(4 * (a == b), 2)}"
            for a in range(4)
            for b in range(4)
            for take in range(2)
        ]
        text = "\n".join([f"{HEADER},probe_gender,score", *lines, ""])
        (folder / f"{name}.csv").write_text(text)
    result = CliRunner().invoke(
        pytorch,
        [
            "metrics", str(folder / "one.csv"), "--dev", str(folder / "dev.csv"),
            "--versus", str(folder / "other.csv"), "--by", "probe_gender",
            "--at-fmr", "0.1", "--at-fnmr", "0.1", "--resamples", "20", "--json",
        ],
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def names_in(content):
    """Names of JSON at any depth, without those that files and users bring."""
    if isinstance(content, list):
        return set().union(*map(names_in, content)) if content else set()
    if not isinstance(content, dict):
        return set()
    own = {name for name in content if re.fullmatch(r"[a-z_]+", name)} - BROUGHT
    kept = {name: inner for name, inner in content.items() if name != "definitions"}
    return own.union(*map(names_in, kept.values()))


def test_every_name_of_the_json_is_in_the_manual(report):
    defined = set(re.findall(r"``([a-z_]+)``", PAGE.read_text()))
    by_themselves = {"probe_gender"}

    assert names_in(report) - by_themselves - defined == set()
    assert {"eer", "versus", "mcnemar", "half_total_error_rate"} <= names_in(report)


def test_every_figure_of_the_json_has_its_definition_beside_it(report):
    figures = {
        name for name in report
        if name.startswith(("eer", "rocch", "min_", "act_", "cllr", "targets", "non_",
                            "failures", "costs"))
    }  # fmt: skip

    assert figures <= set(report["definitions"])
    assert {"cost", "cost_source", "ties", "null"} <= set(report["definitions"])


def test_the_table_of_presets_is_that_of_the_program():
    text = PAGE.read_text()
    table = text[text.index("Costs by name") : text.index("Since 2016, NIST")]
    rows = [
        [cell.strip() for cell in re.split(r"\n\s+- ", row)]
        for row in table.split("\n   * - ")[2:]
    ]

    assert [row[0] for row in rows] == list(PRESETS)
    for name, priors, miss, false_match, source in rows:
        preset = PRESETS[name]
        assert [one.p_target for one in preset.costs] == [
            float(prior) for prior in priors.split(",")
        ]
        for one in preset.costs:
            assert (one.c_miss, one.c_fa) == (float(miss), float(false_match))
        assert source.startswith(preset.source)
