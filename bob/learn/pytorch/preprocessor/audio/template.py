"""Anyone's audio model, wrapped by a JSON file, as Bob's preprocessor."""

from typing import TYPE_CHECKING, Literal

from bob.learn.pytorch.audio import check_channel
from bob.learn.pytorch.preprocessor.audio.recordings import RecordingTransformer

if TYPE_CHECKING:
    import os

    from typing_extensions import Self

    from bob.learn.pytorch.templates.format.template import Template
    from bob.learn.pytorch.templates.run.runner import Session, TemplateEmbedder

# Raise it when a change here changes embeddings: stored ones are then made anew.
RECIPE = "2"
POOLINGS = ("none", "mean", "mean+std", "first")


class TemplateExtractor(RecordingTransformer):
    """A recording becomes an embedding, by the model of a template.

    The template is installed and loaded at the first recording, in an environment and
    a process of its own, which ends with this object.

    Parameters
    ----------
    name_or_path
        A shipped template (`bob pytorch template list`), a JSON file, or a template
        that was loaded. A file is read once, here: copies, clones and pickles have
        what it held then.
    isolated
        Whether the model has a process of its own; if not, it runs in this one, and
        what it needs has to be installed here.
    device
        Device of torch: "cpu" (None), "cuda:0", …; "auto" is a GPU where there is one.
    channel
        Channel to take, counted from 0, or "mix" for the mean; None refuses several.
    pooling
        Pooling of frames into one vector, in place of the template's own: "mean",
        "mean+std" or "first"; "none" keeps the frames.
    trusted
        Whether you answer for the template; else one of your own has to be trusted
        once, by `bob pytorch template trust FILE`.

    Raises
    ------
    UnknownTemplate, InvalidTemplate
        There is no such template, or the file is not a template.
    TypeError, ValueError
        An unknown channel or pooling, or a pooling where there are no frames.
    """

    def __init__(
        self,
        name_or_path: "str | os.PathLike[str] | Template",
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
        from bob.learn.pytorch.templates.format.template import Template, load

        # Pickles have it: its file may be another, or none, where they are read.
        self._template = (
            name_or_path if isinstance(name_or_path, Template) else load(name_or_path)
        )
        self.trusted = trusted
        self._check()

    @property
    def trusted(self) -> bool:
        """Return whether you answer for the template as it is now."""
        return self._answered == self._template.sha256

    @trusted.setter
    def trusted(self, answer: bool) -> None:
        self._answered = self._template.sha256 if answer else ""

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
        """Fetch and install what it needs; in this process, its weights alone.

        Raises
        ------
        TemplateError, WeightsError
            It is not trusted, or something cannot be fetched or installed.
        """
        if self.isolated:
            from bob.learn.pytorch.templates.run.runner import install

            install(self.model, trusted=self.trusted, progress=progress)
            return
        from bob.learn.pytorch.templates.install import artefacts, trust

        if not self.trusted:
            trust.require(self.model)
        artefacts.fetch(self.model, progress=progress)

    def prepare(self, *, progress: bool = True) -> None:
        """Fetch, install and load now, not at the first recording."""
        self.fetch(progress=progress)
        self.runner.prepare()

    @property
    def runner(self) -> "TemplateEmbedder":
        """Embedder of recordings, made at the first use."""
        if self._runner is None:
            from bob.learn.pytorch.templates.run.runner import TemplateEmbedder

            self._runner = TemplateEmbedder(
                self.model, self._start, channel=self.channel, pooling=self.pooling
            )
        return self._runner

    def _start(self) -> "Session":
        if self.isolated:
            from bob.learn.pytorch.templates.run.runner import start

            return start(
                self.model, device=self.chosen()["device"], trusted=self.trusted
            )
        from bob.learn.pytorch.templates.run.in_process import InProcessSession

        return InProcessSession(self.model, trusted=self.trusted)

    def chosen(self) -> dict[str, str]:
        """Return the device that "auto" and None stand for, and the process."""
        from bob.learn.pytorch.inference.engine import chosen_device

        where = "a process of its own" if self.isolated else "this process"
        return {"device": chosen_device(self.device), "engine": where}

    def fingerprint(self) -> dict[str, str]:
        """Everything that its embeddings depend on; installs what is missing."""
        from bob.learn.pytorch.templates.install import artefacts
        from bob.learn.pytorch.templates.run.runner import install

        if self.isolated:
            made, _ = install(self.model, trusted=self.trusted, progress=True)
            lock, downloaded = made.lock_sha256, made.downloaded or ""
        else:
            self.fetch(progress=True)
            lock, downloaded = "this process", ""
        return {
            "extractor": type(self).__name__,
            "model": self.model.name,
            "template": self.model.sha256,
            "lock": lock,
            # Files without a published hash: other machines may have got other ones.
            "weights": artefacts.unpublished_sha256(self.model),
            "downloads": downloaded,
            "channel": str(self.channel),
            "pooling": self.pooling or self.model.pooling,
            "resampler": "soxr",
            "recipe": RECIPE,
        }

    def close(self) -> None:
        """End the process of the model; the next recording starts another."""
        if self._runner is not None:
            self._runner.close()
            self._runner = None

    def set_params(self, **parameters: object) -> "Self":
        """Change parameters; the file is not read again, unless there is another."""
        given = self.name_or_path
        if "name_or_path" in parameters:
            return super().set_params(**parameters)
        # It may hold now what nobody has trusted.
        super().set_params(name_or_path=self._template, **parameters)
        self.name_or_path = given
        return self

    def __sklearn_clone__(self) -> "Self":
        copy = type(self).__new__(type(self))
        copy.__setstate__(self.__getstate__())
        return copy
