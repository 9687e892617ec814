"""An extractor as what it also is: a transformer, with a list in and a list out."""

from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from bob.learn.pytorch.preprocessor.audio import EmbeddingExtractor
from bob.learn.pytorch.scoring import unit_length

embed = make_pipeline(
    EmbeddingExtractor("campplus-zh-en"), FunctionTransformer(unit_length)
)
embeddings = embed.transform(
    ["recordings/anna/monday/1.flac", "recordings/boris/monday/1.flac"]
)
print(embeddings.shape)
