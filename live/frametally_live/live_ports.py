"""The dashboard's ports, with the live book."""

from __future__ import annotations

from dataclasses import dataclass

from frametally_live.book import LiveBook
from frametally_videos.video_ports import VideoPorts


@dataclass(frozen=True, kw_only=True)
class LivePorts(VideoPorts):
    """The dashboard's ports, the catalogue of videos, and the live book; the caller closes them."""

    feeds: LiveBook


def live_ports(ports: VideoPorts, feeds: LiveBook) -> LivePorts:
    """Return the ports with the live book."""
    return LivePorts(**vars(ports), feeds=feeds)
