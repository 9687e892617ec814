"""Code that runs in the environment of a template: Python 3.8 and its library alone."""
