"""ResNet: `bob bio pipeline simple -p resnet34-voxceleb1`."""

from bob.learn.pytorch.config.pipelines import make_pipeline, make_transformer
from bob.learn.pytorch.preprocessor.audio import ResNetExtractor

transformer = make_transformer(ResNetExtractor())
pipeline = make_pipeline(ResNetExtractor())
