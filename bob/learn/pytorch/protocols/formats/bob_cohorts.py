"""The cohorts that Bob databases name for z- and t-norm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bob.learn.pytorch.protocols.formats.bob_databases import (
    LegacyDatabase,
    SampleDatabase,
)
from bob.learn.pytorch.protocols.names import safe_name
from bob.learn.pytorch.protocols.trials import Database, Probe, Reference

if TYPE_CHECKING:
    from collections.abc import Sequence

    Members = tuple[tuple[Reference, ...], tuple[Probe, ...]]


def bob_cohort(database: Database, group: str) -> Members:
    """References for t-norm and probes for z-norm; empty without the lists of both."""
    if isinstance(database, LegacyDatabase):
        return _legacy(database, group)
    if isinstance(database, SampleDatabase):
        return _of_samples(database, group)
    return (), ()


def _legacy(database: LegacyDatabase, group: str) -> Members:
    """Of bob.bio.base up to version 4: ``for_tnorm.lst`` and ``for_znorm.lst``."""
    bobs: Any = database.wrapped
    if not hasattr(bobs, "t_model_ids") or not hasattr(bobs, "z_probe_files"):
        return (), ()
    has_lists = getattr(bobs, "implements_zt", None)
    if has_lists is not None and not has_lists(bobs.protocol, [group]):
        return (), ()
    references = []
    for model_id in sorted(bobs.t_model_ids(group)):
        files = bobs.t_enroll_files(model_id, group)
        recordings = tuple(database.recording(file) for file in files)
        name = safe_name(str(model_id))
        references.append(Reference(name, recordings[0].subject, recordings))
    probes = tuple(database.probe(file) for file in bobs.z_probe_files(group))
    return tuple(references), probes


def _of_samples(database: SampleDatabase, group: str) -> Members:
    """Of today's Bob: ``train/for_tnorm.csv`` and ``train/for_znorm.csv``."""
    bobs: Any = database.wrapped
    if not hasattr(bobs, "treferences") or not hasattr(bobs, "zprobes"):
        return (), ()
    enrolled: Sequence[Any] = bobs.treferences() or ()
    probed: Sequence[Any] = bobs.zprobes(group) or ()
    references = []
    for item in enrolled:
        recordings = database.recordings(item)
        name = safe_name(str(item.template_id))
        references.append(Reference(name, recordings[0].subject, recordings))
    return tuple(references), tuple(database.probe(item) for item in probed)
