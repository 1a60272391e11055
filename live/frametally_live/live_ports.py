"""What the dashboard reads, with the live book."""

from __future__ import annotations

from dataclasses import dataclass, fields

from frametally_live.book import LiveBook
from frametally_videos.video_ports import VideoPorts


@dataclass(frozen=True, kw_only=True)
class LivePorts(VideoPorts):
    """The dashboard's ports, the catalogue of videos, and the live book; whoever opened them closes them."""

    feeds: LiveBook


def live_ports(ports: VideoPorts, feeds: LiveBook) -> LivePorts:
    """Return the ports with the live book."""
    return LivePorts(**{field.name: getattr(ports, field.name) for field in fields(VideoPorts)}, feeds=feeds)
