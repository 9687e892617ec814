"""What verify.py writes beside its scores, and what calibrations make of it."""

import hashlib
from dataclasses import replace

import pytest
from files import from_json

from bob.learn.pytorch.calibration import CalibrationError
from bob.learn.pytorch.calibration.decision import refuse_other_scores
from bob.learn.pytorch.experiment.algorithms import NAMED, Similarity
from bob.learn.pytorch.experiment.components import Extraction, Preprocessing
from bob.learn.pytorch.experiment.scores import origin
from bob.learn.pytorch.experiment.stages import run
from bob.learn.pytorch.extractor import CallableExtractor
from bob.learn.pytorch.models.errors import WeightsError
from bob.learn.pytorch.scorefiles import read_score_file
from bob.learn.pytorch.scorefiles.calibrating import calibrate

MODEL = {"extractor": "Known", "model": "known", "weights": "ab12"}


@pytest.fixture
def known(experiment, toys):
    """With a preprocessor of which it is known what it makes, as of ours."""

    class Known(toys.Bands):
        embeds_in_batches = True
        fetched = True

        def fingerprint(self):
            if not self.fetched:
                raise WeightsError("no connection")
            return dict(MODEL)

        def embed_many(self, recordings):
            raise AssertionError

        @property
        def model(self):
            return type("Entry", (), {"name": "known"})

    made = Preprocessing(Known(), experiment.database)
    made.compute = Preprocessing(toys.Bands(), experiment.database).compute
    return replace(
        experiment,
        preprocessing=made,
        extraction=Extraction(CallableExtractor(lambda x: x)),
    )


def said_beside(path):
    return from_json(path.with_name(f"{path.name}.json"))


def test_the_file_beside_scores_names_model_measure_and_hash(known):
    path = run(known).score_files["dev"]

    said = said_beside(path)
    assert said["scores"] == "scores-dev"
    assert said["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert said["made_by"] == MODEL
    assert (said["measure"], said["enrolment"]) == ("cosine", "mean")
    assert (said["normalisation"], said["mean_subtracted"]) == ("none", False)
    assert said["enrolment recordings"] == "2"
    assert (said["database"], said["protocol"], said["group"]) == (
        "tones",
        "all",
        "dev",
    )


def test_a_calibration_of_these_scores_is_refused_for_other_models(known):
    path = run(known).score_files["dev"]

    line = calibrate(read_score_file(path), penalty=0.01)

    refuse_other_scores(line, made_by=MODEL)
    with pytest.raises(CalibrationError, match="the model is 'known'"):
        refuse_other_scores(line, made_by={**MODEL, "model": "another"})
    with pytest.raises(CalibrationError, match="the weights is 'ab12'"):
        refuse_other_scores(line, made_by={**MODEL, "weights": "cd34"})


def test_a_calibration_of_changed_scores_claims_no_model(known):
    path = run(known).score_files["dev"]
    path.write_text(path.read_text().replace("0.9", "0.8"))

    line = calibrate(read_score_file(path), penalty=0.01)

    assert "model" not in line.provenance


def test_the_same_run_says_the_same(known):
    first = run(known).score_files["dev"]
    before = said_beside(first)

    assert said_beside(run(known).score_files["dev"]) == before


def test_components_of_the_users_are_named_without_their_place_in_memory(experiment):
    said = said_beside(run(experiment).score_files["dev"])

    assert said["made_by"] == {"model": "<verification_toys.Bands object>"}
    assert said["measure"] == "cosine of what <verification_toys.Same object> makes"


def test_the_weights_are_hashed_once(known, monkeypatch):
    calls, kind = [], type(known.preprocessing.component)
    monkeypatch.setattr(kind, "fingerprint", lambda _: calls.append(1) or dict(MODEL))

    run(known)

    assert len(calls) == 1


def test_a_model_that_is_a_file_is_named_by_its_path(known, monkeypatch, tmp_path):
    path = tmp_path / "own.pth"
    path.write_bytes(b"weights")
    kind = type(known.preprocessing.component)
    monkeypatch.setattr(kind, "fingerprint", lambda _: {"model": str(path)})

    said = origin(known, "dev", known.database.trials("dev"))

    assert said["made_by"] == {"model": str(path)}


def test_without_weights_the_model_is_still_named(known):
    trials = known.database.trials("dev")
    known.preprocessing.component.fetched = False

    assert origin(known, "dev", trials)["made_by"] == {"model": "known"}


@pytest.mark.parametrize(
    ("algorithm", "enrolment"),
    [
        (NAMED["cosine"], "mean"),
        (NAMED["distance-cosine"], "scores"),
        (Similarity(enrolment="scores", enrolment_fusion="max"), "max"),
        (Similarity(enrolment="scores", enrolment_fusion="median"), "median"),
    ],
)
def test_enrolment_is_called_as_bob_pytorch_score_calls_it(known, algorithm, enrolment):
    said = origin(
        replace(known, algorithm=algorithm), "dev", known.database.trials("dev")
    )

    assert said["enrolment"] == enrolment


def test_results_of_a_failed_run_get_their_file_back_with_their_name(known):
    path = run(known).score_files["dev"]
    before = said_beside(path)
    path.with_name("dev").joinpath(".made-by").write_text("another")
    others = frozenset({"preprocessing", "extraction", "enrollment"})

    with pytest.raises(ValueError, match="score-computation is left out"):
        run(replace(known, skip=others | {"score-computation"}))

    assert said_beside(path) == before
    assert not list(path.parent.glob("*.previous"))
