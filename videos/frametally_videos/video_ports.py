"""What the dashboard reads, with the catalogue of videos."""

from __future__ import annotations

from dataclasses import dataclass, fields

from frametally_videos.ports.video_catalogue import VideoCatalogue
from frametally_web.books.reader import DashboardPorts
from frametally_web.plugging import WebContext


@dataclass(frozen=True, kw_only=True)
class VideoPorts(DashboardPorts):
    """The dashboard's ports and the catalogue; whoever opened them closes them."""

    catalogue: VideoCatalogue


def video_ports(context: WebContext) -> VideoPorts:
    """Return the ports of one application; the caller of `create_app` gave the catalogue."""
    own = {field.name: getattr(context.ports, field.name) for field in fields(DashboardPorts)}
    return VideoPorts(**own, catalogue=context.given["catalogue"])
