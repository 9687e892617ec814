"""A template in a process of its own: recordings to embeddings."""
