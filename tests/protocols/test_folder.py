import logging
import os

import numpy as np
import pytest
from files import touch
from recordings import record

from bob.learn.pytorch.models.council_meetings import council_meetings
from bob.learn.pytorch.protocols.cohorts import read_cohort
from bob.learn.pytorch.protocols.counts import summarise
from bob.learn.pytorch.protocols.formats.folder import FolderDatabase
from bob.learn.pytorch.protocols.opening import as_database
from bob.learn.pytorch.protocols.speakers import SpeakerRule
from bob.learn.pytorch.protocols.trials import DatabaseError


@pytest.fixture
def meetings(tmp_path):
    """Four speakers in two meetings."""
    for meeting in ("m1", "m2"):
        for speaker in ("ann", "bob", "cid", "dan"):
            touch(
                tmp_path,
                f"{meeting}/{speaker}/0-100.wav",
                f"{meeting}/{speaker}/200-300.wav",
            )
    return tmp_path


def all_keys(trials):
    return sorted(recording.key for recording in trials.recordings())


def test_folders_below_the_speaker_are_sessions(tmp_path):
    for speaker in "abcd":
        touch(
            tmp_path,
            f"{speaker}/s1/x/1.wav",
            f"{speaker}/s2/x/1.flac",
            f"{speaker}/s2/2.mp3",
        )

    database = as_database(tmp_path)

    dev = database.trials("dev")
    assert database.protocol == "session"
    assert [r.key for r in dev.references[0].recordings] == ["a/s1/x/1"]
    assert [probe.id for probe in dev.probes] == [
        "a/s2/2",
        "a/s2/x/1",
        "c/s2/2",
        "c/s2/x/1",
    ]
    assert dev.probes[0].recordings[0].path == tmp_path / "a/s2/2.mp3"


@pytest.fixture
def named(tmp_path):
    """Four speakers, whose files begin with the session."""
    for speaker in "abcd":
        touch(
            tmp_path,
            *(f"{speaker}/{m}-{i}-9.wav" for m in ("m1", "m2") for i in (1, 2)),
        )
    return tmp_path


def test_file_names_tell_the_session_where_the_layout_says_so(named):
    database = as_database(named, rule=SpeakerRule("speaker/session-*"))

    dev = database.trials("dev")
    assert database.protocol == "session"
    assert [r.key for r in dev.references[0].recordings] == ["a/m1-1-9", "a/m1-2-9"]
    assert [probe.id for probe in dev.probes][:2] == ["a/m2-1-9", "a/m2-2-9"]


def test_parts_of_file_names_are_no_sessions_of_themselves(named):
    """They may number the utterances, as in 001-hello.wav."""
    database = as_database(named)

    dev = database.trials("dev")
    assert database.protocol == "recording"
    assert [r.key for r in dev.references[0].recordings] == ["a/m1-1-9"]
    assert not any(item.metadata for item in dev.recordings())
    assert "sessions are not known" in " ".join(database.notes)
    assert "sessions are not known" in " ".join(database.doubts)


def test_sessions_that_are_not_known_are_told_of_where_they_decide(named):
    database = as_database(named, protocol="session")

    assert "the session of 16 recordings is not known" in " ".join(database.notes)


def test_only_recordings_that_are_not_hidden_count(tmp_path):
    touch(tmp_path, "a/1.wav", "a/2.WAV", "a/notes.txt", "a/._1.wav", ".git/3.wav")

    assert all_keys(as_database(tmp_path).trials("dev")) == ["a/1", "a/2"]


def test_names_with_spaces_fit_into_score_lines(tmp_path):
    touch(tmp_path, "Ann Lee/1 x.wav", "Ann Lee/2 x.wav")

    reference = as_database(tmp_path).trials("dev").references[0]

    assert (reference.id, reference.subject) == ("Ann%20Lee", "Ann%20Lee")
    assert reference.recordings[0].key == "Ann%20Lee/1%20x"
    assert reference.recordings[0].path == tmp_path / "Ann Lee/1 x.wav"


def test_a_layout_says_which_folder_is_the_speaker(meetings):
    database = as_database(meetings, rule=SpeakerRule("session/speaker"))

    dev = database.trials("dev")
    assert [reference.id for reference in dev.references] == ["ann", "cid"]
    assert [r.key for r in dev.references[0].recordings] == [
        "m1/ann/0-100",
        "m1/ann/200-300",
    ]
    assert {probe.id.split("/")[0] for probe in dev.probes} == {"m2"}


def test_swapped_levels_are_suspected_aloud(meetings, caplog):
    with caplog.at_level(logging.WARNING):
        _ = as_database(meetings).protocol

    assert "give the layout 'session/speaker'" in caplog.text


def test_sessions_of_one_name_are_not_suspected(tmp_path, caplog):
    for speaker in "abcd":
        touch(tmp_path, f"{speaker}/session1/1.wav", f"{speaker}/session2/1.wav")

    with caplog.at_level(logging.WARNING):
        _ = as_database(tmp_path).protocol

    assert caplog.text == ""


@pytest.mark.parametrize(
    "layout",
    [
        "session",
        "speaker/speaker",
        "speaker/meeting",
        "",
        "session-*",
        "session-*/speaker",
        "session/speaker/session-*",
    ],
)
def test_a_layout_without_exactly_one_speaker_is_refused(tmp_path, layout):
    rule = SpeakerRule(layout or "/")

    with pytest.raises(DatabaseError, match="expected one word a folder level"):
        FolderDatabase(tmp_path, rule=rule)


def test_stray_recordings_are_named_and_passed_over(tmp_path, caplog):
    touch(tmp_path, "noise.wav", "a/1.wav", "a/2.wav")

    with caplog.at_level(logging.WARNING):
        keys = all_keys(as_database(tmp_path).trials("dev"))

    assert keys == ["a/1", "a/2"]
    assert "noise.wav" in caplog.text


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["a/1.m4a", "a/2.m4a"], r"speaker/…/recording.*found 2 x \.m4a"),
        (["1.wav", "2.wav"], r"2 recordings less deep, like 1\.wav"),
        (
            ["Ann Lee/1.wav", "Ann%20Lee/2.wav"],
            "speakers 'Ann Lee' and 'Ann%20Lee' are",
        ),
    ],
    ids=["other things", "without speakers", "speakers that would become one"],
)
def test_a_folder_that_is_no_corpus_says_what_it_holds(tmp_path, files, message):
    touch(tmp_path, *files)

    with pytest.raises(DatabaseError, match=message):
        as_database(tmp_path).groups()


def test_links_in_circles_end(tmp_path):
    touch(tmp_path, "a/1.wav", "a/2.wav")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)

    assert all_keys(as_database(tmp_path).trials("dev")) == ["a/1", "a/2"]


def test_short_recordings_are_left_out_and_unreadable_ones_stay(tmp_path):
    for name, seconds in (("1", 0.5), ("2", 1.0), ("3", 1.5)):
        record(tmp_path / f"a/{name}.wav", np.zeros(int(8000 * seconds)), 8000)
    touch(tmp_path, "a/4.wav")

    database = as_database(tmp_path, rule=SpeakerRule(minimum_seconds=1.0))

    assert all_keys(database.trials("dev")) == ["a/2", "a/3", "a/4"]
    assert "1 recording under 1 s left out" in database.notes


def test_a_group_that_is_not_there_is_named(tmp_path):
    touch(tmp_path, "a/1.wav", "a/2.wav")

    with pytest.raises(DatabaseError, match="no group 'eval'; it has dev"):
        as_database(tmp_path).trials("eval")


def test_librispeech_has_one_session_a_speaker(shared):
    """10 speakers x 10 recordings of one chapter: 5 references, 45 probes a group."""
    database = as_database(
        shared / "data" / "librispeech" / "test-other",
        rule=SpeakerRule("speaker/session-*"),
    )

    assert database.protocol == "recording"
    for group in ("dev", "eval"):
        trials = database.trials(group)
        assert (len(trials.references), len(trials.probes)) == (5, 45)


def test_a_minimum_that_leaves_nothing_is_said(tmp_path):
    for name, seconds in (("1", 0.5), ("2", 1.0)):
        record(tmp_path / f"a/{name}.wav", np.zeros(int(8000 * seconds)), 8000)

    with pytest.raises(DatabaseError, match=r"all 2 recordings in .* than 3 s; choose"):
        as_database(tmp_path, rule=SpeakerRule(minimum_seconds=3.0)).groups()
    with pytest.raises(DatabaseError, match=r"\(1 recording under 0.6 s left o"):
        as_database(tmp_path, rule=SpeakerRule(minimum_seconds=0.6)).groups()


def test_pipes_among_the_recordings_are_not_waited_for(tmp_path):
    touch(tmp_path, "a/1.wav", "a/2.wav")
    os.mkfifo(tmp_path / "a/3.wav")

    database = as_database(tmp_path, rule=SpeakerRule(minimum_seconds=1.0))

    assert all_keys(database.trials("dev")) == ["a/1", "a/2", "a/3"]


def test_another_thing_than_a_rule_is_refused(tmp_path):
    with pytest.raises(DatabaseError, match="rule 'session/speaker'; expected a Speak"):
        FolderDatabase(tmp_path, rule="session/speaker")


def test_recordings_that_cannot_be_read_are_counted_by_suffix(tmp_path, caplog):
    for speaker in "abcd":
        names = ("1.wav", "2.m4a", "3.amr", "4.mp2", "5.WV1", "6.M4A", "notes.txt")
        touch(tmp_path, *(f"{speaker}/{name}" for name in names))

    trials = as_database(tmp_path).trials("dev")

    assert len(all_keys(trials)) == 2 * 3
    (told,) = caplog.messages
    assert told.startswith(
        f"12 recordings in {tmp_path} left out, since such files cannot be read "
        "(8 x .m4a, 4 x .amr); convert them"
    )


def test_a_cohort_of_one_recording_a_speaker_counts_them_too(tmp_path, caplog):
    touch(tmp_path, "ann.wav", "bob.wav", "cid.m4a")

    read_cohort(tmp_path)

    assert "1 recording in" in caplog.text


@pytest.mark.network
def test_all_pairs_of_the_council_meetings_are_those_that_were_published():
    database = as_database(
        council_meetings(),
        protocol="all-pairs",
        rule=SpeakerRule("session/speaker", minimum_seconds=1),
    )

    found = summarise(database)["dev"]
    assert (found.target_trials, found.non_target_trials) == (265, 2150)


NIST = "modelid\tsegmentid\tside\nm\ts\ta\n"


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        ("dev/trials", "a b target\n", "dev/trials"),
        ("dev/enroll/wav.scp", "a a.wav\n", None),
        ("list.txt", "# of ours\n1 a b\n", "list.txt"),
        ("readme.txt", "what is here\n", None),
        ("empty.txt", "", None),
        ("sound.lst", "\udc80", None),
        ("eval_trials.tsv", NIST, "eval_trials.tsv"),
        ("eval_enrollment.tsv", NIST, None),
        ("eval_segment_key.tsv", "segmentid\tsubjectid\ns\tann\n", None),
        ("espnet/trial_label", "a*b 1\n", "espnet"),
        ("p/dev/for_enrolling.csv", "path,subject_id,template_id\n", "p"),
        (".hidden.txt", "1 a b\n", None),
    ],
)
def test_lists_of_trials_in_a_folder_without_recordings(tmp_path, name, text, place):
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text(text, errors="surrogateescape")

    with pytest.raises(DatabaseError, match="no recordings in") as caught:
        FolderDatabase(tmp_path).groups()

    _, named, lists = str(caught.value).partition("there are lists of trials: give one")
    assert bool(named) == (place is not None)
    assert not named or lists == f" of them ({tmp_path / place})"


def test_the_list_with_its_labels_comes_first(tmp_path):
    for name in ("dev_trials.tsv", "dev_trial_key.tsv"):
        (tmp_path / name).write_text(NIST)

    with pytest.raises(DatabaseError, match=r"them \(\S*dev_trial_key.tsv, \S*trials"):
        FolderDatabase(tmp_path).groups()
