"""`bob pytorch models`: what is in the catalogue, and fetching it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bob.learn.pytorch.script.door import Group, report
from bob.learn.pytorch.script.options import json_option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bob.learn.pytorch.models.catalogue import TrainedModel

# Fields that build the model; they are of no use to a reader.
_FACTORIES = ("features", "network", "package_folder", "signature")


@click.group(cls=Group)
def models() -> None:
    """List trained models, show one, fetch weights."""


@models.command("list")
@json_option
def list_models(as_json: bool) -> None:  # noqa: FBT001 - click hands it over
    """List the trained models, and whether their weights are here."""
    from bob.learn.pytorch.models import catalogue

    entries = [_described(model) for model in catalogue.MODELS]
    report(entries, map(_line, entries), as_json=as_json)


@models.command()
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:  # noqa: FBT001 - click hands it over
    """Show everything that is known of the trained model NAME."""
    from bob.learn.pytorch.models import catalogue

    entry = _described(catalogue.find(name))
    report(entry, _lines(entry), as_json=as_json)


@models.command()
@click.argument("names", nargs=-1, required=True)
@click.option(
    "--path",
    type=click.Path(path_type=Path),
    help="File or folder for the weights.  [where the settings say]",
)
@json_option
def fetch(names: tuple[str, ...], path: Path | None, as_json: bool) -> None:  # noqa: FBT001
    """Fetch the weights of the trained models NAMES, and check them."""
    if path is not None and len(names) > 1 and not path.is_dir():
        raise click.BadParameter(
            "one file cannot hold several models; name an existing folder",
            param_hint="--path",
        )
    from bob.learn.pytorch.models import catalogue, store

    found = [catalogue.find(name) for name in names]
    fetched = {}
    for model in found:
        fetched[model.name] = str(store.fetch(model, path=path, progress=True))
        reason = store.problem(model, path=path)
        if reason is not None:
            raise store.WeightsError(reason)
    report(fetched, (f"{k}: {v}" for k, v in fetched.items()), as_json=as_json)


def _described(model: TrainedModel) -> dict[str, Any]:
    from bob.learn.pytorch import settings
    from bob.learn.pytorch.models import store

    problem = store.problem(model)
    entry = {key: value for key, value in vars(model).items() if key not in _FACTORIES}
    entry["weights"] = asdict(model.weights)
    return {
        **entry,
        "environment_variable": settings.environment_variable(model.setting),
        "path": str(store.where(model)),
        "fetched": problem is None,
        "problem": problem,
    }


def _line(entry: dict[str, Any]) -> str:
    held = "here" if entry["fetched"] else "not fetched"
    if entry["problem"] and Path(entry["path"]).is_file():
        held = "unusable"
    return (
        f"{entry['name']:<22} {entry['embedding_size']:>4} numbers  {held:<12} "
        f"{entry['trained_on']}"
    )


def _lines(entry: dict[str, Any]) -> Iterator[str]:
    for key, value in entry.items():
        if isinstance(value, dict):
            yield f"{key}:"
            yield from (f"  {k}: {_text(v)}" for k, v in value.items())
        elif key != "problem" or value is not None:
            yield f"{key}: {_text(value)}"


def _text(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value)
    return "unknown" if value is None else str(value)
