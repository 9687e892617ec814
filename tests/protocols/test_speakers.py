import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bob.learn.pytorch.protocols.speakers import (
    SpeakerRule,
    make_protocol,
    session_in_name,
)
from bob.learn.pytorch.protocols.trials import DatabaseError, Recording


def spoken(names):
    """'ann/monday/1' -> speaker ann, session monday; 'ann//1' -> no session known."""
    return [
        Recording(
            name, None, name.split("/")[0],
            metadata={"session": name.split("/")[1]} if name.split("/")[1] else {},
        )
        for name in names
    ]  # fmt: skip


def keys(items):
    return {item.id: [r.key for r in item.recordings] for item in items}


SESSIONS = [
    f"{speaker}/{session}/{take}"
    for speaker in ("ann", "bob", "cid", "dan", "eve")
    for session in ("mon", "tue", "wed")
    for take in (1, 2)
]


def test_speakers_in_turn_and_sessions_apart():
    made = make_protocol(spoken(SESSIONS))

    assert made.name == "session"
    assert keys(made.trials["dev"].references) == {
        "ann": ["ann/mon/1", "ann/mon/2"],
        "cid": ["cid/mon/1", "cid/mon/2"],
        "eve": ["eve/mon/1", "eve/mon/2"],
    }
    assert keys(made.trials["eval"].references).keys() == {"bob", "dan"}
    assert [probe.id for probe in made.trials["eval"].probes] == [
        f"{speaker}/{session}/{take}"
        for speaker in ("bob", "dan")
        for session in ("tue", "wed")
        for take in (1, 2)
    ]
    assert made.trials["dev"].pairs is None


def test_the_order_that_recordings_come_in_does_not_matter():
    shuffled = np.random.default_rng(0).permutation(SESSIONS).tolist()

    assert make_protocol(spoken(shuffled)) == make_protocol(spoken(SESSIONS))


def test_without_sessions_the_first_recording_enrols():
    made = make_protocol(spoken([f"{s}//{i}" for s in "abcd" for i in range(3)]))

    assert made.name == "recording"
    assert keys(made.trials["dev"].references) == {"a": ["a//0"], "c": ["c//0"]}
    assert list(keys(made.trials["dev"].probes)) == ["a//1", "a//2", "c//1", "c//2"]


@pytest.mark.parametrize("unit", ["session", "recording"])
def test_all_speakers_may_be_in_one_group(unit):
    whole = make_protocol(spoken(SESSIONS), name=f"{unit}-one-group")
    parts = make_protocol(spoken(SESSIONS), name=unit).trials

    assert whole.name == f"{unit}-one-group"
    assert keys(whole.trials["dev"].references) == {
        **keys(parts["dev"].references), **keys(parts["eval"].references),
    }  # fmt: skip
    assert list(whole.trials) == ["dev"]
    assert whole.trials["dev"].count() == 5 * len(whole.trials["dev"].probes)


def test_all_pairs_are_each_pair_once():
    """Five speakers with six recordings: 5 x 15 pairs of one, 30 x 29 / 2 in all."""
    made = make_protocol(spoken(SESSIONS), name="all-pairs")

    trials = made.trials["dev"]
    pairs = [
        (trials.references[at], trials.probes[probe])
        for at, listed in enumerate(trials.pairs)
        for probe in listed
    ]
    assert len({frozenset((one.id, two.id)) for one, two in pairs}) == 30 * 29 // 2
    assert len(pairs) == 30 * 29 // 2
    assert sum(one.subject == two.subject for one, two in pairs) == 5 * 15


def test_more_enrolment_takes_further_sessions_and_probes_with_none_of_them():
    made = make_protocol(spoken(SESSIONS), enrol_count=3)

    dev = made.trials["dev"]
    assert keys(dev.references)["ann"] == ["ann/mon/1", "ann/mon/2", "ann/tue/1"]
    assert [p.id for p in dev.probes if p.subject == "ann"] == [
        "ann/wed/1",
        "ann/wed/2",
    ]


def test_fewer_enrolment_leaves_the_rest_of_the_session_unused():
    made = make_protocol(spoken(SESSIONS), enrol_count=1)

    dev = made.trials["dev"]
    assert keys(dev.references)["ann"] == ["ann/mon/1"]
    assert not any("/mon/" in probe.id for probe in dev.probes)


def test_a_speaker_with_one_session_is_an_impostor_only():
    made = make_protocol(spoken([*SESSIONS, "fay/mon/1", "fay/mon/2", "gus/mon/1"]))

    groups = made.trials.values()
    assert not {"fay", "gus"} & {r.id for trials in groups for r in trials.references}
    assert {"fay/mon/1", "fay/mon/2"} <= {p.id for p in made.trials["dev"].probes}
    assert "gus/mon/1" in {p.id for p in made.trials["eval"].probes}
    assert "fay, gus" in " ".join(made.notes)


def test_groups_share_no_speaker_and_all_speakers_are_in_one():
    made = make_protocol(spoken([*SESSIONS, "fay/mon/1"]))

    dev, eval_ = (
        {item.subject for item in (*trials.references, *trials.probes)}
        for trials in made.trials.values()
    )
    assert not dev & eval_
    assert len(dev | eval_) == 6


@given(
    names=st.sets(
        st.builds("{}/{}/{}".format, st.sampled_from("abcdef"),
                  st.sampled_from(["", "m1", "m2", "m3"]), st.integers(0, 3)),
        min_size=1,
    ),
    rule=st.sampled_from(["session", "recording"]),
    count=st.sampled_from([None, 1, 2]),
)  # fmt: skip
def test_whoever_is_there_nothing_enrols_and_probes(names, rule, count):
    items = {item.key: item for item in spoken(sorted(names))}
    try:
        made = make_protocol(items.values(), name=rule, enrol_count=count)
    except DatabaseError:
        return

    speakers = []
    for trials in made.trials.values():
        probed = [item.id for item in trials.probes]
        assert len(set(probed)) == len(probed)
        assert not set(probed) & {
            r.key for item in trials.references for r in item.recordings
        }
        speakers.append({item.subject for item in trials.recordings()})
        for reference in trials.references:
            enrolled = {
                items[r.key].metadata.get("session") for r in reference.recordings
            } - {None}
            own = {items[p.id].metadata.get("session") for p in trials.probes
                   if p.subject == reference.subject}  # fmt: skip
            assert own
            assert rule == "recording" or not enrolled & own
            assert count in (None, len(reference.recordings))
    assert len(set().union(*speakers)) == sum(map(len, speakers))


def test_three_speakers_stay_together():
    made = make_protocol(spoken([name for name in SESSIONS if name[0] in "abc"]))

    assert list(made.trials) == ["dev"]
    assert len(made.trials["dev"].references) == 3


def test_sessions_count_when_half_of_the_speakers_have_several():
    some = ["a/x/1", "a/y/1", "b/x/1", "b/x/2"]
    few = [*some, "c/x/1", "c/x/2"]

    assert make_protocol(spoken(some)).name == "session"
    assert make_protocol(spoken(few)).name == "recording"


def test_the_protocol_can_be_asked_for():
    made = make_protocol(spoken(SESSIONS), name="recording")

    assert keys(made.trials["dev"].references)["ann"] == ["ann/mon/1"]
    assert "ann/mon/2" in keys(made.trials["dev"].probes)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "week"}, "'week'; expected one of session, recording"),
        ({"name": "all-pairs", "enrol_count": 2}, "2 recordings cannot enrol in the"),
        ({"enrol_count": 9}, "none of 5 speakers can be enrolled by session"),
    ],
)
def test_what_cannot_be_done_is_said(arguments, message):
    with pytest.raises(DatabaseError, match=message):
        make_protocol(spoken(SESSIONS), **arguments)


def test_one_recording_a_speaker_is_too_few():
    with pytest.raises(DatabaseError, match="each needs one to enrol"):
        make_protocol(spoken(["a//1", "b//1", "c//1", "d//1"]))


@pytest.mark.parametrize(
    "arguments",
    [
        {"enrol_count": 0},
        {"minimum_seconds": -1.0},
        {"minimum_seconds": float("nan")},
        {"enrol_count": "2"},
        {"enrol_count": 1.5},
        {"minimum_seconds": "2"},
        {"layout": ["speaker"]},
    ],
)
def test_impossible_rules_are_refused(arguments):
    with pytest.raises(DatabaseError, match="expected"):
        SpeakerRule(**arguments)


@pytest.mark.parametrize(
    ("name", "speaker", "session"),
    [
        ("1688-142285-0000", "1688", "142285"),
        ("id10001-1zcIwhmdeo4-00001", "id10001", "1zcIwhmdeo4"),
        ("id10001--0zcIwhmdeo4-00001", "id10001", "-0zcIwhmdeo4"),
        ("9f581faa5ece-1820884-1869535", "strauss", "9f581faa5ece"),
        ("audio_1", "a", "audio"),
        ("ann_1", "ann", None),
        ("hello", "ann", None),
        ("monday_", "ann", None),
    ],
)
def test_the_session_is_the_first_part_of_a_name(name, speaker, session):
    assert session_in_name(name, speaker=speaker) == session
