"""Errors on the way from the name of a trained model to its weights."""

from bob.learn.pytorch.errors import UserError


class WeightsError(UserError, RuntimeError):
    """Weights that cannot be had or used; the base of the errors below."""


class OfflineError(WeightsError):
    """A file is missing and the user forbids downloads."""


class DownloadError(WeightsError):
    """A file could not be fetched, or not be written."""


class HashMismatch(WeightsError):  # noqa: N818 - says what is wrong as it is
    """A file is not the one that was published, or changed since it was fetched."""


class WrongWeights(WeightsError):  # noqa: N818 - says what is wrong as it is
    """A file that is no weights file, or one of another network, or damaged."""


class UnknownModelError(UserError, ValueError):
    """A name that no trained model of the catalogue has."""

    parameter = "model"
