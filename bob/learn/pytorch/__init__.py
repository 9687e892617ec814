"""Speaker verification for Bob with PyTorch: recordings go in, error rates come out."""
