"""Errors that a user can repair, all of one base class."""


class UserError(Exception):
    """Input, a file or a setting cannot be used; the message says how to go on.

    Every error class of this package derives from it, so that a program can tell what
    its user can repair from what is broken here. Attributes hold the facts.
    """


class ScoringError(UserError, ValueError):
    """Trials and embeddings that do not go together."""
