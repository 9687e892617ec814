"""The start of a template: a small model that runs, with a comment for each key."""

from __future__ import annotations

import json
from importlib.metadata import version

# Keys in the order in which they are used.
_START = """\
{
  "// about templates": [
    "A key that begins with // is a comment. This template runs as it is:",
    "  bob pytorch template check FILE --run",
    "Put your model in its place. The manual has the keys that are missing here, and",
    "what else each may be."
  ],
  "format": 1,

  "name": @name@,
  "description": "one sentence: what the model is, what its embeddings are for",
  "authors": ["who made the model"],
  "references": ["address of the paper", "address of the code"],
  "downstream_tasks": ["audio_representation"],
  "licence": {"code": "not stated", "weights": "not stated"},
  "trained_on": "not stated",

  "// about requirements": [
    "Installed into an environment of the template's own, with their dependencies.",
    "Each is pinned, name==version; what they need is resolved once and locked."
  ],
  "python": ">=3.10,<3.13",
  "requirements": [@numpy@, @torch@],

  "// about install_cmds": [
    "Shell lines after that, for what is in no package registry; they are not locked."
  ],
  "// install_cmds": [
    "git clone https://github.com/someone/model && git -C model checkout 0123abc"
  ],

  "// about weights": [
    "Files that are fetched and checked before the model is loaded; code finds each by",
    "its name: torch.load(weights[\\"encoder\\"], weights_only=True)"
  ],
  "// weights": [
    {
      "name": "encoder",
      "url": "https://example.org/encoder.pt",
      "sha256": "64 digits, as `sha256sum encoder.pt` prints them"
    }
  ],

  "// about code": [
    "The code of all stages shares its names. There are also `weights`, a dictionary",
    "of paths, and `device`, such as \\"cpu\\". An item may have several lines."
  ],
  "import_cmds": ["import torch"],

  "// about model_init": [
    "Assigns `model`; model.eval() and model.to(device) are called afterwards."
  ],
  "model_init": [
    "torch.manual_seed(0)",
    "model = torch.nn.Conv1d(1, 64, kernel_size=400, stride=160)"
  ],

  "// about x": [
    "What the model is given: float32 in [-1, 1] at sample_rate, in hertz. in_shape 1",
    "is one recording [S], 2 a batch [B, S], 3 a batch with channels [B, C, S].",
    "Shorter recordings are padded to minimum_duration, in seconds."
  ],
  "sample_rate": 16000,
  "in_shape": 3,
  "minimum_duration": 0.1,

  "// about pre_proc": [
    "Assigns `x` anew, where the model wants something else than samples."
  ],
  "pre_proc": ["x = x - x.mean(dim=-1, keepdim=True)"],

  "// about embed_fwd": [
    "Assigns `y`, in torch.inference_mode(). Its axes are out_layout: vector [B, D],",
    "frames_features [B, T, D] or features_frames [B, D, T]. Frames become one vector",
    "by pooling: mean, mean+std, first; or none, to keep them."
  ],
  "embed_fwd": ["y = model(x).abs()"],
  "out_layout": "features_frames",
  "pooling": "mean+std",
  "embedding_size": 128,

  "// about batching": [
    "one: one recording a call. equal: recordings of one length together, if that",
    "changes no embedding (`check --run` tells)."
  ],
  "batching": "equal",

  "// about verified": "When this was last run, and what came of it.",
  "verified": null
}
"""


def commented_start(name: str) -> str:
    """The text of a template that is valid, runs, and says what each key is for.

    The pinned packages are those of the versions that are installed here.

    Parameters
    ----------
    name
        Title of the model.
    """
    text = _START
    for package in ("numpy", "torch"):
        # A local version such as 2.11.0+cpu is in no registry.
        pin = f"{package}=={version(package).partition('+')[0]}"
        text = text.replace(f"@{package}@", json.dumps(pin))
    return text.replace("@name@", json.dumps(name or "untitled", ensure_ascii=False))
