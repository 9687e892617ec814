"""A folder that verify.py wrote scores into, as a system of a report."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bob.learn.pytorch.calibration.origin import Origin
from bob.learn.pytorch.errors import UserError
from bob.learn.pytorch.report.provenance import (
    calibration_facts,
    description_facts,
    file_fact,
    made_in_words,
    model_facts,
    settings_facts,
    trials_fact,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bob.learn.pytorch.metrics import Names, ScoreTable
    from bob.learn.pytorch.report.systems import System

_GROUPS = ("dev", "eval", "train", "world")
_RAW, _CALIBRATED = "scores-", "calibrated-"
_ENDINGS = ("", ".csv")
_NO_THRESHOLD = (
    "no half total error rate at the threshold of dev, whose scores were made in "
    "another way by what the .json files beside both say; make both alike"
)
_DEPTHS = ("scores-*", "*/scores-*", "*/*/scores-*", "*/*/*/scores-*")


class ReportError(UserError, ValueError):
    """The results cannot be read as systems."""


@dataclass(frozen=True)
class ResultFolder:
    """Choice among the scores of a folder.

    No group stands for eval where it is there, else dev; ``calibrated`` of None takes
    the scores that verify.py calibrated where they are.
    """

    path: Path
    group: str | None = None
    calibrated: bool | None = None

    @property
    def normalisation(self) -> str:
        """Normalisation by report.json, in words; may be empty."""
        return str(_json(self.path / "report.json").get("normalisation", ""))

    @property
    def takes_calibrated(self) -> bool:
        """Return whether the scores of the system are calibrated ones."""
        if self.calibrated is None:
            names = [_CALIBRATED + group for group in self.groups()]
            return all((self.path / name).is_file() for name in names)
        return self.calibrated

    def groups(self) -> list[str]:
        """Return the group of the figures first, then dev if there is one besides.

        Raises
        ------
        ReportError
            The folder has no scores of the group.
        """
        found = score_files(self.path)
        chosen = self.group or ("eval" if "eval" in found else next(iter(found)))
        if chosen not in found:
            raise ReportError(
                f"{self.path} has no scores of the group {chosen!r}; it has "
                f"{', '.join(found)}"
            )
        return list(dict.fromkeys([chosen, *(["dev"] if "dev" in found else [])]))


def folders_at(path: Path) -> list[Path]:
    """Find the folder, or those below it, that hold score files; all at one depth."""
    for depth in _DEPTHS:
        found = sorted({file.parent for file in path.glob(depth) if _is_group(file)})
        if found:
            return found
    return []


def files_in(folder: Path) -> list[Path]:
    """List the score files of a folder of all kinds, with those of each reference."""
    from bob.learn.pytorch.scorefiles.quality import reference_files

    raw = score_files(folder)
    names = [f"{_CALIBRATED}{group}{end}" for group in _GROUPS for end in _ENDINGS]
    calibrated = [folder / name for name in names if (folder / name).is_file()]
    parts = [
        part.path
        for group, path in raw.items()
        for part in reference_files(path, group=group)
    ]
    return [*raw.values(), *calibrated, *parts]


def folder_of(file: Path) -> ResultFolder | None:
    """Return the choice that a file of verify.py stands for; None of any other."""
    calibrated = file.name.startswith(_CALIBRATED)
    kind = _CALIBRATED if calibrated else _RAW
    group = file.name.removesuffix(".csv").removeprefix(kind)
    known = score_files(file.parent).get(group)
    if known is None or (not calibrated and known.name != file.name):
        return None
    return ResultFolder(file.parent, group, calibrated)


def score_files(folder: Path) -> dict[str, Path]:
    """Return group -> score file that is not calibrated."""
    return {
        _group(path): path
        for path in sorted(folder.glob(f"{_RAW}*"))
        if _is_group(path)
    }


def _is_group(path: Path) -> bool:
    return path.is_file() and _group(path) in _GROUPS and path.suffix in _ENDINGS


def _group(path: Path) -> str:
    return path.name.removesuffix(".csv").removeprefix(_RAW)


def system_of(name: str, asked: ResultFolder, *, trials: Path | None) -> System:
    """Read scores, metadata, failures and provenance; trials as of `read_systems`.

    What ``<scores>.json`` says counts wherever it is of the very scores; dev is left
    out where it says that its scores were made in another way, since the threshold
    would be that of another system.
    """
    from bob.learn.pytorch.report.systems import System
    from bob.learn.pytorch.scorefiles.failures import read_failures

    groups = asked.groups()
    if asked.takes_calibrated:
        groups = [g for g in groups if (asked.path / f"{_CALIBRATED}{g}").is_file()]
    chosen, *others = [_read(asked, group, trials) for group in groups]
    alike = [
        part
        for part in others
        if chosen.origin.differs_from(part.origin, threshold=True) is None
    ]
    facts = [fact for part in (chosen, *alike) for fact in part.facts]
    report = Origin(_json(asked.path / "report.json"))
    notes = [*chosen.origin.notes, *report.notes]
    if len(alike) < len(others):
        facts.append(("Threshold of dev", "none: its scores were made in another way"))
        notes.append(_NO_THRESHOLD)
    normalisation = asked.normalisation or chosen.origin.normalisation
    facts += _made_by(asked, groups[0], normalisation)
    known = dict(facts)
    facts += [(a, b) for a, b in settings_facts(chosen.origin.kept) if a not in known]
    return System(
        name,
        chosen.table,
        group=groups[0],
        dev=alike[0].table if alike else None,
        metadata=chosen.metadata,
        failures=tuple(read_failures(asked.path.parent / "failures.tsv")),
        provenance=tuple(facts),
        scores=_in_words(asked, normalisation, chosen.origin),
        calibrated=asked.takes_calibrated
        if _is_of_verify(asked.path)
        else chosen.origin.is_calibrated,
        notes=tuple(notes),
        dev_name=alike[0].name if alike else "",
        dev_trials=alike[0].facts[-1][1] if alike else "",
    )


@dataclass(frozen=True, eq=False)
class _Part:
    """The scores of one group, and what is known of them; the trials come last."""

    name: str
    table: ScoreTable
    metadata: Mapping[str, Names]
    origin: Origin
    facts: tuple[tuple[str, str], ...]


def _read(asked: ResultFolder, group: str, trials: Path | None) -> _Part:
    from bob.learn.pytorch.calibration.origin import read_provenance
    from bob.learn.pytorch.files import file_sha256
    from bob.learn.pytorch.scorefiles import read_with_metadata
    from bob.learn.pytorch.scorefiles.quality import with_references

    path = score_files(asked.path)[group]
    table, metadata = read_with_metadata(path, trials=trials)
    sha256 = file_sha256(path)
    facts = [(f"Scores, {group}", file_fact(path, trials=len(table), sha256=sha256))]
    table, shown = with_references(table, path, group=group), path
    if asked.takes_calibrated:
        shown = asked.path / f"{_CALIBRATED}{group}"
        table, sha256 = _calibrated(table, shown, trials), file_sha256(shown)
        fact = file_fact(shown, trials=len(table), sha256=sha256)
        facts.append((f"Calibrated, {group}", fact))
    facts.append((f"Trial list, {group}", trials_fact(table)))
    origin = Origin(read_provenance(shown, sha256=sha256))
    return _Part(shown.name, table, metadata, origin, tuple(facts))


def _is_of_verify(place: Path) -> bool:
    """Return whether verify.py made the scores, and so how they were made is known."""
    return (place / "report.json").is_file() or any(place.glob("*/.made-by"))


def _in_words(asked: ResultFolder, normalisation: str, origin: Origin) -> str:
    if not origin and not _is_of_verify(asked.path):
        return ""
    calibrated = "calibrated" if origin.is_calibrated else ""
    if asked.takes_calibrated:
        calibrated = "calibrated on dev"
    # What the cohort is stands in the provenance.
    return made_in_words(normalisation.partition(", cohort")[0], calibrated=calibrated)


def _calibrated(table: ScoreTable, path: Path, trials: Path | None) -> ScoreTable:
    """Put the calibrated scores of the same trials in place of the others."""
    from bob.learn.pytorch.scorefiles import read_scores

    other = read_scores(path, trials=trials)
    if other.probe.tolist() != table.probe.tolist():
        raise ReportError(
            f"{path} is not of the same trials as the scores beside it; run verify.py "
            "again, or give --uncalibrated"
        )
    return replace(table, score=other.score)


def _made_by(
    asked: ResultFolder, group: str, normalisation: str
) -> list[tuple[str, str]]:
    """List description, models, fingerprint, and the calibration of these scores.

    The description is of a whole run, which may have made raw, normalised and
    calibrated scores; what these scores did not go through is left out.
    """
    place, calibrated = asked.path, asked.takes_calibrated
    facts: list[tuple[str, str]] = []
    description = place.parent / "Experiment.info"
    if description.is_file():
        text = description.read_text("utf-8", "replace")
        said = dict(description_facts(text))
        said |= {"Normalisation": normalisation or "none"}
        if not calibrated and "Calibration" in said:
            said["Calibration"] = "none"
        facts += [*said.items(), *model_facts(text)]
    elif normalisation:
        facts.append(("Normalisation", normalisation))
    path = place / "calibration.json"
    if calibrated and path.is_file():
        facts += calibration_facts(_json(path))
    made_by = place / group / ".made-by"
    if made_by.is_file():
        facts.append(("Fingerprint", made_by.read_text("utf-8", "replace").strip()))
    return facts


def _json(path: Path) -> Mapping[str, Any]:
    """Read a JSON file; nothing where there is none."""
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ReportError(
            f"{path} is no JSON ({error}); run verify.py again, or remove the file"
        ) from error
    return content if isinstance(content, dict) else {}
