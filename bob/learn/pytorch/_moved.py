"""Old names of modules, which work for one release and say what to write instead."""

from __future__ import annotations

import sys
import warnings
from importlib import import_module
from importlib.machinery import ModuleSpec

# Loaded before the working folder is off the path: only what Python has loaded already.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import ModuleType
    from typing import Any

_PACKAGE = "bob.learn.pytorch"

#: Rooms before the redesign -> rooms of today, for modules that are not listed below.
_ROOMS = {
    "comparison": "experiment",
    "evaluation": "report",
    "extraction": "inference",
    "kernels": "inference",
    "storage": "store",
    "verification": "experiment",
    "weights": "models",
    "workers": "parallel",
}

#: Modules -> modules where their names stand today; several where one was split.
_MODULES: dict[str, str] = {
    "atomic": "files",
    "children": "parallel.processes",
    "embedder": "models.embedder",
    "hashes": "files",
    "lengths": "masking",
    "architectures.dlt_resnet": "architectures.resnet",
    "csv_rows": "printing",
    "architectures.folded": "inference.fold",
    "architectures.lengths": "masking",
    "architectures.packed": "inference.fold",
    "architectures.pooling": "architectures.blocks",
    "architectures.trunk": "architectures.resnet",
    "workers.messages": "parallel.dask_client",
    "workers.process": "parallel.processes",
    "storage.index": "store.image",
    "storage.lock": "store.store",
    "storage.made_by": "store.records",
    "audio.blocks": "audio.opening audio.waveform",
    "audio.decoder": "audio.files",
    "audio.listed": "audio.paths",
    "audio.resampling": "audio.waveform",
    "audio.sound": "audio.content",
    "audio.suffixes": "audio.paths",
    "audio.survey": "audio.waveform",
    "comparison.cohort_scores": "_old_calls experiment.stored_speakers",
    "comparison.comparer": "_old_calls experiment.backends",
    "comparison.named_embeddings": "experiment.named_embeddings store",
    "comparison.stored_scores": "_old_calls experiment.stored_scores",
    "comparison.stored_recordings": "experiment.named_embeddings",
    "comparison.calibrating": "scorefiles.calibrating",
    "comparison.fusing": "scorefiles.calibrating",
    "comparison.quality": "scorefiles.quality",
    "evaluation.origins": "calibration.origin",
    "evaluation.systems": "report.opening",
    "extraction.choice": "_old_calls inference.engine",
    "extraction.chunks": "inference.long",
    "extraction.lists": "recordings",
    "extraction.known": "inference.extract",
    "extraction.long_features": "inference.long",
    "extraction.memory": "_old_calls inference.embedding",
    "extraction.moments": "inference.long",
    "extraction.comparison": "_old_calls comparing",
    "extraction.decision": "calibration.decision",
    "extraction.errors": "export.onnx",
    "extraction.onnx": "export.onnx",
    "preprocessor.audio.chunks": "preprocessor.audio.dlt_resnet",
    "preprocessor.audio.estimator": "preprocessor.audio.recordings",
    "preprocessor.audio.original": "preprocessor.audio.recordings",
    "preprocessor.audio.samples": "preprocessor.audio.recordings",
    "protocols.all_pairs": "protocols.speakers",
    "protocols.bob_cohorts": "protocols.formats.bob_databases",
    "protocols.bob_databases": "protocols.formats.bob_databases",
    "protocols.bob_recordings": "protocols.formats.bob_databases",
    "protocols.check": "protocols.checking",
    "protocols.csv_folders": "protocols.writing protocols.formats.bob_csv",
    "protocols.csv_matching": "protocols.formats.matching",
    "protocols.csv_protocol": "protocols.formats.bob_csv protocols.formats.csv_file",
    "protocols.csv_rows": "protocols.lines",
    "protocols.csv_writing": "protocols.formats.bob_csv protocols.writing",
    "protocols.database": "protocols.trials protocols.opening",
    "protocols.espnet": "protocols.formats.espnet",
    "protocols.fast_trials": "protocols.columns",
    "protocols.folder": "protocols.formats.folder protocols.speakers",
    "protocols.identities": "protocols.listed",
    "protocols.kaldi": "protocols.formats.kaldi",
    "protocols.kaldi_trials": "protocols.formats.kaldi_trials",
    "protocols.line_fields": "protocols.formats.trial_list",
    "protocols.lists_within": "protocols.formats.folder",
    "protocols.named_database": "protocols.listed",
    "protocols.named_trials": "protocols.listed protocols.formats.sre",
    "protocols.recording_files": "protocols.checking",
    "protocols.self_trials": "protocols.trials",
    "protocols.speaker_protocol": "protocols.speakers",
    "protocols.sre_files": "protocols.formats.sre",
    "protocols.sre_tables": "protocols.formats.sre_tables",
    "protocols.summary": "protocols.counts",
    "protocols.text_columns": "protocols.columns",
    "protocols.text_lines": "protocols.lines",
    "protocols.trial_columns": "protocols.trials",
    "protocols.trial_counts": "protocols.counts",
    "protocols.trial_lines": "protocols.formats.trial_list protocols.listed",
    "protocols.trial_lists": "protocols.formats.trial_list protocols.listed",
    "protocols.trial_sources": "protocols.sources",
    "protocols.trial_writing": "protocols.opening",
    "protocols.voxceleb": "protocols.listed",
    "metrics.failed": "metrics.table",
    "metrics.information": "metrics.rates metrics.costs",
    "metrics.means": "metrics.bootstrap",
    "metrics.resampled": "metrics.bootstrap",
    "report.det": "report.plots",
    "report.evaluation": "report",
    "report.pictures": "report.plots",
    "report.players": "report.outputs",
    "report.plot": "drawing.plot",
    "report.result_files": "report.opening",
    "report.svg": "drawing.svg",
    "report.summary": "report",
    "report.trial_conditions": "metrics.conditions",
    "report.worst": "report.page_parts",
    "scorefiles.figures": "scorefiles.evaluating",
    "scoring.plda_backend": "scoring.plda scoring.plda_training",
    "scoring.projection": "scoring.plda_training scoring.plda",
    "scoring.quality": "scoring.similarity calibration.quality",
    "scoring.sparse": "scoring.similarity",
    "scoring.calibration": "calibration",
    "scoring.calibration_file": "calibration.file",
    "scoring.fusion": "calibration.linear",
    "scoring.isotonic": "calibration.isotonic",
    "scoring.logistic": "calibration.logistic",
    "scoring.quality_calibration": "calibration.quality",
    "templates.answers": "templates.run.process",
    "templates.artefacts": "templates.install.artefacts",
    "templates.checking": "templates.run.checking",
    "templates.commands": "templates.install.commands",
    "templates.environment": "templates.install.environment",
    "templates.errors": "templates.format.errors",
    "templates.in_process": "templates.run.in_process",
    "templates.installation": "templates.install.packages",
    "templates.interpreters": "templates.install.packages",
    "templates.leftovers": "templates.run.process",
    "templates.loading": "templates.run.runner",
    "templates.locks": "templates.install.packages",
    "templates.new": "templates.format.template",
    "templates.pipes": "templates.run.process",
    "templates.reading": "templates.format.schema",
    "templates.rules": "templates.format.rules",
    "templates.runner": "templates.run.runner",
    "templates.schema": "templates.format.schema",
    "templates.shaping": "templates.run.shaping",
    "templates.shelf": "templates.install.environment",
    "templates.static": "templates.format.static",
    "templates.stopwatch": "templates.run.process",
    "templates.template": "templates.format.template",
    "templates.trust": "templates.install.trust",
    "templates.worker": "templates.run.worker",
    "verification.assembly": "experiment.run",
    "verification.cohort": "experiment.cohort experiment.experiment",
    "verification.configuration": "experiment.configuration experiment.options",
    "verification.dev_calibration": "experiment.dev_calibration experiment.experiment",
    "verification.experiment": "experiment.stages experiment.experiment",
    "verification.layout": "experiment.experiment",
    "verification.legacy": "experiment.components",
    "verification.algorithms": "experiment.algorithms experiment.bob_algorithms",
    "verification.array_models": "experiment.algorithms",
    "verification.in_memory": "experiment.scores",
    "verification.enrolment": "experiment.stages",
    "verification.score_origin": "experiment.scores",
    "verification.trial_quality": "scorefiles.quality",
    "verification.plda_algorithm": "experiment.algorithms",
    "verification.making": "experiment.features experiment.components parallel.sharing",
    "verification.normalising": "experiment.cohort experiment.experiment",
    "verification.outcome": "experiment.experiment",
    "verification.progress": "progress",
    "verification.resources": "experiment.configuration",
    "weights.answers": "models.web",
    "weights.arrival": "models.download",
    "weights.checksum": "models.checkpoint",
    "weights.partial": "models.download",
}

#: Functions of old modules that have another name today.
_RENAMED = {
    "protocols.named_trials.espnet_database": "protocols.formats.espnet.read",
    "protocols.named_trials.sre_database": "protocols.formats.sre.read",
    "protocols.trial_lists.is_trial_list": "protocols.formats.trial_list.is_it",
    "csv_rows.as_text": "printing.as_csv",
    "report.evaluation.Comparison": "report.systems.Pair",
    "report.evaluation.Evaluated": "report.systems.Evaluated",
    "report.evaluation.MarkedPoint": "metrics.Decision",
    "scorefiles.figures.Measured": "metrics.Evaluation",
    "scorefiles.figures.Versus": "metrics.Comparison",
    "scorefiles.figures.measure_in_bounded_memory": (
        "scorefiles.evaluating.evaluate_in_bounded_memory"
    ),
    "scorefiles.figures.measure_scores": "metrics.evaluate",
}

#: Names that a room offered, and the room that offers them today (``room:new name``).
_NAMES: dict[str, dict[str, str]] = {
    "scorefiles.writing": dict.fromkeys(
        ("read_provenance", "provenance_file"), "calibration.origin"
    ),
    "scoring": {
        **dict.fromkeys(
            (
                "LinearCalibration",
                "IsotonicCalibration",
                "TrainingTrials",
                "Threshold",
                "CalibrationError",
                "fit_calibration",
                "fit_isotonic",
                "fit_fusion",
                "fused",
                "bayes_threshold",
                "threshold_for",
                "save_calibration",
                "load_calibration",
                "measured_columns",
            ),
            "calibration",
        ),
        "log_durations": "calibration.quality",
    },
    "report": {
        "Evaluation": "report:Report",
        "FailedRecording": "scorefiles.failures:Failure",
        "Summary": "metrics:Evaluation",
        "evaluate": "report:evaluate_systems",
        "summarise": "metrics:evaluate",
    },
}


#: Functions that are called otherwise today -> what does their work.
_CALLED_OTHERWISE = {
    "Comparer": "experiment.backends.backend_of",
    "check": "inference.engine.check_choice",
    "check_fits": "inference.embedding.needed_mb",
    "chosen_precision": "inference.engine.choose",
    "cohort_of": "experiment.stored_speakers.cohort_of",
    "compare": "compare",
    "score_trials": "score",
}

_OLD_CALLS = "_old_calls"


def moved_names(package: str) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a room some of whose names stand elsewhere now."""
    moved = _NAMES[package.removeprefix(f"{_PACKAGE}.")]

    def find(name: str) -> Any:  # noqa: ANN401 - of any type
        if name not in moved:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        room, _, renamed = moved[name].partition(":")
        new = f"{_PACKAGE}.{room}"
        _warn(f"{package}.{name}", f"{new}.{renamed or name}")
        return getattr(import_module(new), renamed or name)

    return find


def keep_old_names() -> None:
    """Let old names of modules be imported, each with a `DeprecationWarning`."""
    if not any(isinstance(finder, _OldModules) for finder in sys.meta_path):
        sys.meta_path.append(_OldModules())


def _warn(old: str, new: str) -> None:
    """Warn at the line of the user: the nearest outside of this package and imports."""
    frame = sys._getframe(1)
    while frame.f_back is not None and _is_between(frame.f_globals.get("__name__")):
        frame = frame.f_back
    place = frame.f_globals
    warnings.warn_explicit(
        f"{old} is {new} now; the old name will be removed in the next release",
        DeprecationWarning,
        frame.f_code.co_filename,
        frame.f_lineno,
        module=place.get("__name__"),
        registry=place.setdefault("__warningregistry__", {}),
    )


def _is_between(module: str | None) -> bool:
    return f"{module}.".startswith((f"{_PACKAGE}.", "importlib.", "_frozen_importlib"))


class _OldModules:
    """A module under an old name, whose names are those of the new ones.

    A module that is another one today warns as it is imported. Where its names stand in
    several, or it is a room, whose modules warn by themselves, each name warns when it
    is first used.
    """

    def create_module(self, spec: ModuleSpec) -> None:
        """Let Python make the module."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        del path, target  # the name says it all
        if not fullname.startswith(f"{_PACKAGE}."):
            return None
        if not _today(fullname.removeprefix(f"{_PACKAGE}."))[1]:
            return None
        return ModuleSpec(fullname, self, is_package=True)  # type: ignore[arg-type]

    def exec_module(self, module: ModuleType) -> None:
        old = module.__name__.removeprefix(f"{_PACKAGE}.")
        names, new = _today(old)
        renamed = {
            name: _RENAMED[f"{one}.{name}"]
            for one in names
            for name in _names_within(one, _RENAMED)
        }
        by_name = len(new) > 1 or old in _ROOMS or bool(renamed)
        if not by_name:
            _warn(module.__name__, f"{_PACKAGE}.{new[0]}")
        for name in new:
            import_module(f"{_PACKAGE}.{name}")

        def find(name: str) -> Any:  # noqa: ANN401 - of any type
            place, found = _standing(name, renamed, new)
            if place is None:
                raise AttributeError(f"module {module.__name__!r} has no {name!r}")
            if by_name and not name.startswith("__"):
                _warn(f"{module.__name__}.{name}", f"{_PACKAGE}.{place}")
                vars(module)[name] = found  # and not again
            return found

        vars(module)["__getattr__"] = find


def _standing(
    name: str, renamed: dict[str, str], modules: Sequence[str]
) -> tuple[str | None, object]:
    """Return where a name of an old module is today, and what it is."""
    if name in renamed:
        place, _, new = renamed[name].rpartition(".")
        return renamed[name], getattr(import_module(f"{_PACKAGE}.{place}"), new)
    for module in modules:
        target = import_module(f"{_PACKAGE}.{module}")
        if module == _OLD_CALLS:
            if name in _CALLED_OTHERWISE:
                return _CALLED_OTHERWISE[name], getattr(target, name)
        elif hasattr(target, name):
            return f"{module}.{name}", getattr(target, name)
    return None, None


def _names_within(module: str, names: Iterable[str]) -> list[str]:
    """Return the names of a module among dotted ones."""
    parts = (name.rpartition(".") for name in names)
    return [name for place, _, name in parts if place == module]


def _today(old: str) -> tuple[list[str], list[str]]:
    """Return all old names of a module, and the modules that it is today, if any.

    A name may have moved twice: the room of a module, and then the module.
    """
    room, _, rest = old.partition(".")
    if old in _MODULES:
        targets = _MODULES[old].split()
    elif room in _ROOMS:
        targets = [f"{_ROOMS[room]}{'.' if rest else ''}{rest}"]
    else:
        return [old], []
    names, new = [old], []
    for target in targets:
        older, newer = _today(target)
        names += older if newer else []
        new += newer or [target]
    return names, new
