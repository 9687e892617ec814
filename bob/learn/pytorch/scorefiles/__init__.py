"""Score files, in the forms of many toolkits: read, given labels, measured, written."""

from bob.learn.pytorch.scorefiles.layouts import ScoreFileError, UnlabelledError
from bob.learn.pytorch.scorefiles.reading import (
    labelled_scores,
    read_scores,
    read_with_metadata,
)
from bob.learn.pytorch.scorefiles.text import Form, write_scores

__all__ = [
    "Form",
    "ScoreFileError",
    "UnlabelledError",
    "read_scores",
    "read_with_metadata",
    "labelled_scores",
    "write_scores",
]
