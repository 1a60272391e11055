"""Bounds of a process that does jobs of videos: what goes wrong in it ends it alone."""

from __future__ import annotations

import math
import os
import resource

from frametally.process.limits import limit
from frametally.rules.times import HOUR_S
from frametally.settings.loading import Settings
from frametally_producer.child import bound_memory
from frametally_videos.settings import VideoSettings

_MOST_FILE_BYTES = 20_000_000_000
"""What is made of a video is a file of this process first."""


def bound_job(settings: Settings) -> None:
    """Bound what this process may take: who started it bounds how long it may go on."""
    limit(resource.RLIMIT_FSIZE, _MOST_FILE_BYTES)
    limit(
        resource.RLIMIT_CPU,
        math.ceil(settings.part(VideoSettings).job_max_h * HOUR_S) * (os.cpu_count() or 1),
    )
    bound_memory(settings)
