"""Options that are given twice: click takes the last without a word."""

from __future__ import annotations

from collections import Counter

import click


class Group(click.Group):
    """A group whose commands refuse an option that is given twice and takes one value.

    A flag may be repeated: that says the same twice.
    """

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, and refuse such options of it."""
        name, command, rest = super().resolve_command(ctx, args)
        if command is not None:
            _refuse_repeated(command, ctx, name, rest)
        return name, command, rest


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
