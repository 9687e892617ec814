"""Score files, in the forms of many toolkits: read, given labels, measured, written."""

from bob.learn.pytorch.scorefiles.forms import ScoreFileError, UnlabelledError
from bob.learn.pytorch.scorefiles.reading import (
    ScoreFile,
    labelled_scores,
    read_score_file,
    read_scores,
    read_with_metadata,
)
from bob.learn.pytorch.scorefiles.writing import write_scores

__all__ = [
    "ScoreFile",
    "ScoreFileError",
    "UnlabelledError",
    "read_scores",
    "read_with_metadata",
    "read_score_file",
    "labelled_scores",
    "write_scores",
]
