"""Recordings, components and a database that are quick and easy to check by hand."""

from dataclasses import dataclass

import numpy as np
import soundfile

from bob.learn.pytorch.protocols.trials import Probe, Recording, Reference, Trials

RATE = 8000


def tone(path, frequency, *, seconds=0.5, seed=0):
    """Write a tone in noise: a speaker is a frequency."""
    path.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(int(seconds * RATE)) / RATE
    noise = np.random.default_rng(seed).normal(0, 0.05, time.size)
    soundfile.write(path, 0.4 * np.sin(2 * np.pi * frequency * time) + noise, RATE)


def strangers(folder, *, copies=False):
    """Six speakers of pitches between those of `corpus`, with two takes each."""
    for speaker in range(6):
        for take in range(2):
            seed = 1000 + 2 * speaker + (0 if copies and speaker == 5 else take)
            path = folder / f"stranger{speaker}" / f"{take}.wav"
            tone(path, 260 + 310 * speaker, seed=seed)
    return folder


def corpus(folder, *, speakers=4, recordings=4):
    """speaker/recording.wav, each speaker with a pitch of its own."""
    for speaker in range(speakers):
        for index in range(recordings):
            tone(
                folder / f"speaker{speaker}" / f"take{index}.wav",
                300 + 400 * speaker,
                seed=10 * speaker + index,
            )
    return folder


class Bands:
    """A preprocessor of the old interface: energy in eight bands, as one row."""

    def __init__(self, bands=8):
        self.bands = bands

    def __call__(self, data, annotations):
        _, samples = data
        spectrum = np.abs(np.fft.rfft(samples / 32768)) ** 2
        parts = np.array_split(spectrum, self.bands)
        return np.log([[part.mean() + 1e-3 for part in parts]])


class Same:
    """An extractor of the old interface that changes nothing."""

    def __call__(self, data):
        return data


def bands_of(path, bands=8):
    samples, rate = soundfile.read(path)
    return Bands(bands)((rate, samples * 32768), None)[0]


@dataclass
class Distance:
    """An algorithm of the old interface, as slow as those were."""

    def enroll(self, features):
        return np.vstack(features)

    def score(self, model, probe):
        return -float(np.mean([np.linalg.norm(row - probe) for row in model]))


class Speakers:
    """take0 and take1 of each speaker enrol; take2 and take3 are the probes."""

    name, protocol = "tones", "all"
    original_directory = original_extension = None

    def __init__(self, folder, pairs=None):
        self.folder = folder
        self.pairs = pairs

    def groups(self):
        return ("dev",)

    def annotations(self, recording):
        return None

    def recording(self, speaker, take):
        key = f"speaker{speaker}/take{take}"
        return Recording(key, self.folder / f"{key}.wav", f"speaker{speaker}")

    def trials(self, group):
        references = tuple(
            Reference(
                f"speaker{i}",
                f"speaker{i}",
                (self.recording(i, 0), self.recording(i, 1)),
            )
            for i in range(4)
        )
        probes = tuple(
            Probe(recording.key, recording.subject, (recording,))
            for i in range(4)
            for recording in (self.recording(i, 2), self.recording(i, 3))
        )
        return Trials(references, probes, self.pairs)


def lines_of(path):
    return [line.split(" ") for line in path.read_text().splitlines()]
