"""Write inputs/: embeddings, trials and scores that are drawn from a fixed seed.

Run once, `python tests/golden_results/make_inputs.py`; the files are kept. Embeddings
are multiples of 1/16, so that sums of their products are exact in whatever order.
"""

import json
from pathlib import Path

import numpy as np

INPUTS = Path(__file__).with_name("inputs")
DIMENSIONS = 16
SPEAKERS = ("ann", "bob", "cid", "dan", "eva", "fay", "gus", "hal")
SESSIONS = ("a", "b")
TAKES = ("0", "1", "2")


def rows_of(random, speakers, sessions, takes, *, within=1.0):
    """Name -> (speaker, embedding, seconds): a mean a speaker, a shift a session."""
    found = {}
    for speaker in speakers:
        mean = random.normal(0, 1.2, DIMENSIONS)
        for session in sessions:
            shift = random.normal(0, 0.6 * within, DIMENSIONS)
            for take in takes:
                row = mean + shift + random.normal(0, 0.9 * within, DIMENSIONS)
                row *= random.uniform(0.7, 1.4)
                name = "/".join(part for part in (speaker, session, take) if part)
                seconds = round(float(random.uniform(0.2, 0.9)), 2)
                found[f"{name}.wav"] = (speaker, np.round(row * 16) / 16, seconds)
    return found


def write_embeddings(name, rows, *, failed=()):
    """As `bob pytorch store export` writes them."""
    none = np.array([""] * len(rows))
    lost = np.array([""] * len(failed), dtype=np.str_)
    np.savez(
        INPUTS / f"{name}.npz",
        names=np.array(list(rows)),
        embeddings=np.array([row for _, row, _ in rows.values()], dtype=np.float32),
        seconds=np.array([seconds for _, _, seconds in rows.values()]),
        sample_rates=np.full(len(rows), 8000),
        sources=none,
        speakers=np.array([speaker for speaker, _, _ in rows.values()]),
        settings=none,
        failed=np.array(failed, dtype=np.str_),
        reasons=np.array(["is silent"] * len(failed), dtype=np.str_),
        failed_seconds=np.full(len(failed), np.nan),
        failed_sample_rates=np.zeros(len(failed), dtype=int),
        failed_sources=lost,
        failed_speakers=lost,
        failed_settings=lost,
        made_by=np.array(json.dumps({"model": "drawn", "weights": "0" * 64})),
    )


def write_trials(random, names):
    """A list of VoxCeleb, and a protocol in CSV with two recordings a reference."""
    pairs = [random.choice(len(names), 2, replace=False) for _ in range(60)]
    near = [(first, first + 1) for first in range(0, 48, 3)]
    lines = [
        f"{int(names[a][:3] == names[b][:3])} {names[a]} {names[b]}"
        for a, b in [*near, *pairs]
    ]
    (INPUTS / "trials.txt").write_text("\n".join(lines) + "\n")
    enrolled = ["path,subject_id,template_id"]
    tested = ["path,subject_id,template_id,gender"]
    for place, speaker in enumerate(SPEAKERS):
        count = 1 + place % 3
        enrolled += [f"{speaker}/a/{n}.wav,{speaker},{speaker}" for n in range(count)]
        gender = "fm"[place % 2]
        tested += [
            f"{speaker}/b/{n}.wav,{speaker},{speaker}-{n},{gender}" for n in range(2)
        ]
        if place % 4 == 3:  # a probe of several recordings
            tested += [
                f"{speaker}/{session}/2.wav,{speaker},{speaker}-both,{gender}"
                for session in "ab"
            ]
    (INPUTS / "for_enrolling.csv").write_text("\n".join(enrolled) + "\n")
    (INPUTS / "for_probing.csv").write_text("\n".join(tested) + "\n")


def write_scores(random):
    """Of two systems and two groups: CSV with columns of quality, and four columns."""
    for group in ("dev", "eval"):
        seconds = {f"{who}-{n}": round(float(random.uniform(1, 20)), 2)
                   for who in SPEAKERS for n in range(4)}  # fmt: skip
        snr = {side: round(float(random.uniform(0, 30)), 1) for side in seconds}
        table = [
            "bio_ref_subject_id,bio_ref_template_id,bio_ref_gender,bio_ref_duration,"
            "bio_ref_snr,probe_subject_id,probe_key,probe_template_id,probe_gender,"
            "probe_duration,probe_snr,score"
        ]
        plain = []
        for row, who in enumerate(SPEAKERS):
            for column, other in enumerate(SPEAKERS):
                for take in range(1, 4):
                    own, tested = f"{who}-0", f"{other}-{take}"
                    quality = 0.1 * np.log(min(seconds[own], seconds[tested]))
                    score = 0.35 * (who == other) + random.normal(0, 0.13) + quality
                    second = 0.4 * (who == other) + random.normal(0, 0.2)
                    missing = (row, column, take) == (2, 5, 1)
                    first = "nan" if missing else f"{score:.3f}"
                    table.append(
                        f"{who},{own},{'fm'[row % 2]},{seconds[own]},{snr[own]},"
                        f"{other},{tested},{tested},{'fm'[column % 2]},"
                        f"{seconds[tested]},{snr[tested]},{first}"
                    )
                    text = "nan" if missing else f"{second:.3f}"
                    plain.append(f"{who} {own} {other} {tested} {text}")
        (INPUTS / f"first-{group}.csv").write_text("\n".join(table) + "\n")
        (INPUTS / f"second-{group}.txt").write_text("\n".join(plain) + "\n")


def main():
    """Write all of it."""
    INPUTS.mkdir(exist_ok=True)
    random = np.random.default_rng(11)
    rows = rows_of(random, SPEAKERS, SESSIONS, TAKES)
    write_embeddings("trials", rows, failed=["ivy/a/0.wav"])
    strangers = [f"stranger{number:02}" for number in range(12)]
    write_embeddings("cohort", rows_of(random, strangers, ("a",), ("0", "1")))
    teachers = [f"teacher{number:02}" for number in range(40)]
    write_embeddings("training", rows_of(random, teachers, SESSIONS, ("0", "1")))
    write_trials(random, list(rows))
    write_scores(random)


if __name__ == "__main__":
    main()
