"""ResNet: `bob bio pipeline simple -p resnet34-voxceleb1`."""

from bob.learn.pytorch.config import preprocessors
from bob.learn.pytorch.config.pipelines import make_pipeline, make_transformer

transformer = make_transformer(preprocessors.resnet34_voxceleb1)
pipeline = make_pipeline(preprocessors.resnet34_voxceleb1)
