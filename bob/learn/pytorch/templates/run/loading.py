"""A template made ready to run: trusted, fetched, installed, loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bob.learn.pytorch.templates.format.errors import StageError
from bob.learn.pytorch.templates.install import artefacts, environment, trust
from bob.learn.pytorch.templates.install.commands import is_unreachable
from bob.learn.pytorch.templates.run.worker import Worker

if TYPE_CHECKING:
    from bob.learn.pytorch.templates.format.template import Template
    from bob.learn.pytorch.templates.install.environment import Environment


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
        worker = Worker(template, made, weights, network=True)
        try:
            worker.download()
        except StageError as error:
            if not is_unreachable(f"{error.reason}\n{error.detail}"):
                raise
            raise error.explained(_advice(made)) from None
        finally:
            worker.close()

    made = environment.ensure(template, progress=progress, download=download)
    return made, weights


def _advice(made: Environment) -> str:
    """What to do where a hub cannot be reached; a traceback of its client says less."""
    return (
        "  to do    check that this machine reaches the hub (proxy: HTTPS_PROXY, "
        "certificates: SSL_CERT_FILE) and try again; the packages stay installed, and "
        "only the download is done anew. Or bring the files from a machine where it "
        f"works, by copying the folder home/.cache of its environment to {made.home}"
    )


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
