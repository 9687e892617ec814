import subprocess
import sys

import numpy as np
import pytest
import soundfile

from bob.learn.pytorch.experiment.legacy import AudioFile

PROGRAM = """
import sys
from bob.learn.pytorch.experiment.legacy import bring_back

class CallableExtractor:
    pass

{before}
bring_back(CallableExtractor)
{between}
from bob.bio.base.extractor import CallableExtractor as found, Extractor
assert found is CallableExtractor
assert Extractor.__module__.startswith("bob.bio.base")
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "between"),
    [
        ("", "assert 'bob.bio.base' not in sys.modules"),
        ("import bob.bio.base.extractor", ""),
        ("bring_back(CallableExtractor)", ""),
    ],
)
def test_the_removed_class_is_found_where_it_was(before, between):
    program = PROGRAM.format(before=before, between=between)

    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_recording_loads_as_rate_and_samples_in_16_bit_range(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.array([1, -2, 300], dtype=np.int16), 8000)

    file = AudioFile("ann/a", "ann", path)

    rate, samples = file.load("anywhere", ".wav")
    assert rate == 8000
    assert samples.tolist() == [1, -2, 300]
    assert file.make_path("anywhere", ".wav") == str(path)
