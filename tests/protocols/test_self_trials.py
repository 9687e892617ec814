"""Trials of a recording with itself, however its file is spelled."""

from pathlib import Path

import numpy as np
import pytest

from bob.learn.pytorch.protocols.opening import as_database
from bob.learn.pytorch.protocols.self_trials import self_trials_notes, self_trials_of
from bob.learn.pytorch.protocols.trials import Probe, Recording, Reference, Trials


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

    first, second = self_trials_of(trials)

    assert first.tolist() == second.tolist() == [1, 2, 3, 4]
    (note,) = self_trials_notes(trials)
    assert note.startswith(
        "4 trials compare a recording with itself, such as r1 with p1 "
        f"({link}): it wins"
    )


def test_one_of_several_recordings_that_enrol_is_enough():
    recordings = [Recording(name, Path(f"/x/{name}.wav"), "ann") for name in "abc"]
    probes = tuple(Probe(item.key, "ann", (item,)) for item in recordings)
    reference = Reference("ann", "ann", tuple(recordings[:2]))

    dense = self_trials_of(Trials((reference,), probes))
    listed = self_trials_of(Trials((reference,), probes, (np.array([2, 1, 1]),)))

    assert [column.tolist() for column in dense] == [[0, 0], [0, 1]]
    assert [column.tolist() for column in listed] == [[0], [1]]


@pytest.mark.parametrize(
    "rows", [["1 a.wav b.wav"], ["1 a.wav a.wav", "0 a.wav b.wav"]]
)
def test_a_list_is_looked_at_line_by_line(tmp_path, rows):
    (tmp_path / "list.txt").write_text("\n".join(rows))

    notes = self_trials_notes(as_database(tmp_path / "list.txt").trials("dev"))

    assert len(notes) == (len(rows) > 1)
