"""Cosine scores of embeddings for `bob bio pipeline simple`."""

from typing import Any

from bob.bio.base.algorithm import Distance


class CosineDistance(Distance):  # type: ignore[misc]  # Bob has no types
    """Bob's cosine distance, with stored references that tell models apart.

    An enrolment with several recordings is the mean of their embeddings. A score is
    the cosine minus 1: 0 at most, and higher for more alike.

    Bob keeps references in a folder that knows no model. Two models of one embedding
    size, run with one output directory, would find each other's there.

    Parameters
    ----------
    model
        Name of the trained model.
    """

    def __init__(self, model: str) -> None:
        super().__init__("cosine")
        self.model = model

    def _more_tags(self) -> dict[str, Any]:
        return {"bob_enrolled_extension": f".{self.model}.h5"}
