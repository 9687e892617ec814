"""The commands whose results are kept, by sentences that say what they do.

A case is a list of command lines, run one after the other in a folder that `lay_out`
has filled, each with everything that it writes below `out`. `verify.py` reads
`experiment.py` there before the configuration of the case.
"""

import random
import shutil
import wave
from pathlib import Path

INPUTS = Path(__file__).with_name("inputs")
RATE = 8000

EXPERIMENT = """
import json
import numpy as np
from pathlib import Path
from bob.learn.pytorch.extractor import CallableExtractor

class Drawn:
    # A recording's embedding is looked up by its place.

    def __init__(self):
        self.rows = {}
        for name in ("trials.npz", "cohort.npz"):
            with np.load(name) as file:
                self.rows.update(zip(file["names"].tolist(), file["embeddings"]))

    def read_original_data(self, file, directory, extension):
        return "/".join(Path(file.make_path(directory, extension)).parts[-3:])

    def __call__(self, key, annotations):
        return np.float64(self.rows[key])

database = "corpus"
preprocessor = Drawn()
extractor = CallableExtractor(lambda x: x)
sub_directory = "drawn"
groups = ["dev", "eval"]
result_directory = "out"
algorithm = "cosine"
skip_report = True
"""

SIMILARITY = "from bob.learn.pytorch.verification.algorithms import Similarity\n"
LEGACY = """
import numpy as np

class Distance:
    def enroll(self, features):
        return np.vstack(features)

    def score(self, model, probe):
        return -float(np.mean([np.abs(row - probe).max() for row in model]))

algorithm = Distance()
"""
BOB = "from bob.bio.base.algorithm import Distance\nalgorithm = Distance()\n"

PROTOCOL = ("protocols", "--group", "dev")
BACKENDS = {
    "cosine": (),
    "euclidean": ("--measure", "euclidean"),
    "plda": ("--plda", "plda.npz"),
}
ENROLMENTS = ("mean", "unit-mean", "scores", "max")
# Of `bob pytorch score-norm`, and the names of verify.py.
KINDS = {
    "z": "z-norm",
    "t": "t-norm",
    "s": "s-norm",
    "zt": "zt-norm",
    "as": "as-norm",
}
TOP = ("--top", 5)
QUALITIES = ("duration", "magnitude", "cohort_mean")
FIRST = ("first-dev.csv", "first-eval.csv")
SECOND = ("second-dev.txt", "second-eval.txt")
TABLES = ("systems", "points", "comparisons", "conditions", "failures")


def bob(*words):
    """A command of `bob pytorch`."""
    return ("bob", *map(str, words))


def verify(configuration="", *words):
    """An experiment: what its configuration adds, and further options."""
    return ("verify.py", configuration, *map(str, words))


def _scores():
    to = ("-o", "out/scores")
    found = {}
    for backend, options in BACKENDS.items():
        found[f"a list scored by {backend}"] = [
            bob("score", "trials.h5", "trials.txt", *options, *to)
        ]
        for enrolment in ENROLMENTS:
            if (backend, enrolment) != ("plda", "unit-mean"):
                found[f"references scored by {backend}, enrolled by {enrolment}"] = [
                    bob("score", "trials.h5", *PROTOCOL, *options,
                        "--enrolment", enrolment, *to)
                ]  # fmt: skip
        for kind in KINDS:
            found[f"a list normalised by {kind}-norm of {backend}"] = [
                bob("score-norm", "trials.h5", "trials.txt", "--cohort", "cohort.h5",
                    "--kind", kind, *(TOP if kind == "as" else ()), *options, *to)
            ]  # fmt: skip
    for model in ("kaldi", "whitened", "raw"):
        found[f"a list scored by a {model} plda"] = [
            bob("score", "trials.h5", "trials.txt", "--plda", f"plda-{model}.npz", *to)
        ]
    for enrolment in ("mean", "unit-mean"):
        found[f"references normalised, enrolled by {enrolment}"] = [
            bob("score-norm", "trials.h5", *PROTOCOL, "--cohort", "cohort.h5",
                *TOP, "--enrolment", enrolment, *to)
        ]  # fmt: skip
    found["a list normalised by recordings of a cohort"] = [
        bob("score-norm", "trials.h5", "trials.txt", "--cohort", "cohort.h5",
            "--cohort-recordings", *TOP, *to)
    ]  # fmt: skip
    found["a list scored less the mean of another store"] = [
        bob("score", "trials.h5", "trials.txt", "--subtract-mean", "training.h5", *to)
    ]
    for form in ("four", "five", "csv", "voxsrc", "kaldi", "wespeaker"):
        found[f"a list scored in the form {form}"] = [
            bob("score", "trials.h5", "few.txt", "--form", form, *to)
        ]
    found["a list scored with its quality"] = [
        bob("score-norm", "trials.h5", "few.txt", "--cohort", "cohort.h5", *TOP,
            "-o", "out/scores.csv", *_each("--quality", QUALITIES))
    ]  # fmt: skip
    found["all recordings scored with all"] = [
        bob("score", "few.h5", "--all", "-o", "out/scores.npy")
    ]
    found["scores of recordings that are missing"] = [
        bob("score", "trials.h5", "lost.txt", "--allow-missing", "--json", *to)
    ]
    return found


def _each(option, values):
    return [word for value in values for word in (option, value)]


def _calibrations():
    to = ("-o", "out/calibration.json")
    found = {}
    for name, options in {
        "linear": (),
        "linear with a penalty and a prior": ("--penalty", 0.01, "--p-target", 0.05),
        "isotonic": ("--kind", "isotonic"),
        "with duration": ("--quality", "duration"),
        "with two qualities": ("--quality", "duration", "--quality", "snr"),
    }.items():
        found[f"a calibration {name}"] = [
            bob("calibrate", *FIRST, *options, *to, "--json"),
        ]
    found["a calibration of five columns, in words"] = [bob("calibrate", *SECOND, *to)]
    found["a stored calibration applied"] = [
        bob("calibrate", FIRST[0], *to),
        bob("calibrate", FIRST[1], "--use", "out/calibration.json", "--into", "out/x",
            "--json"),
    ]  # fmt: skip
    systems = [FIRST[0], SECOND[0], "--eval", FIRST[1], "--eval", SECOND[1]]
    found["a fusion"] = [
        bob("fuse", *systems, "--name", "one", "--name", "two", "-o", "out/f.json",
            "--json"),
    ]  # fmt: skip
    found["a fusion with a penalty, in words"] = [
        bob("fuse", *systems, "--penalty", 0.1, "--cost", "sre10", "-o", "out/f.json")
    ]
    return found


def _figures():
    first, dev = FIRST[1], ("--dev", FIRST[0])
    draws = ("--resamples", 20)
    everything = (
        *dev, *_each("--cost", ["p0.05", "sre08", "10:1:0.02"]), "--at-fmr", 0.1,
        "--at-fnmr", 0.1, "--by", "gender",
    )  # fmt: skip
    found = {
        "metrics in words": [bob("metrics", first, *dev, *draws)],
        "metrics in json": [bob("metrics", first, "--json", *draws)],
        "metrics of everything": [bob("metrics", first, *everything, *draws, "--json")],
        "metrics of everything, in words": [bob("metrics", first, *everything, *draws)],
        "metrics with the usual intervals": [bob("metrics", first, "--json")],
        "metrics against another system": [
            bob("metrics", first, "--versus", SECOND[1], *draws, "--json")
        ],
        "metrics in bounded memory": [bob("metrics", first, "--stream", "--json")],
    }
    systems = ["one=first-eval.csv", "two=second-eval.txt", *draws]
    for table in TABLES:
        found[f"the table of {table} in csv"] = [
            bob("report", *systems, "--csv", "--table", table)
        ]
    found["a report in latex"] = [bob("report", *systems, "--latex")]
    found["a report in words"] = [bob("report", *systems, "--text")]
    found["a report by conditions"] = [
        bob("report", *systems, "--by", "probe_gender", "--csv",
            "--table", "conditions", "--cost", "sre08")
    ]  # fmt: skip
    found["a report in files"] = [
        bob("report", *systems, *_each("-o", [f"out/it.{kind}" for kind in
            ("html", "csv", "tex", "txt", "png")]))
    ]  # fmt: skip
    found["a report of result folders, calibrated and not"] = [
        verify("calibrate_scores = True; calibration_penalty = 0.001"),
        bob("report", "out/drawn/session/nonorm", "--both", "--csv", *draws),
    ]
    return found


def _stores():
    found = {"a store shown": [bob("store", "show", "trials.h5", "--json")]}
    for suffix in ("npz", "parquet", "ark", "h5"):
        found[f"a store goes out to {suffix} and comes back"] = [
            bob("store", "export", "few.h5", f"out/few.{suffix}"),
            bob("store", "import", f"out/few.{suffix}", "out/back.h5"),
            bob("store", "export", "out/back.h5", "out/back.npz"),
        ]
    for name, options in {
        "unit": (), "kaldi": ("--length", "kaldi", "--lda", 8),
        "whitened": ("--whiten", "--iterations", 3), "raw": ("--length", "none"),
    }.items():  # fmt: skip
        found[f"a plda model trained, {name}"] = [
            bob("plda", "train", "training.h5", "-o", "out/plda.npz", *options,
                "--json")
        ]  # fmt: skip
    return found


def _experiments():
    csv = 'database = "protocols"\n'
    found = {}
    for name in ("cosine", "euclidean", "distance-cosine", "distance-euclidean"):
        found[f"an experiment by {name}"] = [verify(f"algorithm = {name!r}")]
        found[f"an experiment by {name}, several recordings a side"] = [
            verify(f"{csv}algorithm = {name!r}")
        ]
    for settings in (
        "enrolment='scores', enrolment_fusion='max'",
        "enrolment='scores', enrolment_fusion='min', probe_fusion='max'",
        "enrolment='scores', enrolment_fusion='median', average_probes=True",
        "'euclidean', scale=0.5, offset=2, probe_fusion='median'",
    ):
        found[f"an experiment by Similarity({settings})"] = [
            verify(f"{csv}{SIMILARITY}algorithm = Similarity({settings})\n")
        ]
    found["an experiment by a legacy algorithm"] = [verify(csv + LEGACY)]
    found["an experiment by the distance of Bob 8"] = [verify(csv + BOB)]
    for model in ("plda", "plda-kaldi"):
        found[f"an experiment by {model}"] = [verify(f"{csv}algorithm = '{model}.npz'")]
    of_cohort = "cohort = 'cohort'\ncohort_top = 5\n"
    found["an experiment calibrated for a prior, with quality"] = [
        verify(
            f"{of_cohort}score_normalisation = 'as-norm'\ncalibrate_scores = True\n"
            f"calibration_quality = {QUALITIES!r}\ncalibration_p_target = 0.1\n"
            "calibration_penalty = 0.001\n"
        )
    ]
    of_cohort += "groups = ['dev']\n"
    for algorithm in ("cosine", "euclidean", "plda.npz"):
        for kind in KINDS.values():
            found[f"an experiment normalised by {kind} of {algorithm}"] = [
                verify(
                    f"{csv}{of_cohort}algorithm = {algorithm!r}\n"
                    f"score_normalisation = {kind!r}\n"
                )
            ]
    for kind in ("as-norm", "zt-norm"):
        found[f"an experiment normalised by recordings, {kind}"] = [
            verify(f"{csv}{of_cohort}score_normalisation = {kind!r}\n"
                   "cohort_recordings = True\n")
        ]  # fmt: skip
    found["an experiment normalised by zt-norm of a legacy algorithm"] = [
        verify(csv + of_cohort + LEGACY + "zt_norm = True\n")
    ]
    found["an experiment calibrated"] = [
        verify("", "-C", "--calibration-penalty", "0.01", "--groups", "dev", "eval")
    ]
    found["an experiment reported"] = [
        verify(
            "skip_report = False; calibration_penalty = 0.001",
            "-C",
            "-z",
            "--cohort",
            "cohort",
        )
    ]
    found["an experiment of five columns"] = [verify("", "-U", "--groups", "dev")]
    found["an experiment of all pairs"] = [
        verify("", "--protocol", "all-pairs", "--groups", "dev")
    ]
    found["an experiment with recordings that are missing"] = [
        verify("database = 'broken'", "-A")
    ]
    return found


CASES = {
    **_scores(),
    **_calibrations(),
    **_figures(),
    **_stores(),
    **_experiments(),
}


def lay_out(folder, run):
    """Fill an empty folder with all that the cases read.

    Parameters
    ----------
    run
        Runs one command in it.
    """
    import numpy as np

    for path in INPUTS.iterdir():
        shutil.copy(path, folder)
    for group in ("dev", "eval"):
        place = folder / "protocols/p" / group
        place.mkdir(parents=True)
        for name in ("for_enrolling.csv", "for_probing.csv"):
            lines = (INPUTS / name).read_text().splitlines()
            chosen = [line for line in lines[1:] if group == "dev" or line < "c"]
            (place / name).write_text("\n".join([lines[0], *chosen]) + "\n")
    few = (folder / "trials.txt").read_text().splitlines()[::6]
    (folder / "few.txt").write_text("\n".join(few) + "\n")
    (folder / "lost.txt").write_text("\n".join([*few, "1 ivy/a/0.wav ann/a/0.wav"]))
    with np.load(folder / "trials.npz") as file:
        parts = {
            key: file[key][:5] if len(np.shape(file[key])) else file[key]
            for key in file.files
        }
    np.savez(folder / "few.npz", **parts)
    for name in ("trials", "cohort", "training", "few"):
        run(bob("store", "import", f"{name}.npz", f"{name}.h5"))
    for name, options in {
        "plda": (), "plda-kaldi": ("--length", "kaldi", "--lda", 8),
        "plda-whitened": ("--whiten",), "plda-raw": ("--length", "none"),
    }.items():  # fmt: skip
        run(bob("plda", "train", "training.h5", "-o", f"{name}.npz", *options))
    _recordings(folder)
    (folder / "experiment.py").write_text(EXPERIMENT)


def _recordings(folder):
    """Noise that lasts as long as the recordings of the embeddings, in 16 bits."""
    import numpy as np

    for corpus, name in (("corpus", "trials"), ("cohort", "cohort")):
        with np.load(folder / f"{name}.npz") as file:
            lasting = zip(file["names"], file["seconds"], strict=True)
            for key, seconds in lasting:
                write_noise(folder / corpus / key, float(seconds))
    shutil.copytree(folder / "corpus", folder / "broken")
    for place in ("protocols", "broken"):
        # Speakers beside the protocol: recordings are found from where it lies.
        if place == "protocols":
            for speaker in (folder / "corpus").iterdir():
                shutil.copytree(speaker, folder / place / speaker.name)
    (folder / "broken/ann/b/1.wav").write_bytes(b"")


def write_noise(path, seconds):
    """Write a WAV file whose every byte follows from its place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = random.Random("/".join(path.parts[-3:]))
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", "not compressed"))
        file.writeframes(noise.randbytes(2 * round(seconds * RATE)))
