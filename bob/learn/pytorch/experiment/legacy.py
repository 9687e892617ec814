"""What configurations and components of Bob's older days find here."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bob.learn.pytorch.audio import files

if TYPE_CHECKING:
    import types
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

#: The full scale of 16-bit samples: legacy Bob hands out float64 in this range.
_INT16_SCALE = 32768.0

_EXTRACTOR_MODULE = "bob.bio.base.extractor"


class _ExtractorModuleFinder(importlib.abc.MetaPathFinder):
    """Adds CallableExtractor to bob.bio.base.extractor when that is imported.

    Bob removed the class in 2020; configurations that import it from there are
    still about.
    """

    def __init__(self, addition: type) -> None:
        self.addition = addition

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: types.ModuleType | None = None,  # noqa: ARG002 - the protocol's parameter
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != _EXTRACTOR_MODULE:
            return None
        specification = importlib.machinery.PathFinder.find_spec(fullname, path)
        if specification is not None and specification.loader is not None:
            specification.loader = _AddingLoader(specification.loader, self.addition)
        return specification


class _AddingLoader(importlib.abc.Loader):
    def __init__(self, wrapped: Any, addition: type) -> None:
        self._wrapped = wrapped
        self._addition = addition

    def create_module(
        self, spec: importlib.machinery.ModuleSpec
    ) -> types.ModuleType | None:
        module: types.ModuleType | None = self._wrapped.create_module(spec)
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        self._wrapped.exec_module(module)
        _add(self._addition, module)


def _add(addition: type, module: types.ModuleType) -> None:
    if not hasattr(module, addition.__name__):
        setattr(module, addition.__name__, addition)


def bring_back(callable_extractor: type) -> None:
    """Make ``from bob.bio.base.extractor import CallableExtractor`` work again.

    Nothing is imported now; the class is added when the module is.
    """
    loaded = sys.modules.get(_EXTRACTOR_MODULE)
    if loaded is not None:
        _add(callable_extractor, loaded)
    elif not any(isinstance(item, _ExtractorModuleFinder) for item in sys.meta_path):
        sys.meta_path.insert(0, _ExtractorModuleFinder(callable_extractor))


@dataclass(frozen=True)
class AudioFile:
    """A recording with the interface of the old ``BioFile``.

    It serves preprocessors that ask a file of a Bob database to load itself
    where no such database is used.
    """

    path: str
    client_id: str
    recording: Path

    def make_path(
        self,
        directory: str | None = None,  # noqa: ARG002 - the recording's place is known
        extension: str | None = None,  # noqa: ARG002
    ) -> str:
        """The recording's own path."""
        return str(self.recording)

    def load(
        self,
        original_directory: str | None = None,  # noqa: ARG002
        original_extension: str | None = None,  # noqa: ARG002
    ) -> tuple[int, NDArray[np.float64]]:
        """``(rate in hertz, samples)``, the samples float64 in int16 range."""
        waveform = files.read(self.recording)
        return waveform.sample_rate, waveform.samples * _INT16_SCALE
