import pytest


@pytest.fixture
def write(tmp_path):
    """`write(text)`: the path of a score file."""

    def write(text, name="scores"):
        path = tmp_path / name
        path.write_bytes(text.encode())
        return path

    return write
