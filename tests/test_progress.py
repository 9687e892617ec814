import logging

from bob.learn.pytorch import progress


def test_every_item_comes_through_in_order(capsys):
    assert list(progress.track([3, 1, 2], "counting", total=3)) == [3, 1, 2]
    assert capsys.readouterr().err == ""


def test_a_long_loop_says_in_plain_lines_how_far_it_is(monkeypatch, caplog):
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))

    with caplog.at_level(logging.INFO):
        list(progress.track(list(range(4)), "counting", total=4))

    assert [record.getMessage() for record in caplog.records] == [
        "counting: 1 of 4",
        "counting: 2 of 4, 20 s remaining",
        "counting: 3 of 4, 10 s remaining",
    ]


def test_a_terminal_gets_a_bar(monkeypatch, capsys):
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True, raising=False)

    list(progress.track(list(range(3)), "counting", total=3))

    assert "3/3" in capsys.readouterr().err
