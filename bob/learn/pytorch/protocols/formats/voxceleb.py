"""VoxCeleb1's lists of trials, called by what they are.

Papers report on the original and on the cleaned lists under one name, and the files are
called ``veri_test2.txt`` or ``vox1_O_cleaned.kaldi``. How many trials there are tells
them apart.

References
----------
Nagrani, Chung, Xie and Zisserman, "VoxCeleb: Large-scale speaker verification in the
wild", Computer Speech & Language 60, 2020, table 7 (counts of the original lists);
https://www.robots.ox.ac.uk/~vgg/data/voxceleb/vox1.html (the cleaned ones).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bob.learn.pytorch.protocols.formats.trial_lists import TrialList

#: Count of trials -> list.
LISTS = {
    37_720: "VoxCeleb1-O, original",
    37_611: "VoxCeleb1-O, cleaned",
    581_480: "VoxCeleb1-E, original",
    579_818: "VoxCeleb1-E, cleaned",
    552_536: "VoxCeleb1-H, original",
    550_894: "VoxCeleb1-H, cleaned",
}

_FILES = {
    "veri_test": "VoxCeleb1-O, original",
    "veri_test2": "VoxCeleb1-O, cleaned",
    "list_test_all": "VoxCeleb1-E, original",
    "list_test_all2": "VoxCeleb1-E, cleaned",
    "list_test_hard": "VoxCeleb1-H, original",
    "list_test_hard2": "VoxCeleb1-H, cleaned",
    "vox1_o_cleaned": "VoxCeleb1-O, cleaned",
    "vox1_e_cleaned": "VoxCeleb1-E, cleaned",
    "vox1_h_cleaned": "VoxCeleb1-H, cleaned",
}

#: id10270/x6uYqmx31kE/00001, in whichever way its parts are joined.
_NAME = re.compile(r"id1\d{4}.[\w-]{11}.\d{5}(\.\w+)?$")


def about(listed: TrialList) -> tuple[str, ...]:
    """In words, which of VoxCeleb's lists this is; empty if it is none.

    A list that is called like one of them and has another count of trials is told as
    well: the figures are not those of the list.
    """
    ends = (*listed.enrolled[:3], *listed.tested[:3])
    if not all(_NAME.search(name) for name in ends):
        return ()
    count = len(listed.target)
    found = LISTS.get(count)
    called = _FILES.get(listed.path.stem.lower())
    notes = [f"{found}: {count} trials"] if found else []
    if called is not None and called != found:
        expected = next(n for n, name in LISTS.items() if name == called)
        notes.append(
            f"{listed.path.name} is the name of {called}, which has {expected} trials; "
            f"this list has {count}"
        )
    return tuple(notes)
