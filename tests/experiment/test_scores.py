"""How scores of a group are written; what they are is in test_experiment."""

import numpy as np
import pytest

from bob.learn.pytorch.experiment import scores
from bob.learn.pytorch.experiment.algorithms import Similarity
from bob.learn.pytorch.protocols.trials import Probe, Recording, Reference, Trials


def test_blocks_of_references_give_the_same_rows_as_one_product(monkeypatch):
    random = np.random.default_rng(0)
    references = tuple(Reference(f"r{i}", "s", ()) for i in range(7))
    probes = tuple(
        Probe(f"p{i}", "s", (Recording(f"p{i}", None, "s"),)) for i in range(5)
    )
    models = {f"r{i}": random.normal(size=(1, 4)) for i in range(7) if i != 2}
    vectors = {f"p{i}": random.normal(size=(1, 4)) for i in range(5) if i != 2}
    trials = Trials(references, probes)

    def rows():
        sides = scores._sides(Similarity(), trials, models, vectors)
        return {
            reference.id: row
            for part, block, _ in scores._scored(Similarity(), trials, sides)
            for reference, _, row in scores._rows(trials, part, block)
        }

    whole = rows()
    monkeypatch.setattr(scores, "_SCORES_AT_ONCE", 11)
    parts = rows()

    assert whole.keys() == {f"r{i}" for i in range(7)}
    for name, values in whole.items():
        np.testing.assert_allclose(parts[name], values, atol=1e-15, equal_nan=True)
        assert np.isnan(values[2])
        assert np.isnan(values).all() == (name == "r2")


@pytest.mark.parametrize("chosen", [range(2), [1, 0]])
def test_names_are_written_as_they_are(experiment, chosen):
    """Names of which parts are escaped have percent signs, and lines are templates."""
    ann = Reference("ann%20lee/%d", "ann%20lee", ())
    probes = (Probe("x%d", "%s", ()), Probe("y", "ann%20lee", ()))
    writer = scores._Writer(experiment, "dev", Trials((ann,), probes))

    writer.write(ann, chosen, np.array([0.5, np.nan]))

    said = ["ann%20lee %s x%d", "ann%20lee ann%20lee y"]
    written = experiment.layout.model_scores("dev", ann.id).read_text()
    assert written == f"{said[chosen[0]]} 0.50000000\n{said[chosen[1]]} nan\n"
