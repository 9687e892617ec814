"""Normalised and calibrated scores: `verify.py normalised.py`."""

from bob.learn.pytorch.extractor import CallableExtractor
from bob.learn.pytorch.preprocessor.audio import EmbeddingExtractor

database = "recordings"
groups = ["dev", "eval"]
preprocessor = EmbeddingExtractor("campplus-zh-en")
extractor = CallableExtractor(lambda x: x)
extracted_directory = "preprocessed"
skip_extraction = True
algorithm = "cosine"

# Recordings of impostor speakers: in no trial, in the same language and channel.
cohort = "cohort"

# Each side of a trial is normalised by the 100 cohort speakers nearest to it.
score_normalisation = "as-norm"
cohort_top = 100

# A calibration is trained on dev and applied to the scores of dev and eval.
calibrate_scores = True

sub_directory = "normalised"
