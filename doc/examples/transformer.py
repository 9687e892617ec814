"""Use a model as a transformer of scikit-learn: a list in, a list out."""

from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import bob.learn.pytorch as speaker
from bob.learn.pytorch.scoring import unit_length

embed = make_pipeline(
    speaker.load_model("campplus-zh-en"), FunctionTransformer(unit_length)
)
embeddings = embed.transform(
    ["recordings/anna/monday/1.flac", "recordings/boris/monday/1.flac"]
)
print(embeddings.shape)
