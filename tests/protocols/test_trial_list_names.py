"""Names in lists of trials: other suffixes, blanks, backslashes, forms of Unicode."""

import unicodedata

import pytest

from bob.learn.pytorch.protocols.formats.trial_list import (
    TrialListDatabase,
    read_trial_list,
)
from bob.learn.pytorch.protocols.opening import as_database
from bob.learn.pytorch.protocols.trials import DatabaseError


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
