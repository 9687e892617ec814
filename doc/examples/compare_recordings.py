"""Compare two recordings: `python compare_recordings.py`."""

import bob.learn.pytorch as speaker

comparison = speaker.compare(
    "recordings/anna/monday/1.flac", "recordings/boris/monday/1.flac"
)
print(f"cosine {comparison.score:.4f}")
