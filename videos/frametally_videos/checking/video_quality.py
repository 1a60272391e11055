"""All checks of one video, as one record: `VideoQuality`. Those that fail are told, and stop nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import av
import msgspec

from frametally_videos.checking import check_verdicts
from frametally_videos.checking.picture_pass import PictureLook
from frametally_videos.checking.picture_sequences import frozen_looks
from frametally_videos.checking.video_times import FoundTimes
from frametally_videos.media_records import CheckName, VideoCheck, VideoQuality
from frametally_videos.records import VideoRecord

MADE_BY = f"1, FFmpeg {av.ffmpeg_version_info}"
"""Version of these checks, and of the FFmpeg that decodes."""

ORDER: tuple[CheckName, ...] = get_args(CheckName)


def check_video(record: VideoRecord, times: FoundTimes, looks: Sequence[PictureLook]) -> VideoQuality:
    """Return the results of all checks.

    Args:
        record: Whose video it is: its size, its event time.
        times: What its packets tell.
        looks: At its pictures, in their order.
    """
    frozen = frozen_looks(looks)
    checks = [
        check_verdicts.black(looks, times.length_s),
        check_verdicts.dark(looks),
        check_verdicts.frozen(looks, frozen, times.length_s),
        check_verdicts.blurred(looks),
        check_verdicts.blocky(looks),
        check_verdicts.cut(times),
        check_verdicts.short(times),
        check_verdicts.slow(times),
        check_verdicts.small(record.facts.width_px, record.facts.height_px),
        _clock(record),
        check_verdicts.repeated(looks, frozen),
        check_verdicts.dropped(times),
    ]
    return VideoQuality(
        video_id=record.id,
        sha256=record.sha256,
        made_by=MADE_BY,
        passed=all(check.passed for check in checks),
        checks=sorted(checks, key=lambda check: ORDER.index(check.name)),
    )


def with_clock(quality: VideoQuality, record: VideoRecord) -> VideoQuality:
    """Return results with the event time that a video has by now."""
    checks = [_clock(record) if check.name == "clock" else check for check in quality.checks]
    return msgspec.structs.replace(quality, checks=checks, passed=all(check.passed for check in checks))


def _clock(record: VideoRecord) -> VideoCheck:
    facts = record.facts
    return check_verdicts.clock(
        facts.started_at_ms, facts.time_source, facts.duration_s, record.uploaded_at_ms
    )
