"""Lists of trials between paths: ``1 a.wav b.wav`` or ``a.wav b.wav target``.

A blind list, such as that of a challenge, has the two names alone. Fields are parted by
white space; names with blanks stand between tabs, in quotes, or in a table with a
headline::

   1<tab>anna b/1.wav<tab>anna b/2.wav
   1 "anna b/1.wav" "anna b/2.wav"
   label,enrol,test
   1,anna b/1.wav,anna b/2.wav

NeMo's manifests of pairs have an object of JSON a line.
"""

from __future__ import annotations

import csv
import json
import logging
import os
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bob.learn.pytorch.audio.paths import is_from_windows, without_backslashes
from bob.learn.pytorch.files import refuse_other_files
from bob.learn.pytorch.protocols.columns import is_number, read_columns
from bob.learn.pytorch.protocols.lines import text_lines
from bob.learn.pytorch.protocols.listed import (
    LABELS,
    WORDS,
    ListedTrials,
    Named,
    TrialList,
    first_folder,
)
from bob.learn.pytorch.protocols.names import (
    audio_suffix,
    existing_spelling,
    readable_spelling,
    recording_keys,
    relative_paths,
    safe_name,
)
from bob.learn.pytorch.protocols.trials import DatabaseError, Recording
from bob.learn.pytorch.protocols.writing import (
    Written,
    each_trial,
    groups_of_singles,
    in_line,
    spelled_paths,
    write_lines,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bob.learn.pytorch.metrics import Names
    from bob.learn.pytorch.protocols.trials import Database

logger = logging.getLogger(__name__)

_WORDS = frozenset(LABELS) - {"1", "0"}
_EXPECTED = "a list of trials like '1 a.wav b.wav'"
_BLIND = ("enrolled", "tested")
_OF_DATA_FOLDERS = ("utt2spk", "spk2utt", "wav.scp")

#: Names of the columns of a table of trials, in small letters.
_TITLES = {
    **dict.fromkeys(("label", "target", "key"), "label"),
    **dict.fromkeys(
        ("enrol", "enroll", "enrolled", "enrolment", "reference", "model"), "enrolled"
    ),
    **dict.fromkeys(("test", "tested", "probe"), "tested"),
}
_DELIMITERS = (",", ";", "\t", " ")


def is_it(path: Path) -> bool:
    """Return whether a file begins with a trial and its label, or with a headline."""
    try:
        grammar = _grammar(path)
    except DatabaseError:
        return False
    return bool(grammar.headline) or "label" in grammar.columns


def read(
    path: Path,
    *,
    protocol: str | None = None,
    original_directory: str | os.PathLike[str] | None = None,
) -> TrialListDatabase:
    """Read a list of trials as the group ``dev``; see `TrialListDatabase`."""
    return TrialListDatabase(
        {"dev": path}, protocol=protocol, original_directory=original_directory
    )


def write(database: Database, folder: Path) -> Written:
    """Write ``<group>.txt``, with paths as seen from the folder of all recordings."""
    groups = groups_of_singles(database, "voxceleb")
    spelled, start = spelled_paths(groups)
    written = Written(seen_from=start)
    for group, trials in groups.items():
        lines = (
            f"{int(target)} {in_line(spelled[reference.recordings[0].key])} "
            f"{in_line(_no_label(spelled[probe.recordings[0].key]))}"
            for reference, probe, target in each_trial(trials)
        )
        written[group] = write_lines(folder / f"{group}.txt", lines)
    return written


def _no_label(name: str) -> str:
    """Return a name that does not make the last column one of labels."""
    if name in LABELS:
        raise DatabaseError(
            f"{name!r} is a label in a list of trials; rename it, or convert to bob"
        )
    return name


class TrialListDatabase(ListedTrials):
    """Trials between recordings that are named by their paths.

    Every recording that enrols is a reference of its own. Its subject is the first
    folder of its path if that explains all labels (VoxCeleb's ``id10270/…``);
    otherwise recordings are of one speaker when target trials join them, and of nobody
    in a blind list. Spellings of one path are one recording, and absolute paths count
    from the folder they share. Where the first recording is not there, but is with
    another suffix of a recording, or with one at all, all are looked for with that:
    the lists of VoxCeleb2 name files that have to be converted.

    Parameters
    ----------
    lists : mapping of str to TrialList or path
        A list for each group; one list alone is commonly ``dev``.
    protocol : str, optional
        Names the results; default: the name of the first list.
    original_directory : path, optional
        Folder that the paths are relative to. Default: that of the first list, or
        ``wav`` in it if the first recording is found there only.
    """

    def __init__(
        self,
        lists: Mapping[str, TrialList | str | os.PathLike[str]],
        *,
        protocol: str | None = None,
        original_directory: str | os.PathLike[str] | None = None,
    ) -> None:
        found = {
            group: item if isinstance(item, TrialList) else read_trial_list(item)
            for group, item in lists.items()
        }
        first = next(iter(found.values()))
        super().__init__(
            found,
            name=first.path.stem,
            protocol=protocol,
            original_directory=original_directory or _folder_of_recordings(first),
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """VoxCeleb's lists among these, and the suffix of the files."""
        if self._suffixes is None:
            return super().notes
        listed, found = self._suffixes
        return (
            *super().notes,
            f"recordings are looked for as {found}, and the list has "
            f"{listed or 'no suffix'}",
        )

    def _named(self, listed: TrialList) -> Named:
        listed = listed.renamed(self._relative)
        # A path that is parsed once takes half as long as a folder and a name.
        placed = partial(os.path.join, self.original_directory or "")
        recordings = {
            name: Recording(
                self._keys[name],
                Path(placed(self._file_name(self._spelled[name]))),
                safe_name(first_folder(name)),
            )
            for name in dict.fromkeys((*listed.enrolled, *listed.tested))
        }
        return Named(
            listed, {name: [recordings[name]] for name in listed.enrolled}, recordings
        )

    def _identity(self, name: str, recordings: Sequence[Recording]) -> str:  # noqa: ARG002
        return name

    def _id(self, name: str, recordings: Sequence[Recording]) -> str:  # noqa: ARG002
        return recordings[0].key

    @cached_property
    def _relative(self) -> dict[str, str]:
        names: dict[str, None] = {}
        for listed in self._lists.values():
            names.update(dict.fromkeys((*listed.enrolled, *listed.tested)))
        return relative_paths(names, folder=self.original_directory or "")

    @cached_property
    def _spelled(self) -> dict[str, str]:
        """Each recording -> the first spelling in the list, which is opened."""
        spelled: dict[str, str] = {}
        for name, relative in self._relative.items():
            spelled.setdefault(relative, name)
        return spelled

    @cached_property
    def _suffixes(self) -> tuple[str, str] | None:
        """The suffix in the list, and that of the files; None where it is the same."""
        first = next(iter(self._spelled.values()))
        found = readable_spelling(Path(self.original_directory or ""), first)
        if found is None or audio_suffix(found) == audio_suffix(first):
            return None
        return audio_suffix(first), audio_suffix(found)

    def _file_name(self, name: str) -> str:
        listed, found = self._suffixes or ("", "")
        if found and audio_suffix(name) == listed:
            name = name.removesuffix(listed) + found
        return existing_spelling(Path(self.original_directory or ""), name)

    @cached_property
    def _keys(self) -> dict[str, str]:
        return recording_keys(self._spelled)


def _folder_of_recordings(listed: TrialList) -> Path:
    folder = listed.path.absolute().parent
    below = folder / "wav"
    first = listed.enrolled[0]
    if readable_spelling(folder, first) or not readable_spelling(below, first):
        return folder
    return below


def read_trial_list(path: str | os.PathLike[str]) -> TrialList:
    """Read a list of trials: a label and two names a line, the label first or last.

    Labels are 1 and 0, target and nontarget, or tgt and imp. Lines of two names make a
    blind list. Empty lines and lines that begin with ``#`` are passed over. See the top
    of this module for names with blanks. Backslashes of Windows are read as slashes,
    unless there is a file of that very name.

    Raises
    ------
    DatabaseError
        A line is of another form, with its number.
    """
    path = Path(path)
    refuse_other_files(path, expected=_EXPECTED, error=DatabaseError)
    if path.name in _OF_DATA_FOLDERS:
        raise DatabaseError(
            f"{path} is part of a data folder of Kaldi; expected {_EXPECTED}, or the "
            f"folder ({path.parent})"
        )
    grammar = _grammar(path)
    table = read_columns(
        path,
        grammar.columns,
        _rows(path, grammar),
        fits=partial(_is_plain, grammar=grammar),
    )
    if not len(table):
        raise _empty(path)
    return _with_slashes(TrialList.of(table))


def _empty(path: Path) -> DatabaseError:
    return DatabaseError(f"{path} holds no trial; expected lines like '1 a.wav b.wav'")


def _with_slashes(listed: TrialList) -> TrialList:
    names = dict.fromkeys((*listed.enrolled, *listed.tested))
    first = next(filter(is_from_windows, names), None)
    folder = listed.path.absolute().parent
    if first is None or any(
        (place / first).exists() for place in (folder, folder / "wav")
    ):
        return listed
    logger.warning(
        "%s has paths of Windows, such as %s; their backslashes are read as slashes",
        listed.path, first,
    )  # fmt: skip
    return listed.renamed({name: without_backslashes(name, folder) for name in names})


class _Grammar(NamedTuple):
    """The columns of a list, and the number and delimiter of its headline, if any."""

    columns: tuple[str | None, ...]
    headline: int = 0
    delimiter: str = ""


def label_leads(path: Path) -> bool:
    """Return whether the label leads, as in VoxCeleb, or ends the line, as in Kaldi."""
    return _grammar(path).columns[0] == "label"


def is_table(path: Path) -> bool:
    """Return whether a file begins with the headline of a table of trials."""
    for _, line in text_lines(path, expected=_EXPECTED):
        return _headline(line) is not None
    return False


def _grammar(path: Path) -> _Grammar:
    """Tell the columns from the first line that is no comment."""
    for number, line in _uncommented(path):
        if (found := _headline(line)) is not None:
            return _Grammar(found[1], number, found[0])
        return _Grammar(_columns(_fields(line), where=f"{path}:{number}"))
    raise _empty(path)


def _uncommented(path: Path) -> Iterator[tuple[int, str]]:
    for number, line in text_lines(path, expected=_EXPECTED):
        if not line.lstrip().startswith("#"):
            yield number, line


def _rows(path: Path, grammar: _Grammar) -> Iterator[tuple[int, list[str]]]:
    """Yield number and fields of each trial."""
    columns, headline, delimiter = grammar
    first = ""
    for number, line in _uncommented(path):
        if number <= headline:
            first = line.strip()
            continue
        fields = _parted(line, delimiter) if headline else _fields(line)
        if len(fields) != len(columns):
            if not headline:
                raise _bad_line(fields, f"{path}:{number}", columns)
            raise DatabaseError(
                f"{path}:{number}: {len(fields)} fields, expected {len(columns)}: "
                f"{first}; a field with {delimiter!r} in it stands in quotes"
            )
        label = dict(zip(columns, fields, strict=True)).get("label", "0")
        if label not in LABELS:
            raise _bad_line(fields, f"{path}:{number}", columns)
        yield number, fields


def _is_plain(found: Mapping[str, Names], grammar: _Grammar) -> bool:
    """Return whether reading line by line would find the same fields and labels."""
    labels = found["label"].distinct if "label" in found else ()
    quoted = any(_is_quoted(name) for side in _BLIND for name in found[side].distinct)
    return not grammar.headline and not quoted and LABELS.keys() >= set(labels)


def _headline(line: str) -> tuple[str, tuple[str | None, ...]] | None:
    """Return the delimiter and the columns of a table; None for another line."""
    for delimiter in _DELIMITERS:
        titles = _parted(line, delimiter)
        columns = tuple(_TITLES.get(title.lower()) for title in titles)
        if columns.count("enrolled") == columns.count("tested") == 1:
            return delimiter, columns
    return None


def _columns(fields: Sequence[str], *, where: str) -> tuple[str, ...]:
    """Tell the columns from the fields of the first line."""
    if len(fields) == 3:
        if fields[2] in _WORDS or (fields[2] in LABELS and fields[0] not in LABELS):
            return (*_BLIND, "label")
        if fields[0] in LABELS:
            return ("label", *_BLIND)
    # A * parts both names in ESPnet's lists, whose second column is none.
    if len(fields) == 2 and "*" not in fields[0] and fields[0] not in LABELS:
        # Recordings may be called by numbers; then both are, and without a point.
        one, other = fields
        if not is_number(other) or (one.isdecimal() and other.isdecimal()):
            return _BLIND
    raise _bad_line(fields, where, ())


def _bad_line(
    fields: Sequence[str], where: str, columns: Sequence[str | None]
) -> DatabaseError:
    expected = "'1 a.wav b.wav' (VoxCeleb) or 'a.wav b.wav target' (Kaldi)"
    if columns:
        expected = "'{}' like the lines before".format(
            " ".join(f"<{name}>" for name in columns)
        )
    labels = f", with a label out of {', '.join(WORDS)}" if columns != _BLIND else ""
    blanks = (
        '; names with blanks stand between tabs, in quotes (1 "my a.wav" b.wav), or in '
        "CSV below the headline label,enrol,test"
        if len(fields) > len(columns or "123")
        else ""
    )
    return DatabaseError(
        f"{where}: {' '.join(fields)!r}; expected {expected}{labels}: correct the line"
        f"{blanks}"
    )


def _fields(line: str) -> list[str]:
    """Return the fields of a line, two or three where that can be."""
    if (pair := _pair_of_nemo(line)) is not None:
        return pair
    fields = line.split()
    if len(fields) <= 3:
        return [_unquoted(field) for field in fields] if '"' in line else fields
    parts = [part.strip() for part in line.strip().split("\t")]
    if len(parts) in (2, 3):
        return [_unquoted(part) for part in parts]
    return _parted(line, " ") if '"' in line else fields


def _pair_of_nemo(line: str) -> list[str] | None:
    """Read ``{"audio_filepath": ["a.wav", "b.wav"], "label": "1"}`` of NeMo."""
    if not line.startswith("{"):
        return None
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    names = entry.get("audio_filepath")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return None
    label = entry.get("label")
    return names if label is None else [str(label), *names]


def _parted(line: str, delimiter: str) -> list[str]:
    rows = csv.reader([line.strip()], delimiter=delimiter, skipinitialspace=True)
    fields = next(islice(rows, 1), [])
    return [field.strip() for field in fields if field or delimiter != " "]


def _is_quoted(field: str) -> bool:
    return len(field) > 1 and field[0] == field[-1] == '"'


def _unquoted(field: str) -> str:
    return field[1:-1].replace('""', '"') if _is_quoted(field) else field
