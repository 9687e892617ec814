"""Score files, in the forms of many toolkits: read, given labels, measured, written."""

from typing import TYPE_CHECKING

from bob.learn.pytorch._lazy import lazy_names

if TYPE_CHECKING:
    from bob.learn.pytorch.scorefiles.calibrating import (
        calibrate,
        calibrated,
        fuse,
        fused_scores,
    )
    from bob.learn.pytorch.scorefiles.evaluating import (
        evaluate,
        evaluate_in_bounded_memory,
    )
    from bob.learn.pytorch.scorefiles.failures import Failure
    from bob.learn.pytorch.scorefiles.forms import ScoreFileError, UnlabelledError
    from bob.learn.pytorch.scorefiles.quality import (
        Measured,
        measure,
        measured_sides,
        read_measures,
        write_measures,
    )
    from bob.learn.pytorch.scorefiles.reading import (
        ScoreFile,
        labelled_scores,
        read_score_file,
        read_scores,
        read_with_metadata,
    )
    from bob.learn.pytorch.scorefiles.rescoring import (
        Change,
        Rescored,
        calibrate_files,
        fuse_files,
        write_changed,
    )
    from bob.learn.pytorch.scorefiles.writing import write_blocks, write_scores

__all__ = [
    "Change",
    "Failure",
    "Measured",
    "Rescored",
    "ScoreFile",
    "ScoreFileError",
    "UnlabelledError",
    "calibrate",
    "calibrate_files",
    "calibrated",
    "evaluate",
    "evaluate_in_bounded_memory",
    "fuse",
    "fuse_files",
    "fused_scores",
    "labelled_scores",
    "measure",
    "measured_sides",
    "read_measures",
    "read_score_file",
    "read_scores",
    "read_with_metadata",
    "write_blocks",
    "write_changed",
    "write_measures",
    "write_scores",
]

_PLACES = {
    "calibrating": "calibrate calibrated fuse fused_scores",
    "evaluating": "evaluate evaluate_in_bounded_memory",
    "failures": "Failure",
    "forms": "ScoreFileError UnlabelledError",
    "quality": "Measured measure measured_sides read_measures write_measures",
    "reading": (
        "ScoreFile labelled_scores read_score_file read_scores read_with_metadata"
    ),
    "rescoring": "Change Rescored calibrate_files fuse_files write_changed",
    "writing": "write_blocks write_scores",
}

__getattr__, __dir__ = lazy_names(__name__, _PLACES)
