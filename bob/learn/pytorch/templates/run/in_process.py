"""A template in this very interpreter: the six functions of Py-Torch-DAE.

>>> from deep_audio_embedding import (
...     load_model_dict, install_dependencies, import_pkgs, model_init, pre_proc,
...     compute_embedding,
... )

What a template installs then lands in this environment, and what it does is done to
this process. `bob.learn.pytorch.preprocessor.audio.TemplateExtractor` keeps it apart.
"""

from __future__ import annotations

import copy
import os
import random
import re
import shlex
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bob.learn.pytorch.templates.format.errors import (
    InstallError,
    StageError,
    UntrustedTemplate,
)
from bob.learn.pytorch.templates.format.template import Template, load
from bob.learn.pytorch.templates.guest import bob_template_model as guest
from bob.learn.pytorch.templates.guest import bob_template_stages as stages
from bob.learn.pytorch.templates.install import artefacts, trust

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

__all__ = [
    "load_model_dict",
    "install_dependencies",
    "import_pkgs",
    "model_init",
    "pre_proc",
    "compute_embedding",
]


class _ModelDict(dict[str, Any]):
    """The JSON of a template as a dict, and where it came from.

    Attributes
    ----------
    template
        The template that was loaded.
    is_trusted
        Whether its content, as it is now, may run. Setting it answers for that; a
        later change asks again.

    Notes
    -----
    ``dict(found)`` is a plain dict and knows nothing of trust: like one that the caller
    wrote, it runs without a question.
    """

    template: Template
    _answered = ""

    @property
    def is_trusted(self) -> bool:
        current = self.current()
        return current.sha256 == self._answered or trust.is_trusted(current)

    @is_trusted.setter
    def is_trusted(self, answer: bool) -> None:
        self._answered = self.current().sha256 if answer else ""

    def current(self) -> Template:
        """Return the template that the dict is now."""
        if self == self.template.content:
            return self.template
        changed = Template(f"{self.template.name}, changed since", None, dict(self))
        try:
            _ = changed.sha256
        except (TypeError, ValueError) as error:
            raise UntrustedTemplate(
                f"template {self.template.name} was changed to what is no JSON "
                f"({error}), and cannot be trusted; take that out"
            ) from error
        return changed

    def copy(self) -> _ModelDict:
        """Return a copy that knows as much of trust."""
        return copy.copy(self)

    def __or__(self, other: Mapping[str, Any]) -> _ModelDict:  # type: ignore[override]
        joined = self.copy()
        joined.update(other)
        return joined


def load_model_dict(
    filepath: str | os.PathLike[str], *, trusted: bool = False
) -> _ModelDict:
    """Read a template and check it; nothing of it is run.

    Parameters
    ----------
    filepath
        Path of a JSON file, from here or from the shipped ones
        ("speech/resemblyzer.json"); or the name of a shipped one.
    trusted
        Whether it may run even if it is not trusted (`bob pytorch template trust`).

    Raises
    ------
    UnknownTemplate, InvalidTemplate
        No such file, or no template, with everything that is wrong with it.
    """
    return _model_dict(load(filepath), trusted=trusted)


def _model_dict(template: Template, *, trusted: bool) -> _ModelDict:
    found = _ModelDict(copy.deepcopy(dict(template.content)))
    found.template = template
    found.is_trusted = trusted
    return found


def install_dependencies(model_dict: Mapping[str, Any]) -> None:
    """Install what the template needs into this environment.

    Its `requirements` go through ``python -m pip install``, its `install_cmds` through
    the shell, one after the other in the working directory, which is the same again
    afterwards.

    Raises
    ------
    InstallError
        A command failed; it is named.
    UntrustedTemplate
        The template was loaded from a file that is not trusted.
    """
    _require_trust(model_dict)
    folder = os.getcwd()  # noqa: PTH109 - as the stages have it
    for key, command in _install_all(model_dict):
        moved = stages.changed_folder(command, folder)
        folder = moved or folder
        if moved is None:
            status = _shell(command, folder)
        else:
            status = "no such directory" if not Path(moved).is_dir() else None
        if status:
            raise InstallError(
                f"template {_template(model_dict).name}, {key}: `{command}` failed "
                f"({status}); what it said stands above"
            )


def import_pkgs(model_dict: Mapping[str, Any]) -> dict[str, Any]:
    """Run `import_cmds`; return the namespace that all stages share.

    Raises
    ------
    StageError
        A line raised, or is no Python; it names stage and line.
    UntrustedTemplate
        The template was loaded from a file that is not trusted.
    WeightsError
        A file of weights cannot be fetched.
    """
    _require_trust(model_dict)
    weights = (
        artefacts.fetch(_template(model_dict)) if model_dict.get("weights") else {}
    )
    namespace: dict[str, Any] = guest.names(weights, "cpu")
    with _told(model_dict):
        stages.run_stage(model_dict, "import_cmds", namespace)
    return namespace


def model_init(model_dict: Mapping[str, Any], namespace: dict[str, Any]) -> Any:  # noqa: ANN401
    """Run `model_init`; return `model`, set to evaluation.

    What the stage defines stays in the namespace, for the stages that follow.

    Raises
    ------
    StageError
        A line raised, or there is no `model` afterwards.
    UntrustedTemplate
        Same as for `import_pkgs`.
    """
    _require_trust(model_dict)
    with _told(model_dict):
        return guest.make(model_dict, namespace)


def pre_proc(model_dict: Mapping[str, Any], x: Any, namespace: dict[str, Any]) -> Any:  # noqa: ANN401
    """Run `pre_proc` on an input; return `x`, the same one if there is no such stage.

    Raises
    ------
    StageError
        A line raised, or there is no `x` afterwards.
    UntrustedTemplate
        Same as for `import_pkgs`.
    """
    _require_trust(model_dict)
    namespace["x"] = x
    with _told(model_dict):
        return guest.preprocess(model_dict, namespace)


def compute_embedding(
    model_dict: Mapping[str, Any],
    model: Any,  # noqa: ANN401 - of the template
    x: Any,  # noqa: ANN401
    namespace: dict[str, Any],
) -> Any:  # noqa: ANN401
    """Run `embed_fwd`; return `y`, without a gradient.

    Raises
    ------
    StageError
        A line raised, or there is no `y` afterwards.
    UntrustedTemplate
        Same as for `import_pkgs`.
    """
    _require_trust(model_dict)
    namespace.update(model=model, x=x)
    with _told(model_dict):
        return guest.embed(model_dict, namespace)


class InProcessSession:
    """A template loaded here, for `bob.learn.pytorch.templates.run.runner`."""

    def __init__(self, template: Template, *, trusted: bool = False) -> None:
        self._content = _model_dict(template, trusted=trusted)
        with _seeded():
            self._namespace = import_pkgs(self._content)
        with _seeded():  # also of what was imported just now
            self._model = model_init(self._content, self._namespace)

    def embed(self, batch: NDArray[np.float32], *, seconds: float) -> NDArray[Any]:  # noqa: ARG002
        """Run a batch; errors as of the six functions."""
        x: Any = batch.copy()
        if self._content.template.in_type == "torch":
            import torch

            x = torch.from_numpy(x)
        with _seeded():
            x = pre_proc(self._content, x, self._namespace)
            y = compute_embedding(self._content, self._model, x, self._namespace)
        with _told(self._content), stages.blamed("embed_fwd", "y"):
            array, _ = guest.plain(guest.chosen(y, self._content))
        return np.array(array)

    def close(self) -> None:
        """Forget the model."""
        self._namespace.clear()
        self._model = None


@contextmanager
def _seeded() -> Iterator[None]:
    """Let random numbers be the same in every call, and the caller's go on after it."""
    before, numpys = random.getstate(), np.random.get_state()  # noqa: NPY002
    torch = sys.modules.get("torch")
    torchs = torch.get_rng_state() if torch else None
    guest.seed()
    try:
        yield
    finally:
        random.setstate(before)
        np.random.set_state(numpys)  # noqa: NPY002
        if torch:
            torch.set_rng_state(torchs)


def _template(model_dict: Mapping[str, Any]) -> Template:
    """Return the template of a dict, which may be one of the caller's own making."""
    if isinstance(model_dict, _ModelDict):
        return model_dict.template
    return Template(name="of a dict", path=None, content=model_dict)


def _require_trust(model_dict: Mapping[str, Any]) -> None:
    """Stop before what came out of a file, unless it is trusted as it is now.

    A plain dict is the caller's own code.
    """
    if isinstance(model_dict, _ModelDict) and not model_dict.is_trusted:
        trust.require(model_dict.current())


@contextmanager
def _told(model_dict: Mapping[str, Any]) -> Iterator[None]:
    """Let errors of stages name the template."""
    try:
        yield
    except stages.StageFailed as failure:
        raise StageError(
            failure.error,
            template=_template(model_dict).name,
            stage=failure.stage,
            item=failure.item,
            code=failure.code,
            detail=failure.trace,
        ) from failure.__cause__


def _install_all(model_dict: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Commands for the shell in their order, and the key that each is of."""
    # The pip of this interpreter, whatever PATH says.
    pip = shlex.join([sys.executable, "-m", "pip"])
    for key, options in (
        ("requirements", []),
        ("requirements_without_dependencies", ["--no-deps"]),
    ):
        if model_dict.get(key):
            yield key, f"{pip} install {shlex.join([*options, *model_dict[key]])}"
    for line in model_dict.get("install_cmds") or ():
        yield "install_cmds", re.sub(r"^pip3?(?= )", pip, stages.shell_line(line))


def _shell(command: str, folder: str) -> str | None:
    """Run a command; why it failed, or None."""
    # Standard output stays clean: what commands say goes where errors go.
    result = subprocess.run(  # noqa: S602 - of a template that is trusted
        command, shell=True, cwd=folder, stdout=sys.stderr, check=False
    )
    return f"status {result.returncode}" if result.returncode else None
