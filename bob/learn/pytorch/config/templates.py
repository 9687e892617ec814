"""Shipped templates by name, for verify.py and `bob bio pipeline simple`.

``-p speech-ecapa-tdnn`` is the template ``speech/ecapa_tdnn``. Each attribute is
made when it is asked for: ``preprocessor_speech_ecapa_tdnn`` is a `TemplateExtractor`,
``transformer_…`` and ``pipeline_…`` are those of Bob around it. The entry points are
in setup.py.
"""

from typing import Any

from bob.learn.pytorch.preprocessor.audio import TemplateExtractor
from bob.learn.pytorch.templates.format.template import shipped


def __getattr__(name: str) -> Any:  # noqa: ANN401 - of three kinds
    kind, _, rest = name.partition("_")
    by_name = {entry.replace("/", "_"): entry for entry in shipped()}
    makers = ("preprocessor", "transformer", "pipeline")
    if kind not in makers or rest not in by_name:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    extractor = TemplateExtractor(by_name[rest])
    if kind == "preprocessor":
        return extractor
    from bob.learn.pytorch.config import pipelines

    if kind == "transformer":
        return pipelines.make_transformer(extractor)
    return pipelines.make_pipeline(extractor)
