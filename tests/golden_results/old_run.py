"""Experiments whose files the code before the redesign has left: old_run.zip.

`lay_out` makes what they read, byte for byte; recordings are known by their content.
`python tests/golden_results/old_run.py` has made the zip, at commit 8acd6b9. It is not
to be made again: that these files are taken up as they are is what they are for.
"""

import importlib.util
import json
import os
import shutil
import sys
import tempfile
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
ZIP = HERE / "old_run.zip"
#: The version of Python whose byte code the fingerprints of classes in toy.py hold.
PYTHON = (3, 11)

TOY = """
import os
import numpy as np
from bob.learn.pytorch.extractor import CallableExtractor

def note(what):
    with open(os.environ["NOTES"], "a") as file:
        file.write(what + "\\n")

class Bands:
    # Energy in bands: a preprocessor of the old interface.

    def __init__(self, bands):
        self.bands = bands

    def __call__(self, data, annotations):
        note("preprocessed")
        rate, samples = data
        spectrum = np.abs(np.fft.rfft(samples / 32768)) ** 2
        parts = np.array_split(spectrum, self.bands)
        return np.log([part.mean() + 1e-3 for part in parts])

def centred(row):
    note("extracted")
    return row - row.mean()

database = "corpus"
preprocessor = Bands(12)
extractor = CallableExtractor(centred)
algorithm = "cosine"
groups = ["dev", "eval"]
sub_directory = "toy"
"""

NETWORK = """
from bob.learn.pytorch.extractor import CallableExtractor
from bob.learn.pytorch.preprocessor.audio import *

database = "corpus"
extractor = CallableExtractor(lambda x: x)
extracted_directory = "preprocessed"
skip_extraction = True
algorithm = "cosine"
"""

#: Configurations that are read behind toy.py, each with references and scores of its
#: own; preprocessed and extracted files are those of the first.
TOYS = {
    "cosine": "",
    "normalised": "cohort = 'cohort'\nscore_normalisation = 'zt-norm'\n",
    # The penalty was the default then.
    "calibrated": "calibrate_scores = True\ncalibration_quality = ['duration']\n"
    "calibration_penalty = 0.001\n",
    "best": (
        "from bob.learn.pytorch.verification.algorithms import Similarity\n"
        "algorithm = Similarity(enrolment='scores', enrolment_fusion='max')\n"
    ),
    "plda": "algorithm = 'plda.npz'\n",
    "bob": "from bob.bio.base.algorithm import Distance\nalgorithm = Distance()\n",
    "legacy": (
        "import numpy as np\n"
        "class Distance:\n"
        "    def enroll(self, features):\n"
        "        note('enrolled')\n"
        "        return np.vstack(features)\n"
        "    def score(self, model, probe):\n"
        "        return -float(np.abs(model - probe).mean())\n"
        "algorithm = Distance()\n"
    ),
    # What is no HDF5 has its fingerprint in a file beside it.
    "npy": (
        "extractor = CallableExtractor(\n"
        "    centred,\n"
        "    write_feature=lambda row, path: np.save(open(path, 'wb'), row),\n"
        "    read_feature=lambda path: np.load(path),\n"
        ")\n"
        "sub_directory = 'toy-npy'\n"
    ),
    "in-memory": (
        "class Unwritten(Bands):\n"
        "    writes_data = False\n"
        "preprocessor = Unwritten(12)\n"
        "sub_directory = 'toy-in-memory'\n"
    ),
}

#: Preprocessors of ours, and the entries of their weights.
NETWORKS = {
    "campplus": (
        "preprocessor = EmbeddingExtractor('campplus-zh-en', "
        "model_file='campplus.safetensors', channel='mix')\n"
    ),
    "resnet-as-a-file": "preprocessor = EmbeddingExtractor('resnet34.safetensors')\n",
    "dltresnet": (
        "preprocessor = DltResNetExtractor('dltresnet34.safetensors', 1211, "
        "use_res=False)\n"
    ),
    "resnet": "preprocessor = ResNetExtractor('resnet34.safetensors')\n",
}
KEYS = {
    "campplus": "campplus/keys_campplus.json",
    "dltresnet34": "synthetic/keys_dltresnet34.json",
    "resnet34": "synthetic/keys_resnet34.json",
}
CASES = {**{f"toy {name}": name for name in TOYS}, **{name: name for name in NETWORKS}}


def _cases():
    path = HERE / "cases.py"
    specification = importlib.util.spec_from_file_location("golden_cases", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def lay_out(folder):
    """Fill an empty folder with recordings, weights and configurations."""
    cases = _cases()
    for corpus, speakers in (("corpus", "abcd"), ("cohort", "wxyz")):
        for speaker in speakers:
            for session in "12":
                for take in "12":
                    name = f"{corpus}/{speaker}/{session}/{take}.wav"
                    seconds = 0.5 + zlib.crc32(name.encode()) % 40 / 100
                    cases.write_noise(folder / name, seconds)
    for name in KEYS:
        write_weights(name, folder / f"{name}.safetensors")
    shutil.copy(HERE / "old_plda.npz", folder / "plda.npz")
    (folder / "toy.py").write_text(TOY)
    (folder / "network.py").write_text(NETWORK)


def write_weights(name, path):
    """Write weights of small multiples of a power of two, the same everywhere."""
    from safetensors.numpy import save_file

    content = json.loads((HERE.parent / "golden" / KEYS[name]).read_text())
    save_file({key: _entry(key, shape) for key, shape in content.items()}, path)


def _entry(key, shape):
    if key.endswith("num_batches_tracked"):
        return np.array(1, dtype=np.int64)
    if len(shape) == 1:
        return np.full(shape, float(key.endswith(("weight", "running_var"))), "f4")
    count = np.arange(int(np.prod(shape)), dtype=np.uint32)
    mixed = (count * np.uint32(2654435761)) >> np.uint32(20)
    return ((mixed.astype(np.float32) - 2047.5) / 2**15).reshape(shape)


def configuration(case):
    """Names of the files that make up a case, after they are written."""
    name = CASES[case]
    is_toy = case.startswith("toy ")
    text = f"result_directory = 'results/{name}'\nskip_report = True\n"
    if is_toy:
        text += f"model_directories = ['{name}', '{name}-t']\n" + TOYS[name]
    else:
        text += f"sub_directory = '{name}'\n" + NETWORKS[name]
    Path("case.py").write_text(text)
    return ["toy.py" if is_toy else "network.py", "case.py"]


def embed():
    """Embed the recordings into the store that the zip holds; returns the report."""
    from click.testing import CliRunner

    from bob.learn.pytorch.script.pytorch import pytorch

    words = ["embed", "corpus", "-o", "store.h5", "--model", "resnet34.safetensors"]
    result = CliRunner().invoke(pytorch, [*words, "--json"])
    if result.exit_code != 0:
        raise AssertionError(result.output) from result.exception
    return json.loads(result.stdout)


def unpack(folder):
    """Put the old files there, with the times that they had."""
    with zipfile.ZipFile(ZIP) as file:
        file.extractall(folder)
    for name, changed in json.loads((folder / "times.json").read_text()).items():
        os.utime(folder / name, ns=(changed, changed))


def _make():
    from bob.learn.pytorch.script.verify import main

    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        os.environ["NOTES"] = "notes"
        lay_out(Path(folder))
        for case in CASES:
            if main(configuration(case)) != 0:
                raise SystemExit(case)
        sys.stdout.write(f"{embed()}\n")
        kept = [
            path
            for top in ("temp", "results")
            for path in sorted(Path(top).rglob("*"))
            if path.is_file() and not path.name.endswith((".png", ".lock", ".info"))
        ]
        kept.append(Path("store.h5"))
        times = {str(path): path.stat().st_mtime_ns for path in kept}
        Path("times.json").write_text(json.dumps(times))
        with zipfile.ZipFile(ZIP, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
            for path in (*kept, Path("times.json")):
                file.write(path)
                sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    _make()
