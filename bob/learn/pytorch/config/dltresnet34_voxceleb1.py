"""DltResNet: `bob bio pipeline simple -p dltresnet34-voxceleb1`."""

from bob.learn.pytorch.config.pipelines import make_pipeline, make_transformer
from bob.learn.pytorch.preprocessor.audio import DltResNetExtractor

transformer = make_transformer(DltResNetExtractor())
pipeline = make_pipeline(DltResNetExtractor())
