"""How Sphinx builds the manual: `make doc`."""

import re
import sys
from importlib.metadata import version as installed_version
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

project = "bob.learn.pytorch"
author = "bob.learn.pytorch developers"
project_copyright = "2026, bob.learn.pytorch developers"
version = release = installed_version(project)

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
]
exclude_patterns = ["build"]
nitpicky = True
nitpick_ignore_regex = [
    # NumPy, whose inventory would have to be downloaded, as annotations name it.
    ("py:class", r"(np|numpy)\.\w+|NDArray|FloatArray|(pathlib\.)?Path"),
    # Types under "Attributes" in words: "mapping of str to str", "array of int".
    ("py:class", r"[a-z_]+|str to (str|Names)"),
    # The type of a generic class's parameter, which has no page.
    ("py:class", r"Key"),
    # PyTorch's base of networks, and either kind of extractor.
    ("py:class", r"torch\.nn\.modules\.module\.Module|Extractor"),
]
# Docstrings say `name` for code.
default_role = "code"

autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_google_docstring = False
# Types in docstrings are words for people ("array of int"), not names to look up.
napoleon_use_param = False
napoleon_use_rtype = False
# What an annotated attribute means stands in its class, under "Attributes".
napoleon_use_ivar = True

# What stands after "::" is a listing or an output, unless it says otherwise.
highlight_language = "text"

html_theme = "furo"
# The side bar is narrower than the name: let it break at a dot.
html_title = f"bob.learn.\N{ZERO WIDTH SPACE}pytorch {release}"

GENERATED = re.compile(r"^\.\. generated:: (\w+)$", re.MULTILINE)


def fill_in(app, _name, source):
    """Put a table made from the code where a page says `.. generated:: name`."""
    import tables

    source[0] = GENERATED.sub(lambda match: tables.MADE[match[1]](), source[0])
    for module in tables.MADE_FROM:
        app.env.note_dependency(module.__file__)


def setup(app):
    app.connect("source-read", fill_in)
