"""Score files that name recordings and no speakers."""

import numpy as np
import pytest
from score_tables import trials_in

from bob.learn.pytorch.metrics import ScoreTable
from bob.learn.pytorch.protocols import columns
from bob.learn.pytorch.scorefiles import (
    ScoreFileError,
    labelled_scores,
    read_score_file,
    read_scores,
    read_with_metadata,
    write_scores,
)
from bob.learn.pytorch.scorefiles.forms import CSV_COLUMNS, UnlabelledError

LIST = "1 x/1.wav x/2.wav\n0 x/1.wav y/1.wav\n1 z/9.wav y/1.wav\n"


EXPECTED = [
    ("x/1.wav", "x/2.wav", True, 0.5),
    ("x/1.wav", "y/1.wav", False, -1.0),
    ("z/9.wav", "y/1.wav", True, 2.0),
]


@pytest.mark.parametrize(
    "text",
    [
        "0.5 x/1.wav x/2.wav\n-1 x/1.wav y/1.wav\n2 z/9.wav y/1.wav\n",
        "x/1.wav x/2.wav 0.5\nx/1.wav y/1.wav -1\nz/9.wav y/1.wav 2\n",
        "x/1.wav*x/2.wav 0.5\nx/1.wav*y/1.wav -1\nz/9.wav*y/1.wav 2\n",
    ],
    ids=["VoxSRC", "Kaldi", "ESPnet"],
)
def test_a_list_of_trials_tells_the_targets(write, text):
    table = read_scores(write(text), trials=write(LIST, "list.txt"))

    assert trials_in(table) == EXPECTED


@pytest.mark.parametrize(
    "text",
    [
        "x/1.wav x/2.wav 0.5 target\nx/1.wav y/1.wav -1 nontarget\n"
        "z/9.wav y/1.wav 2 target\n",
        "x/1.wav*x/2.wav 0.5 1\nx/1.wav*y/1.wav -1 0\nz/9.wav*y/1.wav 2 1\n",
    ],
    ids=["WeSpeaker", "ESPnet"],
)
def test_labels_in_the_file_tell_the_targets(write, text):
    assert trials_in(read_scores(write(text))) == EXPECTED


def test_names_of_voxceleb_tell_the_speakers(write):
    table = read_scores(
        write(
            "0.5 id10270/v/1.wav id10270/w/1.wav\n0.1 id10270/v/1.wav id10300/a/1.wav\n"
        )
    )

    assert table.is_target.tolist() == [True, False]
    assert table.claimed.tolist() == ["id10270", "id10270"]


def test_scores_of_a_list_without_suffixes(write):
    scores = "0.5 x/1 x/2\n-1 x/1 y/1\n2 z/9 y/1\n"

    table = read_scores(write(scores), trials=write(LIST, "list.txt"))

    assert table.is_target.tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0.5 x/1.wav x/2.wav\n", "no score for 2 trials of .*, x/1.wav with y/1.wav"),
        (
            "0.5 x/1.wav x/2.wav\n0.5 x/2.wav x/1.wav\n",
            "trial 2: x/2.wav with x/1.wav is not in",
        ),
    ],
)
def test_scores_and_list_must_be_of_the_same_trials(write, text, message):
    with pytest.raises(ScoreFileError, match=message):
        read_scores(write(text), trials=write(LIST, "list.txt"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0.5 a.wav b.wav\n", "does not say which trials .* 'a.wav' is not one of Vox"),
        ("1 id10270/v/1.wav id10270/w/1.wav\n0 id10270/v/1.wav id10300/w/1.wav\n",
         "is a list of trials"),
        ("a b 0.5 target\na b 0.5 nontarget\n", "a and b are labelled as different"),
        ("a b 0.5 target\na b 0.5 tagret\n", "'tagret' is no label"),
        ("a*b*c 0.5 1\n", "expected two names with one"),
        ("12 13 14\n", "begins with '12 13 14'"),
    ],
)  # fmt: skip
def test_what_does_not_tell_the_targets_is_refused(write, text, message):
    with pytest.raises(ScoreFileError, match=message):
        read_scores(write(text))


def test_scores_of_speakers_called_by_numbers(write):
    table = read_scores(
        write("12 13 0.5\n12 14 0.25\n"), trials=write("12 13 target\n12 14 0\n", "t")
    )

    assert table.score.tolist() == [0.5, 0.25]


def test_other_columns_of_bob_are_metadata(write):
    path = write(
        "probe_template_id,probe_subject_id,probe_gender,bio_ref_template_id,"
        "bio_ref_subject_id,probe,score\np1,ann,f,a,ann,x,1.5\np2,bob,m,a,ann,y,0.5\n"
    )

    table, metadata = read_with_metadata(path)

    assert {name: column.tolist() for name, column in metadata.items()} == {
        "probe_gender": ["f", "m"],
        "probe": ["x", "y"],
    }
    assert table.probe.tolist() == ["p1", "p2"]


FORMS = ["voxsrc", "kaldi", "wespeaker", "espnet", "espnet, no labels"]


@pytest.mark.parametrize("form", FORMS)
def test_forms_without_speakers_are_written(write, tmp_path, form):
    listed = write(LIST, "list.txt")
    table = read_scores(
        write("0.5 x/1.wav x/2.wav\n-1 x/1.wav y/1.wav\nnan z/9.wav y/1.wav\n"),
        trials=listed,
    )

    path = write_scores(tmp_path / "again", table, form=form)

    again = read_scores(path, trials=listed)
    assert again.is_target.tolist() == table.is_target.tolist()
    np.testing.assert_array_equal(again.score, table.score)
    expected = {
        "voxsrc": "0.50000000 x/1.wav x/2.wav",
        "kaldi": "x/1.wav x/2.wav 0.50000000",
        "wespeaker": "x/1.wav x/2.wav 0.50000000 target",
        "espnet": "x/1.wav*x/2.wav 0.50000000 1",
        "espnet, no labels": "x/1.wav*x/2.wav 0.50000000",
    }[form]
    assert path.read_text().splitlines()[0] == expected


def test_a_star_parts_the_names_of_espnet(write, tmp_path):
    table = read_score_file(write("a*b c 1\n"), unlabelled=True).table

    with pytest.raises(ScoreFileError, match="parts both names"):
        write_scores(tmp_path / "again", table, form="espnet, no labels")


@pytest.mark.parametrize("text", ["1 a b\n0.5 c a\n", "a b 1\nc a 0.5\n"])
def test_without_labels_each_name_is_a_speaker(write, text):
    table = read_score_file(write(text), unlabelled=True).table

    assert table.score.tolist() == [1, 0.5]
    assert table.claimed.tolist() == table.model.tolist() == ["a", "c"]
    assert table.real.tolist() == table.probe.tolist() == ["b", "a"]


def test_missing_labels_are_an_error_of_their_own(write):
    """Also where the list is that of other trials, and not where it knows some."""
    listed = write(LIST, "list.txt")
    with pytest.raises(UnlabelledError):
        read_scores(write("0.5 a b\n"))
    with pytest.raises(UnlabelledError, match="a with b is not in"):
        read_scores(write("0.5 a b\n"), trials=listed)

    with pytest.raises(ScoreFileError) as raised:
        read_scores(write("0.5 a b\n0.1 x/1.wav x/2.wav\n"), trials=listed)

    assert not isinstance(raised.value, UnlabelledError)


@pytest.mark.parametrize("form", ["four", "five", "csv", "wespeaker", "kaldi"])
@pytest.mark.parametrize("arrow", [True, False])
def test_scores_in_pieces_are_those_of_the_table(tmp_path, monkeypatch, form, arrow):
    monkeypatch.setattr(columns, "SMALLEST_FILE", 0 if arrow else 1 << 40)
    monkeypatch.setattr(columns, "BLOCK_BYTES", 300)
    generator = np.random.default_rng(0)
    table = ScoreTable.from_matrix(
        generator.normal(size=(4, 25)).round(6),
        references=[f"id1000{i}/r" for i in range(4)],
        reference_subjects=[f"id1000{i}" for i in range(4)],
        probes=[f"id1000{i % 5}/{i}" for i in range(25)],
        probe_subjects=[f"id1000{i % 5}" for i in range(25)],
    )
    path = write_scores(tmp_path / "scores", table, form=form)

    pieces = list(labelled_scores(path))

    scores, targets = (np.concatenate(column) for column in zip(*pieces, strict=True))
    np.testing.assert_array_equal(scores, table.score)
    np.testing.assert_array_equal(targets, table.is_target)
    assert len(pieces) > 1 or not arrow


def test_an_empty_file_has_no_pieces_either(write):
    header = ",".join(CSV_COLUMNS.values())

    with pytest.raises(ScoreFileError, match="holds no trial"):
        list(labelled_scores(write(f"{header}\n")))


def test_a_list_of_trials_is_no_score_file_in_pieces_either(write):
    with pytest.raises(ScoreFileError, match="is a list of trials"):
        list(labelled_scores(write("1 id10270/v/1.wav id10270/w/1.wav\n")))


@pytest.mark.parametrize(
    "scores",
    [
        "0.5 zo\u00e9/1 zo\u00e9/2\n0.1 zo\u00e9/1 ann/1\n",
        "0.5 zoe\u0301/1 zoe\u0301/2\n0.1 zoe\u0301/1 ann/1\n",
        "0.5 zo\u00e9\\1.wav zo\u00e9\\2.wav\n0.1 zo\u00e9\\1.wav ann\\1.wav\n",
        "0.5 zo\u00e9/1.m4a zo\u00e9/2.m4a\n0.1 zo\u00e9/1.m4a ann/1.m4a\n",
    ],
    ids=["composed", "decomposed", "Windows", "other suffix"],
)
def test_names_are_those_of_the_list_however_systems_write_them(write, scores):
    listed = write("1 zoe\u0301/1 zoe\u0301/2\n0 zoe\u0301/1 ann/1\n", "list.txt")

    assert read_scores(write(scores), trials=listed).is_target.tolist() == [True, False]
