"""Result folders and score files -> the systems of a report."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bob.learn.pytorch.metrics import Names, ScoreTable
    from bob.learn.pytorch.report.systems import FailedRecording, System

_GROUPS = ("dev", "eval", "train", "world")
_SCORES = ("scores-*", "*/scores-*", "*/*/scores-*", "*/*/*/scores-*")


class ReportError(ValueError):
    """The results cannot be read as systems."""


def read_systems(
    results: Sequence[str],
    *,
    group: str | None = None,
    trials: Path | None = None,
    calibrated: bool = True,
) -> list[System]:
    """Read every result; a folder with several experiments below becomes several.

    Parameters
    ----------
    results
        A score file or a result folder, perhaps as ``name=path``.
    group
        That the figures are of; by default eval where it is there, else dev.
    trials
        A list of the same trials, for score files that do not say who speaks.
    calibrated
        Take the calibrated scores of a folder where verify.py wrote them.

    Raises
    ------
    ReportError
        There are no scores, or two systems have one name.
    """
    found: list[tuple[str, Path]] = []
    for text in results:
        name, path = _named(text)
        places = _places(path)
        if name and len(places) > 1:
            raise ReportError(
                f"{path} holds {len(places)} experiments, and {name} can name only one "
                f"of them: {', '.join(map(str, places[:5]))}"
            )
        found += [(name, place) for place in places]
    made = iter(_names([place for name, place in found if not name]))
    names = [name or next(made) for name, _ in found]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ReportError(
            f"several systems are called {twice[0]}; tell them apart by name=path"
        )
    return [
        _of_file(name, place, trials)
        if place.is_file()
        else _of_folder(name, place, group=group, trials=trials, calibrated=calibrated)
        for name, (_, place) in zip(names, found, strict=True)
    ]


def _named(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if not equals or Path(text).exists():
        name, path = "", text
    if not Path(path).exists():
        raise ReportError(
            f"{path} is not there; give a score file or a result folder of verify.py"
        )
    return name, Path(path)


def _places(path: Path) -> list[Path]:
    """The file itself, or the folders at or below that hold score files."""
    if path.is_file():
        return [path]
    for depth in _SCORES:
        folders = sorted({file.parent for file in path.glob(depth) if _is_group(file)})
        if folders:
            return folders
    raise ReportError(
        f"{path} holds no scores-dev or scores-eval; give the folder of results that "
        "verify.py named, or a score file"
    )


def _is_group(path: Path) -> bool:
    return path.is_file() and _group(path) in _GROUPS and path.suffix in ("", ".csv")


def _group(path: Path) -> str:
    return path.name.removesuffix(".csv").removeprefix("scores-")


def _names(places: Sequence[Path]) -> list[str]:
    """Name each by as few of the last parts of its path as tell all apart."""
    parts = [
        list(place.resolve().with_suffix("" if place.is_file() else place.suffix).parts)
        for place in places
    ]
    # What all share in the end, such as session/nonorm, says nothing.
    if len({*map(tuple, parts)}) > 1:
        while len({p[-1] for p in parts}) == 1:
            parts = [p[:-1] for p in parts]
    if len(places) == 1 and places[0].is_dir():
        parts = [p[:-2] if len(p) > 3 and p[-1].endswith("norm") else p for p in parts]
    longest = max((len(p) for p in parts), default=1)
    for depth in range(1, longest + 1):
        names = ["/".join(p[-depth:]) for p in parts]
        if len(set(names)) == len(names):
            return names
    return ["/".join(p) for p in parts]


def _of_file(name: str, path: Path, trials: Path | None) -> System:
    from bob.learn.pytorch.report.provenance import file_fact
    from bob.learn.pytorch.report.systems import System
    from bob.learn.pytorch.verification.scorefiles import read_with_metadata

    table, metadata = read_with_metadata(path, trials=trials)
    facts = ("Scores", file_fact(path, trials=len(table)))
    return System(name, table, metadata=metadata, provenance=(facts,))


def _of_folder(
    name: str, place: Path, *, group: str | None, trials: Path | None, calibrated: bool
) -> System:
    from bob.learn.pytorch.report.provenance import file_fact
    from bob.learn.pytorch.report.systems import System
    from bob.learn.pytorch.verification.scorefiles import read_with_metadata

    files = {_group(path): path for path in sorted(place.glob("scores-*"))
             if _is_group(path)}  # fmt: skip
    chosen = group or ("eval" if "eval" in files else next(iter(files)))
    if chosen not in files:
        raise ReportError(
            f"{place} has no scores of the group {chosen!r}; it has {', '.join(files)}"
        )
    groups = [chosen, "dev"] if chosen != "dev" and "dev" in files else [chosen]
    found: dict[str, ScoreTable] = {}
    facts: list[tuple[str, str]] = []
    metadata: dict[str, Names] = {}
    better = {each: place / f"calibrated-{each}" for each in groups}
    calibrated = calibrated and all(path.is_file() for path in better.values())
    for each in reversed(groups):  # dev first, so that metadata are of the chosen one
        table, metadata = read_with_metadata(files[each], trials=trials)
        facts.insert(0, (f"Scores, {each}", file_fact(files[each], trials=len(table))))
        if calibrated:
            table = _calibrated(table, better[each], trials)
            says = file_fact(better[each], trials=len(table))
            facts.insert(1, (f"Calibrated, {each}", says))
        found[each] = _with_references(table, files[each])
    return System(
        name,
        found[chosen],
        group=chosen,
        dev=found.get("dev") if chosen != "dev" else None,
        metadata=metadata,
        failures=_failures(place),
        provenance=(*facts, *_made_by(place, chosen)),
    )


def _calibrated(table: ScoreTable, path: Path, trials: Path | None) -> ScoreTable:
    """Put the calibrated scores of the same trials in place of the others."""
    from bob.learn.pytorch.verification.scorefiles import read_scores

    other = read_scores(path, trials=trials)
    if other.probe.tolist() != table.probe.tolist():
        raise ReportError(
            f"{path} is not of the same trials as the scores beside it; run verify.py "
            "again, or give --uncalibrated"
        )
    return replace(table, score=other.score)


def _with_references(table: ScoreTable, path: Path) -> ScoreTable:
    """Name the references of a file of four columns, which does not.

    verify.py writes a file for each reference too; all of them, one after the other,
    are the score file. Where that does not hold, the table stays as it is.
    """
    import numpy as np

    from bob.learn.pytorch.metrics import Names

    if table.model is not None:
        return table
    folder = path.parent / _group(path)
    parts = {
        file.relative_to(folder).with_suffix("").as_posix(): file.read_bytes()
        for file in folder.rglob("*.txt")
    }
    names = sorted(parts)
    if b"".join(parts[name] for name in names) != path.read_bytes():
        return table
    lines = np.array([parts[name].count(b"\n") for name in names], dtype=np.int64)
    codes = np.repeat(np.arange(len(names), dtype=np.int32), lines)
    if codes.size != len(table):
        return table
    return replace(table, model=Names(tuple(names), codes))


def _failures(place: Path) -> tuple[FailedRecording, ...]:
    """What verify.py listed beside the results."""
    from bob.learn.pytorch.report.systems import FailedRecording

    path = place.parent / "failures.tsv"
    if not path.is_file():
        return ()
    lines = path.read_text("utf-8", "surrogateescape").splitlines()[1:]
    rows = [line.split("\t") for line in lines if line.count("\t") == 3]
    return tuple(FailedRecording(*row) for row in rows)


def _made_by(place: Path, group: str) -> list[tuple[str, str]]:
    """Description, fingerprint, and what else report.json says of the run."""
    from bob.learn.pytorch.report.provenance import description_facts, model_facts

    facts: list[tuple[str, str]] = []
    description = place.parent / "Experiment.info"
    if description.is_file():
        text = description.read_text("utf-8", "replace")
        facts += [*description_facts(text), *model_facts(text)]
    made_by = place / group / ".made-by"
    if made_by.is_file():
        facts.append(("Fingerprint", made_by.read_text("utf-8", "replace").strip()))
    report = place / "report.json"
    if report.is_file():
        facts += _told(_json(report))
    return facts


def _json(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ReportError(
            f"{path} is no JSON ({error}); run verify.py again, or remove the file"
        ) from error
    return content if isinstance(content, dict) else {}


def _told(content: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is not the figures of a group."""
    found = []
    for title, value in content.items():
        if isinstance(value, dict) and "eer" in value:
            continue
        text = value if isinstance(value, str) else json.dumps(value, indent=1)
        found.append((title.replace("_", " ").capitalize(), text))
    return found


def conditions_only(systems: Sequence[System], titles: Sequence[str]) -> list[System]:
    """Keep the columns of metadata that are named; all where none is.

    Raises
    ------
    ReportError
        No system has such a column.
    """
    known: dict[str, Names] = {}
    for system in systems:
        known.update(system.metadata)
    missing = [title for title in titles if title not in known]
    if missing:
        raise ReportError(
            f"no score file has a column {missing[0]!r}; the columns beside names and "
            f"scores are {', '.join(known) or 'none'}"
        )
    if not titles:
        return list(systems)
    return [
        replace(
            system,
            metadata={t: c for t, c in system.metadata.items() if t in titles},
        )
        for system in systems
    ]


class Player:
    """Address of a recording that is a local file, by its name in the trials.

    Parameters
    ----------
    folders
        Where names may lie, with or without the suffix of a recording.
    page
        The address is relative to its folder for recordings below that.
    embed
        The address holds the recording itself.
    """

    def __init__(
        self, folders: Sequence[Path], *, page: Path, embed: bool = False
    ) -> None:
        self._folders = [folder.resolve() for folder in folders]
        self._home = page.resolve().parent
        self._address = self._embedded if embed else self._linked
        self._known: dict[str, str | None] = {}

    def __call__(self, name: str) -> str | None:
        """Return the address, or None where there is no such file."""
        if name not in self._known:
            path = self._found(name)
            self._known[name] = None if path is None else self._address(path)
        return self._known[name]

    def _found(self, name: str) -> Path | None:
        from bob.learn.pytorch.verification.names import AUDIO_SUFFIXES

        name = urlsplit(name).path if name.startswith("file:") else name
        for text in dict.fromkeys((name, unquote(name))):
            for folder in self._folders:
                path = folder / text  # an absolute name stands for itself
                if path.suffix.lower() in AUDIO_SUFFIXES and path.is_file():
                    return path
                for suffix in sorted(AUDIO_SUFFIXES):
                    longer = path.with_name(path.name + suffix) if path.name else path
                    if longer.is_file():
                        return longer
        return None

    def _linked(self, path: Path) -> str:
        if path.is_relative_to(self._home):
            return quote(path.relative_to(self._home).as_posix())
        return path.as_uri()

    def _embedded(self, path: Path) -> str:
        import base64
        import mimetypes

        kind = mimetypes.guess_type(path.name)[0] or "audio/wav"
        data = base64.b64encode(path.read_bytes()).decode("ascii")
        return f"data:{kind};base64,{data}"
