"""What scikit-learn and `bob.pipelines` ask of a transformer, without their import."""

import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self


class Transformer:
    """A transformer without a fit, by scikit-learn's rules.

    Every parameter of the constructor is an attribute of the same name. To inherit
    scikit-learn's `BaseEstimator` would do the same, and cost 0.8 s at import.
    """

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002, FBT001, FBT002
        """Return the parameters of the constructor, by name."""
        names = list(inspect.signature(type(self)).parameters)
        return {name: getattr(self, name) for name in names}

    def set_params(self, **parameters: object) -> "Self":
        """Change parameters.

        Raises
        ------
        ValueError
            One that the constructor does not know.
        """
        known = self.get_params()
        for name in parameters:
            if name not in known:
                raise ValueError(
                    f"{type(self).__name__} has no parameter {name!r}; it has "
                    f"{', '.join(known)}"
                )
        # A new object, so that nothing computed from the old parameters stays.
        vars(self).clear()
        type(self).__init__(self, **{**known, **parameters})
        return self

    def fit(self, recordings: object = None, y: object = None) -> "Self":  # noqa: ARG002
        """Do nothing: there is nothing to learn."""
        return self

    def fit_transform(self, recordings: Any, y: object = None) -> Any:  # noqa: ANN401, ARG002
        """Transform."""
        return self.transform(recordings)

    def transform(self, recordings: Any) -> Any:  # noqa: ANN401
        """Turn each item into another."""
        raise NotImplementedError

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def _more_tags(self) -> dict[str, Any]:
        return {"requires_fit": False, "stateless": True}

    def _get_tags(self) -> dict[str, Any]:
        # The two that scikit-learn's Pipeline reads, and those of `bob.pipelines`.
        return {"pairwise": False, "multioutput": False, **self._more_tags()}

    def __repr__(self) -> str:
        given = ", ".join(f"{k}={v!r}" for k, v in self.get_params().items())
        return f"{type(self).__name__}({given})"
