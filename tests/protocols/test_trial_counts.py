"""Odd trials, against a look at each of them."""

from pathlib import Path

import numpy as np

from bob.learn.pytorch.protocols.trial_counts import count_trials
from bob.learn.pytorch.protocols.trials import Probe, Recording, Reference, Trials


def recordings(count):
    """Three speakers with two sessions each, the last of which nobody told."""
    return [
        Recording(
            f"r{at}", Path(f"/x/{at}.wav"), "abc"[at % 3],
            metadata={} if at % 4 == 3 else {"session": f"s{at % 2}"},
        )
        for at in range(count)
    ]  # fmt: skip


def slow(trials):
    """Each kind of odd trial, by looking at every pair of trials."""
    listed = [
        (trials.references[at], trials.probes[index])
        for at, pairs in enumerate(trials.pairs)
        for index in pairs
    ]
    found = {"self_trials": set(), "repeated": set(), "one_session": set()}
    for number, (reference, probe) in enumerate(listed):
        name = f"{reference.id} {probe.id}"
        paths = {item.path for item in reference.recordings}
        if paths & {item.path for item in probe.recordings}:
            found["self_trials"].add(name)
        if (reference, probe) in listed[:number]:
            found["repeated"].add(name)
        sessions = {
            item.metadata.get("session")
            for item in (*reference.recordings, *probe.recordings)
        }
        same = reference.subject == probe.subject
        if same and len(sessions) == 1 and None not in sessions:
            found["one_session"].add(name)
    return found


def test_random_trials_of_references_of_several_recordings():
    generator = np.random.default_rng(0)
    for _ in range(30):
        items = recordings(12)
        references = tuple(
            Reference(f"m{i}", items[i].subject, tuple(items[i : i + 7 : 3]))
            for i in range(4)
        )
        probes = tuple(Probe(item.key, item.subject, (item,)) for item in items)
        pairs = tuple(generator.integers(0, 12, generator.integers(0, 9))
                      for _ in references)  # fmt: skip
        trials = Trials(references, probes, pairs)

        counts = count_trials(trials)

        for kind, expected in slow(trials).items():
            assert sorted(getattr(counts, kind)) == sorted(expected), kind
        used = {index for listed in pairs for index in listed.tolist()}
        unused = {probe.id for at, probe in enumerate(probes) if at not in used}
        assert set(counts.probes_without_trial) == unused
        idle = {r.id for r, listed in zip(references, pairs, strict=True)
                if not len(listed)}  # fmt: skip
        assert set(counts.references_without_trial) == idle


def test_target_trials_are_counted_by_enrolled_speaker():
    items = recordings(6)
    trials = Trials(
        tuple(Reference(f"m{i}", items[i].subject, (items[i],)) for i in range(3)),
        tuple(Probe(item.key, item.subject, (item,)) for item in items[3:]),
    )

    assert dict(count_trials(trials).targets_by_speaker) == {"a": 1, "b": 1, "c": 1}


def test_recordings_of_a_group_are_gathered_once():
    """Half a million of them take a second, and four parts of a check ask for them."""
    item = Recording("a", None, "ann")
    trials = Trials((Reference("a", "ann", (item,)),), (Probe("a", "ann", (item,)),))

    assert trials.recordings() is trials.recordings()
