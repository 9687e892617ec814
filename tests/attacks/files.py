"""Attacks on every format but audio: what is read, by which door, from which bytes."""

import json
import tempfile
from functools import cached_property
from pathlib import Path

import numpy as np


class Attack:
    """Damage one file of a set, and read the set.

    Parameters
    ----------
    make
        `make(folder)` writes the undamaged files.
    door
        `door(folder)` reads them, and returns what can be compared.
    also_named
        `also_named()` are errors that the door's command shows, beside the usual.
    kinds
        By the end of a file's name, what `mutation.mutant` knows of it. Files of other
        names stay as they are.
    """

    def __init__(self, name, make, door, kinds, also_named=tuple):
        self.name, self._make, self._door = name, make, door
        self._kinds, self.also_named = kinds, also_named

    @cached_property
    def content(self):
        """Undamaged files, by name."""
        with tempfile.TemporaryDirectory() as folder:
            self._make(Path(folder))
            found = sorted(path for path in Path(folder).rglob("*") if path.is_file())
            return {
                path.relative_to(folder).as_posix(): path.read_bytes() for path in found
            }

    @cached_property
    def undamaged(self):
        """What is read from undamaged files."""
        with tempfile.TemporaryDirectory() as folder:
            for name, content in self.content.items():
                place = Path(folder, name)
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(content)
            return repr(self._door(Path(folder))).replace(folder, "")

    def case(self, number):
        """Return files by name, the one to damage first, and how."""
        targets = {
            name: kind
            for name in self.content
            for end, kind in self._kinds.items()
            if name.endswith(end)
        }
        target = list(targets)[number % len(targets)]
        others = {name: c for name, c in self.content.items() if name != target}
        return {target: self.content[target], **others}, targets[target]

    def read(self, folder, number):
        """Read the set; "other" is a result that undamaged files do not give."""
        undamaged = self.undamaged
        found = repr(self._door(folder)).replace(str(folder), "")
        return ("same" if found == undamaged else "other"), ""


def _text(files):
    def make(folder):
        for name, text in files.items():
            place = folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")

    return make


def _network():
    from torch import nn

    class Toy(nn.Module):
        def __init__(self):
            super().__init__()
            self.em, self.bn = nn.Linear(4, 3), nn.BatchNorm1d(3)
            self.fc = nn.Linear(3, 5)

        def embedding_keys(self):
            return frozenset(
                key
                for key in self.state_dict()
                if not key.startswith("fc.") and "num_batches" not in key
            )

    return Toy()


def _checkpoint(form):
    def make(folder):
        import torch
        from safetensors.torch import save_file

        torch.manual_seed(0)
        weights = _network().state_dict()
        if form == "safetensors":
            save_file(weights, folder / "a.pth")
            return
        content = {"state_dict": weights, "epoch": 3, "best": np.float64(0.5)}
        torch.save(
            content, folder / "a.pth", _use_new_zipfile_serialization=form == "zip"
        )

    return make


def _load_weights(folder):
    from bob.learn.pytorch.models.checkpoint import load_weights, recognise

    network = _network()
    recognise(folder / "a.pth")
    load_weights(network, folder / "a.pth")
    return {
        key: tensor.tolist()
        for key, tensor in network.state_dict().items()
        if key in network.embedding_keys()
    }


def _odd_state_dict(folder):
    """A whole file with odd entries, which no damage of bytes makes."""
    import torch

    torch.manual_seed(0)
    state = _network().state_dict()
    try:
        for key, value in json.loads((folder / "odd.json").read_text("utf-8")).items():
            state[key] = value if not isinstance(value, list) else torch.tensor(value)
        torch.save(state, folder / "a.pth")
    except (AttributeError, TypeError, ValueError, RuntimeError, OverflowError):
        return "cannot be written"
    return _load_weights(folder)


def _store(folder):
    from bob.learn.pytorch.store.store import EmbeddingStore, Record

    random = np.random.default_rng(0)
    with EmbeddingStore.open(folder / "a.h5", fingerprint={"model": "m"}) as store:
        store.append(
            [
                Record(
                    f"s{i}/é{i}", random.normal(size=8).astype(np.float32), 3.5, 8000
                )
                for i in range(6)
            ]
        )
        store.append([Record("bad", None, reason="is silent", source="1 2")])


def _exchanged(name):
    def make(folder):
        from bob.learn.pytorch.store.exchange import export

        _store(folder)
        export(folder / "a.h5", folder / name)
        (folder / "a.h5").unlink()
        for scp in folder.glob("*.scp"):  # it names a place that is gone
            lines = scp.read_text("utf-8").replace(f"{folder.resolve()}/", "")
            scp.write_text(lines, encoding="utf-8")

    return make


def _rows(stored):
    return (
        stored.names,
        stored.embeddings.tolist(),
        stored.seconds.tolist(),
        stored.sample_rates.tolist(),
        stored.sources,
        dict(stored.failures),
        dict(stored.fingerprint),
    )


def _read_store(folder):
    from bob.learn.pytorch.store.reading import summarise
    from bob.learn.pytorch.store.store import EmbeddingStore, Record

    path = folder / "a.h5"
    summarise(path)
    found = _rows(EmbeddingStore.read(path))
    with EmbeddingStore.open(path, fingerprint={"model": "m"}) as store:
        store.append([Record("new", np.arange(8, dtype=np.float32))])
    return found


def _import(suffix):
    def door(folder):
        from bob.learn.pytorch.store.exchange import import_
        from bob.learn.pytorch.store.store import EmbeddingStore

        import_(folder / f"a.{suffix}", folder / "new.h5")
        return _rows(EmbeddingStore.read(folder / "new.h5"))

    return door


def _feature(folder):
    from bob.learn.pytorch.experiment import stored
    from bob.learn.pytorch.store import arrays

    row = np.random.default_rng(0).normal(size=(1, 16))
    with stored.writing(folder / "a.hdf5", "f" * 64) as path:
        arrays.write(row, path)


def _read_feature(folder):
    from bob.learn.pytorch.experiment import stored
    from bob.learn.pytorch.experiment.components import as_rows
    from bob.learn.pytorch.store import arrays

    path = folder / "a.hdf5"
    made_by = stored.fingerprint(path)
    if made_by != "f" * 64:
        return "made anew"
    stored.check(path)
    return as_rows(arrays.read(path), str(path)).tolist()


def _of_a_recording():
    from bob.learn.pytorch.experiment.components import OF_THE_RECORDING

    return OF_THE_RECORDING


def _plda(folder):
    from bob.learn.pytorch.scoring import train_plda

    random = np.random.default_rng(0)
    speakers = np.repeat(np.arange(20), 4)
    rows = random.normal(size=(20, 4))[speakers] + random.normal(size=(80, 4)) / 4
    train_plda(rows, [str(n) for n in speakers]).save(folder / "a.npz")


def _read_plda(folder):
    from bob.learn.pytorch.experiment.backends import plda_for
    from bob.learn.pytorch.store.reading import StoredEmbeddings

    ones = np.ones(2)
    rows = np.random.default_rng(1).normal(size=(2, 4)).astype(np.float32)
    some = StoredEmbeddings(("a", "b"), rows, ones, ones.astype(int), ("", ""))
    model = plda_for(some, folder / "a.npz")
    references, counts = model.enrol(rows, [[0], [1]])
    scores = model.score(references, model.project(rows), counts=counts)
    return scores.tolist()


def _calibration(kind):
    def make(folder):
        from bob.learn.pytorch.calibration.file import save_calibration
        from bob.learn.pytorch.calibration.isotonic import IsotonicCalibration
        from bob.learn.pytorch.calibration.linear import (
            LinearCalibration,
            TrainingTrials,
        )

        trials = TrainingTrials(targets=10, non_targets=20, failures=0)
        told = {"measure": "cosine"}
        calibration = {
            "linear": LinearCalibration(
                columns=("score",),
                weights=(9.0,),
                offset=-3.0,
                p_target=0.5,
                trained_on=trials,
                provenance=told,
            ),
            "isotonic": IsotonicCalibration(
                (0.1, 0.4), (float("-inf"), 0.5, 2.0), trials, told
            ),
        }[kind]
        save_calibration(calibration, folder / "a.json")

    return make


def _calibrate(folder):
    from bob.learn.pytorch.calibration.file import load_calibration, to_json

    calibration = load_calibration(folder / "a.json")
    return to_json(calibration), calibration([-1.0, 0.3, 2.0]).tolist()


def _read_scores(folder):
    from bob.learn.pytorch.scorefiles import reading

    path = next(path for path in folder.iterdir() if path.name.startswith("scores"))
    labelled = folder / "trials"
    trials = labelled if labelled.exists() else None
    read = reading.read_score_file(path, trials=trials)
    list(reading.labelled_scores(path, trials=trials))
    table = read.table
    names = [
        (side.distinct, side.codes.tolist()) for side in (table.claimed, table.real)
    ]
    return table.score.tolist(), names, sorted(read.metadata)


def _read_protocol(at):
    def door(folder):
        from bob.learn.pytorch.protocols.cohorts import read_cohort
        from bob.learn.pytorch.protocols.counts import summarise
        from bob.learn.pytorch.protocols.opening import as_database
        from bob.learn.pytorch.protocols.sources import read_trial_source

        place = folder / at
        database = as_database(place)
        found = [(group, database.trials(group).count()) for group in database.groups()]
        summarise(database)
        read_cohort(place)
        read_trial_source(place)
        return found

    return door


def _template(folder):
    from bob.learn.pytorch.templates.format.template import load

    found = load(folder / "a.json")
    return found.title, found.licence, found.sha256


def _settings(folder):
    from bob.learn.pytorch import settings

    with _home(folder):
        return settings.get("bob.learn.pytorch.weights_folder"), settings.get(
            "bob.learn.pytorch.offline"
        )


def _home(folder):
    from unittest.mock import patch

    return patch.dict(
        "os.environ", {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    )


TEMPLATE = Path(__file__).resolve().parents[2].joinpath(
    "bob/learn/pytorch/templates/backbones/speech/ecapa_tdnn.json"
)  # fmt: skip


def attacks(texts):
    """Yield every attack; `texts` is the module of that name."""
    any_bytes, any_text, any_json = {"": "bytes"}, {"": "text"}, {"": "json"}
    for form in ("zip", "legacy", "safetensors"):
        yield Attack(f"checkpoint/{form}", _checkpoint(form), _load_weights, any_bytes)
    yield Attack(
        "checkpoint/odd entries",
        _text({"odd.json": texts.ODD}),
        _odd_state_dict,
        {"": "values"},
    )
    yield Attack("store/h5", _store, _read_store, any_bytes)
    for suffix in ("npz", "parquet", "ark", "scp"):
        kinds = {f".{suffix}": "text" if suffix == "scp" else "bytes", ".json": "json"}
        name = f"store/{suffix}"
        written = _exchanged(f"a.{suffix}")
        yield Attack(name, written, _import(suffix), kinds)
    yield Attack(
        "feature/hdf5", _feature, _read_feature, any_bytes, also_named=_of_a_recording
    )
    yield Attack("plda/npz", _plda, _read_plda, any_bytes)
    for kind in ("linear", "isotonic"):
        yield Attack(f"calibration/{kind}", _calibration(kind), _calibrate, any_json)
    for form, text in texts.SCORES.items():
        files = {"scores.csv" if form == "csv" else "scores": text}
        if form in ("voxsrc", "kaldi"):
            files["trials"] = "1 a/1 a/2\n0 a/1 b/2\n1 b/1 b/2\n"
        yield Attack(f"scores/{form}", _text(files), _read_scores, any_text)
    for kind, (files, at) in texts.PROTOCOLS.items():
        kinds = {".json": "json"} | {
            name: "text" for name in files if ".json" not in name
        }
        yield Attack(f"protocol/{kind}", _text(files), _read_protocol(at), kinds)
    template = _text({"a.json": TEMPLATE.read_text("utf-8")})
    yield Attack("template/json", template, _template, any_json)
    toml = '["bob.learn.pytorch"]\nweights_folder = "/w"\noffline = true\n'
    yield Attack("settings/toml", _text({"bobrc.toml": toml}), _settings, any_text)
    yield Attack(
        "settings/json",
        _text({".bobrc": '{"bob.learn.pytorch.offline": "1"}'}),
        _settings,
        any_json,
    )
