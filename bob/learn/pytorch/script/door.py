"""Parts of every command: options given once, plain errors, reports, inputs kept."""

from __future__ import annotations

import difflib
import errno
import json
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bob.learn.pytorch.errors import UserError
from bob.learn.pytorch.printing import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_COMMAND = f"{__name__}.command"


class Group(click.Group):
    """A group whose commands refuse an option that is given twice and takes one value.

    A flag may be repeated: that says the same twice.
    """

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, and refuse such options of it."""
        if not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            near = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"No such command {args[0]!r}.{hint}", ctx)
        name, command, rest = super().resolve_command(ctx, args)
        if command is not None:
            _refuse_repeated(command, ctx, name, rest)
        ctx.meta[_COMMAND] = command
        return name, command, rest

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's
        """Run the command; report in plain words what its user can repair."""
        with _plain_errors(ctx):
            return super().invoke(ctx)


@contextmanager
def _plain_errors(ctx: click.Context) -> Iterator[None]:
    try:
        yield
    except UserError as error:
        text, repair = str(error), _parameter(ctx, error.remedy)
        if repair is not None:
            text += f" ({_shown(repair)})"
        blamed = _parameter(ctx, error.parameter)
        if blamed is None:
            raise click.ClickException(text) from error
        raise click.BadParameter(text, param_hint=_shown(blamed)) from error
    except OSError as error:
        if error.errno is None or error.errno == errno.EPIPE:
            raise  # a defect, and an output that was closed: click knows what to do
        place = error.filename2 or error.filename
        text = str(error) if place is None else f"{place}: {error.strerror}"
        raise click.ClickException(text) from error


def _parameter(ctx: click.Context, name: str) -> click.Parameter | None:
    """Return the option or argument of a command that gave a parameter its value."""
    if not name:
        return None
    names = ("model", "models", "name", "names") if name == "model" else (name,)
    command = ctx.meta[_COMMAND]
    return next((one for one in command.params if one.name in names), None)


def _shown(parameter: click.Parameter) -> str:
    if isinstance(parameter, click.Option):
        return parameter.opts[-1]
    return parameter.human_readable_name


def _refuse_repeated(
    command: click.Command, parent: click.Context, name: str | None, words: list[str]
) -> None:
    settings = command.context_settings
    context = click.Context(command, parent, info_name=name, **settings)
    try:
        parsed = command.make_parser(context).parse_args(args=[*words])
    except click.UsageError:
        return  # click says it again, with the right usage
    for option, count in Counter(parsed[2]).items():
        if not isinstance(option, click.Option) or option.is_flag or option.count:
            continue
        if count > 1 and not option.multiple:
            raise click.UsageError(
                f"{option.opts[-1]} is given {count} times and takes one value; give "
                "it once",
                context,
            )


def report(content: object, lines: str | Iterable[str], *, as_json: bool) -> None:
    """Print a result: JSON for programs, or a text, or lines that no name can end."""
    if as_json:
        click.echo(json.dumps(content, indent=2))
        return
    for line in [lines] if isinstance(lines, str) else map(printable, lines):
        click.echo(line)


def refuse_inputs(
    outputs: Iterable[Path | None], inputs: Iterable[Path | None]
) -> None:
    """Refuse files to write that are files to read, before any work.

    Links, symbolic or hard, are the file that they lead to. None stands for an option
    that was not given.

    Raises
    ------
    UsageError
        An output is an input.
    """
    read = [path for path in inputs if path is not None]
    for output in outputs:
        if output is None or not output.exists():
            continue
        same = next((path for path in read if _is_one(output, path)), None)
        if same is None:
            continue
        here, there = printable(output), printable(same)
        which = f"{here} itself" if output == same else f"{there}, which {here} is,"
        raise click.UsageError(
            f"{which} would be overwritten, and is read, too; write into another file "
            "or folder"
        )


def with_companions(*paths: Path | None) -> list[Path]:
    """Files, and what stands beside each: ``<path>.json`` says where it comes from."""
    given = [path for path in paths if path is not None]
    return [*given, *(Path(f"{path}.json") for path in given)]


def _is_one(output: Path, path: Path) -> bool:
    return path.exists() and output.samefile(path)
