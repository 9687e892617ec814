from bob.learn.pytorch.printing import printable


def test_no_letter_of_a_name_is_hidden_and_blanks_stay():
    # Without width, soft hyphen, tag, byte order mark: none of them shows.
    hidden = "a\u200bb\u200dc\xadd\U000e0061e\ufefff"

    shown = printable(hidden)

    assert shown == "a\\u200bb\\u200dc\\xadd\\U000e0061e\\ufefff"
    # Screenshots of macOS have a narrow blank, names in Japanese a wide one.
    assert printable("9\u202fPM 東\u3000京 a\xa0b") == "9\u202fPM 東\u3000京 a\xa0b"
