"""Errors of this room that a user can repair."""


class ExportError(RuntimeError):
    """A network that cannot be written for another program, with the next step."""
