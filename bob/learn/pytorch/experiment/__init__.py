"""The whole road as an experiment: recordings and a protocol go in, scores come out."""
