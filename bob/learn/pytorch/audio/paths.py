"""Paths of recordings: suffixes, and paths as lists of other programs have them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os

#: Suffixes of what `bob.learn.pytorch.audio.files.read` decodes, in lower case. Those
#: that mostly name something else (.mat, .htk, .raw) are left out: such files are read
#: when they are named, but a folder is not searched for them.
AUDIO_SUFFIXES = frozenset(
    {
        ".wav", ".wave", ".bwf", ".rf64", ".w64", ".flac", ".ogg", ".oga", ".opus",
        ".mp3", ".mp2", ".mp1", ".mpga", ".aiff", ".aif", ".aifc", ".au", ".snd",
        ".caf", ".sph", ".nist", ".wv1", ".wv2", ".voc", ".ircam", ".sf", ".avr",
        ".paf", ".pvf", ".sds", ".svx", ".8svx", ".16sv", ".wve",
    }
)  # fmt: skip

#: Suffixes of recordings that nothing here decodes. Lists may name them although the
#: files were converted since, as those of VoxCeleb2 do (.m4a).
UNREADABLE_SUFFIXES = frozenset(
    {
        ".m4a", ".m4b", ".mp4", ".aac", ".adts", ".3gp", ".3gpp", ".3ga", ".amr",
        ".awb", ".wma", ".asf", ".ac3", ".eac3", ".ape", ".wv", ".tta", ".shn", ".mpc",
        ".alac", ".mka", ".weba", ".webm", ".ra", ".rm", ".dsf", ".dff", ".dss", ".ds2",
        ".spx", ".gsm", ".g722", ".g729", ".vqf", ".qcp", ".oma",
    }
)  # fmt: skip


def refused_path(path: str) -> str | None:
    """Return what is wrong with an entry of Kaldi's ``wav.scp``; None for a path."""
    if path.endswith("|") or path.startswith("|"):
        return (
            f"{path!r} is a command, and commands are not run; write its output to a "
            "file and put the path of that file here"
        )
    archive, colon, offset = path.rpartition(":")
    if colon and archive and offset.isdigit() and not Path(path).exists():
        return (
            f"{path!r} is a part of an archive; expected the path of a recording "
            "(`wav-copy scp:wav.scp` to files, or lhotse, can unpack it)"
        )
    return None


def is_from_windows(path: str) -> bool:
    """Return whether a path has backslashes, and no slash, between its folders."""
    return "\\" in path and "/" not in path


def without_backslashes(path: str, folder: str | os.PathLike[str] = "") -> str:
    r"""Return a path that was written on Windows with slashes.

    A file that is there under the name with backslashes keeps it.

    Examples
    --------
    >>> without_backslashes(r"anna\monday\1.wav")
    'anna/monday/1.wav'
    """
    if not is_from_windows(path) or Path(folder, path).exists():
        return path
    return path.replace("\\", "/")
