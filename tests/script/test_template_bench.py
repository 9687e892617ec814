"""`bob pytorch template bench`: templates that need only NumPy, run by this Python."""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from commands import run
from programs import printed_by
from template_files import content

from bob.learn.pytorch.experiment import benchmark, model_costs
from bob.learn.pytorch.report.models import Costs
from bob.learn.pytorch.store.store import read
from bob.learn.pytorch.templates.format.errors import InstallError
from bob.learn.pytorch.templates.install.environment import Environment
from bob.learn.pytorch.templates.run import runner
from bob.learn.pytorch.templates.run.in_process import InProcessSession

RATE = 8_000
PITCHES = {"ann": 500, "bob": 1_500, "cid": 3_000}


@pytest.fixture
def corpus(tmp_path):
    """Speakers who hum at a pitch of their own, three times each."""
    random = np.random.default_rng(0)
    time = np.arange(RATE // 2) / RATE
    for speaker, pitch in PITCHES.items():
        folder = tmp_path / "corpus" / speaker
        folder.mkdir(parents=True)
        for take in range(3):
            hum = 0.3 * np.sin(2 * np.pi * pitch * time + take)
            noise = 0.01 * random.standard_normal(len(time))
            soundfile.write(folder / f"{take}.wav", hum + noise, RATE)
    return tmp_path / "corpus"


@pytest.fixture(autouse=True)
def installed(tmp_path, monkeypatch):
    """Nothing is fetched: the environment of every template is this Python."""

    def install(template, *, trusted=False, progress=False):
        folder = tmp_path / "environment"
        for part in ("work", "home"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        if template.requirements:
            said = "error: no solution\n  cause: x is not on the index"
            text = f"template {template.name} could not be installed\n  step  resolve"
            raise InstallError(text, said=said)
        places = (Path(sys.executable), folder / "work", folder / "home")
        return Environment("key", folder, *places, lock_sha256="0" * 64), {}

    monkeypatch.setattr(runner, "install", install)
    monkeypatch.setenv(
        "BOB_LEARN_PYTORCH_TEMPLATES_FOLDER", str(tmp_path / "templates")
    )


@pytest.fixture
def started(monkeypatch):
    """Models run in this process, which is faster; the names of those that ran."""
    started = []

    def start(template, **options):
        started.append(template.name)
        return InProcessSession(template, trusted=options["trusted"])

    def costs(template, paths, *, device):
        return Costs(len(started), 0.1, cpu_ms=1.5, peak_mb=64.0, install_mb=8.0)

    monkeypatch.setattr(runner, "start", start)
    monkeypatch.setattr(model_costs, "of_template", costs)
    return started


def template(name, *, bins=16, **keys):
    """Write a template whose embedding is a spectrum of few bins; return its file."""
    lines = [
        "spectrum = np.abs(np.fft.rfft(x))[1:]",
        f"y = np.array([part.sum() for part in np.array_split(spectrum, {bins})])",
    ]
    said = {"embed_fwd": lines, "sample_rate": RATE, "in_shape": 1}
    said |= {"embedding_size": bins, "minimum_duration": 0.1, **keys}
    Path(f"{name}.json").write_text(json.dumps(content(**said)))
    return f"{name}.json"


def bench(*arguments):
    words = ["template", "bench", *map(str, arguments)]
    return run(*words)


def table(folder="bench"):
    text = Path(folder, "results.csv").read_text()
    return list(csv.DictReader(text.splitlines()))


def test_a_template_that_changes_meanwhile_runs_as_it_was_trusted(
    corpus, started, monkeypatch
):
    look_up = benchmark.candidates

    def candidates(*names, **options):
        found = look_up(*names, **options)
        template("good", model_init=["raise SystemExit"])
        return found

    monkeypatch.setattr(benchmark, "candidates", candidates)

    result = bench(template("good"), "--protocol", corpus, "--yes")

    assert result.exit_code == 0, result.output
    assert table()[0]["eer_percent"] == "0"


def test_one_table_of_several_models(corpus):
    files = [template("good"), template("poor", bins=1)]

    result = bench(*files, "--protocol", corpus, "--yes")

    assert result.exit_code == 0, result.output
    good, poor = table()
    assert (good["model"], good["eer_percent"], good["dimensions"]) == (
        "good", "0", "16",
    )  # fmt: skip
    assert float(poor["eer_percent"]) > 20
    assert good["minimum_seconds"] == "0.1"
    assert 0 < float(good["cpu_ms_per_second"]) < 1000
    assert 5 < float(good["peak_mb"]) < 500
    # Nine recordings: 3 x 3 pairs of one speaker, and 27 of two.
    assert "9 recordings of 3 speakers, 9 target and 27 non-target" in result.stdout
    assert "[2/2] poor" in result.stderr
    page = (corpus.parent / "bench" / "index.html").read_text()
    assert "<svg viewBox" in page
    assert ">good<" in page
    assert not list(corpus.parent.glob("bench/.unfinished*"))


def test_a_second_run_computes_nothing_and_says_the_same(corpus, started):
    words = [template("good"), "--protocol", corpus, "--yes", "-o", "out"]
    first = bench(*words)
    before = table("out")
    assert started.pop() == "good"

    second = bench(*words)

    assert second.stdout == first.stdout
    assert table("out") == before
    assert started == []


def test_a_run_that_was_stopped_is_taken_up(corpus, started, monkeypatch):
    words = [template("good"), template("other", bins=8), "--protocol", corpus, "--yes"]
    costs_of = model_costs.of_template

    def stopped(model, paths, *, device):
        if model.name == "other":
            raise KeyboardInterrupt
        return costs_of(model, paths, device=device)

    monkeypatch.setattr(model_costs, "of_template", stopped)
    first = bench(*words)
    monkeypatch.setattr(model_costs, "of_template", costs_of)

    second = bench(*words)

    assert first.exit_code == 130
    assert "the same command goes on from here" in first.stderr
    assert second.exit_code == 0
    assert [row["eer_percent"] for row in table()] == ["0", "0"]


def test_what_fails_because_of_ctrl_c_is_no_row(corpus, started, monkeypatch):
    def stopped(model, paths, *, device):
        try:
            raise KeyboardInterrupt
        finally:
            raise OSError(9, "Bad file descriptor")

    monkeypatch.setattr(model_costs, "of_template", stopped)

    result = bench(template("good"), "--protocol", corpus, "--yes")

    assert result.exit_code == 130
    assert not (corpus.parent / "bench" / "results.csv").exists()


def test_a_model_that_changed_is_computed_anew(corpus, started):
    bench(template("good"), "--protocol", corpus, "--yes")
    file = template("good", bins=4)

    bench(file, "--protocol", corpus, "--yes")

    assert started == ["good", "good"]
    assert table()[0]["dimensions"] == "4"
    assert read("bench/good.h5").embeddings.shape == (9, 4)


def test_models_that_fail_are_rows_with_reasons(corpus, started):
    Path("invalid.json").write_text('{"in_shape": 7}')
    files = [
        template("broken", model_init=["model = undefined_name"]),
        template("hub", requirements=["x==1"]),
        "invalid.json",
        template("good"),
    ]

    result = bench(*files, "--protocol", corpus, "--yes")

    assert result.exit_code == 1
    broken, hub, invalid, good = table()
    assert "broken, model_init[0]" in broken["reason"]
    assert "name 'undefined_name' is not defined" in broken["reason"]
    assert hub["reason"] == (
        "template hub could not be installed: cause: x is not on the index"
    )
    assert invalid["model"] == "invalid.json"
    assert "is no valid template" in invalid["reason"]
    assert (good["eer_percent"], good["reason"]) == ("0", "")
    assert "broken        failed: template broken" in result.stdout


def test_a_model_whose_process_dies_is_a_row(corpus):
    file = template("dies", embed_fwd=["import os", "os._exit(3)", "y = x"])

    result = bench(file, "--protocol", corpus, "--yes", "--allow-failures")

    assert result.exit_code == 0
    assert "embed_fwd[1]" in table()[0]["reason"]
    assert "the process of the model ended" in table()[0]["reason"]


def test_a_template_that_is_not_trusted_is_a_row_too(corpus, started):
    file = template("good")

    result = bench(file, "--protocol", corpus)

    assert result.exit_code == 1
    assert started == []
    assert "it is not trusted" in table()[0]["reason"]
    assert "template trust good.json" in table()[0]["reason"]
    assert "data:image" not in (corpus.parent / "bench" / "index.html").read_text()


def test_recordings_that_fail_are_left_out_and_counted(corpus, started):
    soundfile.write(corpus / "ann" / "silent.wav", np.zeros(RATE), RATE)

    result = bench(template("good"), "--protocol", corpus, "--yes")

    assert result.exit_code == 0
    assert table()[0]["recordings_left_out"] == "1"
    assert "Note: good has no embedding of 1 recording" in result.stdout


def test_no_recording_at_all(corpus, started):
    for path in corpus.rglob("*.wav"):
        soundfile.write(path, np.zeros(RATE), RATE)

    result = bench(template("good"), "--protocol", corpus, "--yes")

    assert result.exit_code == 1
    assert table()[0]["reason"].startswith("none of 9 recordings has an embedding")


def test_the_report_in_json(corpus, started):
    result = bench(template("good"), "--protocol", corpus, "--yes", "--json")

    report = json.loads(result.stdout)
    assert report["protocol"] == "corpus, all pairs"
    assert report["models"][0]["model"] == "good"
    assert report["models"][0]["eer_percent"] == 0


def test_a_protocol_in_csv_and_its_groups(corpus, started):
    folder = corpus.parent / "csv" / "mine" / "dev"
    folder.mkdir(parents=True)
    for name, takes in [("for_enrolling", "0"), ("for_probing", "12")]:
        lines = [
            f"{corpus}/{speaker}/{take}.wav,{speaker}{take},{speaker},{speaker}{end}"
            for speaker in PITCHES
            for take in takes
            for end in [f"-{take}" if name == "for_probing" else ""]
        ]
        text = "path,key,subject_id,template_id\n" + "\n".join(lines) + "\n"
        (folder / f"{name}.csv").write_text(text)

    result = bench(template("good"), "--protocol", folder.parents[1], "--yes")
    unknown = bench("good.json", "--protocol", folder.parents[1], "--group", "eval")

    assert result.exit_code == 0, result.output
    # Three references and six probes.
    assert "protocol mine, group dev" in result.stdout
    assert "6 target and 12 non-target" in result.stdout
    assert unknown.exit_code == 1
    assert "has no group 'eval'" in unknown.stderr


@pytest.mark.parametrize(
    ("models", "said"),
    [
        (["good.json", "no/such.json"], "no template is called"),
        (["good.json", "campplus"], "no trained model is called 'campplus'"),
        (["good.json", "sub/good.json"], "are both called good"),
        (["good.json", "--device", "tpu"], "device is 'tpu'"),
    ],
)
def test_mistakes_are_told_before_anything_runs(corpus, started, models, said):
    template("good")
    (corpus.parent / "sub").mkdir()
    template("sub/good")

    result = bench(*models, "--protocol", corpus, "--yes")

    assert result.exit_code != 0
    assert said in result.stderr
    assert started == []
    assert not (corpus.parent / "bench").exists()


def test_a_folder_of_speakers_has_no_groups(corpus):
    result = bench(template("good"), "--protocol", corpus, "--yes", "--group", "dev")

    assert result.exit_code == 1
    assert "it has no groups" in result.stderr


def test_a_built_in_model_beside_a_template(corpus, weights, started, monkeypatch):
    monkeypatch.setenv("BOB_LEARN_PYTORCH_EXTRACTOR_AUDIO_DRN_MODELPATH", str(weights))
    costs = Costs(21, 0.4, cpu_ms=3.0, peak_mb=600.0, install_mb=5.5)
    monkeypatch.setattr(model_costs, "of_trained_model", lambda *_, **__: costs)

    result = bench(
        "dltresnet34-voxceleb1", template("good"), "--protocol", corpus, "--yes"
    )

    assert result.exit_code == 0, result.output
    built_in, wrapped = table()
    assert built_in["model"] == "dltresnet34-voxceleb1"
    assert (built_in["dimensions"], built_in["parameters"]) == ("128", "21")
    assert wrapped["eer_percent"] == "0"
    assert result.stdout.count("\ndltresnet34-voxceleb1 ") == 1


@pytest.mark.slow
def test_costs_of_a_built_in_model(corpus, weights, monkeypatch):
    monkeypatch.setenv("BOB_LEARN_PYTORCH_EXTRACTOR_AUDIO_DRN_MODELPATH", str(weights))
    paths = sorted(map(str, corpus.rglob("*.wav")))

    found = model_costs.of_trained_model(
        benchmark.find("dltresnet34-voxceleb1"), paths, device="cpu"
    )

    assert found.parameters > 1_000_000
    assert found.install_mb == weights.stat().st_size / 1e6
    assert 1 < found.cpu_ms < 1000
    assert 100 < found.peak_mb < 4000


def test_help_imports_nothing_heavy():
    code = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from bob.learn.pytorch.script.pytorch import pytorch\n"
        "words = ['template', 'bench', '--help']\n"
        "assert not CliRunner().invoke(pytorch, words).exit_code\n"
        "heavy = ('numpy', 'torch', 'matplotlib', 'bob.bio')\n"
        "print([name for name in heavy if name in sys.modules])"
    )

    assert printed_by(code) == "[]"


@pytest.mark.parametrize(
    ("count", "seconds", "chosen"),
    [(4, 120, ["0", "2"]), (4, 30, ["0", "1", "2", "3"]), (3, 900, ["0"])],
)
def test_the_sample_is_spread_over_the_protocol(count, seconds, chosen):
    assert model_costs.sample([str(n) for n in range(count)], seconds) == chosen
