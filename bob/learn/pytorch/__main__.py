"""`python -m bob.learn.pytorch`: `bob pytorch` without the rest of Bob."""

import sys

# `python -m` looks through the working folder first, whatever lies there. Where this
# package was itself found in it, it stays.
if (
    __name__ == "__main__"
    and not getattr(sys.flags, "safe_path", sys.flags.isolated)
    and not __file__.startswith(f"{sys.path[0]}/")
):
    del sys.path[0]

from bob.learn.pytorch.script.pytorch import pytorch

if __name__ == "__main__":
    pytorch(prog_name="python -m bob.learn.pytorch")
