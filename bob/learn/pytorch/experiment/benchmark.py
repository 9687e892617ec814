"""One protocol over many models, one after the other: read `benchmark` first."""

from __future__ import annotations

import hashlib
import json
import logging
import shlex
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from bob.learn.pytorch.errors import UserError
from bob.learn.pytorch.experiment import model_costs
from bob.learn.pytorch.experiment.scores import score_trials
from bob.learn.pytorch.files import content_of, source_of, write_text
from bob.learn.pytorch.inference.engine import ChoiceError, chosen_device
from bob.learn.pytorch.inference.extract import extract_into
from bob.learn.pytorch.metrics import evaluate
from bob.learn.pytorch.models.catalogue import TrainedModel, find
from bob.learn.pytorch.preprocessor.audio.loading import is_template, open_model
from bob.learn.pytorch.printing import printable
from bob.learn.pytorch.protocols.counts import summarise_trials
from bob.learn.pytorch.protocols.opening import as_database
from bob.learn.pytorch.protocols.speakers import (
    ALL_PAIRS,
    SpeakerDatabase,
    SpeakerRule,
)
from bob.learn.pytorch.protocols.trials import DatabaseError
from bob.learn.pytorch.report.experiment_report import plot_det
from bob.learn.pytorch.report.models import (
    Costs,
    ModelRow,
    as_csv,
    as_page,
    as_text,
)
from bob.learn.pytorch.store.records import differing
from bob.learn.pytorch.store.store import alone, read
from bob.learn.pytorch.store.store import summarise as in_numbers
from bob.learn.pytorch.templates.format.errors import (
    InstallError,
    InvalidTemplate,
    UntrustedTemplate,
)
from bob.learn.pytorch.templates.format.template import Template, load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from bob.learn.pytorch.protocols.trials import Trials

Model: TypeAlias = Template | TrainedModel

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Benchmark:
    """Figures of models on one protocol.

    Attributes
    ----------
    title, about
        Protocol in a few words, and its counts in a sentence.
    rows
        One for each model, in their order.
    """

    title: str
    about: str
    rows: Sequence[ModelRow]

    def as_dict(self) -> dict[str, Any]:
        """Return everything, ready for JSON."""
        models = [row.as_dict() for row in self.rows]
        return {"protocol": self.title, "trials": self.about, "models": models}

    def as_text(self) -> str:
        """Return a table for people."""
        return f"{self.title}: {self.about}\n\n{as_text(self.rows)}"

    def write(self, folder: Path) -> None:
        """Write `results.csv`, `index.html` and, with curves, `det.png`."""
        picture = folder / "det.png"
        found = {row.name: row.evaluation for row in self.rows if row.evaluation}
        if found:
            plot_det(picture, found, title=self.title)
        else:
            picture.unlink(missing_ok=True)
        page = as_page(self.rows, title=self.title, about=self.about)
        write_text(folder / "results.csv", as_csv(self.rows))
        write_text(folder / "index.html", page)


def benchmark(
    models: Iterable[str],
    protocol: str | Path,
    folder: Path,
    *,
    group: str | None = None,
    rule: SpeakerRule | None = None,
    device: str | None = None,
    ask: Callable[[Template], None],
    tell: Callable[[str], None],
) -> Benchmark:
    """Run a protocol over models; what is in the folder already is not done again.

    Of each model, the embeddings are in a store there, and its costs beside it. A
    store that was made by another version of the model is replaced.

    Parameters
    ----------
    models
        Names or files of templates and trained models.
    protocol
        Whatever `read_protocol` reads; of a folder of speakers, all pairs.
    folder
        Stores, costs, table, page and picture; made where there is none.
    group
        Of the protocol. Default: eval if there is one, else the first.
    device
        Of torch. Default: cpu.
    ask
        Called with each template before the first model runs; raises
        `UntrustedTemplate` for one that may not run.
    tell
        Called before each model, with a line for people.

    Raises
    ------
    UserError
        A model is misspelt, two would have the same files, or the protocol cannot be
        read. A model that fails is a row with its reason.
    """
    device = chosen_device(device)
    wanted = candidates(models, ask=ask)
    trials, title, about = _trials(protocol, group, rule)
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, one in enumerate(wanted, start=1):
        tell(f"[{number}/{len(wanted)}] {one.name}")
        rows.append(_row(one, trials, folder, device=device))
    found = Benchmark(title, about, rows)
    found.write(folder)
    return found


@dataclass(frozen=True)
class _Candidate:
    """A model that is to be run.

    Attributes
    ----------
    given
        As the user named it.
    name
        In the table.
    model
        None where there is no such thing as `reason` tells.
    reason
        Why it will not be run; empty if it may.
    """

    given: str
    name: str
    model: Model | None
    reason: str = ""

    @property
    def file_name(self) -> str:
        """Beginning of the names of its files."""
        return self.name.replace("/", "-")


def candidates(
    names: Iterable[str], *, ask: Callable[[Template], None]
) -> list[_Candidate]:
    """Look up every model before the first is run, and ask for trust.

    Raises
    ------
    UnknownTemplate, UnknownModelError
        One is misspelt.
    UserError
        Two would have the same files.
    """
    found = [_candidate(name, ask) for name in dict.fromkeys(names)]
    by_file: dict[str, _Candidate] = {}
    for one in found:
        first = by_file.setdefault(one.file_name, one)
        if first is not one:
            raise ChoiceError(
                f"{printable(first.given)} and {printable(one.given)} are both called "
                f"{one.file_name}, as their files in the output folder; rename one, or "
                "run them into two folders",
                option="model",
            )
    return found


def _candidate(name: str, ask: Callable[[Template], None]) -> _Candidate:
    if not is_template(name):
        return _Candidate(name, name, find(name))
    try:
        model = load(name)
    except InvalidTemplate as error:
        return _Candidate(name, printable(name), None, _in_a_line(error))
    try:
        ask(model)
    except UntrustedTemplate:
        how = f"`bob pytorch template trust {printable(shlex.quote(name))}`, or --yes"
        reason = f"it is not trusted, and runs other people's code ({how})"
        return _Candidate(name, model.name, model, reason)
    return _Candidate(name, model.name, model)


def _row(one: _Candidate, trials: Trials, folder: Path, *, device: str) -> ModelRow:
    if one.model is None or one.reason:
        return ModelRow(one.name, reason=one.reason)
    try:
        return _run_one(one, one.model, trials, folder, device=device)
    except (OSError, UserError) as error:
        if _is_of_an_interrupt(error):
            raise KeyboardInterrupt from error
        logger.info("%s failed: %s", one.name, error)
        return ModelRow(one.name, reason=_in_a_line(error))


def _run_one(
    one: _Candidate, model: Model, trials: Trials, folder: Path, *, device: str
) -> ModelRow:
    place = folder / f"{one.file_name}.h5"
    # Trust was asked for, of what was loaded then: its file may be another by now.
    which = model if isinstance(model, Template) else one.given
    # Channels are mixed, so that all hear the same.
    extractor = open_model(which, trusted=True, device=device, channel="mix")
    try:
        extractor.fetch(progress=True)
        paths = {item.key: str(item.path) for item in trials.recordings()}
        made_by = extractor.fingerprint()
        _remove_if_of_another(place, made_by)
        extract_into(place, extractor, paths, progress=True)
    finally:
        if hasattr(extractor, "close"):  # only templates have a process
            extractor.close()
    stored = read(place)
    rows = {name: row for row, name in enumerate(stored.names) if name in paths}
    if not rows:
        first = next(reason for key, reason in stored.failures.items() if key in paths)
        reason = f"none of {len(paths)} recordings has an embedding; the first: {first}"
        return ModelRow(one.name, reason=_in_a_line(reason))
    table = score_trials(
        trials, {name: stored.embeddings[row] for name, row in rows.items()}
    )
    seconds = float(stored.seconds[list(rows.values())].sum())
    chosen = model_costs.sample([key for key in paths if key in rows], seconds)
    identity = {
        **made_by,
        "device": device,
        "sample": _digest([(key, content_of(source_of(paths[key]))) for key in chosen]),
    }
    return ModelRow(
        one.name,
        evaluation=evaluate(table),
        dimensions=stored.embeddings.shape[1],
        costs=_costs(
            model, [paths[key] for key in chosen], place.with_suffix(".json"), identity
        ),
        left_out=len(paths) - len(rows),
    )


def _remove_if_of_another(place: Path, made_by: Mapping[str, str]) -> None:
    """Let a store that was made by something else not be taken for this model's."""
    if not place.exists():
        return
    others = differing(in_numbers(place).fingerprint, made_by)
    if others:
        logger.warning(
            "%s was made by another version (%s differ); it is made anew",
            place,
            ", ".join(others),
        )
        with alone(place):
            place.unlink()


def _costs(
    model: Model, paths: Sequence[str], place: Path, identity: Mapping[str, str]
) -> Costs:
    """Costs as measured before, or else now."""
    kept = _kept(place, identity)
    if kept is not None:
        return kept
    device = identity["device"]
    if isinstance(model, Template):
        found = model_costs.of_template(model, paths, device=device)
    else:
        found = model_costs.of_trained_model(model, paths, device=device)
    content = {"measured_on": dict(identity), "costs": asdict(found)}
    write_text(place, json.dumps(content, indent=2) + "\n")
    return found


def _kept(place: Path, identity: Mapping[str, str]) -> Costs | None:
    try:
        content = json.loads(place.read_text(encoding="utf-8"))
        if content["measured_on"] == identity:
            return Costs(**content["costs"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass
    return None


def _digest(content: object) -> str:
    text = json.dumps(content, ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:16]


def _is_of_an_interrupt(error: BaseException) -> bool:
    """Return whether Ctrl-C came first: what was begun then may fail on its way out."""
    before = error.__context__
    return isinstance(before, KeyboardInterrupt) or (
        before is not None and _is_of_an_interrupt(before)
    )


def _in_a_line(error: object) -> str:
    """Return what a row has room for: what happened, and the reason below it."""
    lines = [" ".join(printable(line).split()) for line in str(error).splitlines()]
    first, *others = [line for line in lines if line] or ["no reason given"]
    below = [line for line in others if line.startswith("because ")][:1]
    if isinstance(error, InstallError) and error.said:
        below = [printable(error.said.splitlines()[-1].strip())]
        first += ":"
    elif first.endswith(":"):
        below = others[:1]
    return " ".join([first, *below])


def _trials(
    source: str | Path, group: str | None, rule: SpeakerRule | None
) -> tuple[Trials, str, str]:
    """Return the trials of a protocol, its title, and its counts in words."""
    database = as_database(source, rule=rule)
    if isinstance(database, SpeakerDatabase):
        if group is not None:
            raise DatabaseError(
                f"{source} is a folder of speakers, of which all pairs are "
                "compared: it has no groups, so name none",
                remedy="group",
            )
        database.protocol = ALL_PAIRS
        trials, kind = database.trials("dev"), "all pairs"
    else:
        groups = database.groups()
        chosen = group or ("eval" if "eval" in groups else groups[0])
        trials = database.trials(chosen)
        kind = f"protocol {database.protocol}, group {chosen}"
    counts = summarise_trials(trials)
    title = printable(f"{database.name}, {kind}")
    about = (
        f"{counts.recordings:,} recordings of {counts.speakers:,} speakers, "
        f"{counts.target_trials:,} target and {counts.non_target_trials:,} non-target "
        "trials"
    )
    return trials, title, about
