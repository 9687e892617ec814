"""verify.py: a speaker verification experiment from a configuration file."""

from __future__ import annotations

import argparse
import difflib
import logging
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from bob.learn.pytorch.errors import UserError
from bob.learn.pytorch.experiment.options import (
    IGNORED,
    NOT_OFFERED,
    OPTIONS,
    Option,
    Settings,
)
from bob.learn.pytorch.printing import printable
from bob.learn.pytorch.script.terminal import (
    INTERRUPTED,
    EscapingFormatter,
    escape_streams,
    told,
)
from bob.learn.pytorch.settings import let_idle_threads_sleep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bob.learn.pytorch.experiment.experiment import Outcome

logger = logging.getLogger(__name__)

_EPILOGUE = """\
A configuration is a Python file (.py, or the name of a module, or an entry point of
the group bob.bio.config) that sets variables named as the long options, with '_' for
'-'. Several are read one after the other, and what stands on the command line wins.
`verify.py -H config.py` writes one in which every variable is explained."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run an experiment; the value is the exit status of the process.

    0 when scores were written, 1 when the experiment could not be carried out
    (with the reason on standard error), 2 for a command line that makes no
    sense.
    """
    let_idle_threads_sleep()
    escape_streams()
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    parser = _parser()
    given = {
        name: value
        for name, value in vars(parser.known(arguments)).items()
        if value is not None
    }
    if "create_configuration_file" in given:
        return _write_template(Path(given["create_configuration_file"]))
    _start_logging(given.get("verbose", 0))
    started = time.monotonic(), os.times()
    try:
        _experiment(given, [Path(sys.argv[0]).name, *arguments], started)
    except UserError as error:
        remedy = next((item for item in OPTIONS if item.name == error.remedy), None)
        by = f" (--{remedy.long})" if remedy else ""
        sys.stderr.write(f"verify.py: {told(error)}{by}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write(
            "verify.py: interrupted; finished work is kept, start again to go on\n"
        )
        return INTERRUPTED
    return 0


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, with the nearest option."""

    def known(self, arguments: list[str]) -> argparse.Namespace:
        """Parse; an option that is not known is an error that names the nearest."""
        found, unknown = self.parse_known_intermixed_args(arguments)
        if unknown:
            known = self._option_string_actions
            nearest = [
                name
                for word in unknown
                if word.startswith("-")
                for name in difflib.get_close_matches(word.split("=")[0], known, n=1)
            ]
            hint = f"; did you mean {', '.join(nearest)}?" if nearest else ""
            self.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")
        return found

    def error(self, message: str) -> NoReturn:
        """Exit with one line."""
        self.exit(2, f"{self.prog}: error: {message} (all options: verify.py --help)\n")


def _parser() -> _Parser:
    parser = _Parser(
        prog="verify.py",
        description="Run a speaker verification experiment: recordings to scores.",
        epilog=_EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "configuration_files",
        nargs="*",
        metavar="CONFIG",
        default=None,
        help="configurations, later ones win",
    )
    parser.add_argument(
        "-H",
        "--create-configuration-file",
        metavar="FILE",
        nargs="?",
        const="config.py",
        help="write a configuration that explains every variable [config.py]",
    )
    for importance in ("required", "common", "optional", "rare"):
        group = parser.add_argument_group(f"{importance} options")
        for option in OPTIONS:
            if option.importance == importance:
                _add(group, option)
    group = parser.add_argument_group("accepted for old command lines")
    for option in (*IGNORED, *(refused for refused, _ in NOT_OFFERED.values())):
        _add(group, option)
    return parser


def _add(group: argparse._ArgumentGroup, option: Option) -> None:
    help_text = option.help.replace("%", "%%")
    if option.default not in (None, False, ()):
        shown = option.default
        shown = " ".join(shown) if isinstance(shown, tuple) else shown
        help_text += f" [{shown}]"
    keywords: dict[str, Any] = {"dest": option.name, "default": None, "help": help_text}
    if option.kind == "flag":
        keywords["action"] = "store_true"
    elif option.kind == "count":
        keywords["action"] = "count"
    else:
        keywords["metavar"] = option.long.split("-")[-1].upper()
        keywords["type"] = {"number": int, "real": float}.get(option.kind, str)
        keywords["action"] = "append" if option.repeated else _Once
        if option.kind == "words":
            keywords["choices"] = option.choices or None
            if not option.repeated:
                keywords["nargs"] = "+" if option.alone is None else "*"
        elif option.alone is not None:
            keywords.update(nargs="?", const=option.alone)
    group.add_argument(*option.flags, **keywords)


class _Once(argparse.Action):
    """Store a value, and refuse a second one: argparse takes the last silently."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,  # noqa: ANN401 - what the type of the option makes
        option_string: str | None = None,
    ) -> None:
        before = getattr(namespace, self.dest)
        if before is not None and before != values:
            once = "give it once"
            if isinstance(values, list):
                together = " ".join([str(option_string), *before, *values])
                once = f"give all its values at once, {together}"
                before, values = " ".join(before), " ".join(values)
            parser.error(
                f"{option_string} is given as {before} and as {values}: {once}"
            )
        setattr(namespace, self.dest, values)


def _write_template(path: Path) -> int:
    from bob.learn.pytorch.files import write_text

    if path.exists():
        sys.stderr.write(
            f"verify.py: {printable(path)} exists already; give another name\n"
        )
        return 1
    write_text(path, _commented_template())
    sys.stderr.write(
        f"wrote {printable(path)}: set the required variables and run it\n"
    )
    return 0


def _commented_template() -> str:
    """Return a configuration file with every option as a comment (``verify.py -H``)."""
    headings = {
        "required": "REQUIRED: without these, nothing runs",
        "common": "COMMON: you may want to change these",
        "optional": "OPTIONAL: where things go, and what they look like",
        "rare": "RARE",
    }
    lines = ["# A configuration of verify.py: remove the '#' of what you set.", ""]
    for importance, heading in headings.items():
        lines += ["#" * 70, f"# {heading}", "#" * 70, ""]
        for option in OPTIONS:
            if option.importance == importance:
                lines += _template_entry(option)
    return "\n".join(lines)


def _template_entry(option: Option) -> list[str]:
    choices = f" One or more of: {', '.join(option.choices)}." if option.choices else ""
    default = (
        list(option.default) if isinstance(option.default, tuple) else option.default
    )
    value = "..." if option.importance == "required" else repr(default)
    return [f"# {option.help}{choices}", f"# {option.name} = {value}", ""]


def _start_logging(verbosity: int) -> None:
    levels = (logging.WARNING, logging.WARNING, logging.INFO, logging.DEBUG)
    handler = logging.StreamHandler()
    handler.setFormatter(EscapingFormatter("%(levelname)s %(message)s"))
    # Only ours: Bob's own handler, if Bob is loaded, would say everything again.
    ours = logging.getLogger("bob.learn.pytorch")
    ours.handlers[:] = [handler]
    ours.propagate = False
    ours.setLevel(levels[min(verbosity, 3)])
    # How far a long run is should be seen without asking, terminal or not.
    progress = logging.getLogger("bob.learn.pytorch.progress")
    progress.setLevel(logging.INFO)


def _experiment(
    given: dict[str, Any], command: list[str], started: tuple[float, os.times_result]
) -> None:
    from bob.learn.pytorch.experiment.run import carry_out, read_settings

    settings = read_settings(*given.pop("configuration_files", []), **given)
    _start_logging(settings.verbose)
    outcome = carry_out(settings, command=command)
    if settings.dry_run:
        for task in outcome.tasks:
            sys.stdout.write(f"Would have executed task '{task}'\n")
        return
    reports = [_shown(*report) for report in outcome.reports.items()]
    sys.stdout.write("\n\n".join(reports))
    _summarise(outcome)
    _tell_times(settings, started)


def _shown(folder: Path, report: str) -> str:
    shown = printable(folder)
    return (
        f"{report}\n\nReport:     {shown}/report.txt (and report.json)\n"
        f"DET curves: {shown}/det.png\n"
    )


def _summarise(outcome: Outcome) -> None:
    for stage, computed in outcome.computed.items():
        reused = outcome.reused.get(stage, 0)
        logger.info("%s: %d computed, %d reused", stage, computed, reused)
    if not outcome.failures:
        return
    lines = [f"  {failure}" for failure in outcome.failures.values()]
    sys.stderr.write(
        f"Recordings that could not be used: {len(lines)}. Where nothing else is left "
        "of a reference or probe, its trials score nan (failure to acquire):\n"
        + "\n".join(lines)
        + "\n"
    )


def _tell_times(settings: Settings, started: tuple[float, os.times_result]) -> None:
    if settings.timer is None:
        return
    now = os.times()
    elapsed = {
        "real": time.monotonic() - started[0],
        "system": now.system - started[1].system,
        "user": now.user - started[1].user,
    }
    for kind in settings.timer or tuple(elapsed):
        sys.stdout.write(f"Elapsed {kind} time: {elapsed[kind]:.3f} seconds\n")
