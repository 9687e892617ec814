"""ResNet instead of DltResNet: `verify.py guide.py guide_experiment.py resnet.py`."""

from bob.learn.pytorch.preprocessor.audio import ResNetExtractor

preprocessor = ResNetExtractor("path/to/resnet.pth")
sub_directory = "rn"
