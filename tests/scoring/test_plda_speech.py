"""PLDA of real recordings: spectra of LibriSpeech, two seconds at a time."""

import numpy as np
import pytest
import torch

from bob.learn.pytorch.features import KaldiFbank
from bob.learn.pytorch.metrics import equal_error_rate
from bob.learn.pytorch.scoring import cosine_of_pairs, train_plda

pytestmark = pytest.mark.slow
SPEAKERS, TRAINED, SEGMENTS, SAMPLES = 150, 100, 6, 32_000


@pytest.fixture(scope="module")
def spectra(shared):
    """Mean and deviation of 80 bands, (segments, 160), and who speaks in each."""
    soundfile = pytest.importorskip("soundfile")
    folder = shared / "data/librispeech/train-clean-100"
    front, rows, speakers = KaldiFbank(), [], []
    for path in sorted(folder.glob("*.flac"))[:SPEAKERS]:
        samples, _ = soundfile.read(path, dtype="float32")
        count = min(SEGMENTS, len(samples) // SAMPLES)
        if count < 2:
            continue
        segments = torch.from_numpy(samples[: count * SAMPLES]).reshape(count, SAMPLES)
        log_mel = front.log_mel(segments)
        rows.append(torch.cat([log_mel.mean(dim=2), log_mel.std(dim=2)], dim=1))
        speakers += [path.stem.split("-")[0]] * count
    return torch.cat(rows).double().numpy(), np.array(speakers)


@pytest.fixture(scope="module", params=["none", "unit", "kaldi"])
def backend(request, spectra):
    rows, speakers = spectra
    trained = np.isin(speakers, np.unique(speakers)[:TRAINED])
    return train_plda(
        rows[trained],
        speakers[trained],
        dimensions=60,
        length_normalisation=request.param,
    )


@pytest.fixture(scope="module")
def strangers(spectra):
    rows, speakers = spectra
    other = np.isin(speakers, np.unique(speakers)[TRAINED:])
    return rows[other], speakers[other]


def test_speakers_that_it_never_heard_are_told_apart(backend, strangers):
    """Of 2 s, the cosine errs in a quarter of the trials."""
    rows, speakers = strangers
    pairs = np.triu_indices(len(rows), k=1)
    same = speakers[pairs[0]] == speakers[pairs[1]]
    plain = cosine_of_pairs(rows, rows, pairs=pairs, mean=backend.projection.mean)

    projected = backend.project(rows)
    ratios = backend.score_pairs(projected, projected, pairs=pairs)

    assert 0.2 < equal_error_rate(plain[same], plain[~same]) < 0.3
    assert equal_error_rate(ratios[same], ratios[~same]) < 0.08
    assert np.median(ratios[same]) > np.median(ratios[~same]) + 30


def test_more_recordings_enrol_better(backend, strangers):
    rows, speakers = strangers
    names, counts = np.unique(speakers, return_counts=True)
    places = [np.flatnonzero(speakers == name) for name in names[counts == SEGMENTS]]
    probes = backend.project(rows[[each[-1] for each in places]])
    same = np.eye(len(places), dtype=bool)
    rates = []
    for count in (1, SEGMENTS - 1):
        references, enrolled = backend.enrol(rows, [each[:count] for each in places])
        scores = backend.score(references, probes, counts=enrolled)
        rates.append(equal_error_rate(scores[same], scores[~same]))

    assert rates[1] < rates[0]


def test_every_iteration_raises_the_likelihood(spectra):
    rows, speakers = spectra

    found = []
    for count in range(1, 8):
        backend = train_plda(rows, speakers, dimensions=60, iterations=count)
        found.append(backend.model.log_likelihood(backend.project(rows), speakers))

    assert (np.diff(found) > 0).all()
