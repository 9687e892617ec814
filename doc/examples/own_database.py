"""Your own database, from a table: `verify.py first.py own_database.py`."""

import csv
from pathlib import Path

from bob.learn.pytorch.protocols import (
    Probe,
    Recording,
    Reference,
    Trials,
    WithoutExtras,
)


class CallCentre(WithoutExtras):
    """Read calls.csv: file, caller, and `first` for the call that enrols."""

    def __init__(self, folder):
        self.name = "call centre"
        self.protocol = "first_call"
        self.original_directory = folder

    def groups(self):
        return ("dev",)

    def trials(self, group):
        with Path(self.original_directory, "calls.csv").open(newline="") as table:
            rows = list(csv.DictReader(table))
        references = [
            Reference(row["caller"], row["caller"], (self._recording(row),))
            for row in rows
            if row["call"] == "first"
        ]
        probes = [
            Probe(recording.key, recording.subject, (recording,))
            for recording in (
                self._recording(row) for row in rows if row["call"] != "first"
            )
        ]
        # Without a third argument, each reference is compared with every probe.
        return Trials(tuple(references), tuple(probes))

    def _recording(self, row):
        path = Path(self.original_directory, row["file"])
        return Recording(Path(row["file"]).stem, path, row["caller"])


database = CallCentre("calls")
groups = ["dev"]
sub_directory = "calls"
