"""One experiment for verify.py and for `bob bio pipeline simple`."""

from bob.bio.base.algorithm import Distance

from bob.learn.pytorch.config.pipelines import make_pipeline
from bob.learn.pytorch.extractor import CallableExtractor
from bob.learn.pytorch.preprocessor.audio import EmbeddingExtractor

groups = ["dev", "eval"]

# verify.py reads these …
preprocessor = EmbeddingExtractor("campplus-zh-en")
extractor = CallableExtractor(lambda x: x)
extracted_directory = "preprocessed"
skip_extraction = True
algorithm = Distance()
sub_directory = "both"

# … and bob bio pipeline simple these.
pipeline = make_pipeline(preprocessor)
output = "results/bob"
