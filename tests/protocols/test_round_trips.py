"""What is written in the form of a toolkit is what is read from it again."""

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from protocols import Described

from bob.learn.pytorch.metrics import Names
from bob.learn.pytorch.protocols.names import safe_name, without_audio_suffix
from bob.learn.pytorch.protocols.opening import FORMS, as_database, convert
from bob.learn.pytorch.protocols.trials import (
    DatabaseError,
    Probe,
    Recording,
    Reference,
    Trials,
    trial_columns,
)

PAIRS = ("voxceleb", "wespeaker", "espnet")
DESCRIBING = ("bob", "sre")

#: Not in a word of its own: what parts names, begins comments, or is quoted.
PLAIN = st.text("ab1_é,%\"'-", min_size=1, max_size=4)
ODD = st.text("ab1 #*:|\t\n\r\"',%é\udce9", min_size=1, max_size=4)
VALUES = st.text('fm1, "é', max_size=3).map(str.strip)


@st.composite
def protocols(draw, names, *, single):
    """Two groups that share nobody; some trials, or all, and what is known of them."""
    speakers = draw(st.lists(names, min_size=2, max_size=5, unique_by=safe_name))
    groups, columns = {}, {}
    for group, some in (("dev", speakers[::2]), ("eval", speakers[1::2])):
        takes = [
            [_recording(draw, speaker, name) for name in _takes(draw, names)]
            for speaker in some
        ]
        enrolled = [items[:1] if single else items[:-1] for items in takes]
        references = tuple(
            Reference(
                items[0].key if single else f"model-{items[0].subject}",
                items[0].subject,
                tuple(items),
            )
            for items in enrolled
        )
        probes = tuple(
            Probe(item.key, item.subject, (item,))
            for items in takes
            for item in (items if single else items[-1:])
        )
        pairs = draw(st.one_of(st.none(), _pairs(len(references), len(probes))))
        count = 0 if pairs is None else sum(map(len, pairs))
        known = draw(st.lists(VALUES, min_size=count, max_size=count))
        groups[group] = Trials(references, probes, pairs)
        columns[group] = {"match": Names.of(known)} if count else {}
    return groups, columns


def _takes(draw, names):
    return draw(st.lists(names, min_size=2, max_size=3, unique_by=safe_name))


def _recording(draw, speaker, name):
    place = f"wav/{speaker}/{name}{draw(st.sampled_from(['.wav', '']))}"
    metadata = {"gender": draw(VALUES)} if draw(st.booleans()) else {}
    return Recording(
        safe_name(without_audio_suffix(place)),
        Path("/corpus", place),
        safe_name(speaker),
        metadata={title: value for title, value in metadata.items() if value},
    )


@st.composite
def _pairs(draw, references, probes):
    """One trial at least."""
    listed = [
        draw(st.lists(st.integers(0, probes - 1), max_size=4))
        for _ in range(references)
    ]
    listed[0] = [*listed[0], 0]
    return tuple(np.array(item, dtype=np.int64) for item in listed)


def unfolded(trials, columns):
    """Every trial: the files of both sides, one speaker or two, and what is known."""
    every = range(len(trials.probes))
    values = iter(columns["match"].tolist() if "match" in columns else [])
    return [
        (
            tuple(sorted(str(item.path) for item in reference.recordings)),
            str(trials.probes[at].recordings[0].path),
            reference.subject == trials.probes[at].subject,
            next(values, ""),
        )
        for reference, listed in zip(
            trials.references,
            trials.pairs or [every] * len(trials.references),
            strict=True,
        )
        for at in listed
    ]


def once(found):
    """Bob scores a trial once, whatever is known of it."""
    first = {}
    for trial in found:
        first.setdefault(trial[:3], trial)
    return list(first.values())


def written_and_read(form, groups, columns):
    """Both as lists of trials, by group; None where the form cannot say it."""
    everything = [item.path for t in groups.values() for item in t.recordings()]
    start = os.path.commonpath([path.parent for path in everything])
    with tempfile.TemporaryDirectory() as folder:
        try:
            written = convert(Described(groups, columns), folder, form=form)
        except DatabaseError:
            return None
        found = {}
        for group, path in written.items():
            where = {"original_directory": start} if form in ("voxceleb", "sre") else {}
            again = as_database(path, **where)
            name = group if form == "bob" else "dev"
            found[group] = (again.trials(name), trial_columns(again, name))
        return found


def check(form, groups, columns, found):
    for group, (trials, known) in found.items():
        expected = unfolded(groups[group], columns[group])
        if form not in DESCRIBING:
            expected = [(*trial[:3], "") for trial in expected]
        if form == "bob":
            expected = once(expected)
        assert sorted(unfolded(trials, known)) == sorted(expected)
        if form in DESCRIBING:
            described = {item.path: dict(item.metadata) for item in trials.recordings()}
            before = {
                item.path: dict(item.metadata) for item in groups[group].recordings()
            }
            assert described == {path: before[path] for path in described}
            who = {item.path: item.subject for item in trials.recordings()}
            were = {item.path: item.subject for item in groups[group].recordings()}
            assert who == {path: were[path] for path in who}


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=10)
@given(data=st.data())
def test_names_of_one_word_are_written_and_read_in_every_form(form, data):
    groups, columns = data.draw(protocols(PLAIN, single=form in PAIRS))
    assume(form != "bob" or _says_one_thing(groups, columns))

    found = written_and_read(form, groups, columns)

    assert found is not None
    check(form, groups, columns, found)


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=10)
@given(data=st.data())
def test_other_names_are_refused_or_read_as_they_were(form, data):
    groups, columns = data.draw(protocols(ODD, single=form in PAIRS))
    assume(form != "bob" or _says_one_thing(groups, columns))

    found = written_and_read(form, groups, columns)

    if found is not None:
        check(form, groups, columns, found)


def _says_one_thing(groups, columns):
    """Bob's list says of a trial that comes twice what it says first."""
    return all(
        len(once(found := set(unfolded(groups[group], columns[group])))) == len(found)
        for group in groups
    )
