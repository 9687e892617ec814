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
