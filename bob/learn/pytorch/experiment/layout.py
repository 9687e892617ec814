"""Where an experiment's files lie."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from bob.learn.pytorch.experiment.configuration import ConfigurationError


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
        """The same folders, with that of normalised scores in place of the others'."""
        return replace(self, scores=self.normalised)

    def model(self, group: str, identifier: str) -> Path:
        """File of an enrolled reference."""
        return self.models / group / _relative(identifier, ".hdf5")

    def model_scores(self, group: str, identifier: str) -> Path:
        """Scores of one reference against its probes."""
        return self.scores / group / _relative(identifier, ".txt")

    def made_by(self, group: str) -> Path:
        """What the scores of a group were made by."""
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
        """How long recordings last, as far as that was asked."""
        return self.temporary / "durations.json"

    def calibration(self) -> Path:
        """What makes log-likelihood ratios of scores."""
        return self.scores / "calibration.json"

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
