import json
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from commands import done, refused
from files import from_json
from recordings import record

from bob.learn.pytorch.script.verify import main

RATE = 8000

TOY = """
import time
import numpy as np
from bob.learn.pytorch.extractor import CallableExtractor

class Bands:
    def __call__(self, data, annotations):
        time.sleep({pause})
        rate, samples = data
        spectrum = np.abs(np.fft.rfft(samples / 32768)) ** 2
        return np.log([part.mean() + 1e-3 for part in np.array_split(spectrum, 8)])

database = {recordings!r}
preprocessor = Bands()
extractor = CallableExtractor(lambda x: x)
algorithm = "cosine"
sub_directory = "toy"
groups = ["dev", "eval"]
"""


@pytest.fixture
def recordings(tmp_path):
    """Four speakers, each a pitch of its own in two sessions of two recordings."""
    noise = np.random.default_rng(0)
    time_axis = np.arange(RATE) / RATE
    for speaker in range(4):
        for session in "ab":
            for take in range(2):
                path = tmp_path / f"corpus/speaker{speaker}/{session}/{take}.wav"
                wave = 0.3 * np.sin(2 * np.pi * (300 + 400 * speaker) * time_axis)
                record(path, wave + noise.normal(0, 0.05, RATE), RATE)
    return tmp_path / "corpus"


@pytest.fixture
def toy(recordings, tmp_path):
    path = tmp_path / "config.py"
    path.write_text(TOY.format(pause=0, recordings=str(recordings)))
    return str(path)


SCORES = Path("results/toy/session/nonorm/scores-dev")


def test_one_command_gives_scores_error_rates_and_a_picture(toy, capsys):
    assert main([toy]) == 0

    output = capsys.readouterr().out
    assert "EER" in output
    assert "minDCF" in output
    assert len(SCORES.read_text().splitlines()) == 2 * 4
    report = from_json(SCORES.parent / "report.json")
    assert report["dev"]["targets"] == 4
    assert report["eval"]["dev_threshold"] is not None
    assert (SCORES.parent / "det.png").read_bytes().startswith(b"\x89PNG")


def test_an_unknown_option_names_the_nearest_in_one_line(capsys):
    with pytest.raises(SystemExit):
        main(["--databse", "x"])

    (line,) = capsys.readouterr().err.splitlines()
    assert "unrecognized arguments: --databse" in line
    assert "did you mean --database?" in line


def test_an_old_import_of_a_configuration_is_told_once(toy, capsys):
    old = "from bob.learn.pytorch.comparison.comparer import Comparer\n"
    Path(toy).write_text(old + Path(toy).read_text())
    sys.modules.pop("bob.learn.pytorch.comparison.comparer", None)

    assert main([toy, "--dry-run"]) == 0

    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"WARNING configuration {toy}, line 1: bob.learn.pytorch.")
    assert "Comparer is bob.learn.pytorch.experiment.backends.backend_of now" in line


def test_what_a_skipped_stage_has_not_left_is_named_with_the_next_step(toy, capsys):
    assert main([toy, "--skip-preprocessing"]) == 1

    said = capsys.readouterr().err
    assert "no stored data at temp/toy/preprocessed/" in said
    assert "run once without --skip-preprocessing" in said
    assert "Errno" not in said


def test_error_rates_that_rooms_may_have_won_say_so(toy, recordings, capsys):
    for path in sorted(recordings.rglob("*.wav")):
        path.rename(path.parents[1] / f"{path.parent.name}{path.name}")

    assert main([toy, "--groups", "dev"]) == 0

    said = capsys.readouterr()
    assert "Note: sessions are not known, so a target trial" in said.out
    assert "WARNING sessions are not known" in said.err


def test_all_pairs_of_a_folder_are_scored(toy):
    """Four speakers with four recordings: 4 x 6 pairs of one, 16 x 15 / 2 in all."""
    assert main([toy, "--protocol", "all-pairs", "--groups", "dev"]) == 0

    lines = Path("results/toy/all-pairs/nonorm/scores-dev").read_text().splitlines()
    fields = [line.split() for line in lines]
    assert len(fields) == 120
    assert sum(claimed == real for claimed, real, *_ in fields) == 24


def test_the_experiment_is_described_before_it_runs(toy):
    main([toy, "-R", "elsewhere"])

    text = Path("elsewhere/toy/session/Experiment.info").read_text()
    for title in ("Command line:", "Host:", "Database:", "Preprocessor:", "Algorithm:"):
        assert title in text
    assert "-R elsewhere" in text


def test_a_later_configuration_and_the_command_line_win(toy, tmp_path):
    (tmp_path / "more.py").write_text("groups = ['eval']\nsub_directory = 'second'\n")

    assert main([toy, "more.py", "-s", "third"]) == 0

    folder = Path("results/third/session/nonorm")
    assert (folder / "scores-eval").exists()
    assert not (folder / "scores-dev").exists()


def test_a_dry_run_names_the_calibration_if_there_is_one(toy, capsys):
    for options in ([], ["-C"]):
        assert main([toy, "--dry-run", *options]) == 0

        listed = "'calibration'" in capsys.readouterr().out
        assert listed == bool(options)


def test_both_doors_refuse_scores_that_separate_perfectly_where_a_penalty_is_set(
    toy, capsys
):
    assert main([toy, "-C", "--calibration-penalty", "0"]) == 1
    error = capsys.readouterr().err.removeprefix("verify.py: ")

    assert (
        refused("calibrate", SCORES, "--penalty", "0", status=1)
        == f"Error: {error.strip()} (--penalty)\n"
    )
    assert error.startswith(f"{SCORES}: the 4 target and 4 non-target trials separate")


def test_both_doors_give_one_calibration_of_scores_that_separate_perfectly(toy, capsys):
    assert main([toy, "-C"]) == 0
    said = capsys.readouterr()

    output = done("calibrate", SCORES, "-o", "c.json", "--json")

    one, two = (
        from_json(path) for path in (SCORES.parent / "calibration.json", Path("c.json"))
    )
    assert (one["weights"], one["offset"]) == (two["weights"], two["offset"])
    told = [kept["provenance"] for kept in (one, two)]
    assert told[0] == told[1]
    assert (told[0]["penalty"], told[0]["separated"]) == ("0.001", "True")
    note = "it was fitted with the penalty 0.001"
    assert note in " ".join(said.out.split())
    assert note in said.err
    assert note in " ".join(json.loads(output)["notes"])
    report = from_json(SCORES.parent / "report.json")
    assert report["calibrated"]["provenance"]["separated"] == "True"


def test_a_dry_run_lists_the_tasks_and_writes_nothing(toy, capsys):
    assert main([toy, "--dry-run", "--skip-extraction"]) == 0

    output = capsys.readouterr().out
    assert "Would have executed task 'preprocessing'" in output
    assert "extraction" not in output
    assert not Path("temp").exists()
    assert not Path("results").exists()


def test_normalised_and_calibrated_scores_have_reports_of_their_own(
    toy, recordings, capsys
):
    for path in recordings.glob("speaker[012]/*/*.wav"):
        samples, rate = soundfile.read(path)
        speaker, session, take = path.parts[-3:]
        place = Path("others", f"stranger-{speaker}", session, take)
        record(place, samples * np.linspace(1, 0.1, len(samples)) ** 2, rate)

    options = ["-z", "--cohort", "others", "-C", "--calibration-penalty", "0.01"]
    assert main([toy, *options]) == 0

    output = capsys.readouterr().out
    for word in (
        "Scores normalised by zt-norm, cohort 3 speakers from others",
        "Calibrated scores (results/toy/session/ztnorm/calibrated-<group>)",
        "actDCF, P_target 0.01",
        "The penalty 0.01 keeps the slope finite",
        "Note: 2 speakers are few",
    ):
        assert word in output
    for kind in ("nonorm", "ztnorm"):
        folder = SCORES.parents[1] / kind
        report = from_json(folder / "report.json")
        line = from_json(folder / "calibration.json")
        for group in ("dev", "eval"):
            rows = [
                text.split()
                for text in (folder / f"scores-{group}").read_text().splitlines()
            ]
            ratios = [
                line["weights"][0] * float(row[-1]) + line["offset"] for row in rows
            ]
            sides = [
                np.mean(
                    [
                        np.log2(1 + np.exp(sign * ratio))
                        for row, ratio in zip(rows, ratios, strict=True)
                        if (row[0] == row[1]) == is_target
                    ]
                )
                for is_target, sign in ((True, -1), (False, 1))
            ]
            figures = report["calibrated"]["groups"][group]
            assert figures["cllr"] == pytest.approx(np.mean(sides), rel=1e-4)
    assert "normalisation" in report
    text = Path("results/toy/session/Experiment.info").read_text()
    assert "Normalisation:\nzt-norm, cohort 3 speakers from others" in text
    assert "penalty 0.01" in text


def test_five_columns_and_the_timer(toy, capsys):
    assert main([toy, "-U", "-B", "real"]) == 0

    assert all(len(line.split()) == 5 for line in SCORES.read_text().splitlines())
    assert re.search(r"Elapsed real time: [\d.]+ seconds", capsys.readouterr().out)


def test_a_written_configuration_is_never_overwritten(capsys):

    assert main(["-H", "new.py"]) == 0
    text = Path("new.py").read_text()
    assert main(["-H", "new.py"]) == 1

    assert "# database = ..." in text
    assert Path("new.py").read_text() == text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent.py"], "no configuration 'absent.py'"),
        ([], "Please specify 'database'"),
        (["-d", "nowhere"], "'nowhere'"),
        (["-e", "no_such_thing"], "no_such_thing"),
        (["-Z"], "--write-compressed-score-files is not offered"),
        (["-z"], "the database corpus has no cohort and no training recordings"),
        (["--score-normalisation", "x-norm"], "choose one of z-norm, t-norm"),
        (["-z", "--score-normalisation", "s-norm"], "exclude each other"),
        (["-z", "--cohort", "nowhere"], "'nowhere'"),
        (["-z", "--cohort", "corpus", "--score-directories", "one"], "need one each"),
        (["-C", "--groups", "eval"], "trained on dev, and the groups are eval"),
        (["-C", "--calibration-p-target", "1"], "is a probability between 0 and 1"),
        (["-T", "config.py"], "a file cannot be written or read"),
        (["-R", "/proc/nowhere"], "a file cannot be written or read"),
    ],
)
def test_a_mistake_is_one_message_without_a_traceback(toy, capsys, arguments, message):
    configurations = [] if "specify" in message or "absent" in message else [toy]

    assert main([*configurations, *arguments]) == 1

    error = capsys.readouterr().err
    assert error.startswith("verify.py: ")
    assert message in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("groups = []", "'groups' is []"),
        ("model_directories = []", "'model_directories' is []"),
        ("verbose = 'x'", "'verbose' is 'x'"),
        ("preprocessor = Bands", "the preprocessor is the class Bands"),
        ("x = 1 / 0", "config.py, line 19: ZeroDivisionError"),
        (
            "from bob.learn.pytorch.preprocessor.audio import EmbeddingExtractor\n"
            "preprocessor = EmbeddingExtractor('camplus')",
            "line 20: UnknownModelError: no trained model is called 'camplus'",
        ),
    ],
)
def test_a_mistake_in_the_configuration_names_the_variable_or_the_line(
    toy, capsys, line, message
):
    Path(toy).write_text(f"{Path(toy).read_text()}{line}\n")

    assert main(["config.py"]) == 1

    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_configurations_may_stand_after_options(toy):
    assert main(["-s", "other", toy, "-U", "--dry-run"]) == 0


def test_bad_recordings_are_listed_and_with_a_flag_passed_over(toy, recordings, capsys):
    (recordings / "speaker0/b/1.wav").write_bytes(b"not audio")

    assert main([toy]) == 1
    error = capsys.readouterr().err
    assert "speaker0/b/1.wav" in error
    assert "--allow-missing-files" in error
    assert not SCORES.exists()

    assert main([toy, "-A"]) == 0
    assert "Recordings that could not be used: 1" in capsys.readouterr().err
    assert SCORES.read_text().count("nan") == 2
    report = from_json(SCORES.parent / "report.json")
    assert report["failed_recordings"] == 1
    assert report["dev"]["failures"] == 2


def test_parameters_of_the_same_run_are_not_mixed_with_those_of_another(toy):
    assert main([toy]) == 0
    first = SCORES.read_text()
    changed = (
        Path(toy)
        .read_text()
        .replace("array_split(spectrum, 8)", "array_split(spectrum, 6)")
    )
    Path(toy).write_text(changed)

    assert main([toy]) == 0

    assert SCORES.read_text() != first


def test_extraction_into_the_directory_of_preprocessing_is_refused(toy, capsys):
    assert main([toy, "--extracted-directory", "preprocessed"]) == 1

    assert "skip_extraction = True" in capsys.readouterr().err


def run_apart(arguments, **options):
    program = (
        "from bob.learn.pytorch.script.verify import main; raise SystemExit(main())"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **options,
    )


@pytest.mark.slow
def test_a_run_killed_at_any_moment_and_started_again_gives_the_same_bytes(
    toy, recordings
):
    Path(toy).write_text(TOY.format(pause=0.03, recordings=str(recordings)))
    started = time.monotonic()
    assert run_apart([toy, "-T", "whole", "-R", "whole"]).wait() == 0
    seconds = time.monotonic() - started
    moments = random.Random(0)

    for _ in range(20):
        shutil.rmtree("killed", ignore_errors=True)
        process = run_apart([toy, "-T", "killed", "-R", "killed"])
        time.sleep(moments.uniform(0.1, 0.95) * seconds)
        process.send_signal(signal.SIGKILL)
        process.wait()

        assert run_apart([toy, "-T", "killed", "-R", "killed"]).wait() == 0

        for group in ("dev", "eval"):
            name = f"toy/session/nonorm/scores-{group}"
            assert Path("killed", name).read_bytes() == Path("whole", name).read_bytes()
        left = {path.relative_to("killed") for path in Path("killed").rglob("*")}
        assert left == {path.relative_to("whole") for path in Path("whole").rglob("*")}


@pytest.mark.slow
def test_help_takes_less_than_half_a_second_of_processor_time():
    import resource

    def spent():
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    runs = []
    for _ in range(3):
        before = spent()
        assert run_apart(["--help"]).wait() == 0
        runs.append(spent() - before)

    assert min(runs) < 0.5
