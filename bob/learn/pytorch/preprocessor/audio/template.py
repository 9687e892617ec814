"""Anyone's audio model, wrapped by a JSON file, as Bob's preprocessor."""

import os
from typing import TYPE_CHECKING, Any, Literal

from bob.learn.pytorch.audio import check_channel
from bob.learn.pytorch.preprocessor.audio.recordings import RecordingTransformer

if TYPE_CHECKING:
    from bob.learn.pytorch.templates.runner import Session, TemplateEmbedder
    from bob.learn.pytorch.templates.template import Template

# Raise it when a change here changes embeddings: stored ones are then made anew.
RECIPE = "1"
POOLINGS = ("none", "mean", "mean+std", "first")


class TemplateExtractor(RecordingTransformer):
    """A recording becomes an embedding, by the model of a template.

    The template is installed and loaded at the first recording, in an environment and
    a process of its own, which ends with this object.

    Parameters
    ----------
    name_or_path
        A shipped template (`bob pytorch template list`), or a JSON file.
    isolated
        Whether the model has a process of its own; if not, it runs in this one, and
        what it needs has to be installed here.
    device
        Of torch, such as "cpu" (None) or "cuda:0"; "auto" is a GPU where there is one.
    channel
        Which channel to take, counted from 0, or "mix"; None refuses several.
    pooling
        How frames become one vector, in place of the template's own: "mean",
        "mean+std" or "first"; "none" keeps the frames.
    trusted
        Whether you answer for the template; else one of your own has to be trusted
        once, by `bob pytorch template trust FILE`.

    Raises
    ------
    UnknownTemplate, InvalidTemplate
        No such template, or a file that is none.
    TypeError, ValueError
        A channel or a pooling that is none, or a pooling of what has no frames.
    """

    def __init__(
        self,
        name_or_path: str | os.PathLike[str],
        *,
        isolated: bool = True,
        device: str | None = None,
        channel: int | Literal["mix"] | None = "mix",
        pooling: Literal["none", "mean", "mean+std", "first"] | None = None,
        trusted: bool = False,
    ) -> None:
        self.name_or_path = name_or_path
        self.isolated = isolated
        self.device = device
        self.channel = channel
        self.pooling = pooling
        self.trusted = trusted
        from bob.learn.pytorch.templates.template import load

        self._template = load(name_or_path)
        self._check()

    def _check(self) -> None:
        check_channel(self.channel)
        if self.pooling is not None and self.pooling not in POOLINGS:
            raise ValueError(
                f"pooling is {self.pooling!r}; expected one of {', '.join(POOLINGS)}"
            )
        if self.model.out_layout == "vector" and self.pooling not in (None, "none"):
            raise ValueError(
                f"pooling is {self.pooling!r}, but {self.model.name} gives one vector "
                f"and no frames; expected None"
            )
        self._runner: TemplateEmbedder | None = None
        super()._check()

    @property
    def model(self) -> "Template":
        """The template."""
        return self._template

    def fetch(self, *, progress: bool = False) -> None:
        """Fetch and install what it needs.

        Raises
        ------
        TemplateError, WeightsError
            It is not trusted, or something cannot be fetched or installed.
        """
        if self.isolated:
            from bob.learn.pytorch.templates.loading import install

            install(self.model, trusted=self.trusted, progress=progress)

    def prepare(self, *, progress: bool = True) -> None:
        """Fetch, install and load now, not at the first recording."""
        self.fetch(progress=progress)
        self.runner.prepare()

    @property
    def runner(self) -> "TemplateEmbedder":
        """What embeds recordings, made at the first use."""
        if self._runner is None:
            from bob.learn.pytorch.templates.runner import TemplateEmbedder

            self._runner = TemplateEmbedder(
                self.model, self._start, channel=self.channel, pooling=self.pooling
            )
        return self._runner

    def _start(self) -> "Session":
        if self.isolated:
            from bob.learn.pytorch.templates.loading import start

            return start(
                self.model, device=self.chosen()["device"], trusted=self.trusted
            )
        from bob.learn.pytorch.templates import trust
        from bob.learn.pytorch.templates.in_process import InProcessSession

        if not self.trusted:
            trust.require(self.model)
        return InProcessSession(self.model)

    def chosen(self) -> dict[str, str]:
        """The device that "auto" and None stand for, and where the model runs."""
        from bob.learn.pytorch.extraction.engine import chosen_device

        where = "a process of its own" if self.isolated else "this process"
        return {"device": chosen_device(self.device), "engine": where}

    def fingerprint(self) -> dict[str, str]:
        """Everything that its embeddings depend on; installs what is missing."""
        found = {
            "extractor": type(self).__name__,
            "model": self.model.name,
            "template": self.model.sha256,
            "channel": str(self.channel),
            "pooling": self.pooling or self.model.pooling,
            "resampler": "soxr",
            "recipe": RECIPE,
        }
        if not self.isolated:
            return {**found, "lock": "this process"}
        from bob.learn.pytorch.templates.loading import install

        environment, _ = install(self.model, trusted=self.trusted, progress=True)
        return {**found, "lock": environment.lock_sha256}

    def close(self) -> None:
        """End the process of the model; the next recording starts another."""
        if self._runner is not None:
            self._runner.close()
            self._runner = None

    def __getstate__(self) -> dict[str, Any]:
        # With the template: its file may be another, or none, where this is read.
        return {**vars(self), "_runner": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._check()
