"""What stands beside a score file."""

from bob.learn.pytorch.calibration.origin import read_provenance, write_provenance
from bob.learn.pytorch.files import file_sha256


def test_what_is_not_of_these_scores_tells_nothing(tmp_path):
    scores = tmp_path / "scores-dev"
    scores.write_text("a a b 1\n")
    sha256 = file_sha256(scores)
    assert read_provenance(scores) == {}

    write_provenance(scores, {"measure": "cosine"})

    for said in (read_provenance(scores), read_provenance(scores, sha256=sha256)):
        assert said["measure"] == "cosine"
        assert "sha256" not in said
    assert read_provenance(scores, sha256="0" * 64) == {}
    scores.write_text("a a b 2\n")
    assert read_provenance(scores) == {}
    for broken in ("{", "[]"):
        (tmp_path / "scores-dev.json").write_text(broken)
        assert read_provenance(scores) == {}
