import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bob.learn.pytorch.protocols.names import (
    SafeNames,
    recording_keys,
    relative_paths,
    safe_name,
    without_audio_suffix,
)
from bob.learn.pytorch.protocols.trials import DatabaseError

PATHS = st.text(st.sampled_from("ab./ \t~é\udce9"), min_size=1, max_size=12)


@pytest.mark.parametrize(
    "name", ["a/b", "id1/x-1/0001", ".hidden", "a..b", "v1.5/x", "é"]
)
def test_harmless_names_stay_as_they_are(name):
    assert safe_name(name) == name


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("Ann Lee/1", "Ann%20Lee/1"),
        ("/data/a", "%2Fdata/a"),
        ("../a", "%2E%2E/a"),
        ("a/../../b", "a/%2E%2E/%2E%2E/b"),
        ("a/./b", "a/%2E/b"),
        (os.fsdecode(b"n\xe9/\xff"), "n%E9/%FF"),
    ],
)
def test_unsafe_parts_are_written_as_in_a_web_address(name, safe):
    assert safe_name(name) == safe


@given(PATHS)
def test_a_safe_name_stays_inside_its_folder_and_in_one_column(name):
    safe = safe_name(name)

    assert len(safe.encode().split()) == 1
    assert os.path.normpath(f"/out/{safe}").startswith("/out")


@given(PATHS, PATHS)
def test_two_names_never_become_one(one, other):
    assert (safe_name(one) == safe_name(other)) == (one == other)


@given(PATHS)
def test_a_safe_name_stays_as_it_is(name):
    assert safe_name(safe_name(name)) == safe_name(name)


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("a/b.wav", "a/b"),
        ("a.FLAC", "a"),
        ("a/b.m4a", "a/b"),
        ("v1.5", "v1.5"),
        ("a", "a"),
    ],
)
def test_only_suffixes_of_recordings_are_dropped(name, stem):
    assert without_audio_suffix(name) == stem


def test_keys_keep_the_suffix_where_nothing_else_differs():
    keys = recording_keys(["s/a.wav", "s/a.flac", "s/b.wav", "./s/c.wav"])

    assert keys == {
        "s/a.wav": "s/a.wav",
        "s/a.flac": "s/a.flac",
        "s/b.wav": "s/b",
        "./s/c.wav": "s/c",
    }


@pytest.mark.parametrize("folder", ["/data/vox", "../vox"])
def test_paths_from_elsewhere_lose_the_folder_they_share(folder):
    keys = recording_keys([f"{folder}/id1/a.wav", f"{folder}/id2/b.wav"])

    assert list(keys.values()) == ["id1/a", "id2/b"]


def test_names_that_would_become_one_are_refused():
    safe = SafeNames("speaker")

    assert [safe("m 1"), safe("m 2"), safe("m 1")] == ["m%201", "m%202", "m%201"]
    with pytest.raises(DatabaseError, match="speakers 'm 1' and 'm%201' are both"):
        safe("m%201")


def test_keys_that_would_become_one_are_refused():
    with pytest.raises(DatabaseError, match=r"recordings 's/a 1' and 's/a%201' are"):
        recording_keys(["s/a 1.wav", "s/a%201.wav"])


def test_spellings_of_one_path_have_one_key():
    keys = recording_keys(["s/a.wav", "./s/a.wav", "s//x/../a.wav"])

    assert set(keys.values()) == {"s/a"}


def test_a_key_without_its_suffix_is_no_other_recording():
    keys = recording_keys(["a.wav.wav", "a.wav", "a.flac", "b", "b.ogg"])

    assert keys == {name: name for name in keys}


def test_paths_in_every_spelling_are_seen_from_one_folder():
    paths = ["id1/a.wav", "/data/vox/id1/a.wav", "../vox/id2/b.wav"]

    assert list(relative_paths(paths, folder="/data/vox").values()) == [
        "id1/a.wav", "id1/a.wav", "id2/b.wav",
    ]  # fmt: skip
