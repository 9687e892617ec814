"""Lines for the shell that install what a package index does not have."""

import time
from pathlib import Path

import pytest

from bob.learn.pytorch.templates.install import packages
from bob.learn.pytorch.templates.install.commands import last_lines
from bob.learn.pytorch.templates.install.environment import ensure, find

pytestmark = pytest.mark.usefixtures("local_index")


def test_commands_run_in_the_work_folder_with_no_secret(monkeypatch, toy):
    monkeypatch.setenv("HUB_TOKEN", "a-secret")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://me:a-secret@example.org/simple")
    monkeypatch.setenv("https_proxy", "http://proxy:3128")

    made = ensure(
        toy(install_cmds=["!env > seen", "$ which python > which", "pwd > where"])
    )

    seen = (made.work / "seen").read_text()
    assert "a-secret" not in seen
    variables = dict(line.split("=", 1) for line in seen.splitlines() if "=" in line)
    assert variables["HOME"] == str(made.home)
    assert variables["VIRTUAL_ENV"] == str(made.folder / "venv")
    assert variables["https_proxy"] == "http://proxy:3128"
    assert variables["PIP_EXTRA_INDEX_URL"] == "https://example.org/simple"
    assert (made.work / "which").read_text().strip() == str(made.python)
    assert Path((made.work / "where").read_text().strip()).samefile(made.work)


def test_a_change_of_folder_holds_for_the_commands_that_follow(toy):
    """As in one shell, and as Py-Torch-DAE has it."""
    made = ensure(toy(install_cmds=["mkdir -p a/b", "cd a", "cd b", "pwd > c"]))

    assert (made.work / "a" / "b" / "c").is_file()


def test_a_folder_that_is_not_there_is_told(toy, failure):
    assert "install_cmds[0]" in failure(toy(install_cmds=["cd nowhere"]))


@pytest.mark.slow
def test_what_commands_installed_is_the_lock(wheels, toy):
    made = ensure(
        toy(
            requirements=["tinya==1.0"],
            install_cmds=[
                "pip install --no-deps --force-reinstall "
                f"{wheels}/tinyb-1.0-py3-none-any.whl"
            ],
        )
    )

    lock = (made.folder / "lock.txt").read_text()
    pins = [line.partition("#")[0] for line in lock.splitlines()]
    assert pins == ["tinya==1.0", "tinyb @ tinyb-1.0-py3-none-any.whl"]
    assert made.lock_sha256 == packages.Lock(lock, "").sha256
    assert find(toy(requirements=["tinya==1.0"])) is None


def test_templates_with_commands_share_nothing(toy):
    first = ensure(toy(install_cmds=["true"]))
    second = ensure(toy(install_cmds=["true"], model_init=["model = 2"]))

    assert first.key != second.key


@pytest.mark.slow
def test_pip_is_there_only_where_commands_name_it(toy):
    with_pip = ensure(toy(install_cmds=["python -m pip --version"]))
    without = ensure(toy(install_cmds=["true"]))

    assert (with_pip.python.parent / "pip").exists()
    assert not (without.python.parent / "pip").exists()


def test_a_command_that_fails_is_told_with_what_it_said_last(toy, failure):
    said = failure(
        toy(
            "speech/x",
            install_cmds=["true", "echo; echo needs a compiler >&2; exit 3"],
        )
    )

    assert "template speech/x" in said
    assert "install_cmds[1]" in said
    assert "echo needs a compiler >&2; exit 3" in said
    assert "exit status 3" in said
    assert "    needs a compiler" in said
    assert "to do    mend this line" in said


def test_a_command_that_is_killed_is_told_by_its_signal(toy, failure):
    assert "signal SIGSEGV" in failure(toy(install_cmds=["kill -SEGV $$"]))


def test_a_megabyte_of_output_ends_in_a_short_message(toy, failure):
    said = failure(
        toy(install_cmds=["yes 0123456789 | head -c 3300000; echo last; exit 1"])
    )

    assert len(said) < 2000
    assert "    last\n" in said


def test_last_lines_hold_no_colours_bars_or_control_letters():
    said = "\x1b[31mred\x1b[0m\nbar 10%\rbar 100%\n\nbell\x07\r\n" + 1000 * "x"

    assert last_lines(said, 4) == f"red\nbar 100%\nbell?\n{400 * 'x'}"


def test_time_is_limited_and_no_process_remains(tmp_path, toy, failure):
    pids = tmp_path / "pids"
    line = f"sleep 60 & echo $! > {pids}; sleep 60"
    start = time.monotonic()

    said = failure(toy(install_cmds=[line], limits={"install_seconds": 1}))

    assert time.monotonic() - start < 10
    assert "longer than limits.install_seconds, 1 s" in said
    assert_gone(int(pids.read_text()))


def test_what_a_command_leaves_in_the_background_is_ended(tmp_path, toy):
    pids = tmp_path / "pids"

    ensure(toy(install_cmds=[f"sleep 60 & echo $! > {pids}"]))

    assert_gone(int(pids.read_text()))


def assert_gone(pid):
    """A zombie that nobody in a container waits for counts as gone."""
    for _ in range(50):
        try:
            status = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except FileNotFoundError:
            return
        if status[0] == "Z":
            return
        time.sleep(0.1)
    pytest.fail(f"process {pid} runs on")


def test_a_full_disk_is_told_with_what_to_do(toy, failure):
    said = failure(toy(install_cmds=["echo 'No space left on device' >&2; exit 1"]))

    assert "free some space" in said
    assert "bob config set bob.learn.pytorch.templates_folder" in said


def test_progress_shows_steps_and_what_tools_say(capsys, toy):
    ensure(toy(install_cmds=["echo working hard"]), progress=True)

    said = capsys.readouterr().err
    assert "[toy] install_cmds[0]" in said
    assert "working hard" in said
