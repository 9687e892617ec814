import numpy as np
import pytest
from scipy.spatial.distance import cosine as cosine_distance
from scipy.spatial.distance import euclidean as euclidean_distance

from bob.learn.pytorch.experiment.algorithms import NAMED, Similarity
from bob.learn.pytorch.experiment.bob_algorithms import as_algorithm
from bob.learn.pytorch.experiment.configuration import ConfigurationError

RANDOM = np.random.default_rng(0)
# Three references of 1, 3 and 2 recordings; four probes of 1, 2, 1 and 3.
ENROLLED = [[RANDOM.normal(size=(1, 5)) for _ in range(n)] for n in (1, 3, 2)]
PROBES = [[RANDOM.normal(size=(1, 5)) for _ in range(n)] for n in (1, 2, 1, 3)]
SINGLE = [parts[:1] for parts in PROBES]


def scores(algorithm, probes=PROBES, chosen=None):
    references = algorithm.references([algorithm.enrol(parts) for parts in ENROLLED])
    prepared = algorithm.probes(probes)
    return algorithm.matrix(
        references, prepared if chosen is None else prepared.take(chosen)
    )


def by_hand(compare, *, enrol, fuse):
    """One pair at a time; `compare` is a distance, `enrol` makes vectors."""
    return np.array(
        [
            [
                fuse([-compare(row, probe[0][0]) for row in enrol(np.vstack(parts))])
                for probe in SINGLE
            ]
            for parts in ENROLLED
        ]
    )


def mean_of(rows):
    return [rows.mean(axis=0)]


@pytest.mark.parametrize(
    ("name", "distance", "enrol", "shift"),
    [
        ("cosine", cosine_distance, mean_of, 1.0),
        ("euclidean", euclidean_distance, mean_of, 0.0),
        ("distance-cosine", cosine_distance, list, 0.0),
        ("distance-euclidean", euclidean_distance, list, 0.0),
    ],
)
def test_named_algorithms_equal_one_pair_at_a_time(name, distance, enrol, shift):
    expected = by_hand(distance, enrol=enrol, fuse=np.mean) + shift

    np.testing.assert_allclose(scores(NAMED[name], SINGLE), expected, atol=1e-12)


def test_chosen_probes_have_the_scores_that_they_have_among_all():
    for algorithm in NAMED.values():
        chosen = np.array([3, 1])

        np.testing.assert_allclose(
            scores(algorithm, chosen=chosen), scores(algorithm)[:, chosen], atol=1e-12
        )


@pytest.mark.parametrize("fusion", ["mean", "max", "min", "median"])
def test_scores_of_a_probe_of_several_recordings_are_fused(fusion):
    algorithm = Similarity(probe_fusion=fusion)
    each = Similarity()

    got = scores(algorithm)[0, 3]

    alone = scores(each, [[rows] for rows in PROBES[3]])[0]
    assert got == pytest.approx(getattr(np, fusion)(alone))


def test_no_probe_at_all_gives_an_empty_row():
    assert scores(Similarity(), []).shape == (3, 0)


@pytest.mark.parametrize("average_on_enroll", [True, False])
@pytest.mark.parametrize("average_probes", [True, False])
@pytest.mark.parametrize("measure", ["cosine", "euclidean", "cityblock"])
@pytest.mark.filterwarnings("ignore")
def test_bobs_distance_gives_bobs_scores(average_on_enroll, average_probes, measure):
    distance = pytest.importorskip("bob.bio.base.algorithm").Distance(
        measure,
        factor=-0.5,
        average_on_enroll=average_on_enroll,
        average_probes=average_probes,
        enrolls_score_fusion="min",
    )
    enrolled = [[rows[0] for rows in parts] for parts in ENROLLED]
    probes = [[rows[0] for rows in parts] for parts in PROBES]
    expected = distance.compare(
        distance.create_templates(enrolled, enroll=True),
        distance.create_templates(probes, enroll=False),
    )

    np.testing.assert_allclose(scores(as_algorithm(distance)), expected, atol=1e-12)


def test_an_algorithm_of_old_is_asked_pair_by_pair(toys):
    algorithm = as_algorithm(toys.Distance())

    expected = by_hand(euclidean_distance, enrol=list, fuse=np.mean)

    np.testing.assert_allclose(scores(algorithm, SINGLE), expected, atol=1e-12)


def test_an_algorithm_of_old_fuses_several_probe_recordings_itself(toys):
    class Together(toys.Distance):
        def score_for_multiple_probes(self, model, probes):
            return float(len(probes))

    assert scores(as_algorithm(Together()))[0, 1:].tolist() != [2, 1, 3]
    assert scores(as_algorithm(Together()))[0, [1, 3]].tolist() == [2, 3]


@pytest.mark.parametrize(
    "need",
    [
        "requires_projector_training",
        "requires_enroller_training",
        "performs_projection",
    ],
)
def test_an_algorithm_that_needs_training_is_refused(toys, need):
    algorithm = toys.Distance()
    setattr(algorithm, need, True)

    with pytest.raises(ConfigurationError, match=need):
        as_algorithm(algorithm)


def test_models_come_back_from_their_files(tmp_path, toys):
    for algorithm in (*NAMED.values(), as_algorithm(toys.Distance())):
        model = algorithm.enrol(ENROLLED[1])

        algorithm.write_model(model, str(tmp_path / "model.hdf5"))

        np.testing.assert_array_equal(
            algorithm.read_model(tmp_path / "model.hdf5"), model
        )


def test_an_algorithm_of_bob_that_must_be_fitted_is_refused():
    class Fitted:
        def create_templates(self, features, enroll):
            return features

        def compare(self, references, probes):
            return []

        def fit(self, features):
            return self

    with pytest.raises(ConfigurationError, match="Fitted has to be trained"):
        as_algorithm(Fitted())
    with pytest.raises(ConfigurationError, match="is the class Fitted"):
        as_algorithm(Fitted)


@pytest.mark.parametrize("wrong", [3, object(), "plda"])
def test_what_is_no_algorithm_is_refused_with_the_names_that_are(wrong):
    with pytest.raises(ConfigurationError, match="distance-cosine"):
        as_algorithm(wrong)


@pytest.mark.parametrize(
    "wrong",
    [{"measure": "manhattan"}, {"enrolment": "mean"}, {"probe_fusion": "sum"}],
)
def test_a_wrong_setting_is_refused_with_those_that_are_right(wrong):
    with pytest.raises(ConfigurationError, match="expected one of"):
        Similarity(**wrong)
