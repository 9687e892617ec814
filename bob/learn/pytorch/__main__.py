"""`python -m bob.learn.pytorch`: `bob pytorch` without the rest of Bob."""

from bob.learn.pytorch.script.pytorch import pytorch

if __name__ == "__main__":
    pytorch(prog_name="python -m bob.learn.pytorch")
