"""The ports that a command or a page has opened."""

from __future__ import annotations

from dataclasses import dataclass

from frametally.ports.frame_log import FrameLog
from frametally.ports.object_store import ObjectStore
from frametally.settings.loading import Settings


@dataclass(frozen=True)
class StorePorts:
    """The open store of what needs neither log nor index: counting goes on while those are away."""

    settings: Settings
    store: ObjectStore


@dataclass(frozen=True)
class StagePorts(StorePorts):
    """The open ports of a producer, a consumer or a change of footage, which need no way to the counts."""

    log: FrameLog
