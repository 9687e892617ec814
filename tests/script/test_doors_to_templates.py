"""A template that nobody trusts runs through no door, whatever its stages are."""

import copy
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from commands import run
from recordings import record
from stores import store
from template_files import content

from bob.learn.pytorch.preprocessor.audio import TemplateExtractor
from bob.learn.pytorch.script import verify
from bob.learn.pytorch.templates.format.errors import UntrustedTemplate
from bob.learn.pytorch.templates.format.template import load
from bob.learn.pytorch.templates.install import trust
from bob.learn.pytorch.templates.run import checking, runner
from bob.learn.pytorch.templates.run.in_process import (
    InProcessSession,
    compute_embedding,
    import_pkgs,
    install_dependencies,
    load_model_dict,
    model_init,
    pre_proc,
)

RATE = 16_000
FILE = "theirs.json"
NAME = "their-model"
X = np.ones((1, RATE), np.float32)
SOUND = (RATE, np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32))


@pytest.fixture
def trace(tmp_path, monkeypatch):
    """What every stage of the template in this folder would write."""
    folder = str(tmp_path / "templates")
    monkeypatch.setenv("BOB_LEARN_PYTORCH_TEMPLATES_FOLDER", folder)
    trace = tmp_path / "TRACE"
    line = f"open({str(trace)!r}, 'a').close()"
    template = content(
        install_cmds=[f"touch {trace}"],
        download_cmds=[line],
        import_cmds=[line],
        model_init=[line, "model = 1"],
        pre_proc=[line],
        embed_fwd=[line, "y = x[:, :4]"],
    )
    Path(FILE).write_text(json.dumps(template))
    random = np.random.default_rng(0)
    for name in ("a/m1.wav", "a/m2.wav", "b/m1.wav", "b/m2.wav"):
        record(Path("corpus", name), 0.1 * random.standard_normal(RATE))
    return trace


def loaded(change=lambda found: found):
    return change(load_model_dict(FILE))


COPIES = {
    "as it is": lambda found: found,
    "copied": lambda found: found.copy(),
    "joined": lambda found: found | {"name": "b"},
    "shallow": copy.copy,
    "deep": copy.deepcopy,
    "pickled": lambda found: pickle.loads(pickle.dumps(found)),  # noqa: S301
}
SIX = {
    "install_dependencies": install_dependencies,
    "import_pkgs": import_pkgs,
    "model_init": lambda found: model_init(found, {}),
    "pre_proc": lambda found: pre_proc(found, X, {}),
    "compute_embedding": lambda found: compute_embedding(found, 1, X, {}),
}
EXTRACTOR = {
    "embed": lambda one: one.embed(SOUND),
    "call": lambda one: one(SOUND),
    "transform": lambda one: one.transform([SOUND]),
    "embed_many": lambda one: list(one.embed_many([(0, SOUND)], workers=0)),
    "fingerprint": lambda one: one.fingerprint(),
    "fetch": lambda one: one.fetch(),
    "prepare": lambda one: one.prepare(progress=False),
    "pickled": lambda one: pickle.loads(pickle.dumps(one)).embed(SOUND),  # noqa: S301
    "cloned": lambda one: one.__sklearn_clone__().embed(SOUND),
    "set": lambda one: one.set_params(channel=0).embed(SOUND),
}
LIBRARY = {
    "install": runner.install,
    "start": runner.start,
    "check": lambda found: list(checking.check(found)),
    "in process": InProcessSession,
}
COMMANDS = {
    "embed": f"embed corpus/a/m1.wav -o e.h5 --jobs 1 --model {FILE}",
    "embed, two processes": f"embed corpus/a/m1.wav -o e.h5 --jobs 2 --model {FILE}",
    "embed into its store": f"embed corpus/a/m1.wav -o its.h5 --model {FILE}",
    "compare": f"compare corpus/a/m1.wav corpus/a/m2.wav --model ./{FILE}",
    "checkpoints": f"checkpoints corpus --output out --model {FILE}",
    "template check": f"template check {FILE} --run",
    "template install": f"template install {FILE}",
    "template bench": f"template bench {FILE} --protocol corpus --output bench",
}
REST = "-d corpus -e unchanged -a cosine -s s"
VERIFY = {
    "-p": f"-p {FILE} {REST}",
    "-p path": f"-p ./{FILE} {REST}",
    "entry point": f"-p {NAME} {REST}",
    "expression": f"--imports theirs -p theirs.preprocessor {REST}",
    "store": f"-p {FILE} {REST} --store its.h5",
    "parallel": f"-p {FILE} {REST} --parallel 2",
    "configuration": "object.py",
    "text in a configuration": "text.py",
}


def every_door():
    for copied, change in COPIES.items():
        for name, call in SIX.items():
            yield (
                f"{name}, {copied}",
                lambda call=call, change=change: call(loaded(change)),
            )
    for name, call in EXTRACTOR.items():
        for isolated in (True, False):
            yield (
                f"{name}, isolated {isolated}",
                lambda call=call, isolated=isolated: call(
                    TemplateExtractor(FILE, isolated=isolated)
                ),
            )
    for name, call in LIBRARY.items():
        yield name, lambda call=call: call(load(FILE))


def a_store_of_its_embeddings():
    made_by = {"extractor": "TemplateExtractor", "template": load(FILE).sha256}
    names = ("a/m1", "a/m2", "b/m1", "b/m2")
    store("its.h5", dict.fromkeys(names, np.arange(4)), made_by=made_by)


def an_entry_point(folder):
    (folder / "theirs.py").write_text(
        "from bob.learn.pytorch.preprocessor.audio import TemplateExtractor\n"
        f"preprocessor = TemplateExtractor({FILE!r})\n"
    )
    package = folder / "theirs-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\n")
    (package / "entry_points.txt").write_text(
        f"[bob.bio.preprocessor]\n{NAME} = theirs:preprocessor\n"
    )


def test_nothing_of_a_template_is_run_through_any_door(
    trace, tmp_path, monkeypatch, capfd
):
    a_store_of_its_embeddings()
    an_entry_point(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    rest = "database, extractor, algorithm, sub_directory = (\n"
    rest += "    'corpus', 'unchanged', 'cosine', 's')\n"
    Path("object.py").write_text(f"from theirs import preprocessor\n{rest}")
    Path("text.py").write_text(f"preprocessor = {FILE!r}\n{rest}")

    for name, call in every_door():
        with pytest.raises(UntrustedTemplate, match="is not trusted"):
            call()
        assert not trace.exists(), name
    for name, words in COMMANDS.items():
        result = run(*words.split())
        assert result.exit_code == 1, (name, result.output)
        assert "not trusted" in result.output, (name, result.output)
        assert not trace.exists(), name
    for name, words in VERIFY.items():
        assert verify.main(words.split()) == 1, name
        assert "is not trusted" in capfd.readouterr().err, name
        assert not trace.exists(), name


def test_what_is_trusted_runs_through_the_same_doors(trace):
    trust.trust(load(FILE))

    for copied in COPIES.values():
        for call in list(SIX.values())[1:]:
            call(loaded(copied))
            assert trace.exists()
            trace.unlink()


def test_a_dict_that_is_changed_after_it_was_trusted_asks_again(trace):
    for found in (load_model_dict(FILE, trusted=True), load_model_dict(FILE)):
        trust.trust(load(FILE))
        namespace = import_pkgs(found)
        trace.unlink()
        found["embed_fwd"].append("y = 2 * y")

        for call in SIX.values():
            with pytest.raises(UntrustedTemplate, match="y = 2 \\* y"):
                call(found)
        assert not trace.exists()

        found.is_trusted = True
        assert compute_embedding(found, 1, X, namespace).tolist() == [[2.0] * 4]
        trace.unlink()
        found["licence"] = "MIT"  # which runs nothing
        compute_embedding(found, 1, X, namespace)
        trace.unlink()
        found["embed_fwd"] = {1, 2}
        with pytest.raises(UntrustedTemplate, match="no JSON"):
            compute_embedding(found, 1, X, namespace)


def test_who_answers_for_a_template_answers_for_what_it_is_then(trace):
    found = TemplateExtractor(FILE, trusted=True, isolated=False)
    found.model.content["embed_fwd"].append("y = 3")

    assert not found.trusted
    with pytest.raises(UntrustedTemplate):
        found.embed(SOUND)
    assert not trace.exists()
