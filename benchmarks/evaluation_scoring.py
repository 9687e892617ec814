"""Ways to score trials: `python evaluation_scoring.py NAME FOLDER SCALE`.

Loops of recipes that cannot be installed are written anew, to do what those do.
"""

import warnings
from types import SimpleNamespace

import numpy as np
from evaluation_work import RECORDINGS, SPEAKERS, TRIALS, do_one_of, sized, timed

DIMENSIONS = 192
# VoxCeleb1-O: 37,611 trials of 4,708 recordings; VoxCeleb2 dev: 5,994 speakers.
SIDES, SIDE_TRIALS, COHORT, TOP = 4_708, 37_611, 5_994, 300
REFERENCES, PROBES = 1_000, 5_000

# Done of a loop that takes minutes, and of one that takes a quarter of an hour.
PART, SMALL_PART = 20_000, 500


def rows(count, *, seed, dimensions=DIMENSIONS):
    random = np.random.default_rng(seed)
    return random.normal(size=(count, dimensions)).astype(np.float32)


# A list of trials, from files to a file.


def make_trials(folder, scale):
    """A store, the same as npz, and a list as of VoxCeleb; half are target trials."""
    from bob.learn.pytorch.store.store import EmbeddingStore, Record

    count, trials = sized(RECORDINGS, scale), sized(TRIALS, scale)
    random = np.random.default_rng(1)
    speakers = min(SPEAKERS, count // 4)
    names = [f"id{10001 + at % speakers}/{at:06d}/00001.wav" for at in range(count)]
    embeddings = rows(count, seed=0)
    with EmbeddingStore.open(folder / "store.h5", fingerprint={}) as store:
        store.append(
            [Record(name, row) for name, row in zip(names, embeddings, strict=True)]
        )
    np.savez(folder / "store.npz", names=np.array(names), embeddings=embeddings)
    first = random.integers(count, size=trials)
    same = first + speakers * random.integers(1, 3, trials)
    other = random.integers(count, size=trials)
    second = np.where((random.random(trials) < 0.5) & (same < count), same, other)
    targets = (first % speakers == second % speakers).astype(int)
    lines = [
        f"{target} {names[one]} {names[two]}\n"
        for target, one, two in zip(
            targets.tolist(), first.tolist(), second.tolist(), strict=True
        )
    ]
    (folder / "trials.txt").write_text("".join(lines))


def read_vectors(folder):
    with np.load(folder / "store.npz") as file:
        return file["names"].tolist(), file["embeddings"]


def looped(folder, name, score, *, part=None):
    """One trial after the other, each line written as soon as it is scored."""
    lines = (folder / "trials.txt").read_text().splitlines()
    chosen = lines[:part]

    def work():
        with (folder / f"{name}.txt").open("w") as file:
            for line in chosen:
                target, enrolled, tested = line.split()
                found = score(enrolled, tested)
                file.write(f"{enrolled} {tested} {target} {found:f}\n")

    seconds, _ = timed(work)
    return {"seconds": seconds, "share": len(chosen) / len(lines)}


def trials_speechbrain(folder, _):
    """The loop of its recipes/VoxCeleb/SpeakerRec/speaker_verification_cosine.py."""
    import torch

    names, embeddings = read_vectors(folder)
    vectors = dict(zip(names, torch.from_numpy(embeddings)[:, None], strict=True))
    similarity = torch.nn.CosineSimilarity(dim=-1, eps=1e-6)
    return looped(
        folder,
        "speechbrain",
        lambda one, two: float(similarity(vectors[one], vectors[two])[0]),
    )


def trials_wespeaker(folder, _):
    """The loop of its wespeaker/bin/score.py."""
    from sklearn.metrics.pairwise import cosine_similarity

    vectors = dict(zip(*read_vectors(folder), strict=True))

    def score(one, two):
        left, right = vectors[one].reshape(1, -1), vectors[two].reshape(1, -1)
        return cosine_similarity(left, right)[0][0]

    return looped(folder, "wespeaker", score, part=PART)


def trials_numpy(folder, _):
    """A script by someone who knows NumPy: no loop over numbers."""
    names, embeddings = read_vectors(folder)
    place = {name: at for at, name in enumerate(names)}
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    with (folder / "trials.txt").open() as file:
        trials = [line.split() for line in file]
    first = [place[enrolled] for _, enrolled, _ in trials]
    second = [place[tested] for _, _, tested in trials]
    scores = np.einsum("nd,nd->n", embeddings[first], embeddings[second])
    with (folder / "numpy.txt").open("w") as file:
        for (target, one, two), score in zip(trials, scores, strict=True):
            file.write(f"{one} {two} {target} {score:f}\n")
    return {"seconds": 0, "share": 1}


# Every reference against every probe, into a text file.


def both_sides(scale):
    share = scale**0.5
    return (
        rows(sized(REFERENCES, share), seed=0, dimensions=128).astype(np.float64),
        rows(sized(PROBES, share), seed=1, dimensions=128).astype(np.float64),
    )


def of_first_reference(path, *, offset=0.0):
    """{probe: score} of the reference r0; at most a hundred."""
    with path.open() as file:
        lines = [line.split() for line in file if line.startswith("r0 ")]
    found = {probe: float(score) + offset for *_, probe, score in lines}
    return {probe: found[probe] for probe in sorted(found)[:100]}


def dense_verify(folder, scale):
    """What verify.py does once models and embeddings are there."""
    from bob.learn.pytorch.experiment import scores
    from bob.learn.pytorch.experiment.algorithms import NAMED
    from bob.learn.pytorch.experiment.components import Extraction, Preprocessing
    from bob.learn.pytorch.experiment.experiment import Experiment, lay_out
    from bob.learn.pytorch.protocols.trials import Probe, Recording, Reference, Trials

    references, probes = both_sides(scale)
    experiment = Experiment(
        database=SimpleNamespace(name="made up", protocol=None),
        preprocessing=Preprocessing(len, None),
        extraction=Extraction(len),
        algorithm=NAMED["cosine"],
        layout=lay_out(folder, folder, sub_directory="verify", protocol=None),
    )
    trials = Trials(
        tuple(Reference(f"r{i}", f"r{i}", ()) for i in range(len(references))),
        tuple(
            Probe(f"p{i}", f"s{i}", (Recording(f"p{i}", None, f"s{i}"),))
            for i in range(len(probes))
        ),
    )
    models = {f"r{i}": row[None] for i, row in enumerate(references)}
    vectors = {f"p{i}": row[None] for i, row in enumerate(probes)}

    def work():
        scores.compute(experiment, "dev", trials, models, vectors, seconds={})
        return scores.concatenate(experiment, "dev", trials)

    seconds, path = timed(work)
    return {"seconds": seconds, "values": of_first_reference(path)}


def dense_score(folder, scale):
    """What `bob pytorch score` does once the store and the protocol are read."""
    from bob.learn.pytorch.experiment.stored_scores import score
    from bob.learn.pytorch.experiment.stored_trials import Side, StoredTrials
    from bob.learn.pytorch.store.reading import StoredEmbeddings

    sides = both_sides(scale)
    names = [
        [f"{letter}{i}" for i in range(len(side))]
        for letter, side in zip("rp", sides, strict=True)
    ]
    count = len(names[0]) + len(names[1])
    embeddings = StoredEmbeddings(
        names=tuple(names[0] + names[1]),
        embeddings=np.concatenate(sides),
        seconds=np.full(count, np.nan),
        sample_rates=np.zeros(count, np.int64),
        sources=("",) * count,
    )
    places = iter(range(count))
    references, probes = (
        Side(some, [name.replace("p", "s") for name in some], rows)
        for some in names
        for rows in [[[next(places)] for _ in some]]
    )
    path = folder / "score.txt"
    seconds, _ = timed(
        lambda: score(
            embeddings, StoredTrials(references, probes, None), output=path, form="four"
        )
    )
    return {"seconds": seconds, "values": of_first_reference(path)}


def dense_bob(folder, scale):
    """PipelineSimple of bob.bio.base, enrolment not counted."""
    warnings.simplefilter("ignore")
    from bob.bio.base.algorithm import Distance
    from bob.bio.base.pipelines import FourColumnsScoreWriter, PipelineSimple
    from bob.pipelines import Sample, SampleSet, wrap
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    def sets(embeddings, letter, subject):
        return [
            SampleSet(
                [Sample(row, key=f"{letter}{i}")],
                template_id=f"{letter}{i}",
                subject_id=f"{subject}{i}",
                key=f"{letter}{i}",
            )
            for i, row in enumerate(embeddings)
        ]

    references, probes = both_sides(scale)
    pipeline = PipelineSimple(
        make_pipeline(wrap(["sample"], FunctionTransformer(list))),
        Distance(average_probes=True),
        FourColumnsScoreWriter(str(folder / "bob")),
    )
    enrolled = pipeline.enroll_templates(sets(references, "r", "r"))
    probed = pipeline.probe_templates(sets(probes, "p", "s"))
    path = folder / "bob.txt"

    def work():
        scored = pipeline.compute_scores(probed, enrolled, score_all_vs_all=True)
        pipeline.post_process(pipeline.write_scores(scored), str(path))

    seconds, _ = timed(work)
    # Its scores are negative distances: less than a cosine by 1.
    return {"seconds": seconds, "values": of_first_reference(path, offset=1.0)}


# Adaptive s-norm.


def normalised_sides(scale):
    """(embeddings, cohort, top, pairs)."""
    random = np.random.default_rng(2)
    count = sized(SIDES, scale)
    pairs = tuple(random.integers(count, size=(2, sized(SIDE_TRIALS, scale))))
    cohort = rows(sized(COHORT, scale), seed=3)
    return rows(count, seed=0), cohort, min(len(cohort), sized(TOP, scale)), pairs


def some(scores):
    return {f"trial {at}": float(score) for at, score in enumerate(scores[:100])}


def asnorm_ours(_, scale):
    """`as_norm`."""
    from bob.learn.pytorch.scoring import as_norm

    embeddings, cohort, top, pairs = normalised_sides(scale)
    seconds, scores = timed(
        lambda: as_norm(embeddings, embeddings, cohort=cohort, top=top, pairs=pairs)
    )
    return {"seconds": seconds, "values": some(scores)}


def asnorm_wespeaker(_, scale):
    """The formulas of its wespeaker/bin/score_norm.py, which scores the cosines too."""
    embeddings, cohort, top, pairs = normalised_sides(scale)

    def mean_and_deviation(side, others):
        side = side / np.sqrt(np.sum(side**2, axis=1, keepdims=True))
        others = others / np.sqrt(np.sum(others**2, axis=1, keepdims=True))
        scores = np.sort(np.matmul(side, others.T), axis=1)[:, ::-1][:, :top]
        return np.mean(scores, axis=1), np.std(scores, axis=1)

    def work():
        units = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
        raw = np.einsum("nd,nd->n", units[pairs[0]], units[pairs[1]])
        means, deviations = mean_and_deviation(embeddings, cohort)
        other_means, other_deviations = mean_and_deviation(embeddings, cohort)
        return [
            0.5 * ((score - means[one]) / deviations[one]
                   + (score - other_means[two]) / other_deviations[two])
            for score, one, two in zip(raw, *pairs, strict=True)
        ]  # fmt: skip

    seconds, scores = timed(work)
    return {"seconds": seconds, "values": some(scores)}


def asnorm_speechbrain(_, scale):
    """The loop of its speaker_verification_cosine.py: the cohort at every trial."""
    import torch

    embeddings, cohort, top, pairs = normalised_sides(scale)
    vectors, others = torch.from_numpy(embeddings), torch.from_numpy(cohort)[:, None]
    similarity = torch.nn.CosineSimilarity(dim=-1, eps=1e-6)

    def standardised(score, vector):
        scores = similarity(vector.repeat(len(others), 1, 1), others)
        scores = torch.topk(scores, k=top, dim=0)[0]
        return (score - torch.mean(scores, dim=0)) / torch.std(scores, dim=0)

    def work():
        scores = []
        for one, two in zip(*(side[:SMALL_PART] for side in pairs), strict=True):
            left, right = vectors[one][None, None], vectors[two][None, None]
            score = similarity(left, right)[0]
            both = standardised(score, left[0]) + standardised(score, right[0])
            scores.append(float(0.5 * both))
        return scores

    seconds, scores = timed(work)
    share = len(scores) / len(pairs[0])
    # Its deviations are those of a sample: sums divided by the count less one.
    scores = [score * (top / (top - 1)) ** 0.5 for score in scores]
    return {"seconds": seconds, "share": share, "values": some(scores)}


if __name__ == "__main__":
    do_one_of(
        {
            "make trials": make_trials,
            "trials speechbrain": trials_speechbrain,
            "trials wespeaker": trials_wespeaker,
            "trials numpy": trials_numpy,
            "dense verify": dense_verify,
            "dense score": dense_score,
            "dense bob": dense_bob,
            "asnorm ours": asnorm_ours,
            "asnorm wespeaker": asnorm_wespeaker,
            "asnorm speechbrain": asnorm_speechbrain,
        }
    )
