import itertools

import numpy as np
import pytest
from files import touch
from protocols import Made

from bob.learn.pytorch.protocols.names import safe_name
from bob.learn.pytorch.protocols.opening import (
    FORMS,
    as_database,
    convert,
)
from bob.learn.pytorch.protocols.trials import (
    DatabaseError,
    Probe,
    Recording,
    Reference,
    Trials,
)


def group(folder, speakers, *, enrol=1, sparse=True):
    """Each speaker is enrolled, and tested with two recordings."""

    def recording(speaker, take):
        touch(folder, f"{speaker}/{take}.wav")
        return Recording(f"{speaker}/{take}", folder / speaker / f"{take}.wav", speaker)

    references = tuple(
        Reference(
            f"{name}/e0" if enrol == 1 else f"model-{name}",
            name,
            tuple(recording(name, f"e{i}") for i in range(enrol)),
        )
        for name in speakers
    )
    probes = tuple(
        Probe(item.key, item.subject, (item,))
        for item in (recording(name, f"p{i}") for name in speakers for i in range(2))
    )
    # A speaker's own probes, and one of the next.
    pairs = tuple(
        np.array([2 * i, 2 * i + 1, (2 * i + 3) % len(probes)])
        for i in range(len(speakers))
    )
    return Trials(references, probes, pairs if sparse else None)


def unfolded(trials):
    """(files that enrol, file under test, same speaker) of every trial."""
    every = itertools.repeat(range(len(trials.probes)))
    return sorted(
        (
            [str(item.path) for item in reference.recordings],
            str(trials.probes[index].recordings[0].path),
            reference.subject == trials.probes[index].subject,
        )
        for reference, listed in zip(trials.references, trials.pairs or every)  # noqa: B905 - endless
        for index in listed
    )


def read_again(form, path, name, folder):
    """What a written group is, read as its form says."""
    if form == "bob":
        return as_database(path).trials(name)
    if form in ("voxceleb", "sre"):
        return as_database(path, original_directory=folder).trials("dev")
    return as_database(path).trials("dev")


@pytest.mark.parametrize("sparse", [True, False])
@pytest.mark.parametrize("form", FORMS)
def test_what_was_converted_is_read_again(tmp_path, form, sparse):
    folder = tmp_path / "wav"
    groups = {
        "dev": group(folder, ["ann", "bob", "cid"], sparse=sparse),
        "eval": group(folder, ["dan", "eve"], sparse=sparse),
    }

    written = convert(Made(groups), tmp_path / "out", form=form)

    for name, path in written.items():
        again = read_again(form, path, name, folder)
        assert unfolded(again) == unfolded(groups[name])


@pytest.mark.parametrize("form", ["bob", "kaldi", "sre"])
def test_references_of_several_recordings(tmp_path, form):
    folder = tmp_path / "wav"
    groups = {"dev": group(folder, ["ann", "bob", "cid"], enrol=3)}

    written = convert(Made(groups), tmp_path / "out", form=form)

    again = read_again(form, written["dev"], "dev", folder)
    assert unfolded(again) == unfolded(groups["dev"])
    assert [item.id for item in again.references] == [
        "model-ann", "model-bob", "model-cid",
    ]  # fmt: skip


@pytest.mark.parametrize("form", ["voxceleb", "wespeaker", "espnet"])
def test_lists_of_pairs_refuse_references_of_several_recordings(tmp_path, form):
    made = Made({"dev": group(tmp_path, ["ann", "bob"], enrol=2)})

    with pytest.raises(DatabaseError, match="enrolled with 2 recordings; a list of"):
        convert(made, tmp_path / "out", form=form)


@pytest.mark.parametrize("form", ["voxceleb", "kaldi", "wespeaker", "espnet", "sre"])
def test_probes_of_several_recordings_are_refused(tmp_path, form):
    trials = group(tmp_path, ["ann", "bob"])
    both = tuple(item.recordings[0] for item in trials.probes[:2])
    joined = Trials(trials.references, (Probe("both", "ann", both),))

    with pytest.raises(DatabaseError, match="probe 'both' has 2 recordings"):
        convert(Made({"dev": joined}), tmp_path / "out", form=form)


@pytest.mark.parametrize("form", ["voxceleb", "sre"])
def test_paths_with_spaces_cannot_stand_in_a_list(tmp_path, form):
    path = tmp_path / "a b.wav"
    one = (Recording("a%20b", path, "ann"),)
    trials = Trials((Reference("a%20b", "ann", one),), (Probe("a%20b", "ann", one),))

    with pytest.raises(DatabaseError, match=r"'a b.wav' cannot stand in a list"):
        convert(Made({"dev": trials}), tmp_path / "out", form=form)

    convert(Made({"dev": trials}), tmp_path / "wespeaker", form="wespeaker")
    again = as_database(tmp_path / "wespeaker").trials("dev")
    assert again.probes[0].recordings[0].path == path


@pytest.mark.parametrize(
    ("form", "name", "message"),
    [
        ("voxceleb", "n\udce9.wav", "cannot stand in a list in UTF-8"),
        ("sre", "n\udce9.wav", "cannot stand in a list in UTF-8"),
        ("voxceleb", " a.wav", "cannot stand in a list"),
        ("voxceleb", "target", "'target' is a label in a list of trials"),
        ("wespeaker", "#a.wav", "'#a' begins a comment in a list"),
        ("kaldi", "#a.wav", "'#a' begins a comment in a list"),
        ("kaldi", "a\r.wav", "cannot stand in a list of paths"),
        ("wespeaker", "a.ark:12", "is a part of an archive"),
        ("espnet", "a*b.wav", "ESPnet parts names by"),
        ("espnet", "sox |", "is a command"),
    ],
)
def test_what_would_be_read_as_something_else_is_refused(tmp_path, form, name, message):
    key = safe_name(name.removesuffix(".wav"))
    odd = (Recording(key, tmp_path / name, "ann"),)
    plain = (Recording("b", tmp_path / "b.wav", "bob"),)
    trials = Trials(
        (Reference(key, "ann", odd), Reference("b", "bob", plain)),
        (Probe(key, "ann", odd), Probe("b", "bob", plain)),
    )

    with pytest.raises(DatabaseError, match=message):
        convert(Made({"dev": trials}), tmp_path / "out", form=form)


def test_a_speaker_is_not_enrolled_with_what_probes_in_a_kaldi_folder(tmp_path):
    trials = group(tmp_path, ["ann", "bob"], enrol=2)
    own = trials.references[0].recordings[0]
    probes = (*trials.probes, Probe(own.key, "ann", (own,)))

    with pytest.raises(DatabaseError, match="'ann/e0' is compared with 'model-ann'"):
        convert(
            Made({"dev": Trials(trials.references, probes)}), tmp_path, form="kaldi"
        )


@pytest.mark.parametrize("title", ["side", "Speaker", "score", ""])
def test_titles_that_tables_have_for_themselves_are_refused(tmp_path, title):
    item = Recording("a", tmp_path / "a.wav", "ann", metadata={title: "1"})
    trials = Trials((Reference("m", "ann", (item,)),), (Probe("a", "ann", (item,)),))

    with pytest.raises(DatabaseError, match="would be read as a column of another"):
        convert(Made({"dev": trials}), tmp_path / "out", form="sre")


def test_a_recording_enrols_one_in_a_kaldi_folder(tmp_path):
    trials = group(tmp_path, ["ann"])
    twice = (*trials.references, Reference("x", "ann", trials.references[0].recordings))

    with pytest.raises(DatabaseError, match="'ann/e0' enrols 'ann/e0' and 'x'"):
        convert(Made({"dev": Trials(twice, trials.probes)}), tmp_path, form="kaldi")


def test_kaldi_folders_are_sorted_as_kaldi_wants_them(tmp_path):
    made = Made({"dev": group(tmp_path / "wav", ["b", "B", "a"])})

    convert(made, tmp_path / "out", form="wespeaker")

    for name in ("wav.scp", "utt2spk", "spk2utt"):
        lines = (tmp_path / "out" / name).read_bytes().splitlines()
        assert lines == sorted(lines)
    assert (tmp_path / "out/spk2utt").read_text().splitlines()[0] == "B B/e0 B/p0 B/p1"


def test_an_unknown_form_is_refused(tmp_path):
    with pytest.raises(DatabaseError, match="expected one of bob, voxceleb, kaldi"):
        convert(Made({"dev": group(tmp_path, ["a"])}), tmp_path / "out", form="x")


@pytest.mark.parametrize(
    ("form", "start"), [("voxceleb", "wav"), ("sre", "wav"), ("kaldi", None)]
)
def test_where_paths_are_seen_from_asks_for_no_trials_again(tmp_path, form, start):
    made = Made({"dev": group(tmp_path / "wav", ["ann", "bob"])})
    asked, trials = [], made.trials
    made.trials = lambda name: asked.append(name) or trials(name)

    written = convert(made, tmp_path / "out", form=form)

    assert asked == ["dev"]
    assert written["dev"].is_file()
    assert written.seen_from == (start and tmp_path / start)
