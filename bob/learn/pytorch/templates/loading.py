"""A template made ready to run: trusted, fetched, installed, loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bob.learn.pytorch.templates import artefacts, environment, trust
from bob.learn.pytorch.templates.worker import Worker

if TYPE_CHECKING:
    from bob.learn.pytorch.templates.environment import Environment
    from bob.learn.pytorch.templates.template import Template


def install(
    template: Template, *, trusted: bool = False, progress: bool = False
) -> tuple[Environment, dict[str, str]]:
    """Fetch and install what a template needs, unless it is there.

    Parameters
    ----------
    trusted
        Whether the caller answers for it; else it has to be trusted already.
    progress
        Whether to show on standard error what happens.

    Returns
    -------
    Environment, dict
        And the path of each file of weights, by name.

    Raises
    ------
    UntrustedTemplate
        Nobody allowed it to run.
    WeightsError, InstallError
        Something cannot be fetched or installed.
    StageError, WorkerDied
        The stage failed that downloads what the model needs.
    """
    if not trusted:
        trust.require(template)
    weights = artefacts.fetch(template, progress=progress)

    def download(made: Environment) -> None:
        if not template.download_cmds:
            return
        worker = Worker(template, made, weights, network=True)
        try:
            worker.download()
        finally:
            worker.close()

    return environment.ensure(template, progress=progress, after=download), weights


def start(template: Template, *, device: str = "cpu", trusted: bool = False) -> Worker:
    """A process with the template loaded; errors as of `install`."""
    made, weights = install(template, trusted=trusted)
    worker = Worker(template, made, weights, device=device)
    try:
        worker.load()
    except BaseException:
        worker.close()
        raise
    return worker
