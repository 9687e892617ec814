"""Durations of recordings: from headers, remembered, and of samples in memory."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from files import from_json

from bob.learn.pytorch.audio import files
from bob.learn.pytorch.experiment.configuration import ConfigurationError
from bob.learn.pytorch.experiment.recording_seconds import (
    recording_seconds,
    short_notes,
)
from bob.learn.pytorch.protocols.trials import Recording

DATABASE = SimpleNamespace(
    name="calls", original_directory="folder", original_extension=".sph"
)


@pytest.fixture
def recordings(tmp_path, toys):
    found = []
    for name, seconds in (("a", 0.5), ("b", 1.25)):
        path = tmp_path / f"{name}.wav"
        toys.tone(path, 300, seconds=seconds)
        found.append(Recording(name, path, "speaker"))
    return found


@pytest.fixture
def seconds_of(tmp_path):
    def seconds(recordings, **options):
        place = tmp_path / "temp" / "durations.json"
        return recording_seconds(
            recordings, database=DATABASE, remembered=place, **options
        )

    return seconds


@pytest.fixture
def looked_at(monkeypatch):
    """Names of the files whose headers were read."""
    names, info = [], files.info

    def counted(path):
        names.append(path.name)
        return info(path)

    monkeypatch.setattr(files, "info", counted)
    return names


def test_headers_are_read_once(recordings, seconds_of, looked_at):
    first = seconds_of(recordings)

    assert first == {"a": 0.5, "b": 1.25}
    assert seconds_of(recordings) == first
    assert looked_at == ["a.wav", "b.wav"]


def test_a_recording_that_changed_is_looked_at_again(
    recordings, seconds_of, looked_at, toys
):
    seconds_of(recordings)
    toys.tone(recordings[0].path, 300, seconds=0.75)

    assert seconds_of(recordings) == {"a": 0.75, "b": 1.25}
    assert looked_at == ["a.wav", "b.wav", "a.wav"]


def test_force_looks_at_all_of_them(recordings, seconds_of, looked_at):
    seconds_of(recordings)
    seconds_of(recordings, force=True)

    assert looked_at == 2 * ["a.wav", "b.wav"]


def test_what_is_gone_lasts_as_long_as_it_did(recordings, seconds_of):
    seconds_of(recordings)
    recordings[0].path.unlink()

    assert seconds_of(recordings, force=True) == {"a": 0.5, "b": 1.25}


def test_other_recordings_are_not_forgotten(recordings, seconds_of, looked_at):
    seconds_of(recordings[:1])
    seconds_of(recordings[1:])
    seconds_of(recordings)

    assert looked_at == ["a.wav", "b.wav"]


def test_what_cannot_be_read_is_absent(recordings, seconds_of):
    recordings[0].path.write_bytes(b"not audio")

    assert seconds_of(recordings) == {"b": 1.25}


def test_what_is_remembered_wrongly_is_looked_at_again(
    recordings, seconds_of, tmp_path, caplog
):
    place = tmp_path / "temp" / "durations.json"
    place.parent.mkdir()
    place.write_text("{")

    assert seconds_of(recordings) == {"a": 0.5, "b": 1.25}
    assert "durations.json cannot be read" in caplog.text
    assert from_json(place)["b"][1] == 1.25


def test_a_header_without_a_length_is_decoded(recordings, seconds_of, monkeypatch):
    monkeypatch.setattr(files, "info", lambda _: (2**62 / 8000, 8000, 1))

    assert seconds_of(recordings) == pytest.approx({"a": 0.5, "b": 1.25})


@pytest.mark.parametrize("first", ["durations", "notes", "file of before"])
def test_notes_on_short_recordings_read_headers_once(
    recordings, seconds_of, looked_at, tmp_path, first
):
    place = tmp_path / "temp" / "durations.json"
    model = SimpleNamespace(name="toy", recommended_seconds=1.0, sample_rate=16_000)

    def notes():
        component = SimpleNamespace(model=model)
        return short_notes(component, recordings, remembered=place)

    if first != "notes":
        seconds_of(recordings)
    if first == "file of before":  # it held no rate
        kept = from_json(place)
        place.write_text(json.dumps({key: item[:2] for key, item in kept.items()}))

    found = notes()

    assert [note[:15] for note in found] == ["1 of 2 recordin", "of 2 recordings"]
    assert notes() == found
    assert seconds_of(recordings) == {"a": 0.5, "b": 1.25}
    assert looked_at == (2 if first == "file of before" else 1) * ["a.wav", "b.wav"]


def test_samples_in_memory_last_as_long_as_their_rate_says(seconds_of):
    sample = SimpleNamespace(data=np.zeros((1, 12_000)), rate=8000)

    assert seconds_of([Recording("m", None, "s", sample)]) == {"m": 1.5}


def test_a_file_that_loads_itself_is_asked(recordings, seconds_of):
    class Segment:
        def make_path(self, directory, extension):
            return f"{directory}{extension}"

        def load(self, directory, extension):
            assert (directory, extension) == ("folder", ".sph")
            return 8000, np.zeros(2000)

    part = Recording("p", recordings[0].path, "s", Segment(), own_loader=True)

    assert seconds_of([part]) == {"p": 0.25}


def test_what_says_neither_file_nor_rate_is_refused(seconds_of):
    sample = SimpleNamespace(data=np.zeros(12_000))

    with pytest.raises(ConfigurationError, match="leave duration out") as caught:
        seconds_of([Recording("m", None, "s", sample)])

    assert "m lasts cannot be told: the database calls" in str(caught.value)
