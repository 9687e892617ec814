"""Stored embeddings and score files -> other score files, without an experiment."""
