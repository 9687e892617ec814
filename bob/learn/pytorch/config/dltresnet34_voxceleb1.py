"""DltResNet: `bob bio pipeline simple -p dltresnet34-voxceleb1`."""

from bob.learn.pytorch.config import preprocessors
from bob.learn.pytorch.config.pipelines import make_pipeline, make_transformer

transformer = make_transformer(preprocessors.dltresnet34_voxceleb1)
pipeline = make_pipeline(preprocessors.dltresnet34_voxceleb1)
