"""Tells plug-ins, through their hook `changed`, about corrected footage."""

from __future__ import annotations

from typing import NamedTuple

from frametally.records import MediaManifest


class MediumForgotten(NamedTuple):
    """A medium was forgotten, `whole` or in part; with `deletes`, all that it was made of shall go, too."""

    manifest: MediaManifest
    whole: bool
    deletes: bool


class MediumRetimed(NamedTuple):
    """A medium has another event time, `start_ms` for its first frame."""

    manifest: MediaManifest
    start_ms: int


class MediumRenamed(NamedTuple):
    """A medium is of another source, and how that is written."""

    manifest: MediaManifest
    source: str
    source_name: str


Change = MediumForgotten | MediumRetimed | MediumRenamed
