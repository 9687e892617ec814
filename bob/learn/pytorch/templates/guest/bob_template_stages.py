"""The stages of a template: lists of code, run in one namespace.

Python 3.8 or later and its standard library; the environment of a template has nothing
else of ours.
"""

import contextlib
import functools
import linecache
import os
import shlex
import subprocess
import sys
import textwrap
import traceback
import warnings

# The directory that each stage wants to be in, by the key that says so.
CONTEXTS = {
    "import_cmds": "import_context",
    "download_cmds": "model_init_context",
    "model_init": "model_init_context",
    "pre_proc": "pre_proc_context",
}
# Lines that are no Python and begin with one of these are meant for the shell.
COMMANDS = frozenset(
    [
        *("cd", "git", "pip", "pip3", "python", "python3", "conda", "make", "cmake"),
        *("wget", "curl", "gdown", "huggingface-cli", "unzip", "tar", "patch", "sed"),
        *("mkdir", "cp", "mv", "rm", "ln", "export", "bash", "sh", "apt", "apt-get"),
    ]
)
# Limits of what is shown: steps of a traceback, and letters of a message.
MOST_FRAMES = 12
MOST_LETTERS = 4000
_PATHS = "__template_paths__"


class StageFailed(Exception):  # noqa: N818 - says what is wrong as it is
    """Code of a template that raised; where, and what."""

    def __init__(self, stage, item, code, error, trace=""):
        place = stage if item is None else "%s[%d]" % (stage, item)
        super().__init__("%s at `%s`: %s" % (place, " ".join(code.split()), error))
        self.stage = stage
        self.item = item
        self.code = code
        self.error = error
        self.trace = trace


class _Statement:
    """One or more items of a list that belong together; the first has number `item`."""

    def __init__(self, item, text, is_shell=False, problem=None):
        self.item = item
        self.text = text
        self.is_shell = is_shell
        self.problem = problem


def statements(items, shell=False):
    """Items of a list -> statements.

    An item of several lines is one statement. Items that are no statement by
    themselves, such as the lines of a block, are joined with those that follow.

    With `shell`, lines may be for the shell: those that are marked, "!" or "$ " in
    front, and those that are no Python and begin with a well-known command.
    """
    found = []
    start = 0
    while start < len(items):
        text = _joined(items[start : start + 1])
        marked = _marked(text)
        if shell and marked is not None:
            found.append(_Statement(start, marked, is_shell=True))
            start += 1
            continue
        problem = _problem(text)
        if problem is not None and shell and _is_command(text):
            found.append(_Statement(start, text.strip(), is_shell=True))
            start += 1
            continue
        end = _end(items, start)
        if end is None:
            found.append(_Statement(start, text, problem=problem))
            start += 1
        else:
            found.append(_Statement(start, _joined(items[start:end])))
            start = end
    return found


def _joined(items):
    text = "\n".join(items).strip("\n").rstrip()
    return textwrap.dedent(text) if text[:1].isspace() else text


def _end(items, start):
    """Return where the statement ends that begins at an item; None where none does.

    What follows belongs to it as long as it is indented, or goes on with the block.
    """
    end = found = _complete(items, start, start + 1)
    while found is not None:
        end = found
        if end == len(items) or not _goes_on(items[end]):
            break
        found = _complete(items, start, end + 1)
    return end


def _complete(items, start, end):
    """Return the first place from `end` on where the items before it are Python."""
    while end <= len(items):
        if _problem(_joined(items[start:end])) is None:
            return end
        end += 1
    return None


def _goes_on(text):
    word = text.split(None, 1)[0].rstrip(":") if text.strip() else ""
    return text[:1].isspace() or word in ("else", "elif", "except", "finally")


def _marked(text):
    text = text.strip()
    if text.startswith("!"):
        return text[1:].strip()
    if text.startswith("$ "):
        return text[2:].strip()
    return None


def _is_command(text):
    return text.split(None, 1)[0] in COMMANDS if text.strip() else False


def _problem(text):
    """Return the SyntaxError of a text; None where it is Python."""
    try:
        with warnings.catch_warnings():  # they come when it is run
            warnings.simplefilter("ignore")
            compile(text, "<template>", "exec")
    # ValueError: null bytes. The last two: nested too deep.
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return error
    return None


def run_stage(content, stage, namespace, folder=None, notice=None):
    """Run a stage of a template; what it defines is in the namespace afterwards.

    The namespace is globals and locals in one, so that comprehensions and functions see
    them too. The working directory and `sys.path` are as before; what the template put
    onto the latter is there again in its next stage. The directory of the context is
    relative to `folder`, by default the working directory, in which shell lines run.
    `notice` is called with the stage and the item before each statement.
    """
    with _place(content, stage, namespace, folder):
        for statement in _statements_of(stage, tuple(content.get(stage) or ())):
            if notice is not None:
                notice(stage, statement.item)
            _run(stage, statement, namespace)


@functools.lru_cache(maxsize=64)
def _statements_of(stage, items):
    """Return the statements of a stage; found once, since each call runs it."""
    return statements(list(items), shell=stage == "import_cmds")


@functools.lru_cache(maxsize=256)
def _compiled(text, name):
    return compile(text, name, "exec")


@contextlib.contextmanager
def _place(content, stage, namespace, folder):
    path = list(sys.path)
    context = content.get(CONTEXTS.get(stage, ""))
    before = folder
    try:
        try:
            before = os.getcwd()
            if folder is not None:
                os.chdir(folder)
            if context:
                os.chdir(context)
        except OSError as error:
            key = "of " + CONTEXTS[stage] if context else "to work in"
            reason = "the directory %s cannot be entered: %s" % (key, error)
            raise StageFailed(stage, None, context or "", reason)
        sys.path[:0] = namespace.get(_PATHS, [])
        yield
    finally:
        namespace[_PATHS] = [entry for entry in sys.path if entry not in path]
        sys.path[:] = path
        with contextlib.suppress(OSError):  # a template may have removed it
            if before is not None:
                os.chdir(before)


def _run(stage, statement, namespace):
    if statement.problem is not None:
        error = statement.problem
        reason = "no Python: %s" % (getattr(error, "msg", None) or error)
        if stage == "import_cmds":
            reason += " (put '!' in front of a line for the shell)"
        raise StageFailed(stage, statement.item, statement.text, reason)
    if statement.is_shell:
        _run_shell(stage, statement)
        return
    name = "<%s[%d]>" % (stage, statement.item)
    lines = [line + "\n" for line in statement.text.split("\n")]
    # For tracebacks, which show the line then.
    linecache.cache[name] = (len(statement.text), None, lines, name)
    try:
        exec(_compiled(statement.text, name), namespace)  # noqa: S102
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - SystemExit of a template too
        raise _failure(stage, statement, error, name)


def _failure(stage, statement, error, name):
    """Describe an error: the line of the template, and the traceback from there."""
    shown = error.__traceback__
    if shown is not None and shown.tb_next is not None:
        shown = shown.tb_next  # the line that runs it, in this module
    trace = _shortened(
        traceback.format_exception(type(error), error, shown, chain=False)
    )
    lines = statement.text.split("\n")
    numbers = [
        frame.lineno
        for frame in traceback.extract_tb(shown)
        if frame.filename == name and frame.lineno
    ]
    line = lines[numbers[0] - 1] if numbers else lines[0]
    return StageFailed(stage, statement.item, line.strip(), _said(error), trace)


def _said(error):
    """Kind and message of an error, whose own code may fail."""
    try:
        text = str(error)[:MOST_LETTERS]
    except Exception:  # noqa: BLE001
        text = "(what it says cannot be shown)"
    name = type(error).__name__
    return "%s: %s" % (name, text) if text else name + "()"


def _is_ours(path):
    return os.path.dirname(path) == os.path.dirname(__file__)


@contextlib.contextmanager
def blamed(stage, what):
    """Let whatever fails inside be a failure of a stage, about one of its names."""
    try:
        yield
    except (StageFailed, KeyboardInterrupt):
        raise
    except BaseException as error:  # noqa: BLE001 - as of the stage itself
        shown = error.__traceback__
        while shown is not None and _is_ours(shown.tb_frame.f_code.co_filename):
            shown = shown.tb_next
        trace = traceback.format_exception(type(error), error, shown, chain=False)
        reason = "%s: %s" % (what, _said(error))
        raise StageFailed(stage, None, "", reason, _shortened(trace))


def _shortened(trace):
    """Join a traceback, without the middle of a long one."""
    if len(trace) > MOST_FRAMES:
        left = len(trace) - MOST_FRAMES
        trace[3 : 3 + left] = ["  ... %d more ...\n" % left]
    return "".join(part[:MOST_LETTERS] for part in trace)


def shell_line(text):
    """Return a line for the shell without the mark that says so."""
    marked = _marked(text)
    return text.strip() if marked is None else marked


def changed_folder(line, folder):
    """Return where a line leads that is only `cd somewhere`; None for other lines."""
    try:
        words = shlex.split(line)
    except ValueError:
        return None
    if len(words) != 2 or words[0] != "cd":
        return None
    return os.path.normpath(os.path.join(folder, os.path.expanduser(words[1])))


def _run_shell(stage, statement):
    target = changed_folder(statement.text, os.getcwd())
    try:
        if target is not None:
            os.chdir(target)
            return
        result = subprocess.run(statement.text, shell=True, check=False)  # noqa: S602
    except OSError as error:
        raise StageFailed(stage, statement.item, statement.text, str(error))
    if result.returncode:
        reason = "the shell ended with status %d" % result.returncode
        raise StageFailed(stage, statement.item, statement.text, reason)
