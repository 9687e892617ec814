"""Your own network as preprocessor: `verify.py first.py own_network.py`."""

import numpy as np
import torch
from torch import nn

from bob.learn.pytorch.audio import as_waveform, check_usable
from bob.learn.pytorch.features import KaldiFbank
from bob.learn.pytorch.models import read_weights


class TinyNetwork(nn.Module):
    """Two layers over time, then the mean: (batch, 80, frames) -> (batch, 32)."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv1d(80, 64, kernel_size=5)
        self.second = nn.Conv1d(64, 32, kernel_size=3)

    def forward(self, features):
        hidden = torch.relu(self.first(features))
        return self.second(hidden).mean(dim=-1)


class TinyExtractor:
    """A preprocessor as Bob has always known it: call it with a recording."""

    def __init__(self, weights):
        self.features = KaldiFbank()
        self.network = TinyNetwork().eval()
        self.network.load_state_dict(read_weights(weights))

    def read_original_data(self, file, directory, extension):
        # What the call below gets; without this method, (rate, samples) of one channel.
        return file.make_path(directory, extension)

    def __call__(self, audio, annotations=None):
        waveform = as_waveform(audio, channel="mix")
        # Raises RecordingError: verify.py reports it, and goes on if it may.
        check_usable(waveform, minimum_seconds=0.5)
        waveform = waveform.resampled(self.features.sample_rate, method="soxr")
        with torch.inference_mode():
            batch = torch.from_numpy(waveform.samples).float().unsqueeze(0)
            return self.network(self.features(batch))[0].numpy().astype(np.float64)


# What a training saved with torch.save(network.state_dict(), "weights/tiny.pth").
preprocessor = TinyExtractor("weights/tiny.pth")
sub_directory = "tiny"
