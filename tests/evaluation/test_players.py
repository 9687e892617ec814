"""Addresses of recordings for players."""

import wave

from bob.learn.pytorch.evaluation.players import Player


def recording(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 4, "NONE", ""))
        file.writeframes(bytes(8))
    return path


def test_players_find_recordings_with_and_without_their_suffix(tmp_path):
    below = recording(tmp_path / "corpus" / "ann lee" / "1.wav")
    away = recording(tmp_path / "away" / "2.wav")
    page = tmp_path / "corpus" / "page.html"

    player = Player([tmp_path / "corpus", tmp_path / "away"], page=page)

    assert player("ann%20lee/1") == "ann%20lee/1.wav"
    assert player("ann lee/1.wav") == "ann%20lee/1.wav"
    assert player(below.as_uri()) == "ann%20lee/1.wav"
    assert player("2") == away.as_uri()
    assert player("3") is None


def test_recordings_can_be_part_of_the_page(tmp_path):
    recording(tmp_path / "1.wav")

    address = Player([tmp_path], page=tmp_path / "p.html", embed=True)("1")

    assert address.startswith("data:audio/")
    assert ";base64,UklGR" in address  # RIFF
