"""Names that users choose from, for commands whose ``--help`` waits for no engine."""

from typing import Literal, TypeAlias, get_args

#: Trained model that is used where none is named.
DEFAULT_MODEL = "campplus-zh-en"

#: Libraries that run a network.
ENGINES = ("torch", "onnxruntime")

Precision: TypeAlias = Literal["float32", "float64", "bfloat16", "float16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

#: Similarities of embeddings that take no training.
MEASURES = ("cosine", "euclidean")

LengthNormalisation: TypeAlias = Literal["none", "unit", "kaldi"]
LENGTH_NORMALISATIONS: tuple[LengthNormalisation, ...] = get_args(LengthNormalisation)

#: Normalisations of scores by a cohort, and their short names.
Method: TypeAlias = Literal["z-norm", "t-norm", "s-norm", "zt-norm", "as-norm"]
NORMALISATIONS: tuple[Method, ...] = get_args(Method)
SHORT_NORMALISATIONS = ("z", "t", "s", "zt", "as")

#: Measures of both sides of a trial that a calibration may weigh beside the score.
Quality: TypeAlias = Literal["duration", "magnitude", "cohort_mean"]
QUALITIES: tuple[Quality, ...] = get_args(Quality)
