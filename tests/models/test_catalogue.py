import re

import pytest
from programs import printed_by

from bob.learn.pytorch.models import catalogue
from bob.learn.pytorch.models.errors import UnknownModelError


@pytest.fixture(params=catalogue.MODELS, ids=lambda model: model.name)
def model(request):
    return request.param


def sources():
    return [*(model.weights for model in catalogue.MODELS), catalogue.COUNCIL_MEETINGS]


def test_the_names_are_these():
    assert [model.name for model in catalogue.MODELS] == [
        "dltresnet34-voxceleb1",
        "resnet34-voxceleb1",
        "campplus-zh-en",
    ]


def test_a_model_is_found_by_its_name(model):
    assert catalogue.find(model.name) is model


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(UnknownModelError, match=r"nearest is campplus-zh-en"):
        catalogue.find("camplus-zh")


def test_a_name_like_no_other_is_answered_with_all():
    with pytest.raises(UnknownModelError, match="dltresnet34-voxceleb1, resnet34"):
        catalogue.find("§")


def test_no_two_models_share_a_setting_a_file_or_a_signature():
    for entry in ("name", "setting", "signature"):
        assert len({getattr(model, entry) for model in catalogue.MODELS}) == 3
    assert len({model.weights.file_name for model in catalogue.MODELS}) == 3


@pytest.mark.parametrize("source", sources(), ids=lambda source: source.file_name)
def test_a_hash_is_64_hexadecimal_digits_or_stated_as_unknown(source):
    assert source.sha256 is None or re.fullmatch("[0-9a-f]{64}", source.sha256)


def test_network_and_front_end_are_what_the_entry_says(model):
    network, features = model.network(), model.features()
    entry, shape = model.signature

    assert network.embedding_size == model.embedding_size
    assert features.sample_rate == model.sample_rate
    assert tuple(network.state_dict()[entry].shape) == shape
    assert entry in network.embedding_keys()


def test_every_entry_says_where_it_comes_from(model):
    for text in (model.licence, model.trained_on, model.published, model.source):
        assert len(text) > 10


def test_importing_the_catalogue_does_not_load_torch():
    code = (
        "import sys, bob.learn.pytorch.models.catalogue;"
        "print({'torch', 'numpy', 'requests'} & set(sys.modules))"
    )

    assert printed_by(code) == "set()"
