"""A database with the interface of Bob until version 4."""

from pathlib import Path


class File:
    """A recording: `path` has no extension, and names the stored files."""

    def __init__(self, path, client_id):
        self.id = self.path = path
        self.client_id = client_id

    def make_path(self, directory, extension):
        return str(Path(directory, self.path + extension))


class Database:
    name = "two speakers"
    protocol = "small"
    original_directory = "recordings"
    original_extension = ".flac"

    def model_ids(self, group):
        return ["anna", "boris"]

    def enroll_files(self, model_id, group):
        return [File(f"{model_id}/friday/{take}", model_id) for take in (1, 2)]

    def probe_files(self, model_id, group):
        return [File(f"{speaker}/monday/1", speaker) for speaker in ("anna", "boris")]


database = Database()
groups = ["dev"]
sub_directory = "legacy_database"
