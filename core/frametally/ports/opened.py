"""The ports that a command or a page has opened."""

from __future__ import annotations

from dataclasses import dataclass

from frametally.ports.count_index import CountIndex
from frametally.ports.frame_log import FrameLog
from frametally.ports.object_store import ObjectStore
from frametally.settings.loading import Settings


@dataclass(frozen=True)
class StorePorts:
    """The open store, for work without log or index: counting continues while those are unavailable."""

    settings: Settings
    store: ObjectStore


@dataclass(frozen=True)
class StagePorts(StorePorts):
    """The open ports of a producer, a consumer or a change of footage, which do not need the counts."""

    log: FrameLog


@dataclass(frozen=True)
class IndexPorts(StorePorts):
    """The open ports of an indexer, which does not need the log."""

    index: CountIndex


@dataclass(frozen=True)
class Ports(IndexPorts, StagePorts):
    """The open ports of commands that are not stages."""
