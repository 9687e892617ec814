"""Origins of scores: what is known of them, and what fits what."""

import pytest

from bob.learn.pytorch.calibration import Origin
from bob.learn.pytorch.calibration.origin import (
    LOG_LIKELIHOOD_RATIO,
    read_provenance,
    write_provenance,
)
from bob.learn.pytorch.files import file_sha256


def made_alike(one, other):
    found = Origin(one).differs_from(Origin(other), threshold=True)
    back = Origin(other).differs_from(Origin(one), threshold=True)
    assert (found is None) == (back is None)
    return found is None


@pytest.mark.parametrize(
    ("origin", "known"),
    [
        ({}, None),
        ({"measure": "cosine"}, False),
        ({"measure": f"{LOG_LIKELIHOOD_RATIO} of cosine"}, True),  # by verify.py
        ({"measure": "cosine", "meaning": "natural log-likelihood ratios"}, True),
    ],
)
def test_calibrated_scores_are_known_by_what_they_mean(origin, known):
    assert Origin(origin).is_calibrated is known


def test_scores_of_another_model_are_not_made_alike():
    one = {"made_by": {"model": "a"}, "group": "dev"}

    assert made_alike(one, {**one, "group": "eval"})
    assert made_alike(one, {})
    assert not made_alike(one, {"made_by": {"model": "b"}})
    assert not made_alike({**one, "enrolment": "mean"}, {**one, "enrolment": "max"})


def fitted(what, path, digest=None, trained="d1"):
    told = {"measure": "x", what: path, f"{what} trained on": {"sha256": trained}}
    return told | ({f"{what} sha256": digest} if digest else {})


@pytest.mark.parametrize("what", ["calibration", "fusion"])
def test_a_calibration_or_fusion_is_known_by_its_content_and_no_path(what):
    first = fitted(what, "t1.json", "a")

    assert made_alike(first, fitted(what, "/work/t1.json", "a"))
    assert not made_alike(first, fitted(what, "t1.json", "b"))
    assert not made_alike(first, {"measure": "x"})


@pytest.mark.parametrize("what", ["calibration", "fusion"])
def test_without_a_hash_the_scores_that_it_was_fitted_on_count(what):
    old = fitted(what, "t1.json")

    assert made_alike(old, fitted(what, "/work/t1.json", "a"))
    assert not made_alike(old, fitted(what, "t1.json", trained="d2"))


def test_one_calibration_needs_no_common_enrolment_nor_calibration():
    one = {"measure": "x", "enrolment": "mean", **fitted("calibration", "a", "1")}
    other = {"measure": "x", "enrolment": "max"}

    assert Origin(one).differs_from(Origin(other)) is None


@pytest.mark.parametrize(
    ("fact", "value", "said"),
    [
        ("measure", "plda", "the measure is 'cosine', not 'plda'"),
        ("mean_subtracted", "True", "the mean_subtracted is 'False', not 'True'"),
        ("normalisation", "as", "the normalisation is 'none', not 'as'"),
        ("model", "b", "the model is 'a', not 'b'"),
        ("weights", "22", "the weights is '11', not '22'"),
        ("cohort", "other", None),
    ],
)
def test_the_first_fact_that_differs_is_named(fact, value, said):
    """Beside a score file the extractor stands apart; in a provenance it does not."""
    cosines = Origin.of_cosines({"model": "a", "weights": "11", "channel": "mix"})

    assert cosines.differs_from(Origin({**cosines.facts, fact: value})) == said
    assert cosines.differs_from(Origin({fact: cosines.facts.get(fact)})) is None


def test_a_system_of_a_fusion_has_its_own_facts_and_those_that_all_share():
    fusion = Origin({"model": "a", "one: measure": "cosine", "two: measure": "plda"})

    assert fusion.of_system("one").differs_from(Origin({"measure": "cosine"})) is None
    assert fusion.of_system("two").differs_from(Origin({"measure": "cosine"}))
    assert fusion.of_system("two").differs_from(Origin({"model": "b"}))


@pytest.mark.parametrize(
    ("normalisation", "words"),
    [("none", ""), (None, ""), ("as, top 100", "as-norm, top 100"), ("zt", "zt-norm")],
)
def test_the_normalisation_in_words(normalisation, words):
    assert Origin({"normalisation": normalisation}).normalisation == words


def test_what_is_not_of_these_scores_tells_nothing(tmp_path):
    scores = tmp_path / "scores-dev"
    scores.write_text("a a b 1\n")
    sha256 = file_sha256(scores)
    assert read_provenance(scores) == {}

    write_provenance(scores, {"measure": "cosine"})

    for said in (read_provenance(scores), read_provenance(scores, sha256=sha256)):
        assert said["measure"] == "cosine"
        assert "sha256" not in said
    assert read_provenance(scores, sha256="0" * 64) == {}
    scores.write_text("a a b 2\n")
    assert read_provenance(scores) == {}
    for broken in ("{", "[]"):
        (tmp_path / "scores-dev.json").write_text(broken)
        assert read_provenance(scores) == {}
