"""Ways from scores to error rates: `python evaluation_rates.py NAME FOLDER SCALE`."""

import warnings

import numpy as np
from evaluation_work import RECORDINGS, SPEAKERS, do_one_of, sized, timed

SCORES, MILLION = 5_500_000, 1_000_000
P_TARGET = 0.01


def log_ratios(trials, *, seed=0):
    """(targets, non-targets): one trial in 20 is a target; log-likelihood ratios."""
    random = np.random.default_rng(seed)
    targets = trials // 20
    return (
        random.normal(4, 8**0.5, targets),
        random.normal(-4, 8**0.5, trials - targets),
    )


def labelled(targets, non_targets):
    labels = np.repeat([1, 0], [len(targets), len(non_targets)])
    return labels, np.concatenate([targets, non_targets])


def figures_ours(_, scale):
    """`figures`, which also has the hull's EER, actDCF and min Cllr."""
    from bob.learn.pytorch.metrics import figures

    figures([1], [0])  # it imports on first use
    given = log_ratios(sized(SCORES, scale))
    seconds, found = timed(lambda: figures(*given))
    names = ("eer", "min_dcf", "cllr", "min_cllr")
    return {
        "seconds": seconds,
        "values": {name: getattr(found, name) for name in names},
    }


def cllr_of(targets, non_targets):
    costs = np.logaddexp(0, -targets).mean(), np.logaddexp(0, non_targets).mean()
    return float(sum(costs) / 2 / np.log(2))


def roc_rates(labels, scores):
    """EER by roc_curve and brentq, as most scripts have it, and minDCF of the curve."""
    from scipy.interpolate import interp1d
    from scipy.optimize import brentq
    from sklearn.metrics import roc_curve

    fmr, tpr, _ = roc_curve(labels, scores, pos_label=1)
    eer = brentq(lambda x: 1.0 - x - interp1d(fmr, tpr)(x), 0.0, 1.0)
    costs = P_TARGET * (1 - tpr) + (1 - P_TARGET) * fmr
    return {"eer": eer, "min_dcf": float(costs.min() / P_TARGET)}


def figures_sklearn(_, scale):
    import sklearn.metrics  # noqa: F401 - not part of the work

    given = log_ratios(sized(SCORES, scale))
    both = labelled(*given)
    seconds, found = timed(lambda: roc_rates(*both) | {"cllr": cllr_of(*given)})
    return {"seconds": seconds, "values": found}


def figures_sklearn_and_isotonic(_, scale):
    from sklearn.isotonic import IsotonicRegression

    targets, non_targets = given = log_ratios(sized(SCORES, scale))
    labels, scores = labelled(*given)

    def work():
        posterior = IsotonicRegression().fit_transform(scores, labels.astype(float))
        with np.errstate(divide="ignore"):
            odds = np.log(posterior / (1 - posterior))
        odds -= np.log(len(targets) / len(non_targets))
        least = cllr_of(odds[: len(targets)], odds[len(targets) :])
        found = roc_rates(labels, scores)
        return found | {"cllr": cllr_of(*given), "min_cllr": least}

    seconds, found = timed(work)
    return {"seconds": seconds, "values": found}


def figures_voxsrc(_, scale):
    """EER and minDCF by compute_EER.py and compute_min_dcf.py of the VoxSRC kits."""
    from operator import itemgetter

    from sklearn.metrics import roc_curve  # noqa: F401 - not part of the work

    both = labelled(*log_ratios(sized(SCORES, scale)))
    labels, scores = (array.tolist() for array in both)

    def least_cost():
        order, _ = zip(*sorted(enumerate(scores), key=itemgetter(1)), strict=True)
        misses, passed = [], []
        missed = rejected = 0
        for label in (labels[at] for at in order):
            missed += label
            rejected += 1 - label
            misses.append(missed)
            passed.append(rejected)
        fnrs = [count / missed for count in misses]
        fprs = [1 - count / rejected for count in passed]
        least = float("inf")
        for fnr, fpr in zip(fnrs, fprs, strict=True):
            least = min(least, P_TARGET * fnr + (1 - P_TARGET) * fpr)
        return least / P_TARGET

    seconds, found = timed(
        lambda: roc_rates(labels, scores) | {"min_dcf": least_cost()}
    )
    return {"seconds": seconds, "values": found}


def figures_bob(_, scale):
    """bob.measure; its min Cllr raises NotImplementedError."""
    warnings.simplefilter("ignore")
    from bob.measure import eer, farfrr, min_weighted_error_rate_threshold
    from bob.measure.calibration import cllr

    def work(targets, non_targets):
        cost = 1 - P_TARGET
        least = min_weighted_error_rate_threshold(non_targets, targets, cost)
        fmr, fnmr = farfrr(non_targets, targets, least)
        return {
            "eer": float(eer(non_targets, targets)),
            "min_dcf": float((cost * fmr + P_TARGET * fnmr) / P_TARGET),
            "cllr": cllr(non_targets, targets),
        }

    work(*log_ratios(1_000))  # it compiles on first use
    given = log_ratios(sized(SCORES, scale))
    seconds, found = timed(lambda: work(*given))
    return {"seconds": seconds, "values": found}


# Score files that grow.


def make_growth(folder, scale):
    """Files of 1, 10 and 100 million lines `claimed real probe score`."""
    import pyarrow as pa
    from pyarrow import csv

    form = csv.WriteOptions(include_header=False, delimiter=" ", quoting_style="none")
    speakers = pa.array([f"id{10001 + i}" for i in range(SPEAKERS)])
    probes = pa.array([f"id{10001 + i % SPEAKERS}/{i}" for i in range(RECORDINGS)])
    for millions in (1, 10, 100):
        path, left = folder / f"scores-{millions}.txt", sized(millions * MILLION, scale)
        random = np.random.default_rng(millions)
        with path.open("wb") as file:
            while left:
                count = min(left, MILLION)
                left -= count
                target = np.arange(count) % 20 == 0
                probe = random.integers(RECORDINGS, size=count)
                stranger = (probe + random.integers(1, SPEAKERS, count)) % SPEAKERS
                claimed = np.where(target, probe % SPEAKERS, stranger)
                score = random.normal(np.where(target, 4, -4), 8**0.5).round(8)
                columns = [speakers.take(claimed), speakers.take(probe % SPEAKERS)]
                columns += [probes.take(probe), pa.array(score)]
                csv.write_csv(pa.table(columns, names=list("abcd")), file, form)


def growth_pandas(folder, _, *, millions):
    """A script: the file by pandas, EER and minDCF by scikit-learn, Cllr by NumPy."""
    import pandas as pd

    table = pd.read_csv(
        folder / f"scores-{millions}.txt",
        sep=" ",
        header=None,
        names=["claimed", "real", "probe", "score"],
    )
    target = (table["claimed"] == table["real"]).to_numpy()
    score = table["score"].to_numpy()
    found = roc_rates(target.astype(int), score)
    found["cllr"] = cllr_of(score[target], score[~target])
    values = {f"{name} of {millions}": value for name, value in found.items()}
    return {"seconds": 0, "values": values}


if __name__ == "__main__":
    do_one_of(
        {
            "figures ours": figures_ours,
            "figures sklearn": figures_sklearn,
            "figures sklearn isotonic": figures_sklearn_and_isotonic,
            "figures voxsrc": figures_voxsrc,
            "figures bob": figures_bob,
            "make growth": make_growth,
            "growth pandas 1": lambda *some: growth_pandas(*some, millions=1),
            "growth pandas 10": lambda *some: growth_pandas(*some, millions=10),
        }
    )
