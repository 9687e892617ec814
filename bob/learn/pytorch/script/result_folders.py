"""A folder that verify.py wrote scores into, as a system of a report."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bob.learn.pytorch.metrics import Names, ScoreTable
    from bob.learn.pytorch.report.systems import FailedRecording, System

_GROUPS = ("dev", "eval", "train", "world")
_RAW, _CALIBRATED = "scores-", "calibrated-"
_DEPTHS = ("scores-*", "*/scores-*", "*/*/scores-*", "*/*/*/scores-*")


class ReportError(ValueError):
    """The results cannot be read as systems."""


@dataclass(frozen=True)
class ResultFolder:
    """Which scores of a folder are asked for.

    Attributes
    ----------
    group
        That the figures are of; None for eval where it is there, else dev.
    calibrated
        Take the scores that verify.py calibrated; None to take them where they are.
    """

    path: Path
    group: str | None = None
    calibrated: bool | None = None

    @property
    def normalisation(self) -> str:
        """How report.json says that scores were normalised; may be empty."""
        return str(_json(self.path / "report.json").get("normalisation", ""))

    @property
    def takes_calibrated(self) -> bool:
        """Whether the scores of the system are calibrated ones."""
        if self.calibrated is None:
            names = [_CALIBRATED + group for group in self.groups()]
            return all((self.path / name).is_file() for name in names)
        return self.calibrated

    def groups(self) -> list[str]:
        """The group of the figures first, then dev if there is one besides.

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
    """The folder, or those below it, that hold score files; of the same depth all."""
    for depth in _DEPTHS:
        found = sorted({file.parent for file in path.glob(depth) if _is_group(file)})
        if found:
            return found
    return []


def folder_of(file: Path) -> ResultFolder | None:
    """What a score file is that lies where verify.py put it; None of any other file."""
    calibrated = file.name.startswith(_CALIBRATED)
    kind = _CALIBRATED if calibrated else _RAW
    group = file.name.removesuffix(".csv").removeprefix(kind)
    known = score_files(file.parent).get(group)
    if known is None or (not calibrated and known.name != file.name):
        return None
    return ResultFolder(file.parent, group, calibrated)


def score_files(folder: Path) -> dict[str, Path]:
    """Group -> score file that is not calibrated."""
    return {
        _group(path): path
        for path in sorted(folder.glob(f"{_RAW}*"))
        if _is_group(path)
    }


def _is_group(path: Path) -> bool:
    return path.is_file() and _group(path) in _GROUPS and path.suffix in ("", ".csv")


def _group(path: Path) -> str:
    return path.name.removesuffix(".csv").removeprefix(_RAW)


def system_of(name: str, asked: ResultFolder, *, trials: Path | None) -> System:
    """Read scores, metadata, failures and provenance.

    Parameters
    ----------
    trials
        A list of the same trials, for score files that do not say who speaks.

    Raises
    ------
    ReportError
        The group is not there, or a file beside the scores is broken.
    """
    from bob.learn.pytorch.report.provenance import file_fact, trials_fact
    from bob.learn.pytorch.report.systems import System
    from bob.learn.pytorch.verification.scorefiles import read_with_metadata

    files, groups = score_files(asked.path), asked.groups()
    calibrated = asked.takes_calibrated
    found: dict[str, ScoreTable] = {}
    facts: list[tuple[str, str]] = []
    metadata: dict[str, Names] = {}
    if calibrated:
        groups = [g for g in groups if (asked.path / f"{_CALIBRATED}{g}").is_file()]
    for each in reversed(groups):  # dev first, so that metadata are of the chosen one
        table, metadata = read_with_metadata(files[each], trials=trials)
        said = [(f"Scores, {each}", file_fact(files[each], trials=len(table)))]
        if calibrated:
            better = asked.path / f"{_CALIBRATED}{each}"
            table = _calibrated(table, better, trials)
            said.append((f"Calibrated, {each}", file_fact(better, trials=len(table))))
        found[each] = _with_references(table, files[each])
        said.append((f"Trial list, {each}", trials_fact(found[each])))
        facts = [*said, *facts]
    normalisation = asked.normalisation
    known = _is_of_verify(asked.path)
    return System(
        name,
        found[groups[0]],
        group=groups[0],
        dev=found[groups[1]] if len(groups) > 1 else None,
        metadata=metadata,
        failures=_failures(asked.path),
        provenance=(
            *facts,
            *_made_by(asked.path, groups[0], normalisation, calibrated=calibrated),
        ),
        scores=_in_words(normalisation, calibrated=calibrated) if known else "",
        calibrated=calibrated if known else None,
    )


def _is_of_verify(place: Path) -> bool:
    """Whether it is known how the scores were made."""
    return (place / "report.json").is_file() or any(place.glob("*/.made-by"))


def _in_words(normalisation: str, *, calibrated: bool) -> str:
    # What the cohort is stands in the provenance.
    words = [normalisation.partition(", cohort")[0]] if normalisation else []
    if calibrated:
        words.append("calibrated on dev")
    return ", ".join(words) or "raw"


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


def _made_by(
    place: Path, group: str, normalisation: str, *, calibrated: bool
) -> list[tuple[str, str]]:
    """Description, models, fingerprint, and the calibration of these very scores.

    The description is of a whole run, which may have made raw, normalised and
    calibrated scores; what these scores did not go through is left out.
    """
    from bob.learn.pytorch.report.provenance import (
        calibration_facts,
        description_facts,
        model_facts,
    )

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
    """What a file says; nothing where there is none."""
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ReportError(
            f"{path} is no JSON ({error}); run verify.py again, or remove the file"
        ) from error
    return content if isinstance(content, dict) else {}
