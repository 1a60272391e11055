"""Finds the video that an address is about."""

from __future__ import annotations

import asyncio

from frametally import keys
from frametally_videos.ports.video_catalogue import VideoCatalogue, VideoRow
from frametally_web.requests.problems import Problem


async def find_video(catalogue: VideoCatalogue, video_id: str) -> VideoRow:
    """Return a video that can be shown.

    Raises:
        Problem: 404, there is none of that id, or it is being removed.
    """
    row = await asyncio.to_thread(catalogue.video, video_id) if keys.is_video_id(video_id) else None
    if row is None:
        raise Problem(
            404, "There is no such video.", remedy="Take its id from /api/v1/videos, which has them all."
        )
    if row.record.state == "deleting":
        raise Problem(404, "The video is being removed.", remedy="Upload it again to have it here once more.")
    return row
