"""Names that would take over a terminal, on the way through every command."""

import io
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import toy_experiment
from commands import run

from bob.learn.pytorch.script import terminal
from bob.learn.pytorch.script.verify import main

pytestmark = pytest.mark.usefixtures("networks_are_kept")

RATE = 16_000
NAMES = {
    "escapes": "\x1b]0;title\x07\x1b[31mred\x9b1m\x7f",
    "direction": "a\u202egpj\u2066b\u200f",
    "bytes": os.fsdecode(b"non\xff\xfe"),
    "lines": "one\nFORGED\rtwo\tthree\x0b\u2028FORGED",
}
RAW = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
    "|\nFORGED"
)
VERIFY = f"{toy_experiment.CONFIGURATION}verbose = 2\n"


SOME = [
    *("escapes", "lines"),
    *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("direction", "bytes")),
]


@pytest.fixture(params=SOME)
def name(request):
    return NAMES[request.param]


@pytest.fixture
def corpus(name):
    """Speakers and recordings of that name, one of them empty."""
    noise = np.random.default_rng(0)
    for speaker in "abc":
        for session in "mn":
            path = Path("corpus", f"{speaker}{name}", f"{session}-1{name}.wav")
            content = io.BytesIO()
            soundfile.write(content, noise.normal(0, 0.1, RATE), RATE, format="WAV")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.getvalue())
    path.with_name(f"k-1{name}.wav").touch()
    return sorted(map(str, Path("corpus").rglob("*.wav")))


def harmless(text):
    found = RAW.search(text.replace("\r\n", "\n"))
    assert found is None, text[max(0, found.start() - 200) : found.end() + 50]
    return text


def bob(*words):
    result = run(*words)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return harmless(result.output), result.exit_code


def test_no_command_prints_what_a_name_would_do(corpus, name, weights, capfd):
    model = ("--model", weights)
    empty = corpus[-3]
    store = f"{name}.h5"

    said, code = bob("embed", *corpus, *model, "-o", store)
    assert (code, "holds 0 bytes" in said) == (1, True)
    said, code = bob("compare", *corpus[:2], *model)
    assert (code, "score" in said) == (0, True)
    for words in (
        ("compare", empty, corpus[0], *model),
        ("compare", name, corpus[0], *model),
        ("embed", f"{name}.txt", *model, "-o", store),
        ("embed", corpus[0], *model, "-o", name),
        ("embed", corpus[0], "--model", name, "-o", store),
        ("embed", corpus[0], *model, "-o", store, "--dask", name),
        ("embed", corpus[0], *model, "-o", store, f"--{name}"),
        ("score", store, name, "-o", "out"),
        ("score", name, name, "-o", "out"),
        ("metrics", name),
        ("report", name, "-o", "x.html"),
        ("template", "show", name),
        ("models", "show", name),
        ("protocol", "check", name),
        (name,),
    ):
        assert bob(*words)[1] != 0, words
    for words in (
        ("store", "show", store),
        ("store", "export", store, f"{name}.npz"),
        ("protocol", "check", "corpus"),
    ):
        assert bob(*words)[1] in (0, 1), words
    out, err = capfd.readouterr()
    harmless(out + err)


def test_an_experiment_and_its_report_print_nothing_of_that(corpus, name, capfd):
    of_that_name = VERIFY.replace('"toy"', repr(f"toy{name}"))
    Path("first.py").write_text(of_that_name)

    stopped = main(["first.py"])
    done = main(["first.py", "--allow-missing-files", "-vv"])
    again = main(["first.py", "--allow-missing-files", "--skip-preprocessing"])
    wrong = main([f"{name}.py"])

    assert (stopped, done, again, wrong) == (1, 0, 0, 1)
    out, err = capfd.readouterr()
    assert "holds 0 bytes" in err
    harmless(out + err)
    scores = next(Path("results").rglob("scores-*"))
    outputs = ("out.txt", "out.html", "out.tex")
    words = [word for path in outputs for word in ("-o", path)]
    bob("report", scores.parent, *words, "--resamples", 20)
    for path in (*outputs, *Path("results").rglob("report.txt")):
        harmless(Path(path).read_text(encoding="utf-8", errors="surrogateescape"))


def test_no_name_in_a_message_of_a_log_breaks_its_line(caplog):
    for said in (NAMES["lines"], Path(NAMES["lines"]), OSError(2, NAMES["lines"])):
        logging.getLogger("toy").warning("%s: %d", said, 1)

    formatter = terminal.EscapingFormatter("%(message)s")
    for record in caplog.records:
        assert harmless(formatter.format(record)).endswith(": 1")


def test_whatever_python_itself_prints_is_escaped_too():
    """Warnings, logs and tracebacks of errors that nobody expects."""
    program = (
        "import logging, sys, warnings\n"
        f"from {terminal.__name__} import escape_streams\n"
        "escape_streams(); escape_streams()\n"
        "name = '\\x1b[31m\\u202e'\n"
        "print(name, end='\\n\\n'); print('\\rbar', 'a\\rb', file=sys.stderr)\n"
        "logging.getLogger('x').warning('%s', name)\n"
        "warnings.warn(name)\n"
        "sys.stdout.writelines([name, 'Zoë 東京\\n'])\n"
        "raise RuntimeError(name)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True
    )

    assert done.stdout.decode() == ("\\x1b[31m\\u202e\n\n\\x1b[31m\\u202eZoë 東京\n")
    said = done.stderr.decode()
    assert said.startswith("\rbar a\\rb\n\\x1b[31m\\u202e\n")
    assert said.endswith("RuntimeError: \\x1b[31m\\u202e\n")
    harmless(said.replace("\rbar", "bar"))
