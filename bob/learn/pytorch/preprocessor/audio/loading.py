"""A name or a file becomes a model that embeds: a network of ours, or a template."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

from bob.learn.pytorch.inference.engine import ChoiceError
from bob.learn.pytorch.models.catalogue import MODELS, TrainedModel
from bob.learn.pytorch.models.errors import UnknownModelError
from bob.learn.pytorch.preprocessor.audio.embedding import EmbeddingExtractor
from bob.learn.pytorch.preprocessor.audio.template import TemplateExtractor

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping

    from bob.learn.pytorch.store.reading import StoredEmbeddings
    from bob.learn.pytorch.templates.format.template import Template

Extractor: TypeAlias = EmbeddingExtractor | TemplateExtractor


def load_model(
    model: str | os.PathLike[str] | Template | TrainedModel,
    *,
    device: str | None = None,
    channel: int | Literal["mix"] | None = None,
    trusted: bool = False,
    progress: bool = True,
    **options: Any,  # noqa: ANN401 - those of `EmbeddingExtractor`
) -> Extractor:
    """Fetch and load a model; its method `embed` turns recordings into embeddings.

    Parameters
    ----------
    model, device, channel, trusted, options
        Parameters of `make_extractor`.
    progress
        Whether a download shows a bar, on a terminal.

    Returns
    -------
    EmbeddingExtractor or TemplateExtractor
        With `embed(recording)`, `embed(array, rate=…)`, `embed([recording, …])`.

    Raises
    ------
    UnknownModelError, WeightsError
        There is no such model, or its weights cannot be had.
    TemplateError
        The template is invalid, not trusted, or cannot be installed.
    ChoiceError
        The device, precision or engine is not available.
    """
    extractor = make_extractor(
        model, device=device, channel=channel, trusted=trusted, **options
    )
    extractor.chosen()
    extractor.prepare(progress=progress)
    return extractor


def open_model(
    model: str | os.PathLike[str] | Template | Extractor,
    *,
    ask: Callable[[Template], None] | None = None,
    **options: Any,  # noqa: ANN401 - those of `make_extractor`
) -> Extractor:
    """Return a model that is checked, trusted if it was asked, and not loaded yet.

    Parameters
    ----------
    model
        A model that is loaded is returned as it is.
    ask
        Called with a template that nobody has answered for.
    **options
        Those of `make_extractor`.

    Raises
    ------
    TypeError
        There is no such option.
    ChoiceError
        An option comes with a model that is loaded.
    """
    known = {**_parameters(make_extractor), **_parameters(EmbeddingExtractor)}
    known = {name: known[name] for name in known if name not in _OF_ITS_MODEL}
    for name, value in options.items():
        if name not in known:
            raise TypeError(
                f"load_model has no option {name!r}; it has {', '.join(known)}"
            )
        if hasattr(model, "embed") and value is not None and value != known[name]:
            raise ChoiceError(
                f"{name} is {value!r}, and the model is loaded already; give {name} "
                "to load_model instead",
                option=name,
            )
    if hasattr(model, "embed"):
        return cast("Extractor", model)
    extractor = make_extractor(model, **options)
    extractor.chosen()
    if ask is not None and isinstance(extractor, TemplateExtractor):
        ask(extractor.model)
        extractor.trusted = True
    return extractor


# Parameters that say which model.
_OF_ITS_MODEL = ("model", "name_or_path", "options")


def _parameters(function: Callable[..., object]) -> dict[str, object]:
    """Return the defaults of a function's parameters, by name."""
    found = inspect.signature(function).parameters
    return {name: parameter.default for name, parameter in found.items()}


def make_extractor(
    model: str | os.PathLike[str] | Template | TrainedModel,
    *,
    device: str | None = None,
    channel: int | Literal["mix"] | None = None,
    trusted: bool = False,
    **options: Any,  # noqa: ANN401 - those of `EmbeddingExtractor`
) -> Extractor:
    """Choose between a trained model and a template; nothing is fetched or run.

    Parameters
    ----------
    model
        Name of a trained model (`bob pytorch models list`) or of a template (`bob
        pytorch template list`), a file of either, an entry of `list_models`, or a
        template that was read.
    device
        Device of torch, such as "cuda"; "auto" is a GPU where there is one. ["cpu"]
    channel
        Channel to take, counted from 0, or "mix" for the mean. [the only one; of
        templates: "mix"]
    trusted
        Whether a template may run though nobody has trusted it.
    **options
        Further parameters of `EmbeddingExtractor`: precision, engine, memory_mb,
        chunk_seconds. A template decides these itself.

    Raises
    ------
    UnknownModelError, UnknownTemplate, InvalidTemplate
        There is no such model, or the file is not a template.
    ChoiceError
        An option is not available, or a template decides it.
    """
    if isinstance(model, TrainedModel):
        model = model.name
    if isinstance(model, int | float | list | tuple | dict | None):
        raise UnknownModelError(
            f"model is {model!r}; expected the name or file of a model, such as "
            f"{MODELS[-1].name!r}"
        )
    if not is_template(model):
        path = cast("str | os.PathLike[str]", model)
        return EmbeddingExtractor(path, device=device, channel=channel, **options)
    usual = inspect.signature(EmbeddingExtractor).parameters
    for name, value in options.items():
        if name not in usual:
            raise TypeError(
                f"make_extractor has no option {name!r}; it has {', '.join(usual)}"
            )
        if value != usual[name].default:
            raise ChoiceError(
                "a template decides this itself; it takes a device and a channel",
                option=name,
            )
    return TemplateExtractor(
        model,
        device=device,
        channel="mix" if channel is None else channel,
        trusted=trusted,
    )


def is_template(model: str | os.PathLike[str] | Template) -> bool:
    """Return whether a model is a template: read already, shipped, or a JSON file."""
    if model in [entry.name for entry in MODELS]:
        return False
    from bob.learn.pytorch.templates.format.template import SUFFIX, Template, shipped

    if isinstance(model, Template):
        return True
    if isinstance(model, str):
        return model.endswith(SUFFIX) or model in shipped()
    return Path(model).suffix.lower() == SUFFIX


def recording_notes(
    stored: StoredEmbeddings, names: Mapping[str, int] | None = None
) -> list[str]:
    """Say which stored recordings are short, or of a lower rate, for their model.

    Parameters
    ----------
    names
        Rows of the store by name, of those that count; all by default.
    """
    from bob.learn.pytorch.audio.doubts import narrow_recordings, short_recordings

    model = stored.fingerprint.get("model", "the model")
    recommended, sample_rate = _needs_of(model)
    if names is None:
        names = {name: row for row, name in enumerate(stored.names)}
    seconds = {name: float(stored.seconds[row]) for name, row in names.items()}
    notes = short_recordings(seconds, recommended=recommended, model=model)
    if sample_rate:
        rates = {name: int(stored.sample_rates[row]) for name, row in names.items()}
        notes += narrow_recordings(rates, sample_rate=sample_rate, model=model)
    return notes


def _needs_of(model: str) -> tuple[float, int]:
    """Return the recommended seconds of a recording, and the sampling rate in hertz.

    A model that is not known here has the seconds of most models, and the rate 0.
    """
    from bob.learn.pytorch.templates.format.template import load, shipped

    known = {entry.name: entry for entry in MODELS}
    if model in known:
        return known[model].recommended_seconds, known[model].sample_rate
    if model in shipped():
        template = load(model)
        return template.recommended_seconds, template.sample_rate
    return 1.0, 0
