"""What the dashboard reads, with the catalogue of videos."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from frametally import keys
from frametally_videos.catalogue.catalogue_rows import VideoRow
from frametally_web.books.reader import DashboardPorts
from frametally_web.plugging import WebContext
from frametally_web.requests.problems import Problem

if TYPE_CHECKING:
    from frametally_videos.catalogue.video_catalogue import VideoCatalogue


@dataclass(frozen=True, kw_only=True)
class VideoPorts(DashboardPorts):
    """The dashboard's ports and the catalogue; their opener closes them."""

    catalogue: VideoCatalogue


def video_ports(context: WebContext) -> VideoPorts:
    """Return the ports of one application; the caller of `create_app` gave the catalogue."""
    return VideoPorts(**vars(context.ports), catalogue=context.parts["catalogue"])


async def find_video(catalogue: VideoCatalogue, video_id: str) -> VideoRow:
    """Return a video that can be shown.

    Raises:
        Problem: 404, there is none of that id, or it is being removed.
    """
    row = await asyncio.to_thread(catalogue.video, video_id) if keys.is_video_id(video_id) else None
    if row is None:
        raise Problem(404, "There is no such video.", remedy="GET /api/v1/videos lists all videos.")
    if row.record.state == "deleting":
        raise Problem(404, "The video is being removed.", remedy="Upload it again if you still need it.")
    return row
