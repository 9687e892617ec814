"""verify.py with a network, killed while it writes embeddings, and started again."""

import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from recordings import RATE, record

SPEAKERS, TAKES = 6, 20
CONFIGURATION = """
from bob.learn.pytorch.extractor import CallableExtractor
from bob.learn.pytorch.preprocessor.audio import EmbeddingExtractor

database = "corpus"
preprocessor = EmbeddingExtractor({weights!r})
extractor = CallableExtractor(lambda x: x)
skip_extraction = True
extracted_directory = "preprocessed"
algorithm = "cosine"
sub_directory = "s"
"""


@pytest.fixture
def corpus(weights):
    """Recordings of 0.5 to 4 s, of which three lots go through the network."""
    noise = np.random.default_rng(0)
    for speaker in range(SPEAKERS):
        for take in range(TAKES):
            path = Path(f"corpus/s{speaker}/{'ab'[take % 2]}/{take}.wav")
            record(path, 0.1 * noise.standard_normal(int(RATE * noise.uniform(0.5, 4))))
    Path("first.py").write_text(CONFIGURATION.format(weights=str(weights)))


def verify(name, *options):
    start = "from bob.learn.pytorch.script.verify import main; main()"
    words = ["first.py", "-T", name, "-R", name, *options]
    return subprocess.Popen(
        [sys.executable, "-c", start, *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def stored(name):
    return len(list(Path(name).rglob("preprocessed/**/*.hdf5")))


@pytest.mark.slow
@pytest.mark.usefixtures("corpus")
@pytest.mark.parametrize("options", [(), ("--parallel", "2")], ids=["one", "two"])
def test_six_kills_while_embeddings_are_written_change_no_bit_of_the_scores(options):
    assert verify("whole", *options).wait() == 0
    chance = random.Random(len(options))

    for _ in range(6):
        shutil.rmtree("killed", ignore_errors=True)
        process = verify("killed", *options)
        enough = chance.randrange(1, SPEAKERS * TAKES)
        while stored("killed") < enough and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert verify("killed", *options).wait() == 0

        for path in Path("whole").rglob("scores-dev"):
            killed = Path("killed", path.relative_to("whole"))
            assert killed.read_bytes() == path.read_bytes()
        assert not list(Path("killed").rglob("*.together"))
