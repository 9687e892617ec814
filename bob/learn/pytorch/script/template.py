"""`bob pytorch template`: anyone's audio model, from a JSON file."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bob.learn.pytorch.printing import printable
from bob.learn.pytorch.script.door import Group, report
from bob.learn.pytorch.script.extractors import ask_for_trust
from bob.learn.pytorch.script.options import json_option
from bob.learn.pytorch.script.template_bench import bench

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bob.learn.pytorch.templates.format.template import Template
    from bob.learn.pytorch.templates.run.checking import Finding

_TEMPLATE = click.argument("name", metavar="NAME|FILE")
_YES = click.option("--yes", is_flag=True, help="Run it though it is not trusted.")


@click.group(cls=Group)
def template() -> None:
    """Models that a JSON file wraps: list, show, check, install, run.

    A template runs other people's code, in an environment and a process of its own.
    Nothing of it runs before it is trusted; those that are shipped are.
    """


template.add_command(bench)


@template.command("list")
@json_option
def list_templates(as_json: bool) -> None:  # noqa: FBT001 - click hands it over
    """List the shipped templates."""
    from bob.learn.pytorch.templates.format.template import load, shipped

    entries = [_listed(load(name)) for name in shipped()]
    width = max((len(entry["name"]) for entry in entries), default=0)
    lines = (
        f"{entry['name']:<{width}}  {entry['embedding_size'] or '?':>5} numbers  "
        f"{_state(entry):<12} {entry['title']}{_measured(entry)}"
        for entry in entries
    )
    report(entries, lines, as_json=as_json)


@template.command()
@_TEMPLATE
@json_option
def show(name: str, as_json: bool) -> None:  # noqa: FBT001
    """Show what is known of a template, and everything that it would run."""
    from bob.learn.pytorch.templates.format.template import load
    from bob.learn.pytorch.templates.install import trust

    found = load(name)
    trusted = trust.is_trusted(found)
    entry = {**_listed(found), "trusted": trusted, "content": found.content}
    facts = (f"{key}: {value}" for key, value in _facts(found, trusted=trusted))
    code = trust.describe(found).splitlines()
    report(entry, [*facts, "", *code], as_json=as_json)


@template.command()
@_TEMPLATE
@click.option("--run", is_flag=True, help="Also install it, load it and embed.")
@click.option("--device", help="Device of torch, such as cuda.  [cpu]")
@_YES
@json_option
def check(
    name: str,
    run: bool,  # noqa: FBT001
    device: str | None,
    yes: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
) -> None:
    """Check a template: its JSON and code, and with --run what it does.

    The exit status is 1 where something is wrong.
    """
    findings = []
    from bob.learn.pytorch.templates.format.template import load

    found = load(name)
    for finding in _findings(found, run=run, device=device, yes=yes):
        findings.append(vars(finding))
        if not as_json:
            mark = {True: "ok  ", False: "FAIL", None: "note"}[finding.ok]
            click.echo(f"{mark}  {finding.name}: {finding.detail}")
    if as_json:
        report({"template": found.name, "findings": findings}, (), as_json=True)
    if any(finding["ok"] is False for finding in findings):
        sys.exit(1)


def _findings(
    found: Template, *, run: bool, device: str | None, yes: bool
) -> Iterator[Finding]:
    from bob.learn.pytorch.inference.engine import chosen_device
    from bob.learn.pytorch.templates.run import checking

    code = checking.check_code(found)
    yield from code
    if run and not any(finding.ok is False for finding in code):
        ask_for_trust(found, yes=yes)
        chosen = chosen_device(device)
        yield from checking.check(found, device=chosen, trusted=True, progress=True)


@template.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Overwrite a file that is there.")
def new(file: Path, force: bool) -> None:  # noqa: FBT001
    """Write a start with comments into FILE, a .json."""
    from bob.learn.pytorch.files import write_text
    from bob.learn.pytorch.templates.format.template import commented_start

    if file.suffix != ".json":
        raise click.BadParameter(
            f"{printable(file)} has to end in .json", param_hint="FILE"
        )
    if file.exists() and not force:
        raise click.BadParameter(
            f"{printable(file)} is there; --force overwrites it",
            param_hint="FILE",
        )
    try:
        write_text(file, commented_start(file.stem))
    except OSError as error:
        raise click.ClickException(
            f"{printable(file)} cannot be written ({error.strerror})"
        ) from error
    shown = printable(file)
    quoted = printable(shlex.quote(str(file)))
    click.echo(
        f"{shown} is written; fill it in, then `bob pytorch template check {quoted}`"
    )


@template.command()
@_TEMPLATE
@click.option("--revoke", is_flag=True, help="Forbid it, also if it is shipped.")
def trust(name: str, revoke: bool) -> None:  # noqa: FBT001
    """Allow a template, as it is now, to run; a change of it asks anew."""
    from bob.learn.pytorch.templates.format.template import load
    from bob.learn.pytorch.templates.install import trust as trusting

    found = load(name)
    if revoke:
        trusting.distrust(found)
    else:
        click.echo(trusting.describe(found))
        trusting.trust(found)
    allowed = "may not run any more" if revoke else "may run from now on"
    click.echo(f"\n{found.name} {allowed}")


@template.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME|FILE…")
@_YES
def install(names: tuple[str, ...], yes: bool) -> None:  # noqa: FBT001
    """Fetch and install what templates need; else their first run does it."""
    from bob.learn.pytorch.templates.format.template import load
    from bob.learn.pytorch.templates.run.runner import install as bring

    for found in [load(name) for name in names]:
        ask_for_trust(found, yes=yes)
        made, _ = bring(found, trusted=True, progress=True)
        click.echo(f"{found.name}: {made.folder}")


@template.command()
@json_option
def environments(as_json: bool) -> None:  # noqa: FBT001
    """List the environments of templates that are installed."""
    from bob.learn.pytorch.templates.install.environment import installed

    found = installed()
    lines = [
        f"{one.key}  {one.megabytes:>8,.0f} MB  Python {one.python:<5} "
        f"{', '.join(one.templates)}"
        for one in found
    ] or ["no environment is installed"]
    report([vars(one) for one in found], lines, as_json=as_json)


@template.command()
@click.argument("what", metavar="KEY|NAME|FILE")
def remove(what: str) -> None:
    """Remove the environment of a template."""
    from bob.learn.pytorch.templates.format.errors import UnknownTemplate
    from bob.learn.pytorch.templates.format.template import load
    from bob.learn.pytorch.templates.install import environment

    try:
        wanted: Template | str = load(what)
    except UnknownTemplate:
        wanted = what
    for one in environment.remove(wanted):
        click.echo(f"{one.key} of {', '.join(one.templates)} is removed")


def _listed(found: Template) -> dict[str, Any]:
    from bob.learn.pytorch.templates.install import environment, trust

    verified = found.verified
    return {
        "name": found.name,
        "title": found.title,
        "embedding_size": found.embedding_size,
        "sample_rate": found.sample_rate,
        "licence": found.licence,
        "verified": dict(verified) if verified else None,
        "trusted": trust.is_trusted(found),
        "installed": environment.find(found) is not None,
    }


def _state(entry: dict[str, Any]) -> str:
    if entry["installed"]:
        return "installed"
    return "runs" if entry["verified"] else "needs a hub"


def _measured(entry: dict[str, Any]) -> str:
    """Return the first result, in brackets."""
    results = (entry["verified"] or {}).get("results")
    return f" ({_number(results[0])})" if results else ""


def _facts(found: Template, *, trusted: bool) -> list[tuple[str, str]]:
    facts = [
        ("name", found.name),
        ("title", found.title),
        ("description", found.description),
        ("trained on", found.trained_on),
        ("licence", found.licence),
        ("references", "; ".join(found.references)),
        ("sampling rate", f"{found.sample_rate} Hz"),
        ("embedding", f"{found.embedding_size or 'unknown'} numbers"),
        ("trusted", "yes" if trusted else "no"),
    ]
    verified = "never run by its writer"
    if found.verified:
        measured = map(_result, found.verified.get("results", ()))
        verified = "; ".join(measured) or f"run on {found.verified['date']}"
    facts.append(("verified", verified))
    return [(key, value) for key, value in facts if value]


def _number(result: Mapping[str, Any]) -> str:
    return f"{result['metric']} {result['value']:g} {result.get('unit', '')}".strip()


def _result(result: Mapping[str, Any]) -> str:
    where = ", ".join(str(result[key]) for key in ("corpus", "trials") if key in result)
    return f"{_number(result)} ({where})" if where else _number(result)
