"""Names made to break out of the files that hold them, through every writer."""

import ast
import csv
import html.parser
import io
import json
import shlex
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from bob.learn.pytorch.errors import ScoringError
from bob.learn.pytorch.experiment.stored_scores import score_everything
from bob.learn.pytorch.metrics import ScoreTable
from bob.learn.pytorch.protocols.formats.bob_csv import write_csv_protocol
from bob.learn.pytorch.protocols.opening import FORMS, as_database, convert
from bob.learn.pytorch.protocols.trials import DatabaseError
from bob.learn.pytorch.report import models, plot_det
from bob.learn.pytorch.report.page import as_page
from bob.learn.pytorch.report.plots import save_pictures
from bob.learn.pytorch.report.systems import System, evaluate_systems
from bob.learn.pytorch.report.tables import Column, Table, as_csv, as_latex, words
from bob.learn.pytorch.scorefiles import read_scores, write_scores
from bob.learn.pytorch.scorefiles.failures import Failure, read_failures, write_failures
from bob.learn.pytorch.scorefiles.forms import ScoreFileError
from bob.learn.pytorch.scorefiles.quality import Measured, read_measures, write_measures
from bob.learn.pytorch.script import demo
from bob.learn.pytorch.script.template import new
from bob.learn.pytorch.store import read_embeddings
from bob.learn.pytorch.store.records import Record, StoreError
from bob.learn.pytorch.store.store import EmbeddingStore
from bob.learn.pytorch.templates.format.template import commented_start

NAMES = {
    "python": 'x"+open("PWNED","w").name+"',
    "docstring": "\"\"\"\nopen('PWNED', 'w')\n'''",
    "backslash": "\\'); open('PWNED','w'); ('",
    "template": "{0.__class__} {recordings} %s %(x)d @name@ $name",
    "html": "</script></title></style><script>open(1)</script><img src=x onerror=a>",
    "attribute": "\" onload='alert(1)' x=\"",
    "latex": "\\input{x} $ % \n\\immediate\\write18{touch PWNED}\n\n[9pt] ~^_&#",
    "shell": "$(touch PWNED) `touch PWNED`; touch 'PWNED' | cat -",
    "formula": "=cmd|' /C calc'!A0",
    "plus": "+1+cmd|' /C calc'!A0",
    "lines": "one\ntwo\rthree\u2028four\x0bfive",
    "tabs": "a\tb,c;d",
    "terminal": "\x1b[31mred\x07",
    "mathtext": "$\\frac{$ $x_{",
}
# What can be the name of a file.
PATHS = {kind: name.replace("/", "|") for kind, name in NAMES.items()}


@pytest.fixture(params=NAMES)
def name(request):
    return NAMES[request.param]


@pytest.fixture
def folder(request, tmp_path, monkeypatch):
    """A folder of speakers that is called so, and so are they and their recordings."""
    monkeypatch.chdir(tmp_path)
    found = tmp_path / PATHS[request.param]
    for speaker in ("a", "b", "c", "d"):
        for take in ("m1-1", "m2-1"):
            path = found / (speaker + found.name) / f"{take}{found.name}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, np.zeros(20_000), 16_000)
    yield found
    assert not (tmp_path / "PWNED").exists()


every_path = pytest.mark.parametrize("folder", PATHS, indirect=True)


def assigned(text):
    """The constants of a program that may only import, call and assign."""
    tree = ast.parse(text)
    kinds = {type(node) for node in tree.body}
    assert kinds <= {ast.ImportFrom, ast.Assign, ast.Expr}
    calls = {ast.unparse(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
    constants = {
        node.targets[0].id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
    }
    return (
        calls,
        constants,
        {n.value for n in ast.walk(tree) if type(n) is ast.Constant},
    )


@every_path
def test_a_demonstration_of_the_folder_runs_nothing_of_its_name(folder, monkeypatch):
    monkeypatch.setattr("bob.learn.pytorch.models.store.fetch", lambda *_, **__: None)

    prepared = demo.prepare(folder.parent / "demo", recordings=folder)

    text = prepared.configuration.read_text()
    calls, constants, every = assigned(text)
    assert calls == {
        *("FolderDatabase", "SpeakerRule", "EmbeddingExtractor", "CallableExtractor")
    }
    assert constants["sub_directory"] == folder.name
    assert str(folder) in every
    assert prepared.configuration.name == f"{folder.name}.py"
    again = demo.prepare(folder.parent / "demo", recordings=folder)
    assert again.kept


@every_path
def test_a_protocol_is_read_as_it_was_written(folder):
    database = as_database(folder)

    root = write_csv_protocol(database, folder.parent / "out", protocol=folder.name)

    calls, _, every = assigned((root / "bob_database.py").read_text())
    assert calls == {"CSVDatabase", "FileSampleLoader"}
    assert {folder.name, str(root), str(folder)} <= every
    again = as_database(root, protocol=folder.name)
    found, before = (
        {item.path for item in one.trials("dev").recordings()}
        for one in (again, database)
    )
    assert found == before


@every_path
@pytest.mark.parametrize(
    "form", [form for form in FORMS if form not in ("bob", "wespeaker")]
)
def test_another_form_holds_the_names_or_is_refused(folder, form):
    database = as_database(folder)
    before = database.trials("dev")
    try:
        written = convert(database, folder.parent / "out", form=form)
    except DatabaseError:
        return

    for path in (folder.parent / "out").rglob("*"):
        if path.name in ("wav.scp", "utt2spk"):
            assert len(path.read_text().split("\n")) - 1 <= 8
    again = as_database(written["dev"]).trials("dev")
    assert again.count() == before.count()


@pytest.mark.parametrize("form", ["four", "five", "csv", "espnet"])
def test_scores_are_read_as_they_were_written_or_refused(name, form, tmp_path):
    table = ScoreTable.from_matrix(
        np.array([[1.0, -1.0]]),
        references=[name],
        reference_subjects=[name],
        probes=[name + "1", "b"],
        probe_subjects=[name, "b"],
    )
    try:
        path = write_scores(tmp_path / "scores.csv", table, form=form)
    except ScoreFileError:
        return

    found = read_scores(path, trials=None)
    assert found.probe.tolist() == [name + "1", "b"]


def test_measures_and_failures_are_read_as_they_were_written(name, tmp_path):
    side = {"duration": {name: 1.5}}
    write_measures(Measured(side, side), tmp_path / "measures.csv")
    failure = Failure(name, tmp_path / PATHS["lines"], "extraction", name)
    write_failures(tmp_path / "failures.tsv", [failure, failure])

    assert read_measures(tmp_path / "measures.csv", ["duration"]).probes == side
    first, second = read_failures(tmp_path / "failures.tsv")
    assert first == second
    assert (first.key, first.path) == (name, failure.path)


def evaluation_of(name, table):
    systems = [
        System(
            f"{name}{number}",
            table(seed=number),
            group=name,
            failures=(Failure(name, name, "extraction", name),),
            provenance=((name, name),),
        )
        for number in range(2)
    ]
    return evaluate_systems(systems, resamples=10)


class Elements(html.parser.HTMLParser):
    """The elements of a page with the names of their attributes."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, *sorted(name for name, _ in attributes)))


def table_of_scores(name, *, seed):
    random = np.random.default_rng(seed)
    speakers = [f"{name}{number}" for number in range(4)]
    return ScoreTable.from_matrix(
        random.standard_normal((4, 4)) + 3 * np.eye(4),
        references=speakers,
        reference_subjects=speakers,
        probes=[f"{speaker}p" for speaker in speakers],
        probe_subjects=speakers,
    )


def page_of(name):
    evaluation = evaluation_of(name, lambda seed: table_of_scores(name, seed=seed))
    return as_page(evaluation, title=name, made_by=[(name, name)], worst=3)


@pytest.fixture(scope="module")
def harmless_page():
    return Elements(page_of("plain")).found


def test_a_page_has_the_elements_that_it_has_with_plain_names(name, harmless_page):
    # A line may be broken inside of a long name.
    def without(found):
        return [element for element in found if element[0] != "wbr"]

    assert without(Elements(page_of(name)).found) == without(harmless_page)


def test_pictures_can_be_drawn_and_those_of_a_page_are_xml(name, tmp_path):
    evaluation = evaluation_of(name, lambda seed: table_of_scores(name, seed=seed))
    text = as_page(evaluation, title=name)
    start = text.index("<svg", text.index('id="curves"'))
    if name.isprintable():  # XML has no control characters, and HTML takes them
        ElementTree.fromstring(text[start : text.index("</svg>", start) + 6])  # noqa: S314

    if name == NAMES["mathtext"]:
        save_pictures(tmp_path / "pictures.png", evaluation)
        tables = {name: evaluation.systems[0].system.table}
        plot_det(tmp_path / "det.png", tables, title=name)


def test_the_page_and_table_of_many_models_hold_names_as_text(name):
    rows = [models.ModelRow(name, reason=name), models.ModelRow("b", reason="b")]

    page = models.as_page(rows, title=name, about=name)
    plain = models.as_page(
        [models.ModelRow("a", reason="a"), rows[1]], title="a", about="a"
    )
    assert Elements(page).found == Elements(plain).found
    first, second = csv.DictReader(io.StringIO(models.as_csv(rows), newline=""))
    assert first["model"] in (name, f"'{name}")
    assert first["model"][0] not in "=+-@\t\r"
    assert second["model"] == "b"


def a_table(name):
    return Table(
        name,
        name,
        (Column(name, name, numeric=False), Column("b", "b")),
        ((words(name), words("1")), (words(name), words("2"))),
        (name, f"{name}†"),
    )


def test_latex_has_a_line_a_row_and_no_command_of_a_name(name):
    def shape(text):
        return [line[:1] for line in text.splitlines()]

    text = as_latex(a_table(name))

    assert len(text.split("\n")) == len(text.splitlines())
    assert len(text.splitlines()) == len(as_latex(a_table("a")).splitlines())
    printed = "\n".join(line for line in text.splitlines() if line[:1] != "%")
    for command in ("\\input", "\\immediate", "\\write18", "\\frac"):
        assert command not in printed
    assert "$x" not in printed.replace("\\$", "")
    assert not any(
        line.lstrip().startswith(("[", "*")) for line in printed.splitlines()
    )


def test_csv_for_people_has_no_formula_and_every_cell_in_its_place(name):
    first, second = csv.DictReader(io.StringIO(as_csv(a_table(name)), newline=""))

    assert list(first)[1:] == ["b"]
    assert [first["b"], second["b"]] == ["1", "2"]
    (title, _), value = first, next(iter(first.values()))
    assert title in (name, f"'{name}")
    assert value in (name, f"'{name}")
    assert value[0] not in "=+-@\t\r"


def test_json_and_commands_to_copy_hold_names_as_they_are(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = f"{name.replace('/', '|')}.json"
    if file.startswith("-"):
        file = f"./{file}"

    result = CliRunner().invoke(new, ["--", file])

    assert result.exit_code == 0, result.output
    assert json.loads(commented_start(name))["name"] == name
    if name.isprintable():
        command = result.output.partition("then `")[2].rstrip().removesuffix("`")
        assert shlex.split(command) == ["bob", "pytorch", "template", "check", file]
    missing = tmp_path / "$(touch PWNED); 'x'.h5"
    with pytest.raises(StoreError) as caught:
        read_embeddings(missing)
    assert shlex.split(str(caught.value).split("`")[1])[-1] == str(missing)


def test_names_of_a_matrix_have_a_line_each_or_are_refused(name, tmp_path):
    store = tmp_path / "e.h5"
    vectors = np.eye(3, dtype=np.float32)
    with EmbeddingStore.open(store, fingerprint={"model": "m"}) as opened:
        opened.append([Record(f"{name}{number}", vectors[number]) for number in (0, 1)])

    try:
        score_everything(read_embeddings(store), tmp_path / "scores.npy")
    except ScoringError:
        assert len(name.splitlines()) > 1
        return
    lines = (tmp_path / "scores.npy.names").read_text().splitlines()
    assert lines == [f"{name}0", f"{name}1"]
