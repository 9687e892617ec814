"""Bob's own database of file lists, which bob.bio.base 8 still brings."""

from bob.bio.base.database import FileListBioDatabase

database = FileListBioDatabase(
    "lists",  # holds small/dev/for_models.lst and small/dev/for_probes.lst
    "two speakers",
    protocol="small",
    original_directory="recordings",
    original_extension=".flac",
)
groups = ["dev"]
sub_directory = "bob_lists"
