"""`verify.py -e unchanged`: what the preprocessor gives is the feature."""

from typing import TypeVar

from bob.learn.pytorch.extractor import CallableExtractor

Feature = TypeVar("Feature")


def as_it_is(feature: Feature) -> Feature:
    """Return the feature."""
    return feature


extractor = CallableExtractor(as_it_is)
