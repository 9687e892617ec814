from pathlib import Path

import numpy as np

from bob.learn.pytorch.protocols.opening import as_database
from bob.learn.pytorch.protocols.summary import count_targets, summarise
from bob.learn.pytorch.protocols.trials import Probe, Recording, Reference, Trials


def test_a_folder_in_numbers(tmp_path):
    for speaker in "abcd":
        (tmp_path / speaker).mkdir()
        for name in ("m1-1", "m2-1", "m2-2"):
            (tmp_path / speaker / f"{name}.wav").touch()

    database = as_database(tmp_path)
    database.groups()
    (tmp_path / "c" / "m2-1.wav").unlink()

    dev = summarise(database)["dev"]
    assert (dev.speakers, dev.references, dev.probes, dev.recordings) == (2, 2, 4, 6)
    assert (dev.target_trials, dev.non_target_trials) == (4, 4)
    assert dev.missing == (str(tmp_path / "c" / "m2-1.wav"),)


def test_targets_of_listed_pairs_are_counted_as_often_as_listed():
    def recordings(name):
        return (Recording(name, Path(name), name[0]),)

    trials = Trials(
        tuple(Reference(n, n[0], recordings(n)) for n in ("a1", "b1", "z1")),
        tuple(Probe(n, n[0], recordings(n)) for n in ("a2", "b2")),
        (np.array([0, 1, 0]), np.array([1]), np.array([0, 1])),
    )

    assert (count_targets(trials), trials.count()) == (3, 6)
