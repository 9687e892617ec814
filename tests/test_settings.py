import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bob.learn.pytorch import settings

KEY = "bob.learn.pytorch.extractor.audio.drn_modelpath"
VARIABLE = "BOB_LEARN_PYTORCH_EXTRACTOR_AUDIO_DRN_MODELPATH"


def write_toml(home: Path, text: str) -> Path:
    path = home / ".config" / "bobrc.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def test_a_key_set_nowhere_has_no_value():
    assert settings.get(KEY) is None


def test_the_environment_variable_of_a_key_is_the_key_in_capitals():
    assert settings.environment_variable(KEY) == VARIABLE


def test_nested_tables_are_read(isolated_home):
    write_toml(
        isolated_home,
        '[bob.learn.pytorch.extractor.audio]\ndrn_modelpath = "/models/a"\n',
    )

    assert settings.get(KEY) == "/models/a"


def test_a_flat_quoted_key_is_read(isolated_home):
    write_toml(isolated_home, f'"{KEY}" = "/models/b"\n')

    assert settings.get(KEY) == "/models/b"


def test_a_table_with_a_half_flat_key_is_read(isolated_home):
    write_toml(
        isolated_home,
        "[bob.learn]\n"
        'other = 1\n"pytorch.extractor.audio.drn_modelpath" = "/models/c"\n',
    )

    assert settings.get(KEY) == "/models/c"


def test_a_table_without_the_key_does_not_hide_a_flatter_one(isolated_home):
    write_toml(
        isolated_home,
        '[bob.learn]\nother = 1\n["bob.learn.pytorch.extractor.audio"]\n'
        'drn_modelpath = "/models/d"\n',
    )

    assert settings.get(KEY) == "/models/d"


def test_a_number_is_read_as_text(isolated_home):
    """`bob config set <key> 7` stores the number 7."""
    write_toml(isolated_home, f'"{KEY}" = 7\n')

    assert settings.get(KEY) == "7"


@pytest.mark.parametrize("value", ["/data/my models/drn34.pth.tar", "C:\\weights", "7"])
def test_what_bob_config_set_writes_is_read(isolated_home, value):
    pytest.importorskip("clapper")
    write = (
        "import sys, clapper.rc; rc = clapper.rc.UserDefaults('bobrc.toml');"
        "rc[sys.argv[1]] = sys.argv[2]; rc.write()"
    )
    (isolated_home / ".config").mkdir()
    subprocess.run([sys.executable, "-c", write, KEY, value], check=True)

    assert settings.get(KEY) == value


def test_the_old_bobrc_is_read(isolated_home):
    (isolated_home / ".bobrc").write_text(json.dumps({KEY: "/models/old"}))

    assert settings.get(KEY) == "/models/old"


def test_the_environment_comes_before_bobrc_toml_and_that_before_the_old_bobrc(
    isolated_home, monkeypatch
):
    (isolated_home / ".bobrc").write_text(json.dumps({KEY: "/old", "other": "/only"}))
    write_toml(isolated_home, f'"{KEY}" = "/toml"\n')

    assert settings.get("other") == "/only"
    assert settings.get(KEY) == "/toml"

    monkeypatch.setenv(VARIABLE, "/environment")

    assert settings.get(KEY) == "/environment"


def test_an_empty_value_counts_as_not_set(isolated_home, monkeypatch):
    write_toml(isolated_home, f'"{KEY}" = "/toml"\n')
    monkeypatch.setenv(VARIABLE, "")

    assert settings.get(KEY) == "/toml"


def test_a_broken_bobrc_toml_is_refused_with_its_file_and_line(isolated_home):
    path = write_toml(isolated_home, 'good = 1\nbad = "no end\n')

    with pytest.raises(settings.SettingsError, match="line 2") as refused:
        settings.get(KEY)

    assert str(path) in str(refused.value)


def test_a_broken_old_bobrc_is_refused_with_its_file_and_line(isolated_home):
    (isolated_home / ".bobrc").write_text('{\n"a": }')

    with pytest.raises(settings.SettingsError, match=r"\.bobrc .*line 2"):
        settings.get(KEY)


def test_an_old_bobrc_that_is_a_list_is_refused(isolated_home):
    (isolated_home / ".bobrc").write_text("[1, 2]")

    with pytest.raises(settings.SettingsError, match="holds a list"):
        settings.get(KEY)


def test_a_table_where_a_text_belongs_is_refused_by_its_key(isolated_home):
    write_toml(isolated_home, f'["{KEY}"]\na = 1\n')

    with pytest.raises(settings.SettingsError, match=r"drn_modelpath in .* is a dict"):
        settings.get(KEY)


def test_weights_go_to_the_data_folder_of_the_user(isolated_home):
    expected = isolated_home / ".local/share/bob.learn.pytorch/weights"

    assert settings.weights_folder() == expected


def test_a_relative_data_folder_is_void(isolated_home, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", "data")
    expected = isolated_home / ".local/share/bob.learn.pytorch/weights"

    assert settings.weights_folder() == expected


def test_the_folder_for_weights_can_be_chosen(isolated_home, monkeypatch):
    monkeypatch.setenv("BOB_LEARN_PYTORCH_WEIGHTS_FOLDER", "~/weights")

    assert settings.weights_folder() == isolated_home / "weights"


@pytest.mark.parametrize(
    ("value", "expected"),
    [("1", True), ("True", True), ("on", True), ("0", False), ("no", False)],
)
def test_the_offline_switch(monkeypatch, value, expected):
    monkeypatch.setenv("BOB_LEARN_PYTORCH_OFFLINE", value)

    assert settings.offline() is expected


def test_offline_as_a_toml_boolean(isolated_home):
    write_toml(isolated_home, "[bob.learn.pytorch]\noffline = true\n")

    assert settings.offline() is True


def test_an_unclear_offline_switch_is_refused(monkeypatch):
    monkeypatch.setenv("BOB_LEARN_PYTORCH_OFFLINE", "maybe")

    with pytest.raises(settings.SettingsError, match="'maybe'; expected one of 1,"):
        settings.offline()


def test_importing_settings_loads_no_heavy_package():
    code = (
        "import sys, bob.learn.pytorch.settings;"
        "print({'torch', 'numpy', 'scipy', 'requests'} & set(sys.modules))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])},
    )

    assert found.stdout.strip() == "set()"


def test_idle_threads_sleep_unless_the_user_wants_otherwise(monkeypatch):
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    settings.let_idle_threads_sleep()
    assert os.environ["OMP_WAIT_POLICY"] == "passive"

    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    settings.let_idle_threads_sleep()
    assert os.environ["OMP_WAIT_POLICY"] == "active"
