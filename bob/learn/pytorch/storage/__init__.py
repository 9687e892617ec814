"""Embeddings on disk: a store that grows safely, and other kinds of files."""
