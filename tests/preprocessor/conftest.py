import numpy as np
import pytest


@pytest.fixture(scope="session")
def voice(golden):
    """Seconds 0 to 1.2 of the golden waveform, int16."""
    return np.load(golden / "synthetic" / "waveforms.npz")["voice16k_int16"]
