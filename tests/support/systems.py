"""Front end and network of each trained model, without weights."""

from bob.learn.pytorch.architectures import campplus, dlt_resnet34, resnet34
from bob.learn.pytorch.features import KaldiFbank, Spectrogram

SYSTEMS = {
    "dltresnet34": (Spectrogram, dlt_resnet34),
    "resnet34": (Spectrogram, resnet34),
    "campplus": (KaldiFbank, campplus),
}
