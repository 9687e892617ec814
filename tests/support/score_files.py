"""Score files that tests write, and what stands beside them."""

import json
from hashlib import sha256
from pathlib import Path

#: The columns that name a trial in a CSV of scores.
NAMES = "probe_template_id,probe_subject_id,bio_ref_template_id,bio_ref_subject_id"


def say(path: str | Path, **told: object) -> None:
    """Write beside a score file what made it, as commands of ours do."""
    digest = sha256(Path(path).read_bytes()).hexdigest()
    Path(f"{path}.json").write_text(json.dumps({"sha256": digest, **told}))
