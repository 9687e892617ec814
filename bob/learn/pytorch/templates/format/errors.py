"""Errors on the way from the JSON of a template to an embedding."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from bob.learn.pytorch.errors import UserError
from bob.learn.pytorch.printing import printable

if TYPE_CHECKING:
    from collections.abc import Mapping


class TemplateError(UserError, RuntimeError):
    """A template that cannot be used; the base of the errors below."""


class UnknownTemplate(TemplateError):  # noqa: N818 - says what is wrong as it is
    """No shipped template has that name, and no file that path."""


class InvalidTemplate(TemplateError):  # noqa: N818
    """A file that is no template, with everything that is wrong with it."""


class UntrustedTemplate(TemplateError):  # noqa: N818
    """A template that nobody has allowed to run yet."""


class InstallError(TemplateError):
    """Packages or weights of a template cannot be resolved, fetched or installed.

    Attributes
    ----------
    said
        Last lines that the failing tool printed; empty where no tool failed.
    """

    # With a default, so that it comes back from other processes.
    def __init__(self, message: str, *, said: str = "") -> None:
        super().__init__(message)
        self.said = said


class StageError(TemplateError):
    """Code of a template that raised, or did not make what it should.

    Attributes
    ----------
    template
        Its name.
    stage
        The key of the JSON, such as "model_init".
    item
        Item of the list, counted from 0; None where it is no single one.
    reason
        Reason of the failure.
    detail
        Traceback and what the model printed; may be empty.
    """

    def __init__(
        self,
        reason: str,
        *,
        template: str,
        stage: str,
        item: int | None = None,
        code: str = "",
        detail: str = "",
    ) -> None:
        place = stage if item is None else f"{stage}[{item}]"
        line = f" at `{_shortened(code)}`" if code else ""
        # Code of a template may say what no terminal and no file takes.
        reason, detail = (printable(said, keep="\n\t") for said in (reason, detail))
        text = f"template {printable(template)}, {place}{printable(line)}: {reason}"
        super().__init__(f"{text}\n{detail.rstrip()}" if detail else text)
        self.reason = reason
        self.template, self.stage, self.item = template, stage, item
        self.code, self.detail = code, detail

    @classmethod
    def told(cls, answer: Mapping[str, Any], *, template: str, said: str) -> StageError:
        """Make the error of a worker's answer and of what the model printed."""
        detail = "\n".join(part for part in (answer["traceback"], said) if part)
        where = {key: answer[key] for key in ("stage", "item", "code")}
        return cls(answer["error"], template=template, detail=detail, **where)

    def _facts(self, **changed: str) -> dict[str, Any]:
        names = ("template", "stage", "item", "code", "detail")
        return {name: getattr(self, name) for name in names} | changed

    def __reduce__(self) -> tuple[partial[StageError], tuple[str]]:
        return partial(type(self), **self._facts()), (self.reason,)

    def at(self, recording: str, failures: int) -> StageError:
        """Return the same error, with the recording at which it happened."""
        told = filter(None, [_told_at(recording, failures), self.detail])
        return self.explained("\n".join(told))

    def explained(self, detail: str) -> StageError:
        """Return the same error, with other lines below it."""
        return type(self)(self.reason, **self._facts(detail=detail))


class WorkerDied(TemplateError):  # noqa: N818
    """The process that runs a template ended, or was ended, in the middle."""

    def at(self, recording: str, failures: int) -> WorkerDied:
        """Return the same error, with the recording at which it happened."""
        first, _, rest = str(self).partition("\n")
        told = filter(None, [first, _told_at(recording, failures), rest])
        return type(self)("\n".join(told))


class TookTooLong(WorkerDied):
    """The process that runs a template took longer than it may, and was ended."""


def _told_at(recording: str, failures: int) -> str:
    return (
        f"  at {printable(recording)}; with {failures} recordings in a row it failed, "
        f"and with a second of noise, so none is tried any more"
    )


def _shortened(code: str) -> str:
    line = " ".join(code.split())
    return line if len(line) <= 80 else line[:77] + "..."
