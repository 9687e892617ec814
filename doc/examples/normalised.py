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

# Recordings of other speakers: those who are in no trial, and speak like those who are.
cohort = "cohort"

# On each side of a trial, the 100 speakers of the cohort that are most like it count.
score_normalisation = "as-norm"
cohort_top = 100

# A calibration trained on dev turns the scores of dev and eval into likelihood ratios.
calibrate_scores = True

sub_directory = "normalised"
