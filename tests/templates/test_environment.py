"""uv makes environments from wheels that are made here: only one test needs a net."""

import ensurepip
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from bob.learn.pytorch import settings
from bob.learn.pytorch.templates import environment, installation, locks, shelf
from bob.learn.pytorch.templates.commands import last_lines
from bob.learn.pytorch.templates.environment import ensure, find, installed, remove
from bob.learn.pytorch.templates.errors import InstallError
from bob.learn.pytorch.templates.template import from_content

CHECKOUT = Path(__file__).resolve().parents[2]


def template(name="toy", **keys):
    content = {
        "authors": ["A"],
        "references": [],
        "downstream_tasks": [],
        "model_init": ["model = 1"],
        "embed_fwd": ["y = x"],
        "sample_rate": 16000,
        "in_shape": 2,
        **keys,
    }
    return from_content(content, name=name)


def make_wheel(folder, name, version, requires=()):
    file = f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {need}\n" for need in requires)
    files = {
        f"{name}.py": f"version = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\n"
        f"Version: {version}\n{needs}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in files)
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
    with zipfile.ZipFile(folder / file, "w") as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path), text)
    return folder / file


@pytest.fixture(scope="session")
def wheels(tmp_path_factory):
    """The packages a (which needs b) and b 1.0 and 2.0, and pip."""
    folder = tmp_path_factory.mktemp("wheels")
    make_wheel(folder, "tinya", "1.0", ["tinyb>=1"])
    make_wheel(folder, "tinyb", "1.0")
    make_wheel(folder, "tinyb", "2.0")
    for pip in (Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl"):
        shutil.copy(pip, folder)
    return folder


@pytest.fixture(autouse=True)
def _local_index(monkeypatch, wheels):
    for name in [name for name in os.environ if name.startswith(("UV_", "PIP_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    # What uv learns of an interpreter takes it a third of a second.
    monkeypatch.setenv("UV_CACHE_DIR", str(wheels.parent / "uv"))
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")


def version_of_b(environment):
    code = "import tinyb; print(tinyb.version)"
    return subprocess.run(
        [environment.python, "-I", "-c", code],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


def left():
    """Folders of environments, complete or not."""
    return list((settings.templates_folder() / "environments").glob("*"))


def failure(made, **keys):
    with pytest.raises(InstallError) as refused:
        ensure(made, **keys)
    assert not left()
    return str(refused.value)


def test_what_is_asked_for_is_installed_with_what_it_needs_and_nothing_else():
    made = ensure(template(requirements=["tinya==1.0"]))

    assert version_of_b(made) == "2.0"
    lock = (made.folder / "lock.txt").read_text()
    assert [line.split()[0] for line in lock.splitlines()] == [
        "tinya==1.0",
        "tinyb==2.0",
    ]
    assert lock.count("--hash=sha256:") == 2
    assert made.lock_sha256 == locks.versions_sha256(lock)
    assert made.work.is_dir()
    assert made.home.is_dir()
    packages = made.folder.glob("venv/lib/python*/site-packages/*.dist-info")
    assert sorted(path.name[:5] for path in packages) == ["tinya", "tinyb"]


def test_an_environment_is_found_and_not_made_again():
    asked = template(requirements=["tinya==1.0"])
    assert find(asked) is None
    made = ensure(asked)
    stamp = made.folder.stat().st_mtime_ns

    assert find(asked) == made
    assert ensure(asked, download=lambda _: pytest.fail("made again")) == made
    assert made.folder.stat().st_mtime_ns == stamp


def test_templates_with_equal_locks_share_one():
    """They ask in different words for the same packages, and run different code."""
    first = ensure(template("first", requirements=["tinya==1.0"]))
    second = ensure(
        template("second", requirements=["tinyb==2.0", "tinya==1.0"], model_init=["m"])
    )

    assert second == first
    (only,) = installed()
    assert only.templates == ("first", "second")
    assert only.key == first.key
    assert only.megabytes > 0
    assert only.python == f"{sys.version_info.major}.{sys.version_info.minor}"


def test_conflicting_requirements_live_side_by_side():
    old = ensure(template(requirements=["tinyb==1.0"]))
    new = ensure(template(requirements=["tinyb==2.0"]))

    assert (version_of_b(old), version_of_b(new)) == ("1.0", "2.0")


def test_a_requirement_without_dependencies_brings_none():
    made = ensure(template(requirements_without_dependencies=["tinya==1.0"]))

    assert "tinyb" not in (made.folder / "lock.txt").read_text()


def test_what_stands_alone_goes_before_a_dependency():
    made = ensure(
        template(
            requirements=["tinya==1.0"],
            requirements_without_dependencies=["tinyb==1.0"],
        )
    )

    assert version_of_b(made) == "1.0"


def test_a_lock_stays_when_newer_packages_appear(wheels, monkeypatch, tmp_path):
    asked = template(requirements=["tinya==1.0"])
    made = ensure(asked)
    remove(asked)
    newer = shutil.copytree(wheels, tmp_path / "newer")
    make_wheel(newer, "tinyb", "3.0")
    monkeypatch.setenv("PIP_FIND_LINKS", str(newer))

    assert ensure(asked).lock_sha256 == made.lock_sha256


def test_a_lock_depends_on_no_path(wheels, monkeypatch, tmp_path):
    asked = template(requirements=["tinya==1.0"])
    made = ensure(asked)
    monkeypatch.setenv("PIP_FIND_LINKS", str(shutil.copytree(wheels, tmp_path / "w")))
    monkeypatch.setenv("BOB_LEARN_PYTORCH_TEMPLATES_FOLDER", str(tmp_path / "t"))

    again = ensure(asked)

    assert again.folder != made.folder
    assert (again.key, again.lock_sha256) == (made.key, made.lock_sha256)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# a comment\nA==1  # why\n", "A==1\n"),
        ("b==2\na_x==1 \\\n    --hash=sha256:0\n", "a_x==1 --hash=sha256:0\nb==2\n"),
        ("a @ file:///tmp/b.c/a-1.whl\n", "a @ a-1.whl\n"),
        ("-e file:///home/me/work/a\n", "-e a\n"),
        (
            "a @ git+https://example.org/x/a@12ab\n",
            "a @ git+https://example.org/x/a@12ab\n",
        ),
        ("--index-url https://example.org/simple\na==1\n", "a==1\n"),
    ],
)
def test_a_normalised_lock(text, expected):
    assert locks.normalised(text) == expected


def test_commands_run_in_the_work_folder_with_no_secret(monkeypatch):
    monkeypatch.setenv("HUB_TOKEN", "a-secret")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://me:a-secret@example.org/simple")
    monkeypatch.setenv("https_proxy", "http://proxy:3128")

    made = ensure(
        template(install_cmds=["!env > seen", "$ which python > which", "pwd > where"])
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


def test_a_change_of_folder_holds_for_the_commands_that_follow():
    """As in one shell, and as Py-Torch-DAE has it."""
    made = ensure(template(install_cmds=["mkdir -p a/b", "cd a", "cd b", "pwd > c"]))

    assert (made.work / "a" / "b" / "c").is_file()


def test_a_folder_that_is_not_there_is_told():
    assert "install_cmds[0]" in failure(template(install_cmds=["cd nowhere"]))


@pytest.mark.slow
def test_what_commands_installed_is_the_lock(wheels):
    made = ensure(
        template(
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
    assert made.lock_sha256 == locks.versions_sha256(lock)
    assert find(template(requirements=["tinya==1.0"])) is None


def test_templates_with_commands_share_nothing():
    first = ensure(template(install_cmds=["true"]))
    second = ensure(template(install_cmds=["true"], model_init=["model = 2"]))

    assert first.key != second.key


@pytest.mark.slow
def test_pip_is_there_only_where_commands_name_it():
    with_pip = ensure(template(install_cmds=["python -m pip --version"]))
    without = ensure(template(install_cmds=["true"]))

    assert (with_pip.python.parent / "pip").exists()
    assert not (without.python.parent / "pip").exists()


def test_a_command_that_fails_is_told_with_what_it_said_last():
    said = failure(
        template(
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


def test_a_command_that_is_killed_is_told_by_its_signal():
    assert "signal SIGSEGV" in failure(template(install_cmds=["kill -SEGV $$"]))


def test_a_megabyte_of_output_ends_in_a_short_message():
    said = failure(
        template(install_cmds=["yes 0123456789 | head -c 3300000; echo last; exit 1"])
    )

    assert len(said) < 2000
    assert "    last\n" in said


def test_last_lines_hold_no_colours_bars_or_control_letters():
    said = "\x1b[31mred\x1b[0m\nbar 10%\rbar 100%\n\nbell\x07\r\n" + 1000 * "x"

    assert last_lines(said, 4) == f"red\nbar 100%\nbell?\n{400 * 'x'}"


def test_time_is_limited_and_no_process_remains(tmp_path):
    pids = tmp_path / "pids"
    line = f"sleep 60 & echo $! > {pids}; sleep 60"
    start = time.monotonic()

    said = failure(template(install_cmds=[line], limits={"install_seconds": 1}))

    assert time.monotonic() - start < 10
    assert "longer than limits.install_seconds, 1 s" in said
    assert_gone(int(pids.read_text()))


def test_what_a_command_leaves_in_the_background_is_ended(tmp_path):
    pids = tmp_path / "pids"

    ensure(template(install_cmds=[f"sleep 60 & echo $! > {pids}"]))

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


def test_a_version_that_does_not_exist_is_told():
    said = failure(template(requirements=["tinya==7.0"]))

    assert "tinya==7.0" in said
    assert "exact versions" in said
    assert "each must be on the package index" in said


def test_a_package_that_changed_is_refused():
    asked = template(requirements=["tinyb==1.0"])
    ensure(asked)
    remove(asked)
    place = locks.place(asked)
    text = place.read_text()
    start = text.index("sha256:") + 7
    place.write_text(text[:start] + 64 * "0" + text[start + 64 :])

    said = failure(asked)

    assert "Hash mismatch" in said
    assert f"remove {place}" in said


def test_downloads_come_before_the_environment_counts_and_are_written_down():
    asked = template(requirements=["tinyb==1.0"], download_cmds=["pass"])
    seen = []

    def download(partial):
        seen.append((partial, find(asked)))
        (partial.home / "weights").write_text("a")

    made = ensure(asked, download=download)

    assert seen == [(replace(made, downloaded=None), None)]
    assert made.downloaded == shelf.contents_sha256(made.home)
    assert find(asked) == ensure(asked, download=pytest.fail) == made


@pytest.mark.parametrize("kind", [InstallError, KeyboardInterrupt, ValueError])
def test_a_download_that_fails_is_done_again_and_nothing_else(kind):
    asked = template(requirements=["tinyb==1.0"], download_cmds=["pass"])
    seen = []

    def fail(partial):
        seen.append(partial)
        raise kind("no weights")

    with pytest.raises(kind, match="no weights"):
        ensure(asked, download=fail)
    missing = find(asked)
    made = ensure(asked, download=seen.append)

    assert missing is None
    assert [one.folder for one in seen] == [made.folder] * 2
    assert find(asked) == made


def test_what_was_downloaded_is_told_apart_by_names_and_contents(tmp_path):
    """Links of a hub lead to files beside them; locks and logs are as they come."""

    def digest(name, text="a", revision="1"):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        blob = folder / "blobs" / name
        blob.parent.mkdir(parents=True)
        blob.write_text(text)
        link = folder / "snapshots" / revision / "model"
        link.parent.mkdir(parents=True)
        link.symlink_to(blob)
        for changing in ("a.lock", "b.log", ".locks/c", "__pycache__/d.pyc"):
            (folder / changing).parent.mkdir(exist_ok=True)
            (folder / changing).write_text(str(folder))
        return shelf.contents_sha256(folder)

    assert digest("x") == digest("x")
    assert len({digest("x"), digest("y"), digest("x", "b"), digest("x", "a", "2")}) == 4


def test_offline_what_was_fetched_earlier_suffices(monkeypatch):
    monkeypatch.setenv("BOB_LEARN_PYTORCH_OFFLINE", "1")

    assert version_of_b(ensure(template(requirements=["tinyb==1.0"]))) == "1.0"


def test_offline_what_is_missing_is_told_with_the_setting(monkeypatch):
    monkeypatch.setenv("BOB_LEARN_PYTORCH_OFFLINE", "1")
    monkeypatch.delenv("PIP_NO_INDEX")

    said = failure(template(requirements=["nosuchpackageatall==1.0"]))

    assert "bob.learn.pytorch.offline" in said
    assert "BOB_LEARN_PYTORCH_OFFLINE=0" in said


@pytest.mark.parametrize("key", ["install_cmds", "download_cmds"])
def test_offline_commands_are_not_run(monkeypatch, key, tmp_path):
    monkeypatch.setenv("BOB_LEARN_PYTORCH_OFFLINE", "1")

    said = failure(template(**{key: [f"touch {tmp_path}/ran"]}))

    assert "need the network" in said
    assert not (tmp_path / "ran").exists()


def test_an_environment_that_is_there_is_used_offline(monkeypatch):
    asked = template(install_cmds=["true"])
    made = ensure(asked)
    monkeypatch.setenv("BOB_LEARN_PYTORCH_OFFLINE", "1")

    assert ensure(asked) == made


def test_a_python_that_is_nowhere_is_told(monkeypatch):
    monkeypatch.setenv("PATH", os.defpath)
    said = failure(template(python=">=9"))

    assert "fetch Python >=9" in said
    assert "by hand" in said


def test_a_python_that_is_nowhere_is_told_offline(monkeypatch):
    monkeypatch.setenv("PATH", os.defpath)
    monkeypatch.setenv("BOB_LEARN_PYTORCH_OFFLINE", "1")

    assert "needs Python >=9, and this machine has none" in failure(
        template(python=">=9")
    )


def test_a_missing_uv_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "uv", None)

    assert "pip install uv" in failure(template(requirements=["tinyb==1.0"]))


def test_a_full_disk_is_told_with_what_to_do():
    said = failure(
        template(install_cmds=["echo 'No space left on device' >&2; exit 1"])
    )

    assert "free some space" in said
    assert "bob config set bob.learn.pytorch.templates_folder" in said


def test_a_disk_that_is_full_for_us_is_told_too(monkeypatch):
    def write_record(folder, record):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))

    monkeypatch.setattr(installation, "write_record", write_record)

    said = failure(template(requirements=["tinyb==1.0"]))

    assert "No space left on device" in said
    assert "free some space" in said


def test_a_folder_that_cannot_be_written_is_told(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BOB_LEARN_PYTORCH_TEMPLATES_FOLDER", str(tmp_path / "file"))

    with pytest.raises(InstallError, match=r"file/.* cannot be written"):
        ensure(template(requirements=["tinyb==1.0"]))


def test_an_environment_whose_python_is_gone_is_made_anew():
    asked = template(requirements=["tinyb==1.0"])
    made = ensure(asked)
    made.python.unlink()
    assert find(asked) is None

    again = ensure(asked)

    assert version_of_b(again) == "1.0"
    assert left() == [again.folder]


SCRIPT = """
import json, sys
from bob.learn.pytorch.templates.environment import ensure
from bob.learn.pytorch.templates.template import from_content
print(ensure(from_content(json.loads(sys.argv[1]), name="toy")).folder)
"""


def elsewhere(made):
    """Another process that ensures a template."""
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, json.dumps(dict(made.content))],
        stdout=subprocess.PIPE,
        text=True,
        cwd=CHECKOUT,
        start_new_session=True,
    )


def test_of_two_processes_at_once_one_installs(tmp_path):
    asked = template(install_cmds=[f"echo ran >> {tmp_path}/log; sleep 0.3"])
    processes = [elsewhere(asked) for _ in range(2)]

    folders = {process.communicate(timeout=60)[0] for process in processes}

    assert [process.returncode for process in processes] == [0, 0]
    assert folders == {f"{find(asked).folder}\n"}
    assert (tmp_path / "log").read_text() == "ran\n"


def test_what_a_killed_process_left_half_built_is_removed(tmp_path):
    flag = tmp_path / "flag"
    asked = template(
        install_cmds=[f"test -e {flag} || {{ echo $$ > {flag}; exec sleep 60; }}"]
    )
    process = elsewhere(asked)
    for _ in range(300):
        if flag.exists() and flag.read_text().endswith("\n"):
            break
        time.sleep(0.1)
    process.kill()
    process.communicate()
    (half,) = left()

    # The command of the killed process still runs, and the new one does not mind.
    made = ensure(asked)
    os.kill(int(flag.read_text()), signal.SIGKILL)

    assert made.folder != half
    assert left() == [made.folder]


def test_half_built_ones_of_other_templates_are_removed_too():
    folder = settings.templates_folder() / "environments" / "0123456789abcdef.abcdef"
    (folder / "venv").mkdir(parents=True)

    made = ensure(template(requirements=["tinyb==1.0"]))

    assert left() == [made.folder]
    assert [one.key for one in installed()] == [made.key]


@pytest.mark.parametrize("by", ["key", "name", "template"])
def test_an_environment_is_removed(by):
    asked, other = template(requirements=["tinyb==1.0"]), template("b", in_shape=1)
    made, kept = ensure(asked), ensure(other)

    (gone,) = remove({"key": made.key, "name": "toy", "template": asked}[by])

    assert gone.key == made.key
    assert find(asked) is None
    assert find(other) == kept
    assert left() == [kept.folder]


def test_what_is_not_installed_cannot_be_removed():
    made = ensure(template(requirements=["tinyb==1.0"]))

    with pytest.raises(
        InstallError, match=rf"for speech/x; there are {made.key} \(toy"
    ):
        remove("speech/x")


def test_an_environment_that_is_being_made_is_not_removed():
    asked = template(requirements=["tinyb==1.0"])
    made = ensure(asked)

    with (
        environment.locked(settings.templates_folder() / f".{made.key}.lock"),
        pytest.raises(InstallError, match="another process"),
    ):
        remove(asked)

    assert find(asked) == made


def test_progress_shows_steps_and_what_tools_say(capsys):
    ensure(template(install_cmds=["echo working hard"]), progress=True)

    said = capsys.readouterr().err
    assert "[toy] install_cmds[0]" in said
    assert "working hard" in said


def test_importing_loads_no_heavy_package():
    code = (
        "import sys\n"
        "from bob.learn.pytorch.templates import artefacts, environment, trust\n"
        "heavy = {'torch', 'requests', 'scipy', 'bob.bio', 'bob.pipelines', 'uv'}\n"
        "print(heavy & set(sys.modules))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        cwd=CHECKOUT,
    )

    assert found.stdout.strip() == "set()"


@pytest.mark.network
def test_a_package_of_the_registry_is_installed(monkeypatch):
    for name in ("PIP_NO_INDEX", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name)

    made = ensure(template(requirements=["six==1.16.0"]))

    subprocess.run([made.python, "-I", "-c", "import six"], check=True)
