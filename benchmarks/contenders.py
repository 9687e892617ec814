"""Ways to make embeddings, each in a process of its own: `python contenders.py NAME`.

A contender says `ready` when its model is loaded; at every line that it then reads, it
does its work once and answers with a line of JSON: seconds of sound, seconds of work.
"""

import argparse
import contextlib
import json
import os
import re
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import psutil

RATE = 16_000


def network(name):
    """The same random weights everywhere: speed does not depend on them."""
    import torch

    from bob.learn.pytorch import architectures

    torch.manual_seed(0)
    return getattr(architectures, name)().eval()


def spectrogram(samples):
    """The recipe of the original front end, frames in one array: (frames, 257)."""
    window = 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(400) / 399)
    frames = np.lib.stride_tricks.sliding_window_view(samples, 400)[::160]
    centred = frames - frames.sum(axis=1, keepdims=True) / 512
    before = np.concatenate([[0], centred[:-1, 159]])[:, None]
    shifted = np.concatenate([before, centred[:, :-1]], axis=1)
    magnitude = np.abs(np.fft.rfft((centred - 0.97 * shifted) * window, 512))
    return (magnitude - magnitude.mean(axis=0)) / (magnitude.std(axis=0) + 1e-7)


def plain_trunk(net, features):
    """DltResNet as its paper reads: no layout chosen, nothing folded."""
    import torch.nn.functional as F

    image = features.transpose(1, 2).unsqueeze(1).contiguous()
    image = F.relu(net.bn1(net.conv1(image)))
    image = F.relu(net.bn2(net.conv2(image)))
    image = F.max_pool2d(image, (3, 1), stride=(2, 1))
    image = F.relu(net.bn3(net.conv3(image)))
    for block in (*net.layer1, *net.layer2, *net.layer3):
        inner = F.relu(block.bn1(block.conv1(image)))
        image = F.relu(block.bn2(block.conv2(inner)) + block.downsample(image))
    image = F.relu(net.bn5(net.conv5(F.relu(net.bn4(net.conv4(image))))))
    return net.em(net.pooling(image.squeeze(-1)))


def straightforward(paths):
    """Decode, spectrogram in numpy, eager network in float32, one by one."""
    import soundfile
    import torch

    net = network("dlt_resnet34")

    def run():
        embeddings = {}
        for path in paths:
            samples, _ = soundfile.read(path)
            features = torch.from_numpy(spectrogram(32768 * samples).T[None]).float()
            with torch.no_grad():
                embedding = plain_trunk(net, features)[0]
            embeddings[path] = (embedding / embedding.norm()).numpy()
        with tempfile.TemporaryFile() as file:
            np.savez(file, **{str(i): row for i, row in enumerate(embeddings.values())})

    return run


def ours(paths, *, model="dltresnet", jobs=1, kernel=True, **options):
    """What `bob pytorch embed LIST -o store.h5` does."""
    from bob.learn.pytorch.inference import winograd
    from bob.learn.pytorch.inference.extract import extract
    from bob.learn.pytorch.preprocessor.audio import (
        DltResNetExtractor,
        EmbeddingExtractor,
    )
    from bob.learn.pytorch.store.store import EmbeddingStore

    if not kernel:  # as on processors that it is not for
        winograd.load = lambda: None
    warnings.simplefilter("ignore")  # of random weights
    if model == "dltresnet":
        extractor = DltResNetExtractor(test=True, **options)
    else:
        extractor = EmbeddingExtractor(model, **options)
    extractor.prepare()
    named = {f"{i} {path}": path for i, path in enumerate(paths)}

    def run():
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder) / "store.h5"
            with EmbeddingStore.open(place, fingerprint={}) as store:
                done = extract(extractor, named, store, jobs=jobs)
            assert done.computed == len(paths), done.failures

    return run


def one_by_one(paths, *, model, **options):
    """Our extractor, a call for each recording."""
    from bob.learn.pytorch.preprocessor.audio import EmbeddingExtractor

    extractor = EmbeddingExtractor(model, **options)
    extractor.prepare()
    return lambda: [extractor.embed(path) for path in paths]


def plain_campplus(paths):
    """CAM++ as 3D-Speaker's script runs it: torchaudio's fbank, eager, one by one."""
    import soundfile
    import torch
    from torchaudio.compliance.kaldi import fbank

    net = network("campplus")

    def run():
        for path in paths:
            samples, _ = soundfile.read(path, dtype="float32")
            features = fbank(torch.from_numpy(samples)[None], num_mel_bins=80)
            features = features - features.mean(dim=0, keepdim=True)
            with torch.no_grad():
                net(features.T[None])

    return run


def speechbrain(paths, *, batch=1):
    """ECAPA-TDNN of SpeechBrain with random weights, as `encode_batch` runs it."""
    import soundfile
    import torch
    from speechbrain.lobes.features import Fbank
    from speechbrain.lobes.models.ECAPA_TDNN import ECAPA_TDNN
    from speechbrain.processing.features import InputNormalization

    fbank, normalise = Fbank(n_mels=80), InputNormalization(std_norm=False)
    net = ECAPA_TDNN(
        80,
        channels=[1024, 1024, 1024, 1024, 3072],
        kernel_sizes=[5, 3, 3, 3, 1],
        dilations=[1, 2, 3, 4, 1],
        attention_channels=128,
        lin_neurons=192,
    ).eval()

    def run():
        for start in range(0, len(paths), batch):
            part = [
                torch.from_numpy(soundfile.read(path, dtype="float32")[0])
                for path in paths[start : start + batch]
            ]
            longest = max(map(len, part))
            share = torch.tensor([len(item) / longest for item in part])
            waveforms = torch.nn.utils.rnn.pad_sequence(part, batch_first=True)
            with torch.no_grad():
                net(normalise(fbank(waveforms), share), share)

    return run


def resemblyzer(paths):
    """The GE2E network of Resemblyzer with its own weights."""
    import soundfile
    from resemblyzer import VoiceEncoder

    encoder = VoiceEncoder("cpu", verbose=False)

    def run():
        for path in paths:
            encoder.embed_utterance(soundfile.read(path, dtype="float32")[0])

    return run


CONTENDERS = {
    "straightforward": straightforward,
    "ours": ours,
    "one by one": one_by_one,
    "plain CAM++": plain_campplus,
    "SpeechBrain": speechbrain,
    "Resemblyzer": resemblyzer,
}


class Peak(threading.Thread):
    """The most memory that this process had, and each process that it started.

    Not ru_maxrss: Linux counts there what a process had before it became another
    program, which is a copy of its parent, and of children it gives the largest alone.
    """

    def __init__(self):
        super().__init__(daemon=True)
        self.each = {}

    def run(self):
        """Look at all of them, twenty times a second."""
        while True:
            self.look()
            time.sleep(0.05)

    def look(self):
        """Look once; a child that is still a copy of its parent does not count."""
        parent = psutil.Process()
        children = parent.children(recursive=True)
        for process in (parent, *children):
            with contextlib.suppress(OSError, TypeError, psutil.Error):  # is no more
                if process is parent or process.cmdline() != parent.cmdline():
                    status = Path(f"/proc/{process.pid}/status").read_text()
                    found = int(re.search(r"VmHWM:\s+(\d+)", status)[1])
                    self.each[process.pid] = max(self.each.get(process.pid, 0), found)

    @property
    def megabytes(self):
        """Of all together, each at its own peak."""
        self.look()
        return sum(self.each.values()) / 1024


def main():
    """Load, and work once for every line that comes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=CONTENDERS)
    parser.add_argument("recordings", type=Path, help="a JSON list of paths")
    parser.add_argument("options", type=json.loads)
    parser.add_argument("processors", type=int, help="that it may use")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, range(arguments.processors))
    import soundfile

    paths = json.loads(arguments.recordings.read_text())
    sound = sum(soundfile.info(path).duration for path in paths)
    run = CONTENDERS[arguments.name](paths, **arguments.options)
    peak = Peak()
    peak.start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for _ in sys.stdin:
        peak.each.clear()  # of processes of an earlier turn
        started = time.perf_counter()
        run()
        took = time.perf_counter() - started
        answer = {"sound": sound, "took": took, "peak_mb": peak.megabytes}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
