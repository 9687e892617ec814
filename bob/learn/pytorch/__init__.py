"""Speaker verification for Bob with PyTorch: recordings go in, error rates come out.

Every step of the field is one function, which the command of that name calls:

>>> import bob.learn.pytorch as speaker

`load_model` gives a model whose method ``embed`` turns recordings, arrays and lists of
them into embeddings; `compare` scores two recordings:

>>> model = speaker.load_model("campplus-zh-en")  # doctest: +SKIP
>>> model.embed("anna.flac").shape  # doctest: +SKIP
(192,)
>>> speaker.compare("anna.flac", "boris.flac", model=model).score  # doctest: +SKIP
0.2125

`embed`, `read_protocol`, `score`, `evaluate` and `calibrate` are the steps of an
experiment on stored embeddings, and `run_experiment` is ``verify.py``:

>>> store = speaker.embed(paths, model=model, into="e.h5")  # doctest: +SKIP
>>> scores = speaker.score(store, "trials.txt", cohort="others.h5")  # doctest: +SKIP
>>> speaker.evaluate(scores).eer  # doctest: +SKIP
0.0213

Scores of target and of non-target trials are enough for an evaluation, whatever made
them:

>>> speaker.evaluate(([3.0, 1.5, 0.5], [-2.0, 1.0, -1.0])).eer
0.3333333333333333
>>> [model.name for model in speaker.list_models()]
['dltresnet34-voxceleb1', 'resnet34-voxceleb1', 'campplus-zh-en']

What its user can repair is a `UserError`. Names are imported when they are first used.
"""

from bob.learn.pytorch._moved import keep_old_names

# Loaded before the working folder is off the path: only what Python has loaded already.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from bob.learn.pytorch.comparing import Comparison, compare
    from bob.learn.pytorch.errors import UserError
    from bob.learn.pytorch.experiment.run import run_experiment
    from bob.learn.pytorch.experiment.stored_scores import score
    from bob.learn.pytorch.metrics.evaluation import Evaluation
    from bob.learn.pytorch.models.catalogue import list_models
    from bob.learn.pytorch.preprocessor.audio.loading import load_model
    from bob.learn.pytorch.protocols.opening import read_protocol
    from bob.learn.pytorch.recordings import embed
    from bob.learn.pytorch.scorefiles.calibrating import calibrate
    from bob.learn.pytorch.scorefiles.evaluating import evaluate

    __version__: str

__all__ = [
    "load_model",
    "list_models",
    "compare",
    "embed",
    "read_protocol",
    "score",
    "evaluate",
    "calibrate",
    "run_experiment",
    "Comparison",
    "Evaluation",
    "UserError",
    "__version__",
]

_PLACES = {
    "load_model": "preprocessor.audio.loading",
    "list_models": "models.catalogue",
    "compare": "comparing",
    "embed": "recordings",
    "read_protocol": "protocols.opening",
    "score": "experiment.stored_scores",
    "evaluate": "scorefiles.evaluating",
    "calibrate": "scorefiles.calibrating",
    "run_experiment": "experiment.run",
    "Comparison": "comparing",
    "Evaluation": "metrics.evaluation",
    "UserError": "errors",
}

keep_old_names()


def __getattr__(name: str) -> object:
    """Import a name of the face when it is first used."""
    if name == "__version__":
        from importlib.metadata import version

        value: object = version(__name__)
    elif name in _PLACES:
        from importlib import import_module

        value = getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    hidden = {"keep_old_names", "TYPE_CHECKING"}
    return sorted({*globals(), *__all__} - hidden)
