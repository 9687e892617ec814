"""What commands share that turn recordings into embeddings."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bob.learn.pytorch.preprocessor.audio import EmbeddingExtractor

Command = TypeVar("Command", bound="Callable[..., Any]")


def _channel(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> int | Literal["mix"] | None:
    if value is None:
        return None
    if value == "mix":
        return "mix"
    if value.isdecimal():
        return int(value)
    raise click.BadParameter(
        f"{value!r} is neither a number from 0 nor 'mix'", context, parameter
    )


def extractor_options(command: Command) -> Command:
    """Add the options that choose a model and how it is run."""
    for option in (
        click.option("--device", help="Of torch, such as cuda.  [cpu]"),
        click.option(
            "--channel",
            callback=_channel,
            metavar="0|1|…|mix",
            help="Which channel of a recording to take, or their mean.  [the only one]",
        ),
        click.option(
            "--model",
            default="campplus-zh-en",
            show_default=True,
            metavar="NAME|FILE",
            help="A trained model (`bob pytorch models list`), or a file of weights.",
        ),
    ):
        command = option(command)
    return command


@contextlib.contextmanager
def plain_errors(*, model: str = "--model") -> Iterator[None]:
    """Say what a user can cause and repair; other errors are bugs and show.

    Parameters
    ----------
    model
        The argument that names a trained model.
    """
    from bob.learn.pytorch.audio import RecordingError
    from bob.learn.pytorch.settings import SettingsError
    from bob.learn.pytorch.weights.errors import UnknownModelError, WeightsError

    try:
        yield
    except UnknownModelError as error:
        raise click.BadParameter(str(error), param_hint=model) from error
    except (RecordingError, SettingsError, WeightsError) as error:
        raise click.ClickException(str(error)) from error


def make_extractor(
    model: str, *, channel: int | Literal["mix"] | None, device: str | None
) -> EmbeddingExtractor:
    """Load a trained model; a download shows its progress."""
    from bob.learn.pytorch.preprocessor.audio import EmbeddingExtractor

    extractor = EmbeddingExtractor(model, device=device, channel=channel)
    try:
        extractor.prepare()
    # torch raises RuntimeError for a device that it does not know.
    except (ValueError, RuntimeError) as error:
        if type(error) not in (ValueError, RuntimeError):
            raise
        raise click.BadParameter(str(error), param_hint="--device") from error
    return extractor
