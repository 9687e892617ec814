"""``for_matching.csv``: trials, and what is known of each."""

import numpy as np
import pytest

from bob.learn.pytorch.protocols import columns
from bob.learn.pytorch.protocols.formats.matching import read_matching
from bob.learn.pytorch.protocols.trials import DatabaseError

TEXT = """\
enroll_template_id,match,probe_template_id
b,yes,x
a,no,y
b,no,y
b,yes,x
a,"y,es",x
"""


@pytest.fixture(params=["slow", "fast"])
def read(request, tmp_path, monkeypatch):
    monkeypatch.setattr(
        columns, "SMALLEST_FILE", 0 if request.param == "fast" else 1 << 40
    )
    monkeypatch.setattr(columns, "BLOCK_BYTES", 40)

    def read(text):
        path = tmp_path / "for_matching.csv"
        path.write_text(text)
        return read_matching(path, ["a", "b", "c"], ["x", "y", "z"])

    return read


def test_each_trial_is_there_once_with_what_is_known_of_it(read):
    found = read(TEXT)

    assert [listed.tolist() for listed in found.pairs] == [[1, 0], [0, 1], []]
    assert {title: column.tolist() for title, column in found.metadata.items()} == {
        "match": ["no", "y,es", "yes", "no"]
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TEXT.replace("a,no,y", "d,no,y"), ":3: reference 'd' is not in for_enrolling"),
        (TEXT.replace("a,no,y", "a,no,w"), ":3: probe 'w' is not in for_probing.csv"),
        (
            TEXT.replace('b,yes,x\na,"', 'b,no,x\na,"'),
            ":5: the match of this trial is 'no' here and another in line 2",
        ),
        (TEXT.replace("enroll_", ""), ":1: no column enroll_template_id"),
        (TEXT.replace("match", "probe_template_id"), ":1: two columns 'probe_templ"),
        (TEXT.replace("a,no,y", "a,no"), ":3: 2 fields, expected 3"),
    ],
)
def test_mistakes_have_their_line(read, text, message):
    with pytest.raises(DatabaseError, match=message):
        read(text)


def test_random_trials_are_those_of_a_slow_look(read):
    generator = np.random.default_rng(0)
    rows = [(generator.choice(list("abc")), generator.choice(list("xyz")))
            for _ in range(30)]  # fmt: skip

    found = read(
        "enroll_template_id,probe_template_id\n"
        + "".join(f"{one},{other}\n" for one, other in rows)
    )

    for reference, listed in zip("abc", found.pairs, strict=True):
        expected = dict.fromkeys(other for one, other in rows if one == reference)
        assert ["xyz"[at] for at in listed] == list(expected)
