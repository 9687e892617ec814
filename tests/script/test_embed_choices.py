"""`bob pytorch embed` names the option that is to be changed."""

import pytest
from commands import refused


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("--precision float16", "for --precision: precision is 'float16', in which a"),
        (
            "--engine onnxruntime --precision bfloat16",
            "for --precision: precision is 'bfloat16', but engine='onnxruntime'",
        ),
        (
            "--engine onnxruntime --device cuda",
            "for --device: device is 'cuda', but engine='onnxruntime' runs on the CPU",
        ),
        ("--device gpu", "for --device: device is 'gpu', which is none"),
        ("--device cuda:7", "for --device: device is 'cuda:7', but torch"),
        ("--memory nan", "for --memory: memory_mb is nan; expected more than 0"),
    ],
)
def test_the_option_to_change_is_named(weights, tmp_path, monkeypatch, options, says):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    arguments = ["embed", "a.wav", "-o", str(tmp_path / "x.h5"), *options.split()]

    assert says in refused(*arguments, "--model", weights, status=2)
