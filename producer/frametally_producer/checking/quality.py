"""All checks of one video, as one record: `VideoQuality`. Those that fail are told, and stop nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import av
import msgspec

from frametally.media_records import CheckName, VideoCheck, VideoQuality
from frametally.video_records import VideoRecord
from frametally_producer.checking import verdicts
from frametally_producer.checking.looking_through import PictureLook
from frametally_producer.checking.sequences import frozen_looks
from frametally_producer.checking.times import FoundTimes

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
        verdicts.black(looks, times.length_s),
        verdicts.dark(looks),
        verdicts.frozen(looks, frozen, times.length_s),
        verdicts.blurred(looks),
        verdicts.blocky(looks),
        verdicts.cut(times),
        verdicts.short(times),
        verdicts.slow(times),
        verdicts.small(record.facts.width_px, record.facts.height_px),
        _clock(record),
        verdicts.repeated(looks, frozen),
        verdicts.dropped(times),
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
    return verdicts.clock(facts.started_at_ms, facts.time_source, facts.duration_s, record.uploaded_at_ms)
