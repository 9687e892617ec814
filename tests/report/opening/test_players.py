"""Addresses of recordings for players."""

import wave

from bob.learn.pytorch.report.outputs import Player


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


def test_only_recordings_below_the_folders_become_part_of_the_page(tmp_path):
    """A score file may name any recording of whoever makes the page."""
    secret = recording(tmp_path / "home" / "secret.wav")
    recording(tmp_path / "home" / "corpus" / "1.wav")
    linked = recording(tmp_path / "disk" / "2.wav")
    folder = tmp_path / "home" / "corpus"
    (folder / "2.wav").symlink_to(linked)
    names = ["../secret", "a/../../secret.wav", str(secret), secret.as_uri()]
    (folder / "a").mkdir()

    player = Player([folder], page=tmp_path / "p.html", embed=True)

    assert [player(name) for name in names] == [None] * 4
    assert player.outside == names
    for name in ("1", "a/../1.wav", str(folder / "1"), "2"):
        assert player(name).startswith("data:audio/")
