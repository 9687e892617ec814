"""Lists of trials: labels, lines, paths, and spellings of names."""

import gzip
import unicodedata
from dataclasses import replace

import numpy as np
import pytest
from protocols import triples

from bob.learn.pytorch.metrics import Names
from bob.learn.pytorch.protocols.formats.trial_list import (
    TrialListDatabase,
    read_trial_list,
)
from bob.learn.pytorch.protocols.opening import as_database
from bob.learn.pytorch.protocols.trials import DatabaseError

VOXCELEB = """\
1 id1/x/1.wav id1/y/1.wav
0 id1/x/1.wav id2/x/1.wav
1 id2/y/2.wav id2/x/1.wav
0 id2/y/2.wav id1/y/1.wav
0 id1/x/1.wav id3/z/1.wav
"""


@pytest.fixture
def write(tmp_path):
    def write(text, name="list.txt"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def test_a_voxceleb_list_is_read_as_it_stands(write):
    trials = as_database(write(VOXCELEB)).trials("dev")

    assert triples(trials) == [
        ("id1/x/1", "id1/y/1", True),
        ("id1/x/1", "id2/x/1", False),
        ("id1/x/1", "id3/z/1", False),
        ("id2/y/2", "id2/x/1", True),
        ("id2/y/2", "id1/y/1", False),
    ]
    assert [r.subject for r in trials.references] == ["id1", "id2"]
    assert [p.subject for p in trials.probes] == ["id1", "id2", "id3"]


def test_paths_are_seen_from_the_list(write, tmp_path):
    reference = as_database(write(VOXCELEB)).trials("dev").references[0]

    assert reference.recordings[0].path == tmp_path / "id1/x/1.wav"


def test_paths_are_seen_from_the_wav_folder_that_voxceleb_has(write, tmp_path):
    (tmp_path / "wav/id1/x").mkdir(parents=True)
    (tmp_path / "wav/id1/x/1.wav").touch()

    database = as_database(write(VOXCELEB))

    assert database.original_directory == str(tmp_path / "wav")


def test_paths_are_seen_from_where_the_user_says(write):
    database = as_database(write(VOXCELEB), original_directory="/data/vox1")

    recording = database.trials("dev").probes[0].recordings[0]
    assert str(recording.path) == "/data/vox1/id1/y/1.wav"


@pytest.mark.parametrize(
    "text",
    [
        "a/1.wav a/2.wav target\na/1.wav b/1.wav nontarget\n",
        "target a/1.wav a/2.wav\nnontarget a/1.wav b/1.wav\n",
        "a/1.wav a/2.wav 1\na/1.wav b/1.wav 0\n",
        "a/1.wav a/2.wav tgt\na/1.wav b/1.wav imp\n",
        "\n1 a/1.wav a/2.wav \t\r0 a/1.wav b/1.wav",
        "# comment\n\n1\ta/1.wav\ta/2.wav\r\n0 a/1.wav b/1.wav\r\n",
    ],
)
def test_labels_lead_or_end_the_line_in_words_or_digits(write, text):
    trials = as_database(write(text)).trials("dev")

    assert triples(trials) == [("a/1", "a/2", True), ("a/1", "b/1", False)]


def test_speakers_called_by_digits_are_not_taken_for_labels(write):
    listed = read_trial_list(write("1 0 target\n1 2 nontarget\n"))

    assert (listed.enrolled, listed.tested) == (("1",), ("0", "2"))


def test_a_trial_that_comes_twice_counts_twice(write):
    trials = as_database(write("1 a/1.wav a/2.wav\n" * 2)).trials("dev")

    assert trials.count() == 2


def test_labels_decide_where_folders_do_not_tell_the_speaker(write):
    text = "1 v1/a.wav v2/b.wav\n0 v1/a.wav v1/c.wav\n1 v3/d.wav v2/b.wav\n"

    trials = as_database(write(text)).trials("dev")

    assert triples(trials) == [
        ("v1/a", "v2/b", True),
        ("v1/a", "v1/c", False),
        ("v3/d", "v2/b", True),
    ]
    assert trials.references[0].subject == trials.references[1].subject


def test_lists_of_bare_file_names_are_understood(write):
    trials = as_database(write("1 a.wav b.wav\n0 a.wav c.wav\n")).trials("dev")

    assert triples(trials) == [("a", "b", True), ("a", "c", False)]


def test_labels_that_contradict_each_other_are_refused_with_their_lines(write):
    text = "1 a.wav b.wav\n\n1 b.wav c.wav\n0 x.wav y.wav\n0 a.wav c.wav\n"

    with pytest.raises(
        DatabaseError, match=r":5: a.wav and c.wav .* in line 1, 3 make"
    ):
        as_database(write(text)).trials("dev")


def test_a_recording_that_differs_from_itself_is_refused(write):
    with pytest.raises(
        DatabaseError, match=r":1: a/1.wav .* different speaker from itself"
    ):
        as_database(write("0 a/1.wav a/1.wav\n1 a/1.wav a/2.wav\n")).trials("dev")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.wav\n", r":1: 'a.wav'; expected '1 a.wav b.wav' \(VoxCeleb\)"),
        ("1 a.wav\n", r":1: '1 a.wav'; expected '1 a.wav b.wav' \(VoxCeleb\)"),
        ("a*b 0.5\n", r":1: 'a\*b 0.5'; expected '1 a.wav b.wav' \(VoxCeleb\)"),
        ("a.wav 0.5\n", r":1: 'a.wav 0.5'; expected '1 a.wav b.wav' \(VoxCeleb\)"),
        ("1001 0.5\n", r":1: '1001 0.5'; expected '1 a.wav b.wav' \(VoxCeleb\)"),
        ("a b\na b target\n", r":2: 'a b target'; expected '<enrolled> <tested>' li"),
        (
            "1 a.wav b.wav\n2 a.wav c.wav\n",
            ":2: '2 a.wav c.wav'; expected '<label> <enr",
        ),
        ("1 a.wav b.wav\n1 a.wav\n", ":2: '1 a.wav'; expected '<label> <enrolled>"),
        (
            "a b target\nc d imposter\n",
            ":2: 'c d imposter'; expected '<enrolled> <tested>",
        ),
        (
            "1 a.wav b.wav\n1 my file.wav b.wav\n",
            ":2: '1 my file.wav b.wav'.*names with blanks stand between tabs",
        ),
        ("a.wav b.wav traget\n", ":1: 'a.wav b.wav traget'; .* target, nontarget, tgt"),
        ("1 a.wav b.wav\n1 a\0b.wav c\n", ":2: not a text file in UTF-8, byte 0x00"),
        ("\n# nothing\n", "holds no trial; expected lines like '1 a.wav b.wav'"),
    ],
)
def test_lines_of_another_form_are_refused_with_their_number(write, text, message):
    with pytest.raises(DatabaseError, match=message):
        as_database(write(text))


def test_a_recording_given_as_a_list_is_refused(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"RIFF\xff\xfe\x80")

    with pytest.raises(DatabaseError, match=r"a.wav:1: not a text file in UTF-8"):
        as_database(tmp_path / "a.wav")


def test_bytes_that_are_not_utf_8_have_their_line(tmp_path):
    (tmp_path / "list.txt").write_bytes(b"1 a b\n" * 9999 + b"0 a n\xe9\n")

    with pytest.raises(DatabaseError, match=r"list.txt:10000: not a text file.* 0xe9"):
        as_database(tmp_path / "list.txt")


def test_a_compressed_list_is_refused_with_what_to_do(tmp_path):
    (tmp_path / "list.gz").write_bytes(gzip.compress(VOXCELEB.encode()))

    with pytest.raises(DatabaseError, match=r"compressed by gzip.*`gunzip -k .*gz`"):
        as_database(tmp_path / "list.gz")


def test_what_is_known_of_trials_follows_their_pairs(write):
    listed = read_trial_list(write("1 b/1 b/2\n0 a/1 b/2\n0 b/1 a/2\n"))
    known = replace(listed, metadata={"at": Names.of("xyz")})

    assert [item.tolist() for item in known.pairs()] == [[0, 1], [0]]
    assert known.metadata_of_pairs()["at"].tolist() == ["x", "z", "y"]


def test_two_lists_are_two_groups(write):
    lists = {"dev": write(VOXCELEB), "eval": write("1 id9/a.wav id9/b.wav\n", "e.txt")}

    database = TrialListDatabase(lists)

    assert database.groups() == ("dev", "eval")
    assert database.trials("eval").references[0].id == "id9/a"
    with pytest.raises(DatabaseError, match="no group 'train'"):
        database.trials("train")


def test_the_list_names_the_protocol_unless_the_user_does(write):
    path = write(VOXCELEB, "veri_test2.txt")

    assert as_database(path).protocol == "veri_test2"
    assert as_database(path, protocol="vox1-o").protocol == "vox1-o"


def test_pairs_survive_any_order_of_lines(write):
    random = np.random.default_rng(0)
    wanted = [(f"s{a}/e", f"s{b}/t") for a in range(20) for b in range(30)]
    lines = [
        f"{int(a.split('/')[0] == b.split('/')[0])} {a}.wav {b}.wav" for a, b in wanted
    ]
    shuffled = [lines[index] for index in random.permutation(len(lines))]

    trials = as_database(write("\n".join(shuffled))).trials("dev")

    got = triples(trials)
    assert sorted((a, b) for a, b, _ in got) == sorted(wanted)
    assert all(same == (a[:-2] == b[:-2]) for a, b, same in got)


def test_two_spellings_of_a_path_are_one_recording(write, tmp_path):
    text = "1 ./a/1.wav a/2.wav\n0 a/1.wav b/1.wav\n0 b//1.wav a/2.wav\n"

    trials = as_database(write(text)).trials("dev")

    assert triples(trials) == [
        ("a/1", "a/2", True),
        ("a/1", "b/1", False),
        ("b/1", "a/2", False),
    ]
    assert trials.references[0].recordings[0].path == tmp_path / "a/1.wav"


def test_absolute_paths_tell_their_speakers_like_relative_ones(write):
    text = VOXCELEB.replace(" id", " /data/vox/id")

    trials = as_database(write(text)).trials("dev")

    relative = as_database(write(VOXCELEB)).trials("dev")
    assert triples(trials) == triples(relative)
    assert [p.subject for p in trials.probes] == ["id1", "id2", "id3"]
    assert str(trials.probes[0].recordings[0].path) == "/data/vox/id1/y/1.wav"


def test_absolute_and_relative_paths_may_meet(write):
    text = "1 a/1.wav /data/a/2.wav\n0 a/1.wav /data/b/1.wav\n0 /data/a/1.wav b/2\n"

    trials = as_database(write(text), original_directory="/data").trials("dev")

    assert [reference.id for reference in trials.references] == ["a/1"]
    assert [p.subject for p in trials.probes] == ["a", "b", "b"]


def test_a_byte_order_mark_is_no_label(write):
    trials = as_database(write("\ufeff" + VOXCELEB)).trials("dev")

    assert trials.count() == 5


def test_names_of_a_blind_list_may_be_numbers(write):
    listed = read_trial_list(write("1001 1002\n1001 1003\n"))

    assert (listed.enrolled, listed.tested) == (("1001",), ("1002", "1003"))
    assert not listed.is_labelled


@pytest.mark.parametrize("folder", [".", "wav"])
@pytest.mark.parametrize(
    ("listed", "there"), [(".m4a", ".wav"), ("", ".flac"), (".wav", ".FLAC")]
)
def test_converted_recordings_are_found_under_the_names_of_the_list(
    tmp_path, folder, listed, there
):
    """As those of VoxCeleb2, whose lists name .m4a files."""
    names = [f"id{speaker}/video/{take}" for speaker in (1, 2) for take in (1, 2)]
    for name in names:
        place = tmp_path / folder / f"{name}{there}"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    path = tmp_path / "list.txt"
    path.write_text(
        "".join(f"1 {names[0]}{listed} {name}{listed}\n" for name in names[1:2])
        + f"0 {names[0]}{listed} {names[2]}{listed}\n"
    )

    database = TrialListDatabase({"dev": path})

    recordings = database.trials("dev").recordings()
    assert [item.key for item in recordings] == names[:3]
    assert all(item.path.is_file() for item in recordings)
    assert f"looked for as {there}" in " ".join(database.notes)


BLANKS = {
    "tabs": "1\tanna b/1 x.wav\tanna b/2.wav\n0\tanna b/1 x.wav\tcid/2.wav\n",
    "label last": "anna b/1 x.wav\tanna b/2.wav\t1\nanna b/1 x.wav\tcid/2.wav\t0\n",
    "quotes": '1 "anna b/1 x.wav" "anna b/2.wav"\n0 "anna b/1 x.wav" "cid/2.wav"\n',
    "some quotes": '1 "anna b/1 x.wav" "anna b/2.wav"\n0 "anna b/1 x.wav" cid/2.wav\n',
    "headline, tabs": "Enrol\tTest\tLabel\nanna b/1 x.wav\tanna b/2.wav\tTRUE\n"
    "anna b/1 x.wav\tcid/2.wav\tFALSE\n",
    "NeMo": '{"audio_filepath": ["anna b/1 x.wav", "anna b/2.wav"], "label": "1"}\n'
    '{"audio_filepath": ["anna b/1 x.wav", "cid/2.wav"], "label": 0}\n',
    "headline, semicolons": "label;enrol;test\n1;anna b/1 x.wav;anna b/2.wav\n"
    "0;anna b/1 x.wav;cid/2.wav\n",
}
TABLE = "label,enrol,test\n1,anna b/1 x.wav,anna b/2.wav\n0,anna b/1 x.wav,cid/2.wav\n"


def labelled_pairs(listed):
    return [
        (listed.enrolled[one], listed.tested[other], bool(label))
        for one, other, label in zip(
            listed.enrolled_at, listed.tested_at, listed.target, strict=True
        )
    ]


@pytest.mark.parametrize("text", [*BLANKS.values(), TABLE], ids=[*BLANKS, "CSV"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_names_with_blanks_are_read_where_it_is_clear_where_they_end(
    tmp_path, text, end
):
    path = tmp_path / "list.txt"
    path.write_bytes(("\ufeff" + text.replace("\n", end) + end).encode())

    assert labelled_pairs(read_trial_list(path)) == [
        ("anna b/1 x.wav", "anna b/2.wav", True),
        ("anna b/1 x.wav", "cid/2.wav", False),
    ]


def test_a_table_of_pairs_is_a_database(tmp_path):
    (tmp_path / "pairs.csv").write_text(TABLE)

    trials = as_database(tmp_path / "pairs.csv").trials("dev")

    assert [item.id for item in trials.references] == ["anna%20b/1%20x"]
    assert [probe.recordings[0].path for probe in trials.probes] == [
        tmp_path / "anna b/2.wav", tmp_path / "cid/2.wav",
    ]  # fmt: skip
    assert [probe.subject for probe in trials.probes] == ["anna%20b", "cid"]


def test_a_table_without_labels_is_blind(tmp_path):
    (tmp_path / "pairs.csv").write_text("enrol,test\na b.wav,c.wav\n")

    assert not read_trial_list(tmp_path / "pairs.csv").is_labelled


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("label,enrol,test\n1,a,b\n1,a\n", ":3: 2 fields, expected 3: label,enrol"),
        ("label,enrol,test\n2,a,b\n", ":2: '2 a b'; expected"),
        ("label,enrol,test\n", "holds no trial"),
    ],
)  # fmt: skip
def test_lines_that_do_not_fit_a_headline_are_named(tmp_path, text, message):
    (tmp_path / "pairs.csv").write_text(text)

    with pytest.raises(DatabaseError, match=message):
        read_trial_list(tmp_path / "pairs.csv")


def test_backslashes_of_windows_are_read_as_slashes_and_said(tmp_path, caplog):
    (tmp_path / "list.txt").write_text(
        "1 anna\\s1\\1.wav anna\\s1\\2.wav\n0 anna\\s1\\1.wav boris\\s1\\1.wav\n"
    )

    trials = as_database(tmp_path / "list.txt").trials("dev")

    assert {item.subject for item in trials.recordings()} == {"anna", "boris"}
    assert trials.references[0].recordings[0].path == tmp_path / "anna/s1/1.wav"
    assert "has paths of Windows, such as anna\\s1\\1.wav" in caplog.text


def test_a_file_whose_name_has_a_backslash_keeps_it(tmp_path):
    (tmp_path / "anna\\1.wav").touch()
    (tmp_path / "list.txt").write_text("1 anna\\1.wav anna\\2.wav\n")

    assert read_trial_list(tmp_path / "list.txt").enrolled == ("anna\\1.wav",)


@pytest.mark.parametrize(("listed", "there"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_files_are_found_in_the_other_unicode_form(tmp_path, listed, there):
    for name in ("zoé/1.wav", "zoé/2.wav"):
        path = tmp_path / unicodedata.normalize(there, name)
        path.parent.mkdir(exist_ok=True)
        path.touch()
    text = unicodedata.normalize(listed, "1 zoé/1.wav zoé/2.wav\n")
    (tmp_path / "list.txt").write_text(text)

    recordings = as_database(tmp_path / "list.txt").trials("dev").recordings()

    assert all(item.path.is_file() for item in recordings)
