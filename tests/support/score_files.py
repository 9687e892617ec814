"""Score files that tests write, and what stands beside them."""

import csv
import json
from hashlib import sha256
from pathlib import Path

#: The columns that name a trial in a CSV of scores.
NAMES = "probe_template_id,probe_subject_id,bio_ref_template_id,bio_ref_subject_id"


def say(path: str | Path, **told: object) -> None:
    """Write beside a score file what made it, as commands of ours do."""
    digest = sha256(Path(path).read_bytes()).hexdigest()
    Path(f"{path}.json").write_text(json.dumps({"sha256": digest, **told}))


def scores_of_bob(path: str | Path, reference: str = "template") -> dict:
    """Read {(template or subject of the reference, probe): score} of Bob's CSV."""
    with Path(path).open(newline="") as file:
        return {
            (row[f"bio_ref_{reference}_id"], row["probe_template_id"]): float(
                row["score"]
            )
            for row in csv.DictReader(file)
        }
