"""What made the scores, in titles and texts."""

import hashlib

import numpy as np

from bob.learn.pytorch.report.provenance import (
    calibration_facts,
    description_facts,
    file_fact,
    model_facts,
    settings_facts,
    trials_fact,
)


def test_a_description_is_read_without_the_host_and_models_get_their_hash():
    text = (
        "Command line:\nverify.py a.py\n\nHost:\nsecret\n\nPreprocessor:\n"
        "EmbeddingExtractor(name_or_path='campplus-zh-en')\n\n"
    )

    facts = description_facts(text)

    assert [title for title, _ in facts] == ["Command line", "Preprocessor"]
    ((title, says),) = model_facts(text)
    assert title == "Model"
    assert "92f29b94e6948786" in says
    assert model_facts("campplus-zh-en-2") == []


def test_a_trial_list_has_the_hash_of_its_sorted_lines_in_any_order(table):
    """As `cut -d" " -f1-4 scores | LC_ALL=C sort | sha256sum` has it."""
    trials = table()
    names = (trials.claimed, trials.model, trials.real, trials.probe)
    lines = sorted(
        " ".join(fields).encode() + b"\n"
        for fields in zip(*(column.tolist() for column in names), strict=True)
    )
    shuffled = np.random.default_rng(3).permutation(len(trials))

    fact = trials_fact(trials)

    assert fact.startswith("36 target and 396 non-target trials, SHA-256 ")
    assert fact.split()[-1] == hashlib.sha256(b"".join(lines)).hexdigest()
    assert trials_fact(trials.take(shuffled)) == fact
    assert trials_fact(trials.take(shuffled[1:])) != fact


def test_a_score_file_is_told_with_its_hash(tmp_path):
    says = file_fact(tmp_path / "scores", trials=1_000, sha256="ab" * 32)

    assert says == f"{tmp_path / 'scores'}: 1,000 trials, SHA-256 {'ab' * 32}"


def test_files_of_weights_have_their_present_hash(tmp_path):
    path = tmp_path / "mine.safetensors"
    path.write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()

    facts = model_facts(f"Preprocessor:\nEmbeddingExtractor(model_file='{path}')\n")

    ((title, says),) = facts
    assert title == "Model file"
    assert digest in says
    assert model_facts("EmbeddingExtractor('gone.pth')") == []


def test_a_calibration_is_told_in_a_formula():
    facts = calibration_facts(
        {
            "columns": ["score", "duration"],
            "weights": [13.6, 0.25],
            "offset": -6.3,
            "trained_on": {"targets": 35, "non_targets": 1400},
            "provenance": {"group": "dev", "weights": ""},
        }
    )

    assert facts == [
        (
            "Calibrated by",
            "13.6 x score + 0.25 x duration -6.3, trained on 35 target and 1,400 "
            "non-target trials",
        ),
        ("Calibration made from", "group: dev"),
    ]
    assert calibration_facts({}) == []


def test_settings_are_read_of_json():
    facts = settings_facts({"mean_subtracted": False, "bob.learn.pytorch": "1.0"})

    assert facts == [("Mean subtracted", "False"), ("bob.learn.pytorch", "1.0")]
