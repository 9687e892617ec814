"""Suffixes of recordings: one list for every folder and every name."""

#: What `bob.learn.pytorch.audio.files.read` decodes, by suffix, in lower case. Suffixes
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

#: Recordings, too, which nothing here decodes. Lists may name them although the files
#: were converted since, as those of VoxCeleb2 do (.m4a).
UNREADABLE_SUFFIXES = frozenset(
    {
        ".m4a", ".m4b", ".mp4", ".aac", ".adts", ".3gp", ".3gpp", ".3ga", ".amr",
        ".awb", ".wma", ".asf", ".ac3", ".eac3", ".ape", ".wv", ".tta", ".shn", ".mpc",
        ".alac", ".mka", ".weba", ".webm", ".ra", ".rm", ".dsf", ".dff", ".dss", ".ds2",
        ".spx", ".gsm", ".g722", ".g729", ".vqf", ".qcp", ".oma",
    }
)  # fmt: skip

#: What to do with such a file.
CONVERT = "convert them to FLAC or WAV, such as by `ffmpeg -i x.m4a x.flac`"
