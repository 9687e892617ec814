"""The step before an extractor in a pipeline of Bob: each recording decoded once."""

from functools import partial
from typing import Any

from bob.learn.pytorch.preprocessor.audio.estimator import Transformer


class WholeSample(Transformer):
    """Hands the extractor each sample itself in the place of its data.

    `bob.pipelines` looks three times at `sample.data`, which where a database decodes
    means three times the work, and an exception at the first look ends the run.
    The extractor looks once, sees `path` and `rate` as well, and what goes wrong there
    fails one sample.
    """

    def transform(self, recordings: Any) -> list[Any]:  # noqa: ANN401
        """Samples or sample sets of Bob -> the same with `data` being the sample."""
        from bob.pipelines import DelayedSample, SampleSet

        return [
            SampleSet(self.transform(sample.samples), parent=sample)
            if isinstance(sample, SampleSet)
            else DelayedSample(partial(_itself, sample), parent=sample)
            for sample in recordings
        ]

    def _more_tags(self) -> dict[str, Any]:
        return {**super()._more_tags(), "bob_checkpoint_features": False}


def _itself(sample: object) -> object:
    return sample
