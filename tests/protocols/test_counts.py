"""Counts of trials: odd ones against a look at each, targets, self-trials."""

from pathlib import Path

import numpy as np
import pytest

from bob.learn.pytorch.protocols.counts import (
    count_trials,
    summarise,
    summarise_trials,
)
from bob.learn.pytorch.protocols.opening import as_database
from bob.learn.pytorch.protocols.trials import (
    Probe,
    Recording,
    Reference,
    Trials,
    self_trials_notes,
)


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

    found = summarise_trials(trials)
    assert (found.target_trials, found.non_target_trials) == (3, 3)


def trials_of(*pairs):
    """One trial for each pair of (key, path)."""
    sides = zip(*pairs, strict=True)
    recordings = [[Recording(key, path, "ann") for key, path in side] for side in sides]
    return Trials(
        tuple(Reference(f"r{i}", "ann", (one,)) for i, one in enumerate(recordings[0])),
        tuple(
            Probe(f"p{i}", "ann", (one,)) for i, one in enumerate(recordings[1])
        ),
        tuple(np.array([i]) for i in range(len(pairs))),
    )  # fmt: skip


def test_files_are_told_apart_by_what_they_are_and_not_by_their_names(tmp_path):
    one, other = tmp_path / "one.wav", tmp_path / "other.wav"
    one.write_bytes(b"1")
    other.write_bytes(b"1")
    link = tmp_path / "link.wav"
    link.symlink_to(one)
    (tmp_path / "again").symlink_to(tmp_path)
    missing = tmp_path / "missing.wav"
    trials = trials_of(
        (("a", one), ("b", other)),
        (("a", one), ("b", link)),
        (("a", tmp_path / "again" / "one.wav"), ("b", one)),
        (("a", missing), ("b", missing)),
        (("a", None), ("a", None)),
        (("a", None), ("b", None)),
    )

    found = count_trials(trials).self_trials

    assert found == ("r1 p1", "r2 p2", "r3 p3", "r4 p4")
    (note,) = self_trials_notes(trials)
    assert note.startswith(
        "4 trials compare a recording with itself, such as r1 with p1 "
        f"({link}): it wins"
    )


def test_one_of_several_recordings_that_enrol_is_enough():
    recordings = [Recording(name, Path(f"/x/{name}.wav"), "ann") for name in "abc"]
    probes = tuple(Probe(item.key, "ann", (item,)) for item in recordings)
    reference = Reference("ann", "ann", tuple(recordings[:2]))

    dense = count_trials(Trials((reference,), probes))
    listed = count_trials(Trials((reference,), probes, (np.array([2, 1, 1]),)))

    assert dense.self_trials == ("ann a", "ann b")
    assert listed.self_trials == ("ann b",)


@pytest.mark.parametrize(
    "rows", [["1 a.wav b.wav"], ["1 a.wav a.wav", "0 a.wav b.wav"]]
)
def test_a_list_is_looked_at_line_by_line(tmp_path, rows):
    (tmp_path / "list.txt").write_text("\n".join(rows))

    notes = self_trials_notes(as_database(tmp_path / "list.txt").trials("dev"))

    assert len(notes) == (len(rows) > 1)
