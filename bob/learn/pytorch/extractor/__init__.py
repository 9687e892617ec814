"""The door for what Bob calls extractors: any function as one."""

from bob.learn.pytorch.extractor.callable import CallableExtractor

__all__ = ["CallableExtractor"]
