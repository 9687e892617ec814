"""A folder for each meeting and speaker: `verify.py first.py meetings.py`."""

from bob.learn.pytorch.protocols import FolderDatabase, SpeakerRule

database = FolderDatabase(
    "meetings",
    protocol="session",  # enrol from one meeting, probe with the others
    rule=SpeakerRule(layout="session/speaker", enrol_count=2, minimum_seconds=0.5),
)
sub_directory = "meetings"
