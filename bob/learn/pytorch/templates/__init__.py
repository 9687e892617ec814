"""A JSON file wraps anyone's audio model: checked, installed apart, run apart."""

from bob.learn.pytorch.templates.format.template import Template, load, shipped

__all__ = ["Template", "load", "shipped"]
