import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from programs import printed_by

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


TABLE = "bob.learn.pytorch.extractor.audio"
TOML = {
    "nested tables": (f'[{TABLE}]\ndrn_modelpath = "/models/a"\n', "/models/a"),
    "a flat quoted key": (f'"{KEY}" = "/models/b"\n', "/models/b"),
    "a table with a half flat key": (
        "[bob.learn]\nother = 1\n"
        '"pytorch.extractor.audio.drn_modelpath" = "/models/c"\n',
        "/models/c",
    ),
    "a table without the key does not hide a flatter one": (
        f'[bob.learn]\nother = 1\n["{TABLE}"]\ndrn_modelpath = "/models/d"\n',
        "/models/d",
    ),
    "a number is text, as `bob config set <key> 7` stores it": (f'"{KEY}" = 7\n', "7"),
}


@pytest.mark.parametrize(("text", "value"), TOML.values(), ids=TOML)
def test_tables_of_any_depth_are_read(isolated_home, text, value):
    write_toml(isolated_home, text)

    assert settings.get(KEY) == value


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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{\n"a": }', r"\.bobrc .*line 2"),
        ("[" * 100_000, r"\.bobrc cannot be read"),
        ("[1, 2]", "holds a list"),
    ],
    ids=["broken", "nested too deep", "a list"],
)
def test_an_old_bobrc_that_is_none_is_refused(isolated_home, text, message):
    (isolated_home / ".bobrc").write_text(text)

    with pytest.raises(settings.SettingsError, match=message):
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

    assert printed_by(code) == "set()"


def test_idle_threads_sleep_unless_the_user_wants_otherwise(monkeypatch):
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    settings.let_idle_threads_sleep()
    assert os.environ["OMP_WAIT_POLICY"] == "passive"

    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    settings.let_idle_threads_sleep()
    assert os.environ["OMP_WAIT_POLICY"] == "active"


def test_templates_keep_their_things_in_the_data_folder_of_the_user(isolated_home):
    expected = isolated_home / ".local/share/bob.learn.pytorch/templates"

    assert settings.templates_folder() == expected


def test_the_folder_for_templates_can_be_chosen(isolated_home, monkeypatch):
    monkeypatch.setenv("BOB_LEARN_PYTORCH_TEMPLATES_FOLDER", "~/big")

    assert settings.templates_folder() == isolated_home / "big"


def test_other_peoples_code_sees_no_secret_and_no_home(monkeypatch):
    monkeypatch.setenv("HUB_TOKEN", "a-secret")
    monkeypatch.setenv("https_proxy", "http://proxy:3128")

    closed = settings.plain_environment(network=False)
    open_ = settings.plain_environment(network=True)

    assert not {"HUB_TOKEN", "HOME", "https_proxy"} & closed.keys()
    assert not {"HUB_TOKEN", "HOME"} & open_.keys()
    assert closed["PATH"] == os.environ["PATH"]
    assert open_["https_proxy"] == "http://proxy:3128"


@pytest.fixture
def no_indexes(monkeypatch):
    """Nothing says where packages are."""
    names = ("UV_", "PIP_", "SSL_CERT", "REQUESTS_CA", "CURL_CA")
    for name in [name for name in os.environ if name.startswith(names)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)


@pytest.mark.usefixtures("no_indexes")
def test_an_installer_learns_no_secret_but_has_its_cache(isolated_home, monkeypatch):
    monkeypatch.setenv("HUB_TOKEN", "a-secret")
    monkeypatch.setenv("UV_PUBLISH_TOKEN", "a-secret")

    found = settings.installer_environment()

    assert "a-secret" not in found.values()
    assert found["HOME"] == str(isolated_home)
    assert found["UV_NO_CONFIG"] == "1"


@pytest.mark.usefixtures("no_indexes")
def test_the_indexes_of_pip_are_those_of_uv(monkeypatch, tmp_path):
    for name, value in (
        ("INDEX_URL", "https://mirror/simple"),
        ("EXTRA_INDEX_URL", "https://a/simple\n  https://b/simple"),
        ("FIND_LINKS", f"{tmp_path} /nowhere/at/all https://c/wheels"),
        ("TRUSTED_HOST", "mirror"),
        ("DEFAULT_TIMEOUT", "180"),
        ("NO_INDEX", "0"),
        ("CERT", "/etc/mirror.pem"),
    ):
        monkeypatch.setenv(f"PIP_{name}", value)

    found = settings.installer_environment()

    # The user's main index goes first; uv asks its default index last.
    assert found["UV_INDEX"] == "https://mirror/simple https://a/simple"
    assert found["UV_DEFAULT_INDEX"] == "https://b/simple"
    assert found["UV_INDEX_STRATEGY"] == "unsafe-best-match"
    assert found["UV_FIND_LINKS"] == f"{tmp_path},https://c/wheels"
    assert found["UV_INSECURE_HOST"] == "mirror"
    assert found["UV_HTTP_TIMEOUT"] == "180"
    assert found["SSL_CERT_FILE"] == "/etc/mirror.pem"
    assert "PIP_NO_INDEX" not in found


@pytest.mark.usefixtures("no_indexes")
def test_the_settings_file_of_pip_counts_after_its_variables(
    isolated_home, monkeypatch
):
    monkeypatch.delenv("PIP_CONFIG_FILE")
    path = isolated_home / ".config" / "pip" / "pip.conf"
    path.parent.mkdir(parents=True)
    path.write_text(
        "[global]\nindex-url = https://file/simple\n[install]\nno-index = true\n"
    )

    found = settings.installer_environment()
    assert found["UV_DEFAULT_INDEX"] == "https://file/simple"
    assert found["PIP_NO_INDEX"] == "1"

    monkeypatch.setenv("PIP_INDEX_URL", "https://variable/simple")
    found = settings.installer_environment()
    assert found["UV_DEFAULT_INDEX"] == "https://variable/simple"


@pytest.mark.usefixtures("no_indexes")
def test_a_broken_settings_file_of_pip_is_refused(monkeypatch, tmp_path):
    (tmp_path / "pip.conf").write_text("index-url = https://x\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))

    with pytest.raises(settings.SettingsError, match=r"pip\.conf"):
        settings.installer_environment()


@pytest.mark.usefixtures("no_indexes")
def test_who_has_set_uv_up_is_taken_at_their_word(isolated_home, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "https://pip/simple")
    monkeypatch.setenv("UV_INDEX_URL", "https://uv/simple")

    found = settings.installer_environment()
    assert found["UV_INDEX_URL"] == "https://uv/simple"
    assert "UV_DEFAULT_INDEX" not in found

    monkeypatch.delenv("UV_INDEX_URL")
    file = isolated_home / ".config" / "uv" / "uv.toml"
    file.parent.mkdir(parents=True)
    file.write_text("")

    found = settings.installer_environment()
    assert found["UV_CONFIG_FILE"] == str(file)
    assert "UV_DEFAULT_INDEX" not in found


def test_interpreters_are_looked_for_where_pyenv_keeps_them(isolated_home, monkeypatch):
    for version in ("3.9.1", "3.10.2"):
        (isolated_home / ".pyenv" / "versions" / version / "bin").mkdir(parents=True)
    monkeypatch.delenv("PYENV_ROOT", raising=False)
    monkeypatch.setenv("PATH", f"/usr/bin:{isolated_home}/.pyenv/shims")

    found = settings.python_search_path().split(":")

    assert found[0] == "/usr/bin"
    assert f"{isolated_home}/.pyenv/shims" not in found
    assert f"{isolated_home}/.pyenv/versions/3.10.2/bin" in found
