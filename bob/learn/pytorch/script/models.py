"""`bob pytorch models`: what is in the catalogue, and fetching it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bob.learn.pytorch.printing import printable
from bob.learn.pytorch.script.door import Group

if TYPE_CHECKING:
    from bob.learn.pytorch.models.catalogue import TrainedModel

# Fields that build the model; they are of no use to a reader.
FACTORIES = ("features", "network", "package_folder", "signature")


@click.group(cls=Group)
def models() -> None:
    """List trained models, show one, fetch weights."""


@models.command("list")
@click.option("--json", "as_json", is_flag=True, help="Report in JSON.")
def list_models(as_json: bool) -> None:  # noqa: FBT001 - click hands it over
    """List the trained models, and whether their weights are here."""
    from bob.learn.pytorch.models import catalogue

    entries = [_described(model) for model in catalogue.MODELS]
    if as_json:
        click.echo(json.dumps(entries, indent=2))
        return
    for entry in entries:
        held = "here" if entry["fetched"] else "not fetched"
        if entry["problem"] and Path(entry["path"]).is_file():
            held = "unusable"
        click.echo(
            f"{entry['name']:<22} {entry['embedding_size']:>4} numbers  {held:<12} "
            f"{entry['trained_on']}"
        )


@models.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Report in JSON.")
def show(name: str, as_json: bool) -> None:  # noqa: FBT001 - click hands it over
    """Show everything that is known of the trained model NAME."""
    from bob.learn.pytorch.models import catalogue

    entry = _described(catalogue.find(name))
    if as_json:
        click.echo(json.dumps(entry, indent=2))
        return
    for key, value in entry.items():
        if key == "problem" and value is None:
            continue
        if isinstance(value, dict):
            click.echo(f"{key}:")
            click.echo("\n".join(f"  {k}: {_text(v)}" for k, v in value.items()))
        else:
            click.echo(f"{key}: {_text(value)}")


@models.command()
@click.argument("names", nargs=-1, required=True)
@click.option(
    "--path",
    type=click.Path(path_type=Path),
    help="File or folder for the weights.  [where the settings say]",
)
@click.option("--json", "as_json", is_flag=True, help="Report in JSON.")
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
    if as_json:
        click.echo(json.dumps(fetched, indent=2))
    else:
        click.echo("\n".join(printable(f"{k}: {v}") for k, v in fetched.items()))


def _described(model: TrainedModel) -> dict[str, Any]:
    from bob.learn.pytorch import settings
    from bob.learn.pytorch.models import store

    problem = store.problem(model)
    entry = {key: value for key, value in vars(model).items() if key not in FACTORIES}
    entry["weights"] = asdict(model.weights)
    return {
        **entry,
        "environment_variable": settings.environment_variable(model.setting),
        "path": str(store.where(model)),
        "fetched": problem is None,
        "problem": problem,
    }


def _text(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value)
    return "unknown" if value is None else str(value)
