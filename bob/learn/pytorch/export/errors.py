"""Errors of this room that a user can repair."""

from bob.learn.pytorch.errors import UserError


class ExportError(UserError, RuntimeError):
    """A network that cannot be written for another program, with the next step."""
