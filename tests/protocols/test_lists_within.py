"""Lists that are found in a folder of none of speakers."""

from bob.learn.pytorch.protocols.formats.folder import lists_within


def test_what_can_be_read_is_found_and_nothing_else(tmp_path):
    for name, text in (
        ("dev/trials", "a b target\n"),
        ("dev/enroll/wav.scp", "a a.wav\n"),
        ("list.txt", "# of ours\n1 a b\n"),
        ("readme.txt", "what is here\n"),
        ("empty.txt", ""),
        ("sound.lst", "\udc80"),
        ("eval_trials.tsv", "modelid\tsegmentid\tside\nm\ts\ta\n"),
        ("eval_enrollment.tsv", "modelid\tsegmentid\tside\nm\ts\ta\n"),
        ("eval_segment_key.tsv", "segmentid\tsubjectid\ns\tann\n"),
        ("espnet/trial_label", "a*b 1\n"),
        ("p/dev/for_enrolling.csv", "path,subject_id,template_id\n"),
        (".hidden.txt", "1 a b\n"),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, errors="surrogateescape")

    found = lists_within(tmp_path, most=99)

    assert {str(path.relative_to(tmp_path)) for path in found} == {
        "dev/trials", "list.txt", "eval_trials.tsv", "espnet", "p",
    }  # fmt: skip


def test_the_list_with_its_labels_comes_first(tmp_path):
    for name in ("dev_trials.tsv", "dev_trial_key.tsv"):
        (tmp_path / name).write_text("modelid\tsegmentid\tside\nm\ts\ta\n")

    assert lists_within(tmp_path, most=1) == (tmp_path / "dev_trial_key.tsv",)
