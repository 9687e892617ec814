"""Speaker verification for Bob with PyTorch: recordings go in, error rates come out."""

from bob.learn.pytorch._moved import keep_old_names

keep_old_names()
