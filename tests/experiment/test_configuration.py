import logging
import re
import types

import pytest

from bob.learn.pytorch.experiment.configuration import (
    ConfigurationError,
    commented_template,
    known_names,
    run_files,
    settle,
    unknown_variables,
)

REQUIRED = {
    "database": "recordings",
    "preprocessor": object(),
    "extractor": object(),
    "algorithm": "cosine",
    "sub_directory": "first",
}


def test_a_later_file_sees_and_replaces_what_an_earlier_one_set(tmp_path):
    (tmp_path / "a.py").write_text("groups = ['dev']\nbase = 3\n")
    (tmp_path / "b.py").write_text("groups = groups + ['eval']\nbase += 1\n")

    variables = run_files([str(tmp_path / "a.py"), str(tmp_path / "b.py")])

    assert variables == {"groups": ["dev", "eval"], "base": 4}


def test_functions_of_a_configuration_still_find_its_other_names(tmp_path):
    (tmp_path / "a.py").write_text("factor = 2\ndef twice(x):\n    return factor * x\n")

    assert run_files([str(tmp_path / "a.py")])["twice"](4) == 8


def test_a_module_is_as_good_as_a_file(tmp_path, monkeypatch):
    (tmp_path / "my_experiment.py").write_text("sub_directory = 'mine'\n")
    monkeypatch.syspath_prepend(tmp_path)

    assert run_files(["my_experiment"])["sub_directory"] == "mine"


@pytest.mark.parametrize("name", ["absent.py", "no.such.module", "absent"])
def test_a_configuration_that_is_nowhere_is_named(name):
    with pytest.raises(ConfigurationError, match=name):
        run_files([name])


def test_a_syntax_error_names_the_file_and_the_line(tmp_path):
    path = tmp_path / "broken.py"
    path.write_text("groups = [\n'dev'\nalgorithm = 3\n")

    with pytest.raises(ConfigurationError, match=r"broken\.py.*line"):
        run_files([str(path)])


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


def test_private_names_and_programs_parts_are_no_unknown_variables():
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

    assert unknown_variables(variables) == []


def test_grid_options_are_said_to_be_ignored(caplog):
    with caplog.at_level(logging.WARNING):
        settle({"nice": 4}, REQUIRED)

    assert "--nice" in caplog.text


def test_the_template_runs_and_names_every_option_once(tmp_path):
    text = commented_template()
    (tmp_path / "template.py").write_text(text)

    assert run_files([str(tmp_path / "template.py")]) == {}
    for name in known_names():
        assert text.count(f"\n# {name} = ") <= 1
    assert "# database = ..." in text


def test_a_template_with_its_defaults_uncommented_changes_nothing(tmp_path):
    lines = [
        line[2:] if re.match(r"# \w+ = (?!\.\.\.)", line) else line
        for line in commented_template().splitlines()
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
