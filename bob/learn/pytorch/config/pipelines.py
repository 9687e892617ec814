"""Any extractor as a pipeline of Bob."""

from typing import Any

from bob.learn.pytorch.preprocessor.audio import RecordingTransformer, WholeSample


def make_transformer(extractor: RecordingTransformer) -> Any:  # noqa: ANN401
    """Make a transformer of Bob: samples of a database -> samples with embeddings.

    The step bears the name of the trained model, and so does the directory of its
    checkpoints: another model with the same output directory does not find them.

    Parameters
    ----------
    extractor
        Makes the embeddings. A recording that it cannot use gives a sample without
        data, which Bob counts as failure to acquire.

    Returns
    -------
    sklearn.pipeline.Pipeline
        For `bob bio pipeline transform`, and part of `make_pipeline`.
    """
    from bob.pipelines import wrap
    from sklearn.pipeline import Pipeline

    return Pipeline(
        [
            ("recordings", WholeSample()),
            (extractor.step_name, wrap(["sample"], extractor)),
        ]
    )


def make_pipeline(extractor: RecordingTransformer) -> Any:  # noqa: ANN401
    """Embeddings compared by cosine, for `bob bio pipeline simple`.

    Returns
    -------
    bob.bio.base.pipelines.PipelineSimple
    """
    from bob.bio.base.pipelines import CSVScoreWriter, PipelineSimple

    from bob.learn.pytorch.config.algorithm import CosineDistance

    # The command brings its own writer; without any, Bob makes a temporary folder now.
    writer = CSVScoreWriter("results/tmp")
    algorithm = CosineDistance(extractor.step_name)
    return PipelineSimple(make_transformer(extractor), algorithm, writer)
