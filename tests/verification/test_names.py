import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bob.learn.pytorch.verification.names import (
    recording_keys,
    safe_name,
    without_audio_suffix,
)

PATHS = st.text(st.sampled_from("ab./ \t~é"), min_size=1, max_size=12)


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
    ],
)
def test_unsafe_parts_are_written_as_in_a_web_address(name, safe):
    assert safe_name(name) == safe


@given(PATHS)
def test_a_safe_name_stays_inside_its_folder_and_in_one_column(name):
    safe = safe_name(name)

    assert len(safe.split()) == 1
    assert os.path.normpath(f"/out/{safe}").startswith("/out")


@given(PATHS, PATHS)
def test_two_names_never_become_one(one, other):
    assert (safe_name(one) == safe_name(other)) == (one == other)


@given(PATHS)
def test_a_safe_name_stays_as_it_is(name):
    assert safe_name(safe_name(name)) == safe_name(name)


@pytest.mark.parametrize(
    ("name", "stem"),
    [("a/b.wav", "a/b"), ("a.FLAC", "a"), ("v1.5", "v1.5"), ("a", "a")],
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


def test_absolute_paths_lose_the_folder_they_share():
    keys = recording_keys(["/data/vox/id1/a.wav", "/data/vox/id2/b.wav"])

    assert list(keys.values()) == ["id1/a", "id2/b"]


def test_paths_from_elsewhere_become_keys_without_dots():
    keys = recording_keys(["../vox/id1/a.wav", "../vox/id2/b.wav"])

    assert list(keys.values()) == ["id1/a", "id2/b"]
