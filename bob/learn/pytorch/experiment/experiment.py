"""One experiment: its parts, the places of its files, and its outcome."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, TypeAlias

from bob.learn.pytorch.calibration.linear import SEPARATED_PENALTY
from bob.learn.pytorch.errors import UserError
from bob.learn.pytorch.experiment.configuration import ConfigurationError
from bob.learn.pytorch.parallel.sharing import Workers
from bob.learn.pytorch.printing import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from bob.learn.pytorch.choices import Method
    from bob.learn.pytorch.experiment.algorithms import Algorithm
    from bob.learn.pytorch.experiment.components import Extraction, Preprocessing
    from bob.learn.pytorch.protocols.trials import Database, Probe, Recording, Reference
    from bob.learn.pytorch.scorefiles.failures import Failure
    from bob.learn.pytorch.store.store import StoredEmbeddings

    #: Key of a recording -> its feature, (vectors, dimensions).
    Vectors: TypeAlias = Mapping[str, NDArray[np.float64]]

#: The group that calibrations are trained on.
TRAINED_ON = "dev"


@dataclass(frozen=True)
class Layout:
    """The folders of one experiment, as verify.py laid them out for protocols.

    ``<temp>/<sub>/preprocessed``, ``<temp>/<sub>/extracted``,
    ``<temp>/<sub>/<protocol>/models/<group>`` and
    ``<result>/<sub>/<protocol>/nonorm/{scores-<group>, <group>/<model>.txt}``, and
    the same in ``ztnorm`` for normalised scores.
    """

    temporary: Path
    results: Path
    preprocessed: Path
    extracted: Path
    models: Path
    scores: Path
    normalised: Path

    def of_normalised(self) -> Layout:
        """Return the same folders, with that of normalised scores for scores."""
        return replace(self, scores=self.normalised)

    def model(self, group: str, identifier: str) -> Path:
        """File of an enrolled reference."""
        return self.models / group / _relative(identifier, ".hdf5")

    def model_scores(self, group: str, identifier: str) -> Path:
        """Scores of one reference against its probes."""
        return self.scores / group / _relative(identifier, ".txt")

    def made_by(self, group: str) -> Path:
        """File that says what the scores of a group were made by."""
        return self.scores / group / ".made-by"

    def group_scores(self, group: str) -> Path:
        """All scores of a group, reference by reference."""
        return self.scores / f"scores-{group}"

    def calibrated_scores(self, group: str) -> Path:
        """All scores of a group as log-likelihood ratios."""
        return self.scores / f"calibrated-{group}"

    def measures(self, group: str) -> Path:
        """Quality measures of the references and probes of a group."""
        return self.scores / f"quality-{group}.csv"

    def durations(self) -> Path:
        """File of durations and rates of recordings."""
        return self.temporary / "durations.json"

    def calibration(self) -> Path:
        """File of the calibration that makes log-likelihood ratios of scores."""
        return self.scores / "calibration.json"

    def made_in(self, stage: str) -> Path:
        """Folder of the files of ``preprocessing`` or of ``extraction``."""
        return self.preprocessed if stage == "preprocessing" else self.extracted

    def stored(self, folder: Path, key: str) -> Path:
        """File of a recording in ``preprocessed`` or ``extracted``."""
        return folder / _relative(key, ".hdf5")


def lay_out(  # noqa: PLR0913 - a folder each
    temporary: Path | str,
    results: Path | str,
    *,
    sub_directory: str,
    protocol: str | None,
    preprocessed: str = "preprocessed",
    extracted: str = "extracted",
    models: str = "models",
    scores: str = "nonorm",
    normalised: str = "ztnorm",
) -> Layout:
    """Compose the folders of an experiment; nothing is created.

    A protocol of None gives a result folder of the name ``None``, as ever.
    """
    temporary = Path(temporary).expanduser() / sub_directory
    results = Path(results).expanduser() / sub_directory / str(protocol)
    protocol_folder = temporary / protocol if protocol else temporary
    return Layout(
        temporary=temporary,
        results=results,
        # An absolute second part stands for itself.
        preprocessed=temporary / preprocessed,
        extracted=temporary / extracted,
        models=protocol_folder / models,
        scores=results / scores,
        normalised=results / normalised,
    )


def _relative(key: str, suffix: str) -> Path:
    parts = PurePosixPath(key)
    if not key or parts.is_absolute() or ".." in parts.parts:
        raise ConfigurationError(
            f"{key!r} would be written outside of the experiment's folders; the "
            "database must name recordings and models by relative paths without '..'"
        )
    return Path(f"{parts}{suffix}")


@dataclass(frozen=True)
class CohortMembers:
    """Speakers that appear in no trial.

    Attributes
    ----------
    references
        As what probes are compared with.
    probes
        As what references are compared with.
    name
        Where they come from.
    by_speaker
        The recordings of a probe count as their mean.
    database
        Loads the recordings and knows their annotations.
    store
        File of their embeddings; then nothing is computed.
    """

    references: tuple[Reference, ...]
    probes: tuple[Probe, ...]
    name: str
    by_speaker: bool = True
    database: Database | None = field(default=None, compare=False)
    store: Path | None = None

    def __str__(self) -> str:
        kind = "speakers" if self.by_speaker else "recordings"
        return f"{len(self.probes)} {kind} from {self.name}"

    def recordings(self) -> list[Recording]:
        """Every recording once; those in a store have no path."""
        items: tuple[Reference | Probe, ...] = (*self.references, *self.probes)
        by_key = {rec.key: rec for item in items for rec in item.recordings}
        return list(by_key.values())

    @cached_property
    def content(self) -> StoredEmbeddings:
        """Content of its store."""
        from bob.learn.pytorch.store.store import EmbeddingStore

        assert self.store is not None  # noqa: S101 - the callers have looked
        return EmbeddingStore.read(self.store)


@dataclass(frozen=True)
class Normalisation:
    """Normalisation of scores by a cohort.

    Attributes
    ----------
    cohorts
        The cohort of each group; often the same.
    top
        Number of the highest cohort scores of each side that as-norm takes, or None.
    """

    method: Method
    cohorts: Mapping[str, CohortMembers]
    top: int | None = None

    def __str__(self) -> str:
        names = dict.fromkeys(str(cohort) for cohort in self.cohorts.values())
        top = f", top {self.top}" if self.top else ""
        return f"{self.method}{top}, cohort {'; '.join(names)}"


@dataclass(frozen=True)
class DevCalibration:
    """Settings of the calibration of an experiment.

    Attributes
    ----------
    p_target, penalty
        See `bob.learn.pytorch.calibration.fit_calibration`.
    quality
        Measures of both sides that it weighs beside the score; see
        `bob.learn.pytorch.scorefiles.measure`.
    """

    p_target: float
    penalty: float | None = None
    quality: tuple[str, ...] = ()

    def __str__(self) -> str:
        measures = f", with {', '.join(self.quality)}" if self.quality else ""
        penalty = f"0, or {SEPARATED_PENALTY:g} if the trials separate perfectly"
        if self.penalty is not None:
            penalty = f"{self.penalty:g}"
        return (
            f"linear{measures}, trained on {TRAINED_ON}, P_target {self.p_target:g}, "
            f"penalty {penalty}"
        )


@dataclass(frozen=True)
class Experiment:
    """Everything that a run needs, decided beforehand.

    Attributes
    ----------
    skip
        Stages to leave out, by their names in
        :data:`bob.learn.pytorch.experiment.options.STAGES`.
    force
        Compute anew what is already stored.
    allow_missing
        Score without the recordings that cannot be used.
    five_columns
        Group score files carry the reference's id as second column.
    workers
        Who computes the features.
    store
        File of embeddings to take from and to add to; None uses none.
    normalisation
        How scores are normalised as well; None leaves them as they are.
    calibration
        How log-likelihood ratios are made of scores; None makes none.
    """

    database: Database
    preprocessing: Preprocessing
    extraction: Extraction
    algorithm: Algorithm
    layout: Layout
    groups: tuple[str, ...] = ("dev",)
    skip: frozenset[str] = frozenset()
    force: bool = False
    allow_missing: bool = False
    five_columns: bool = False
    workers: Workers = field(default_factory=Workers)
    store: Path | None = None
    normalisation: Normalisation | None = None
    calibration: DevCalibration | None = None

    def kinds(self) -> list[Experiment]:
        """Return the experiment for raw scores, and that for normalised ones if any."""
        raw = replace(self, normalisation=None)
        if self.normalisation is None:
            return [raw]
        return [raw, replace(self, layout=self.layout.of_normalised())]


@dataclass
class Outcome:
    """The result of a run.

    Attributes
    ----------
    failures
        By the key of the recording.
    score_files
        Group -> concatenated score file.
    normalised_files
        The same of normalised scores.
    weakened
        References enrolled from fewer recordings than their protocol names:
        ``group/id`` -> (used, named).
    notes
        What else a reader of the figures has to know of the recordings.
    computed, reused, outdated
        Number of files by stage; an outdated file was made by another model,
        recording or setting, and is computed anew.
    reports
        Folder of scores -> the report on them, as text.
    tasks
        The stages that a dry run would execute.
    """

    failures: dict[str, Failure] = field(default_factory=dict)
    score_files: dict[str, Path] = field(default_factory=dict)
    normalised_files: dict[str, Path] = field(default_factory=dict)
    weakened: dict[str, tuple[int, int]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    computed: dict[str, int] = field(default_factory=dict)
    reused: dict[str, int] = field(default_factory=dict)
    outdated: dict[str, int] = field(default_factory=dict)
    reports: dict[Path, str] = field(default_factory=dict)
    tasks: tuple[str, ...] = ()

    def files_of(self, kind: Experiment) -> dict[str, Path]:
        """Group -> score file of a kind of scores; see `Experiment.kinds`."""
        raw = kind.normalisation is None
        return self.score_files if raw else self.normalised_files

    def add(self, other: Outcome) -> None:
        """Take in the features that were made, or not, of other recordings."""
        self.failures.update(other.failures)
        for own, more in (
            (self.computed, other.computed),
            (self.reused, other.reused),
            (self.outdated, other.outdated),
        ):
            for stage, count in more.items():
                own[stage] = own.get(stage, 0) + count


class BadRecordingsError(UserError, RuntimeError):
    """Recordings that cannot be used stop a run that does not allow them."""

    def __init__(
        self, failures: Sequence[Failure], listed_in: Path, *, total: int
    ) -> None:
        self.failures = tuple(failures)
        some_left = len(failures) < total
        self.remedy = "allow_missing_files" if some_left else ""
        go_on = "; or go on without them, which gives their trials the score nan"
        super().__init__(
            f"{len(failures)} of {total} recordings cannot be used, so nothing was "
            "scored:\n"
            + "\n".join(f"  {failure}" for failure in failures)
            + f"\nThe list is also in {printable(listed_in)}. Repair or remove them "
            "and start again: finished work is kept" + (go_on if some_left else "")
        )


def usable_vectors(item: Reference | Probe, vectors: Mapping[str, Any]) -> list[Any]:
    """Return the features of the recordings that have some."""
    return [vectors[rec.key] for rec in item.recordings if rec.key in vectors]
