import numpy as np

from deep_audio_embedding import (
    compute_embedding,
    import_pkgs,
    install_dependencies,
    load_model_dict,
    model_init,
    pre_proc,
)

model_dict = load_model_dict("smallest.json", trusted=True)
install_dependencies(model_dict)
namespace = import_pkgs(model_dict)
model = model_init(model_dict, namespace)

x = np.random.default_rng(0).normal(0, 0.1, (1, 16_000))  # [B, S], as in_shape says
x_pre = pre_proc(model_dict, x, namespace)
y = compute_embedding(model_dict, model, x_pre, namespace)
print(y.shape)
