"""What Bob's legacy `Preprocessor` adds: reading what a database names."""

import os
import sys
from pathlib import Path
from typing import Any

# Their `load` reads images and HDF5, or audio through torchaudio's old reader; ours
# knows nothing of the extractor's choice of channel. The path serves better.
NOT_THE_USERS = ("bob.bio.base.", "bob.bio.spear.", "bob.learn.pytorch.")


def join_bob(extractor: type) -> None:
    """Make Bob's `Preprocessor` a base of an extractor's class, where Bob is loaded.

    What Bob has for configurations of old asks `isinstance(…, Preprocessor)`. To
    inherit at once would import Bob, two seconds, for everyone who has no such
    configuration. So it is done when an extractor is made and Bob is there by then.
    """
    module = sys.modules.get("bob.bio.base.preprocessor")
    preprocessor = getattr(module, "Preprocessor", None)
    if preprocessor is not None and not issubclass(extractor, preprocessor):
        extractor.__bases__ = (*extractor.__bases__, preprocessor)


def read_original(biofile: Any, directory: str | None, extension: str | None) -> Any:  # noqa: ANN401
    """Give what an extractor takes for one file of a database.

    Parameters
    ----------
    biofile
        Object with the user's own `load(directory, extension)`, or with Bob's
        `make_path`, or at least with `path`.
    directory
        Of the database's recordings; None leaves it to the file.
    extension
        With its dot; None leaves it to the file.

    Returns
    -------
    object
        What the user's `load` returns, else the path of the recording as str.
    """
    if _has_own_loader(biofile):
        return biofile.load(directory, extension)
    if directory is None:
        directory = getattr(biofile, "original_directory", None)
    if extension is None:
        extension = getattr(biofile, "original_extension", None)
    if hasattr(biofile, "make_path"):
        return os.fspath(biofile.make_path(directory, extension))
    return str(Path(directory or "") / f"{biofile.path}{extension or ''}")


def _has_own_loader(biofile: object) -> bool:
    load = getattr(biofile, "load", None)
    module = getattr(getattr(load, "__func__", load), "__module__", None) or ""
    return callable(load) and not module.startswith(NOT_THE_USERS)
