import logging
import re
import types
from collections import Counter

import pytest

from bob.learn.pytorch.experiment.configuration import ConfigurationError, run_files
from bob.learn.pytorch.experiment.options import (
    IGNORED,
    NOT_OFFERED,
    OPTIONS,
    STAGES,
    STAGES_WITHOUT_WORK,
    settle,
)
from bob.learn.pytorch.script.verify import _commented_template

ALL = [
    *OPTIONS,
    *IGNORED,
    *(option for option, _ in NOT_OFFERED.values()),
]

# The command line of bob.bio.base 4.1.1.
SHORT = {
    "-d": "database", "-p": "preprocessor", "-e": "extractor", "-a": "algorithm",
    "-g": "grid", "-r": "parallel", "-s": "sub-directory", "-P": "protocol",
    "-T": "temp-directory", "-R": "result-directory", "-v": "verbose",
    "-q": "dry-run", "-F": "force", "-A": "allow-missing-files", "-z": "zt-norm",
    "-C": "calibrate-scores", "-U": "write-five-column-score-files",
    "-Z": "write-compressed-score-files", "-B": "timer", "-o": "execute-only",
    "-I": "imports", "-W": "preferred-package", "-S": "stop-on-failure",
    "-X": "external-dependencies", "-L": "run-local-scheduler", "-N": "nice",
    "-D": "delete-jobs-finished-with-status", "-G": "gridtk-database-file",
    "-t": "environment",
}  # fmt: skip


REQUIRED = {
    "database": "recordings",
    "preprocessor": object(),
    "extractor": object(),
    "algorithm": "cosine",
    "sub_directory": "first",
}


def test_every_flag_of_the_old_command_means_what_it_meant():
    flags = {flag: option.long for option in ALL for flag in option.flags}

    assert {flag: flags.get(flag) for flag in SHORT} == SHORT


def test_no_flag_and_no_variable_is_given_twice():
    flags = Counter(flag for option in ALL for flag in option.flags)
    names = Counter(option.name for option in ALL)

    assert [flag for flag, count in flags.items() if count > 1] == []
    assert [name for name, count in names.items() if count > 1] == []


def test_every_stage_can_be_left_out():
    names = {option.name for option in OPTIONS}

    for stage in (*STAGES, *STAGES_WITHOUT_WORK):
        assert f"skip_{stage.replace('-', '_')}" in names


def test_the_command_line_wins_over_the_file_and_the_file_over_the_default():
    settled = settle({"groups": ["dev"]}, {**REQUIRED, "groups": ["dev", "eval"]})
    assert settled.groups == ("dev",)

    settled = settle({}, {**REQUIRED, "groups": ["dev", "eval"]})
    assert settled.groups == ("dev", "eval")

    assert settle({}, REQUIRED).groups == ("dev",)


@pytest.mark.parametrize("name", sorted(REQUIRED))
def test_each_required_option_is_asked_for_by_both_of_its_names(name):
    variables = {key: value for key, value in REQUIRED.items() if key != name}

    with pytest.raises(ConfigurationError) as caught:
        settle({}, variables)

    assert f"'{name}'" in str(caught.value)
    assert f"'--{name.replace('_', '-')}'" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("groups", ["test"]),
        ("groups", 3),
        ("verbose", "much"),
        ("force", "yes"),
        ("temp_directory", 5),
        ("execute_only", ["everything"]),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_by_name(name, value):
    with pytest.raises(ConfigurationError, match=f"'{name}'"):
        settle({}, {**REQUIRED, name: value})


def test_a_single_text_is_as_good_as_a_list_of_one():
    assert settle({}, {**REQUIRED, "groups": "eval"}).groups == ("eval",)


def test_execute_only_leaves_out_all_other_stages():
    settled = settle({}, {**REQUIRED, "execute_only": ["enrollment"]})

    assert "enrollment" not in settled.skip
    assert {"preprocessing", "extraction", "report"} <= settled.skip


def test_skip_variables_leave_out_their_stage():
    settled = settle(
        {"skip_preprocessing": True}, {**REQUIRED, "skip_extraction": True}
    )

    assert settled.skip == {"preprocessing", "extraction"}


def test_what_is_not_offered_is_refused_with_a_way_out():
    name = "write_compressed_score_files"
    with pytest.raises(ConfigurationError, match="compress the finished score files"):
        settle({}, {**REQUIRED, name: True})

    settle({}, {**REQUIRED, name: False})


@pytest.mark.parametrize(("value", "settled"), [(1, 1.0), (0.25, 0.25)])
def test_a_real_number_may_be_written_as_a_whole_one(value, settled):
    found = settle({}, {**REQUIRED, "calibration_penalty": value})

    assert found.calibration_penalty == settled


@pytest.mark.parametrize("value", ["0.1", True, None, [0.1]])
def test_a_real_number_is_neither_a_text_nor_a_flag(value):
    wanted = {**REQUIRED, "calibration_penalty": value}
    if value is None:  # that is "not given"
        assert settle({}, wanted).calibration_penalty is None
        return

    with pytest.raises(ConfigurationError, match="expected a number"):
        settle({}, wanted)


def test_unknown_variables_are_warned_of_with_the_nearest_name(caplog):
    with caplog.at_level(logging.WARNING):
        settle({}, {**REQUIRED, "temp_dir": "/scratch", "skip_extration": True})

    assert "'temp_dir'" in caplog.text
    assert "did you mean 'skip_extraction'" in caplog.text


def test_private_names_and_programs_parts_are_no_unknown_variables(caplog):
    variables = {
        "_model": "path",
        "ROOT": "path",
        "types": types,
        "Extractor": type("Extractor", (), {}),
        "helper": lambda x: x,
        "nothing": None,
        "pipeline": object(),
        "groups": ["dev"],
        "parallel": 4,
    }

    with caplog.at_level(logging.WARNING):
        settle({}, {**REQUIRED, **variables})

    assert caplog.text == ""


def test_grid_options_are_said_to_be_ignored(caplog):
    with caplog.at_level(logging.WARNING):
        settle({"nice": 4}, REQUIRED)

    assert "--nice" in caplog.text


def test_the_template_runs_and_names_every_option_once(tmp_path):
    text = _commented_template()
    (tmp_path / "template.py").write_text(text)

    assert run_files([str(tmp_path / "template.py")]) == {}
    for option in OPTIONS:
        assert text.count(f"\n# {option.name} = ") == 1
    assert "# database = ..." in text


def test_a_template_with_its_defaults_uncommented_changes_nothing(tmp_path):
    lines = [
        line[2:] if re.match(r"# \w+ = (?!\.\.\.)", line) else line
        for line in _commented_template().splitlines()
    ]
    path = tmp_path / "all.py"
    path.write_text("\n".join(lines))

    assert vars(settle({}, {**run_files([str(path)]), **REQUIRED})) == vars(
        settle({}, REQUIRED)
    )


def test_execute_only_adds_to_what_is_left_out_anyway():
    variables = {**REQUIRED, "skip_extraction": True}

    settled = settle({"execute_only": ["preprocessing", "extraction"]}, variables)

    assert "extraction" in settled.skip
    assert "preprocessing" not in settled.skip
