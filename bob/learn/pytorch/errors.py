"""Errors that a user can repair, all of one base class."""


class UserError(Exception):
    """Input, a file or a setting cannot be used; the message says how to go on.

    Every error class of this package derives from it, so that a program can tell what
    its user can repair from what is broken here. Attributes hold the facts.

    Attributes
    ----------
    parameter
        Name of the parameter to blame, such as "model"; empty where it is none. A door
        says by which option or argument it was given.
    remedy
        Name of the parameter that may put it right, such as "trials"; empty where it is
        none. A door says which option or argument that is.
    """

    parameter: str = ""
    remedy: str = ""

    def __init__(self, *facts: object, parameter: str = "", remedy: str = "") -> None:
        super().__init__(*facts)
        self.parameter = parameter or self.parameter
        self.remedy = remedy or self.remedy


class ScoringError(UserError, ValueError):
    """Trials and embeddings that do not go together."""
