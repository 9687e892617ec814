import gzip
import os

import pytest

from bob.learn.pytorch.protocols.formats.kaldi import read_data_folder
from bob.learn.pytorch.protocols.opening import as_database
from bob.learn.pytorch.protocols.speakers import SpeakerRule
from bob.learn.pytorch.protocols.trials import DatabaseError


@pytest.fixture
def data(tmp_path):
    """Four speakers, two sessions each."""
    utterances = [f"{s}-{m}-{i}" for s in "abcd" for m in ("m1", "m2") for i in (1, 2)]
    (tmp_path / "wav.scp").write_text("".join(f"{u} wav/{u}.wav\n" for u in utterances))
    (tmp_path / "utt2spk").write_text("".join(f"{u} {u[0]}\n" for u in utterances))
    return tmp_path


def test_a_data_folder_alone_is_enrolled_by_recording(data):
    database = as_database(data)

    dev = database.trials("dev")
    assert database.protocol == "recording"
    assert [r.key for r in dev.references[0].recordings] == ["a-m1-1"]


def test_ids_tell_the_session_where_the_layout_says_so(data):
    database = as_database(data, rule=SpeakerRule("session-*"))

    dev = database.trials("dev")
    assert database.protocol == "session"
    assert [r.key for r in dev.references[0].recordings] == ["a-m1-1", "a-m1-2"]
    assert [p.id for p in dev.probes] == ["a-m2-1", "a-m2-2", "c-m2-1", "c-m2-2"]
    assert dev.probes[0].recordings[0].path == data / "wav/a-m2-1.wav"


def test_the_rule_for_speakers_holds_here_too(data):
    dev = as_database(data, rule=SpeakerRule(enrol_count=1)).trials("dev")

    assert [r.key for r in dev.references[0].recordings] == ["a-m1-1"]


def test_spk2utt_does_without_utt2spk(data):
    lines = (data / "utt2spk").read_text().split("\n")[:-1]
    (data / "utt2spk").unlink()
    by_speaker = {s: " ".join(x.split()[0] for x in lines if x[0] == s) for s in "abcd"}
    (data / "spk2utt").write_text("".join(f"{s} {u}\n" for s, u in by_speaker.items()))

    assert read_data_folder(data).utterances["b"] == [
        f"b-m{i}-{j}" for i in (1, 2) for j in (1, 2)
    ]


def test_relative_paths_are_seen_from_the_working_directory_if_only_there(
    data, tmp_path_factory, monkeypatch
):
    recipe = tmp_path_factory.mktemp("recipe")
    (recipe / "wav").mkdir()
    (recipe / "wav" / "a-m1-1.wav").touch()
    monkeypatch.chdir(recipe)

    recordings = read_data_folder(data).recordings()

    assert recordings["b-m1-1"].path == recipe / "wav/b-m1-1.wav"


def test_relative_paths_are_seen_from_where_the_user_says(data):
    dev = as_database(data, original_directory="/corpus").trials("dev")

    assert str(dev.probes[0].recordings[0].path) == "/corpus/wav/a-m1-2.wav"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "u sph2pipe -f wav u.sph |",
            r"wav.scp:2: 'sph2pipe .* is a command, and comm",
        ),
        (
            "u raw/wav.1.ark:13",
            r"wav.scp:2: 'raw/wav.1.ark:13' is a part of an archive",
        ),
        ("u", "wav.scp:2: 'u' has one field; expected two"),
        ("t v.wav", "wav.scp:2: utterance 't' is listed twice"),
        ("u v\0.wav", "wav.scp:2: not a text file in UTF-8, byte 0x00"),
    ],
)
def test_entries_that_are_no_recordings_are_refused_with_their_line(
    tmp_path, line, message
):
    (tmp_path / "wav.scp").write_text(f"t t.wav\n{line}\n")

    with pytest.raises(DatabaseError, match=message):
        read_data_folder(tmp_path)


def test_paths_may_hold_spaces_and_colons(tmp_path):
    (tmp_path / "wav.scp").write_text("u /data/my corpus/10:30.wav\n")

    assert read_data_folder(tmp_path).files == {"u": "/data/my corpus/10:30.wav"}


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("segments", "u r 0 1\n", "segments: .* cut them into files"),
        ("utt2spk", "x a\n", "utt2spk:1: utterance 'x' is not in wav.scp"),
        (
            "utt2spk",
            "a-m1-1 a\na-m1-1 b\n",
            "utt2spk:2: 'a-m1-1' is of speaker 'b' here",
        ),
        ("utt2spk", "a-m1-1 a\n", r"speaker of 15 utterance\(s\) is not known, a-m1-2"),
        ("wav.scp", "", "is empty; expected lines 'id path'"),
    ],
)
def test_files_that_do_not_fit_together_are_refused(data, file, text, message):
    (data / file).write_text(text)

    with pytest.raises(DatabaseError, match=message):
        as_database(data).groups()


def test_a_compressed_file_is_refused_with_what_to_do(data):
    (data / "wav.scp").write_bytes(gzip.compress(b"u u.wav"))

    with pytest.raises(DatabaseError, match=r"compressed by gzip.*`gunzip -k .*scp`"):
        read_data_folder(data)


def test_a_layout_makes_no_sense_here(data):
    with pytest.raises(DatabaseError, match="stand in its utt2spk"):
        as_database(data, rule=SpeakerRule("session/speaker"))


def test_byte_order_marks_and_other_encodings_of_paths_are_read(tmp_path):
    (tmp_path / "wav.scp").write_bytes(b"\xef\xbb\xbfu n\xe9.wav\nv v.wav\n")
    (tmp_path / "utt2spk").write_bytes(b"\xef\xbb\xbfu ann\nv ann\n")

    data = read_data_folder(tmp_path)

    assert data.utterances == {"ann": ["u", "v"]}
    assert os.fsencode(data.files["u"]) == b"n\xe9.wav"


def test_speakers_that_would_become_one_are_refused(tmp_path):
    (tmp_path / "wav.scp").write_text("u u.wav\nv v.wav\n")
    (tmp_path / "utt2spk").write_text("u ann lee\nv ann%20lee\n")

    with pytest.raises(DatabaseError, match="speakers 'ann lee' and 'ann%20lee' are"):
        as_database(tmp_path).groups()
