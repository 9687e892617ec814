"""A function as Bob's extractor, as bob.bio.base had it until version 4."""

import builtins
from collections.abc import Callable, Iterable
from typing import Any

from bob.learn.pytorch.preprocessor.audio.recordings import Transformer
from bob.learn.pytorch.store import arrays


class CallableExtractor(Transformer):
    """Calls a function where Bob of old wants an extractor.

    Also a transformer: `transform` calls the function for each item. It pickles where
    the function does, so for Dask rather `def` than `lambda`.

    Parameters
    ----------
    callable
        Takes what the preprocessor returned, returns the feature.
    write_feature, read_feature
        `write_feature(feature, path)` and `read_feature(path)`; None for HDF5 as Bob
        writes it.
    **kwargs
        Kept, for messages.

    Raises
    ------
    TypeError
        Something that cannot be called.

    Examples
    --------
    >>> CallableExtractor(abs)(-1)
    1
    """

    requires_training = False
    split_training_data_by_client = False
    min_extractor_file_size = 1000
    min_feature_file_size = 1000

    def __init__(
        self,
        callable: Callable[[Any], Any],  # noqa: A002 - the original's name
        write_feature: Callable[[Any, Any], None] | None = None,
        read_feature: Callable[[Any], Any] | None = None,
        **kwargs: object,
    ) -> None:
        for name, function, needed in (
            ("callable", callable, True),
            ("write_feature", write_feature, False),
            ("read_feature", read_feature, False),
        ):
            if not builtins.callable(function) and (needed or function is not None):
                raise TypeError(
                    f"{name} is {function!r}; expected a function, such as "
                    "`lambda feature: feature`"
                )
        self.callable = callable
        self.write_feature_function = write_feature
        self.read_feature_function = read_feature
        self.kwargs = kwargs

    def __call__(self, data: Any) -> Any:  # noqa: ANN401
        """Preprocessed data -> feature."""
        return self.callable(data)

    def transform(self, items: Iterable[Any]) -> list[Any]:
        """Call the function for each item; None stays None, a sample that failed."""
        return [None if item is None else self(item) for item in items]

    def write_feature(self, feature: Any, feature_file: Any) -> None:  # noqa: ANN401
        """Store a feature."""
        (self.write_feature_function or arrays.write)(feature, feature_file)

    def read_feature(self, feature_file: Any) -> Any:  # noqa: ANN401
        """Read what `write_feature` stored."""
        return (self.read_feature_function or arrays.read)(feature_file)

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002, FBT001, FBT002
        """Return the parameters of the constructor, by name."""
        return {
            "callable": self.callable,
            "write_feature": self.write_feature_function,
            "read_feature": self.read_feature_function,
            **self.kwargs,
        }

    def _more_tags(self) -> dict[str, Any]:
        return {
            "requires_fit": False,
            "bob_features_save_fn": self.write_feature,
            "bob_features_load_fn": self.read_feature,
        }
