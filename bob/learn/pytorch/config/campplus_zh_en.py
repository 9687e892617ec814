"""CAM++: `bob bio pipeline simple -p campplus-zh-en`."""

from bob.learn.pytorch.config import preprocessors
from bob.learn.pytorch.config.pipelines import make_pipeline, make_transformer

transformer = make_transformer(preprocessors.campplus_zh_en)
pipeline = make_pipeline(preprocessors.campplus_zh_en)
