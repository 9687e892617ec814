"""A JSON file wraps anyone's audio model: checked, installed apart, run apart."""

from typing import TYPE_CHECKING

from bob.learn.pytorch._lazy import lazy_names

if TYPE_CHECKING:
    from bob.learn.pytorch.templates.format.errors import (
        InstallError,
        InvalidTemplate,
        StageError,
        TemplateError,
        UnknownTemplate,
        UntrustedTemplate,
        WorkerDied,
    )
    from bob.learn.pytorch.templates.format.template import (
        Limits,
        Template,
        load,
        shipped,
    )
    from bob.learn.pytorch.templates.run.checking import check
    from bob.learn.pytorch.templates.run.runner import TemplateEmbedder, start

__all__ = [
    "InstallError",
    "InvalidTemplate",
    "Limits",
    "StageError",
    "Template",
    "TemplateEmbedder",
    "TemplateError",
    "UnknownTemplate",
    "UntrustedTemplate",
    "WorkerDied",
    "check",
    "load",
    "shipped",
    "start",
]

_PLACES = {
    "format.errors": (
        "InstallError InvalidTemplate StageError TemplateError UnknownTemplate "
        "UntrustedTemplate WorkerDied"
    ),
    "format.template": "Limits Template load shipped",
    "run.checking": "check",
    "run.runner": "TemplateEmbedder start",
}

__getattr__, __dir__ = lazy_names(__name__, _PLACES)
