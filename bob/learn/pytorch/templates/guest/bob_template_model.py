"""A template as a model: made, and run on one batch after the other.

Python 3.8 or later and its standard library; NumPy and torch where the template has
imported them, or says that its input is theirs.
"""

import contextlib
import random
import sys

if __package__:  # in the process that wants no other
    from bob.learn.pytorch.templates.guest import bob_template_stages as stages
else:
    import bob_template_stages as stages

# Bytes of each dtype that goes back, by the name that NumPy and torch share.
DTYPES = {
    "float32": 4,
    "float64": 8,
    "int64": 8,
    "int32": 4,
    "int16": 2,
    "int8": 1,
    "uint8": 1,
}


def names(weights, device):
    """Return the names that code of a template finds before its first line."""
    return {"__name__": "__template__", "weights": weights, "device": device}


def make(content, namespace, folder=None, notice=None):
    """Run `model_init`; return the model, set to evaluation and on its device."""
    stages.run_stage(content, "model_init", namespace, folder, notice)
    model = _needed("model", "model_init", namespace)
    with stages.blamed("model_init", "model.eval()"):
        if callable(getattr(model, "eval", None)):
            model.eval()
    device = namespace.get("device", "cpu")
    with stages.blamed("model_init", "model.to(%r)" % device):
        if device != "cpu" and callable(getattr(model, "to", None)):
            namespace["model"] = model = model.to(device)
    return model


def preprocess(content, namespace, folder=None, notice=None):
    """Run `pre_proc` on the `x` of the namespace; return what becomes of it."""
    with _inference():
        stages.run_stage(content, "pre_proc", namespace, folder, notice)
    x = _needed("x", "pre_proc", namespace)
    if content.get("in_layout") == "spectrogram" and len(getattr(x, "shape", ())) != 3:
        raise stages.StageFailed(
            "pre_proc",
            None,
            "",
            "x is %s afterwards; expected three axes, as in_layout says" % described(x),
        )
    return x


def embed(content, namespace, folder=None, notice=None):
    """Run `embed_fwd` on the `x` of the namespace; return `y`."""
    namespace.pop("y", None)
    with _inference():
        stages.run_stage(content, "embed_fwd", namespace, folder, notice)
    y = _needed("y", "embed_fwd", namespace)
    del namespace["y"]
    return y


def _needed(name, stage, namespace):
    if name not in namespace:
        reason = "no variable `%s` is there afterwards" % name
        raise stages.StageFailed(stage, None, "", reason)
    return namespace[name]


def chosen(y, content):
    """Return the part of a tuple, list or dict that the template names."""
    output = content.get("output")
    if output is None and isinstance(y, (tuple, list)):
        output = 0
    if output is None or (hasattr(y, "shape") and not isinstance(y, dict)):
        if isinstance(y, dict) and len(y) == 1:
            return next(iter(y.values()))
        return y
    try:
        return y[output]
    except (KeyError, IndexError, TypeError):
        pass
    try:  # outputs of transformers have names as attributes too
        return getattr(y, output)
    except (AttributeError, TypeError):
        reason = "y is %s, which has no %r (output)" % (described(y), output)
        raise stages.StageFailed("embed_fwd", None, "", reason)


def plain(y):
    """Tensor or array -> one of a dtype that can go back, and its name."""
    module = type(y).__module__.split(".")[0]
    if hasattr(y, "detach"):
        y = y.detach().cpu()
        dtype = str(y.dtype).split(".")[-1]
        if dtype in ("float16", "bfloat16"):
            y, dtype = y.float(), "float32"
    elif module == "numpy" or isinstance(y, (float, list)):
        import numpy as np

        try:
            y = np.asarray(y)
        except ValueError:
            y = np.empty(0, object)
        y = y.astype(np.float32) if y.dtype == np.float16 else y
        dtype = y.dtype.name  # in whatever order its bytes are
    else:
        dtype = ""
    if dtype not in DTYPES:
        raise stages.StageFailed(
            "embed_fwd",
            None,
            "",
            "y is %s; expected a tensor or array of numbers" % described(y),
        )
    return y, dtype


def described(y):
    """Type and shape of a value, for messages."""
    kind = type(y).__module__ + "." + type(y).__name__
    if hasattr(y, "shape"):
        return "a %s of shape %s and type %s" % (
            kind,
            tuple(y.shape),
            getattr(y, "dtype", "?"),
        )
    if isinstance(y, (tuple, list)):
        return "a %s of %d" % (type(y).__name__, len(y))
    if isinstance(y, dict):
        return "a dict of %s" % ", ".join(map(str, y))
    return "a %s" % kind.replace("builtins.", "")


def parameters(model):
    """Return how many numbers the model has learned, None where it does not tell."""
    try:
        return sum(int(parameter.numel()) for parameter in model.parameters())
    except Exception:  # noqa: BLE001 - code of the template
        return None


def seed():
    """Let random numbers of a template be the same in every process and every call."""
    random.seed(0)
    # None stands in place of a module that somebody forbids.
    if sys.modules.get("numpy"):
        sys.modules["numpy"].random.seed(0)
    torch = sys.modules.get("torch")
    if torch:
        # torch.manual_seed keeps a stack at each call where there is no GPU.
        torch.default_generator.manual_seed(0)
        if torch.cuda.is_initialized():
            torch.cuda.manual_seed_all(0)


def _inference():
    """Without gradients, where there is torch."""
    if not sys.modules.get("torch"):
        return contextlib.ExitStack()
    return sys.modules["torch"].inference_mode()
