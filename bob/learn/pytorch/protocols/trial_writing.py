"""Any database written in the form of another toolkit.

=============  ==================================================================
form           what is written into the folder
=============  ==================================================================
``bob``        the CSV protocol of `csv_writing`
``voxceleb``   ``<group>.txt``: ``1 a.wav b.wav``
``kaldi``      ``<group>/trials`` and ``<group>/{enroll,test}/`` with ``wav.scp``,
               ``utt2spk`` and ``spk2utt``; ``enroll/utt2spk`` names references
``wespeaker``  ``wav.scp``, ``utt2spk``, ``spk2utt``, ``trials/<group>.kaldi``
``espnet``     ``<group>/{trial.scp,trial2.scp,trial_label}`` and the data folder
``sre``        ``<group>_{enrollment,trials,trial_key,segment_key}.tsv``
=============  ==================================================================

All are read again by `as_database`, with the same trials and labels. Speakers are as
far as the form tells them: in ``voxceleb`` only labels do. Metadata of recordings and
of trials have a place in ``bob`` and ``sre``; the other forms leave them out.
"""

from __future__ import annotations

import os
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from bob.learn.pytorch.protocols.formats.csv_writing import (
    all_pairs,
    common_folder,
    relative_to,
    replacing,
    write_csv_protocol,
)
from bob.learn.pytorch.protocols.formats.kaldi import plain_path
from bob.learn.pytorch.protocols.formats.sre_tables import refuse_titles
from bob.learn.pytorch.protocols.formats.trial_lists import LABELS
from bob.learn.pytorch.protocols.line_fields import in_line
from bob.learn.pytorch.protocols.text_lines import is_utf_8
from bob.learn.pytorch.protocols.trials import (
    Database,
    DatabaseError,
    Probe,
    Recording,
    Reference,
    Trials,
    trial_columns,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from bob.learn.pytorch.metrics import Names

    Columns: TypeAlias = Mapping[str, Mapping[str, Names]]

Form: TypeAlias = Literal["bob", "voxceleb", "kaldi", "wespeaker", "espnet", "sre"]
FORMS: tuple[str, ...] = get_args(Form)

SRE_COLUMNS = ("modelid", "segmentid", "side")
_WORDS = {True: "target", False: "nontarget"}


def convert(
    database: Database, folder: str | os.PathLike[str], *, form: str
) -> dict[str, Path]:
    """Write a database in another form.

    Parameters
    ----------
    database : Database
        What to write.
    folder : path
        Is made; files of these names are replaced, each whole or not at all.
    form : {"bob", "voxceleb", "kaldi", "wespeaker", "espnet", "sre"}
        See the top of this module.

    Returns
    -------
    dict of str to Path
        For each group what `as_database` reads (for ``bob`` always the folder).

    Raises
    ------
    DatabaseError
        If the form cannot say what the database says: a reference of several recordings
        in a list of pairs, a probe of several, a name with white space.
    """
    return convert_from(database, folder, form=form)[0]


def convert_from(
    database: Database, folder: str | os.PathLike[str], *, form: str
) -> tuple[dict[str, Path], Path | None]:
    """As `convert`, and what paths in lists are seen from; None if absolute."""
    root = Path(folder).resolve()
    if form == "bob":
        write_csv_protocol(database, root)
        return dict.fromkeys(database.groups(), root), None
    if form not in FORMS:
        raise DatabaseError(f"form {form!r}; expected one of {', '.join(FORMS)}")
    groups = {group: database.trials(group) for group in database.groups()}
    for trials in groups.values():
        _check_probes(trials, form)
        if form in ("voxceleb", "wespeaker", "espnet"):
            _check_references(trials, form)
    if form == "sre":
        columns = {group: trial_columns(database, group) for group in groups}
        return _sre(root, groups, columns), _everything(groups)[1]
    start = _everything(groups)[1] if form == "voxceleb" else None
    return _WRITERS[form](root, groups), start


def _check_probes(trials: Trials, form: str) -> None:
    for probe in trials.probes:
        if len(probe.recordings) != 1:
            raise DatabaseError(
                f"probe {probe.id!r} has {len(probe.recordings)} recordings; {form} "
                "tests one at a time: convert to bob instead"
            )


def _check_references(trials: Trials, form: str) -> None:
    for reference in trials.references:
        if len(reference.recordings) != 1:
            raise DatabaseError(
                f"reference {reference.id!r} is enrolled with "
                f"{len(reference.recordings)} recordings; a list of {form} compares "
                "single ones: convert to bob, kaldi or sre instead"
            )


def _listed(trials: Trials) -> Iterator[tuple[Reference, Probe, bool]]:
    for reference, probes in zip(trials.references, all_pairs(trials), strict=True):
        for index in probes.tolist():
            probe = trials.probes[index]
            yield reference, probe, reference.subject == probe.subject


def _voxceleb(root: Path, groups: Mapping[str, Trials]) -> dict[str, Path]:
    written = {}
    spelled = _spelled(groups)
    for group, trials in groups.items():
        lines = (
            f"{int(target)} {in_line(spelled[reference.recordings[0].key])} "
            f"{in_line(_no_label(spelled[probe.recordings[0].key]))}"
            for reference, probe, target in _listed(trials)
        )
        written[group] = _write(root / f"{group}.txt", lines)
    return written


def _sre(root: Path, groups: Mapping[str, Trials], columns: Columns) -> dict[str, Path]:
    written = {}
    spelled = _spelled(groups)
    for group, trials in groups.items():
        enrolment = (
            (_one_word(reference.id), spelled[item.key], "a")
            for reference in trials.references
            for item in reference.recordings
        )
        _write_table(root / f"{group}_enrollment.tsv", SRE_COLUMNS, enrolment)
        _write_table(
            root / f"{group}_segment_key.tsv", *_segments(trials.recordings(), spelled)
        )
        rows = [
            ((reference.id, spelled[probe.recordings[0].key], "a"), _WORDS[target])
            for reference, probe, target in _listed(trials)
        ]
        _write_table(
            root / f"{group}_trials.tsv", SRE_COLUMNS, (row for row, _ in rows)
        )
        refuse_titles(columns[group])
        known = list(zip(*(column.tolist() for column in columns[group].values())))  # noqa: B905 - there may be none
        written[group] = _write_table(
            root / f"{group}_trial_key.tsv",
            (*SRE_COLUMNS, "targettype", *columns[group]),
            (
                (*row, word, *more)
                for (row, word), more in zip(rows, known or repeat(()), strict=False)
            ),
        )
    return written


def _segments(
    recordings: Iterable[Recording], spelled: Mapping[str, str]
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Titles and rows of what is known of recordings."""
    every = list(recordings)
    titles = dict.fromkeys(title for item in every for title in item.metadata)
    refuse_titles(titles)
    return ("segmentid", "subjectid", *titles), [
        (
            spelled[item.key],
            item.subject,
            *(item.metadata.get(title, "") for title in titles),
        )
        for item in every
    ]


def _write_table(
    path: Path, titles: Sequence[str], rows: Iterable[Sequence[str]]
) -> Path:
    return _write(path, ("\t".join(map(_field, row)) for row in (titles, *rows)))


def _field(text: str) -> str:
    parted = "\t" in text or len(text.splitlines()) > 1
    if parted or text != text.strip() or not is_utf_8(text):
        raise DatabaseError(
            f"{text!r} cannot stand in a table in UTF-8 whose columns are parted by "
            "tabs; rename it, or convert to bob"
        )
    return text


def _kaldi(root: Path, groups: Mapping[str, Trials]) -> dict[str, Path]:
    written = {}
    _everything(groups)
    for group, trials in groups.items():
        folder = root / group
        enrolled = _enrolled_once(trials)
        _write_data(
            folder / "enroll",
            {item.key: item for r in trials.references for item in r.recordings},
            enrolled,
        )
        probed = {item.key: item for p in trials.probes for item in p.recordings}
        _write_data(folder / "test", probed, _subjects(probed.values()))
        _refuse_self_trials(trials)
        lines = (
            f"{in_line(_first_word(reference.id))} "
            f"{in_line(probe.recordings[0].key)} {_WORDS[target]}"
            for reference, probe, target in _listed(trials)
        )
        written[group] = _write(folder / "trials", lines)
    return written


def _enrolled_once(trials: Trials) -> dict[str, str]:
    """Utterance -> the reference that it enrols, which must be one."""
    enrolled: dict[str, str] = {}
    for reference in trials.references:
        for item in reference.recordings:
            other = enrolled.setdefault(item.key, reference.id)
            if other != reference.id:
                raise DatabaseError(
                    f"{item.key!r} enrols {other!r} and {reference.id!r}; in a Kaldi "
                    "folder a recording enrols one: convert to bob or sre instead"
                )
    for reference in trials.references:
        if enrolled.get(reference.id, reference.id) != reference.id:
            raise DatabaseError(
                f"reference {reference.id!r} is called like a recording that enrols "
                f"{enrolled[reference.id]!r}: rename it, or convert to bob or sre"
            )
    return enrolled


def _refuse_self_trials(trials: Trials) -> None:
    """Kaldi's readers enrol a speaker with all utterances, that under test too."""
    for reference, probe, _ in _listed(trials):
        if (
            len(reference.recordings) > 1
            and probe.recordings[0] in reference.recordings
        ):
            raise DatabaseError(
                f"{probe.id!r} is compared with {reference.id!r}, which it enrols with "
                "others; Kaldi has no such trial: take it out, or convert to bob or sre"
            )


def _wespeaker(root: Path, groups: Mapping[str, Trials]) -> dict[str, Path]:
    found, _ = _everything(groups)
    _write_data(root, found, _subjects(found.values()))
    return {
        group: _write(
            root / "trials" / f"{group}.kaldi",
            (
                f"{in_line(_first_word(reference.recordings[0].key))} "
                f"{in_line(probe.recordings[0].key)} {_WORDS[target]}"
                for reference, probe, target in _listed(trials)
            ),
        )
        for group, trials in groups.items()
    }


def _espnet(root: Path, groups: Mapping[str, Trials]) -> dict[str, Path]:
    _everything(groups)
    for group, trials in groups.items():
        found = {item.key: item for item in trials.recordings()}
        for key in found:
            if "*" in key:
                raise DatabaseError(f"{key!r}: ESPnet parts names by *; rename it")
        _write_data(root / group, found, _subjects(found.values()))
        rows = [
            (reference.recordings[0], probe.recordings[0], target)
            for reference, probe, target in _listed(trials)
        ]
        texts: dict[str, Callable[[Recording, Recording, bool], object]] = {
            "trial.scp": lambda one, _, __: _absolute(one),
            "trial2.scp": lambda _, other, __: _absolute(other),
            "trial_label": lambda _, __, target: int(target),
        }
        for name, text in texts.items():
            _write(
                root / group / name,
                (f"{row[0].key}*{row[1].key} {text(*row)}" for row in rows),
            )
    return {group: root / group for group in groups}


_WRITERS = {
    "voxceleb": _voxceleb,
    "kaldi": _kaldi,
    "wespeaker": _wespeaker,
    "espnet": _espnet,
}


def _everything(groups: Mapping[str, Trials]) -> tuple[dict[str, Recording], Path]:
    """Every recording by its key, which must be its own, and the folder of all."""
    found = [item for trials in groups.values() for item in trials.recordings()]
    return {item.key: item for item in found}, common_folder(found)


def _spelled(groups: Mapping[str, Trials]) -> dict[str, str]:
    """Key -> path as seen from the folder of all recordings."""
    found, start = _everything(groups)
    return {key: _one_word(relative_to(item, start)) for key, item in found.items()}


def _one_word(name: str) -> str:
    if name.split() != [name] or not is_utf_8(name):
        raise DatabaseError(
            f"{name!r} cannot stand in a list in UTF-8 parted by spaces; rename it, or "
            "convert to bob"
        )
    return name


def _no_label(name: str) -> str:
    """A name that does not make the last column one of labels."""
    if name in LABELS:
        raise DatabaseError(
            f"{name!r} is a label in a list of trials; rename it, or convert to bob"
        )
    return name


def _first_word(name: str) -> str:
    """A name that may begin a line: one with # is a comment."""
    if name.startswith("#"):
        raise DatabaseError(
            f"{name!r} begins a comment in a list; rename it, or convert to bob"
        )
    return _one_word(name)


def _subjects(recordings: Iterable[Recording]) -> dict[str, str]:
    return {item.key: item.subject for item in recordings}


def _absolute(recording: Recording) -> str:
    path = os.path.abspath(str(recording.path))  # noqa: PTH100 - three times as fast
    if path != path.strip() or len(path.splitlines()) > 1:
        raise DatabaseError(
            f"{path!r} cannot stand in a list of paths; rename it, or convert to bob"
        )
    return plain_path(path, recording.key)


def _write_data(
    folder: Path, recordings: Mapping[str, Recording], speakers: Mapping[str, str]
) -> None:
    """``wav.scp``, ``utt2spk``, ``spk2utt``, sorted by bytes as Kaldi wants them."""
    keys = sorted(recordings, key=_bytes)
    for name in (*keys, *dict.fromkeys(speakers[key] for key in keys)):
        _one_word(name)
    _write(folder / "wav.scp", (f"{key} {_absolute(recordings[key])}" for key in keys))
    _write(folder / "utt2spk", (f"{key} {speakers[key]}" for key in keys))
    spoken: dict[str, list[str]] = {}
    for key in keys:
        spoken.setdefault(speakers[key], []).append(key)
    _write(
        folder / "spk2utt",
        (f"{name} {' '.join(spoken[name])}" for name in sorted(spoken, key=_bytes)),
    )


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _write(path: Path, lines: Iterable[str]) -> Path:
    with replacing(path) as file:
        file.writelines(f"{line}\n" for line in lines)
    return path
