"""Arrow may only ever say what reading line by line says."""

import random

import numpy as np
import pytest

from bob.learn.pytorch.protocols import columns
from bob.learn.pytorch.protocols.formats.trial_list import read_trial_list
from bob.learn.pytorch.protocols.trials import DatabaseError
from bob.learn.pytorch.scorefiles import ScoreFileError, read_scores
from bob.learn.pytorch.scorefiles.forms import CSV_COLUMNS

NAMES = ["a", "b/1", "ü", "caf\udce9", "100%", "#x", 'q"', "1", "\u00a0", "x,y", "-"]
NUMBERS = ["0.5", "-1e-3", "nan", "inf", "+2", "1_0", "x", "", "1e400", "-.5"]


@pytest.fixture
def fast(monkeypatch):
    """Small files are read by Arrow, in small blocks."""

    def switch(*, on):
        monkeypatch.setattr(columns, "SMALLEST_FILE", 0 if on else 1 << 40)
        monkeypatch.setattr(columns, "BLOCK_BYTES", 256)

    return switch


def outcome(read, path):
    try:
        return read(path)
    except (ScoreFileError, DatabaseError) as error:
        return str(error)


def scores_of(path):
    table = read_scores(path)
    columns = (table.claimed, table.real, table.probe, table.model)
    names = [None if column is None else column.tolist() for column in columns]
    return names, table.score.tobytes()


def trials_of(path):
    listed = read_trial_list(path)
    arrays = (listed.enrolled_at, listed.tested_at, listed.target, listed.lines)
    return listed.enrolled, listed.tested, [item.tolist() for item in arrays]


def lines(seed, columns, joint):
    """Good lines, and in one file of two something odd."""
    chosen = random.Random(seed)
    odd = chosen.random() < 0.5
    rows = []
    for _ in range(chosen.randrange(1, 40)):
        names = NAMES[:3] + ([chosen.choice(NAMES)] if odd else [])
        row = [chosen.choice(names) for _ in range(columns - 1)]
        numbers = NUMBERS[:4] + ([chosen.choice(NUMBERS)] if chosen.random() < 0.02
                                 else [])  # fmt: skip
        rows.append(joint.join([*row, chosen.choice(numbers)]))
    if odd:
        extra = chosen.choice(
            ["", "  ", "a b", " a b c 1", "a\tb c 1", "a b c 1 ", "\r"]
        )
        rows.insert(chosen.randrange(1, len(rows) + 1), extra)
    end = chosen.choice(["\n", "\n", "\r\n"])
    text = end.join(rows) + chosen.choice(["", end])
    return text.encode("utf-8", "surrogateescape")


@pytest.mark.parametrize(("columns", "joint"), [(4, " "), (5, " "), (4, "\t")])
def test_score_files_are_read_the_same(tmp_path, fast, columns, joint):
    path = tmp_path / "scores"
    for seed in range(150):
        path.write_bytes(lines(seed, columns, joint))
        fast(on=False)
        expected = outcome(scores_of, path)

        fast(on=True)

        assert outcome(scores_of, path) == expected, path.read_bytes()


def test_csv_files_are_read_the_same(tmp_path, fast):
    path = tmp_path / "scores.csv"
    header = "probe_template_id,probe_subject_id,age,bio_ref_subject_id,score\n"
    odd = ['"a, b"', '"a""b"', '"a\nb"', 'q"r', "", " a ", "ü", "a b", "1"]
    for seed in range(150):
        chosen = random.Random(seed)
        rows = [
            ",".join([*(chosen.choice(odd[-3:] + odd[: seed % 6]) for _ in range(4)),
                      "0.5"])
            for _ in range(40)
        ]  # fmt: skip
        rows += [["", "a,b"], []][seed % 2]
        path.write_text(header + "\n".join(rows) + "\n", newline="")
        fast(on=False)
        expected = outcome(scores_of, path)

        fast(on=True)

        assert outcome(scores_of, path) == expected, path.read_text()


def test_trial_lists_are_read_the_same(tmp_path, fast):
    path = tmp_path / "list.txt"
    for seed in range(200):
        chosen = random.Random(seed)
        some = NAMES[:3] + ([chosen.choice(NAMES)] if seed % 2 else [])
        rows = [
            f"{chosen.choice('01')} {chosen.choice(some)} {chosen.choice(some)}"
            for _ in range(30)
        ]
        if seed % 3 == 0:
            rows.insert(
                chosen.randrange(30), chosen.choice(["", "# c", "2 a b", "1 a"])
            )
        text = "\n".join(rows) + chosen.choice(["", "\n"])
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        fast(on=False)
        expected = outcome(trials_of, path)

        fast(on=True)

        assert outcome(trials_of, path) == expected, path.read_bytes()


def test_plain_files_are_read_by_arrow(tmp_path, fast, monkeypatch):
    path = tmp_path / "scores"
    path.write_text("a b c 1.5\n" * 100)
    fast(on=True)

    def refuse(*_):
        raise AssertionError

    monkeypatch.setattr("bob.learn.pytorch.scorefiles.reading._text_blocks", refuse)

    assert np.array_equal(read_scores(path).score, np.full(100, 1.5))


def test_a_bad_line_far_down_is_named_by_its_number(tmp_path, fast):
    path = tmp_path / "scores"
    path.write_text("a b c 1.5\n" * 500 + "a b c\n")
    fast(on=True)

    with pytest.raises(ScoreFileError, match="line 501: 3 columns where 4"):
        read_scores(path)


@pytest.mark.parametrize("number", ["1_0", "\uff11\uff10", "1.\u0665", "1e1_0"])
@pytest.mark.parametrize("on", [False, True])
@pytest.mark.parametrize("form", ["text", "csv"])
def test_only_plain_numbers_are_scores(tmp_path, fast, number, on, form):
    """float() of Python takes all of them."""
    path = tmp_path / "scores"
    row, header = "a b c {}\n", ""
    if form == "csv":
        header = ",".join(CSV_COLUMNS.values()) + "\n"
        row = "c,b,m,a,{}\n"
    rows = row.format("1.5") * 500 + row.format(number)
    path.write_text(header + rows, encoding="utf-8")
    fast(on=on)

    with pytest.raises(ScoreFileError, match=r"line 50[12]: the score .* not a number"):
        read_scores(path)
