"""The six functions of Py-Torch-DAE under the name that its users import."""

from bob.learn.pytorch.templates.run.in_process import (
    compute_embedding,
    import_pkgs,
    install_dependencies,
    load_model_dict,
    model_init,
    pre_proc,
)

__all__ = [
    "load_model_dict",
    "install_dependencies",
    "import_pkgs",
    "model_init",
    "pre_proc",
    "compute_embedding",
]
