"""Gives the test of a user's network frames of uploaded videos that are not processed yet."""

from __future__ import annotations

from collections.abc import Iterator

from frametally import keys
from frametally.errors import Poison
from frametally.ports.object_store import ObjectStore
from frametally.process.retrying import GivenUp, Patience
from frametally.settings.loading import Settings
from frametally_models.footage_frames import LEAST_FRAMES, SourceFrame, folders
from frametally_models.footage_samples import video_frames
from frametally_videos.jobs.originals import find_record, open_original


def frames(settings: Settings, store: ObjectStore) -> Iterator[SourceFrame]:
    """Yield a few frames of each of the first uploaded videos in the store that can be read."""
    patience = Patience(lambda _: None, lambda: True)
    for video_id in filter(keys.is_video_id, folders(store, keys.VIDEOS)):
        try:
            record = find_record(store, video_id, patience)
            if record is None:
                continue
            with open_original(store, record, patience, settings) as video:
                for picture in video_frames(video, LEAST_FRAMES // 2):
                    yield SourceFrame(record.source, picture)
        except (GivenUp, Poison):
            continue
