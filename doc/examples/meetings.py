"""A folder a meeting, in it a folder a speaker: `verify.py first.py meetings.py`."""

from bob.learn.pytorch.protocols.formats.folder import FolderDatabase
from bob.learn.pytorch.protocols.speakers import SpeakerRule

database = FolderDatabase(
    "meetings",
    protocol="session",  # enrol from one meeting, probe with the others
    rule=SpeakerRule(layout="session/speaker", enrol_count=2, minimum_seconds=0.5),
)
sub_directory = "meetings"
