"""Checks one video and returns all results as a `VideoQuality`; a failed check stops nothing."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from statistics import median
from typing import get_args

import av
import msgspec

from frametally.records import TimeSource
from frametally.rules.blank_stretches import BLANK_WORDS, FROZEN_MS, BlankReason, blank_reasons
from frametally_videos.describing.packets import CLOCK_AHEAD_S, FoundTimes, clock_fault
from frametally_videos.describing.picture_pass import PictureLook
from frametally_videos.media_records import CheckName, VideoCheck, VideoQuality
from frametally_videos.records import VideoRecord

Spans = list[tuple[float, float]]

STILL_CHANGE, STILL_PART_CHANGE = 0.1, 2.0
"""The change that encoding causes in a repeated picture: a tenth of a level overall, two in one part."""
_MOST_REPEATS = 4
"""Repeats of each picture if a camera's five frames a second are recorded at 25."""
_MOST_SPANS = 100


def looks_without_scene(looks: Sequence[PictureLook]) -> list[BlankReason | None]:
    """Return why each look is blank, by the rules for counted frames, or None if it is not.

    The last looks of a long video's stretches are also compared with each other. The first ones would not do:
    even in a frozen picture, the pixels of a key frame differ from those of later frames.
    """
    reasons = blank_reasons(looks) or []
    ends = [number for number, look in enumerate(looks) if number and not look.follows] + [len(looks)]
    last_looks = [looks[end - 1] for end in ends if end]
    first = 0
    for end, reason in zip(ends, blank_reasons(last_looks) or [], strict=False):
        if reason == "frozen":
            reasons[first:end] = [of_look or reason for of_look in reasons[first:end]]
        first = end
    return reasons


def repeated_looks(looks: Sequence[PictureLook]) -> list[bool]:
    """Return for each look whether it repeats the previous picture in the middle of movement."""
    is_repeat = [look.follows and not look.shows and _comes_again(look) for look in looks]
    repeats: list[bool] = []
    for value, run in groupby(is_repeat):
        length, number = len(list(run)), len(repeats)
        around = [*looks[max(0, number - 1) : number], *looks[number + length : number + length + 1]]
        moves = all(_part_change(look) > STILL_PART_CHANGE for look in around)
        repeats += [value and moves and length <= _MOST_REPEATS] * length
    return repeats


def spans(looks: Sequence[PictureLook], mask: Sequence[bool]) -> Spans:
    """Return the spans of looks in `mask`, from and to in seconds; the longest hundred, in order."""
    ranges: Spans = []
    number = 0
    for value, run in groupby(mask):
        length = len(list(run))
        if value:
            begin_s, last_s = looks[number].position_s, looks[number + length - 1].position_s
            after = number + length
            # The next look may be far away, in another stretch.
            end_s = looks[after].position_s if after < len(looks) and looks[after].follows else last_s
            ranges.append((round(begin_s, 3), round(max(end_s, last_s), 3)))
        number += length
    longest = sorted(ranges, key=lambda span: span[0] - span[1])[:_MOST_SPANS]
    return sorted(longest)


def _part_change(look: PictureLook) -> float:
    return float("inf") if look.largest_change is None else look.largest_change


def _comes_again(look: PictureLook) -> bool:
    is_same = look.mean_change is not None and look.mean_change <= STILL_CHANGE
    return is_same and _part_change(look) <= STILL_PART_CHANGE


MOST_BLACK = MOST_FROZEN = 0.05
"""Fractions of all looks: a fade at each end of a one-minute video passes, more than three seconds fail."""
LEAST_BRIGHTNESS = 20.0
"""8 % of the range; a street with lamps at night has twice that (`docs/video-checks.md`)."""
MOST_BLUR = 0.6
"""Sharp footage has 0.2 to 0.45, or 0.7 to 0.8 if blurred over 3 of 640 pixels (`docs/video-checks.md`)."""
MOST_BLOCKINESS = 2.0
"""Typical footage has up to 1.3, a JPEG of quality 10 about 2.1 (`docs/video-checks.md`)."""
MOST_REPEATED = 0.1
MOST_DROPPED = 0.02
LEAST_LENGTH_S = 1.0
LEAST_FPS = 5.0
"""The default sampling rate, and the least for following objects."""
LEAST_SIDE_PX = 240
"""For the shorter side: in the middle distance, detectors barely find a pedestrian a tenth as high."""
MISSING_S, MISSING_PART = 1.0, 0.05
"""The producer's limits for reporting a truncated file."""

_ALL_BLANK = "Its pictures are black or of one colour, so this is unknown."
Reasons = Sequence[BlankReason | None]


def check_black(looks: Sequence[PictureLook], reasons: Reasons, length_s: float | None) -> VideoCheck:
    """Return the check `black`: `reasons` has why each look shows nothing, `length_s` the video's length."""
    mask = [reason in ("black", "one_colour") for reason in reasons]
    part = _part(mask)
    words = [BLANK_WORDS[word] for word in ("black", "one_colour") if word in reasons] or ["black"]
    sentence = f"{_of_length(part, length_s)} {' or '.join(words)}."
    return _check("black", part <= MOST_BLACK, sentence, part, MOST_BLACK, "1", spans(looks, mask))


def _check_dark(looks: Sequence[PictureLook]) -> VideoCheck:
    bright = [look.brightness for look in looks if not look.shows]
    if not bright:
        return _check("dark", True, _ALL_BLANK, None, LEAST_BRIGHTNESS, "level")
    level = median(bright)
    sentence = f"Its pictures have a brightness of {level:.0f} of 255."
    return _check("dark", level >= LEAST_BRIGHTNESS, sentence, level, LEAST_BRIGHTNESS, "level")


def _check_frozen(looks: Sequence[PictureLook], reasons: Reasons, length_s: float | None) -> VideoCheck:
    mask = [reason == "frozen" for reason in reasons]
    part = _part(mask)
    frozen_s = FROZEN_MS // 1000
    sentence = f"{_of_length(part, length_s)} of a picture that does not change for {frozen_s} s or more."
    return _check("frozen", part <= MOST_FROZEN, sentence, part, MOST_FROZEN, "1", spans(looks, mask))


def _check_blurred(looks: Sequence[PictureLook]) -> VideoCheck:
    values = [look.blur for look in looks if look.blur is not None and not look.shows]
    if not values:
        return _check("blurred", True, _ALL_BLANK, None, MOST_BLUR, "1")
    value = median(values)
    word = "sharp" if value <= MOST_BLUR else "blurred"
    sentence = f"Its pictures are {word} ({value:.2f}; 0 is sharp, 1 flat)."
    return _check("blurred", value <= MOST_BLUR, sentence, value, MOST_BLUR, "1")


def _check_blocky(looks: Sequence[PictureLook]) -> VideoCheck:
    values = [look.blockiness for look in looks if look.blockiness is not None and not look.shows]
    if not values:
        return _check("blocky", True, _ALL_BLANK, None, MOST_BLOCKINESS, "1")
    value = median(values)
    sentence = f"Steps at the edges of blocks are {value:.1f} times as large as the steps next to them."
    return _check("blocky", value <= MOST_BLOCKINESS, sentence, value, MOST_BLOCKINESS, "1")


def _check_cut(times: FoundTimes) -> VideoCheck:
    length_s, stated_s = times.length_s, times.stated_s
    if length_s is None or stated_s is None:
        return _check(
            "cut", True, "It does not state a length with which to compare its frames.", None, MISSING_S, "s"
        )
    missing_s, limit_s = max(0.0, stated_s - length_s), max(MISSING_S, stated_s * MISSING_PART)
    sentence = f"Its frames end at {length_s:.1f} s of {stated_s:.1f} s."
    return _check("cut", missing_s <= limit_s, sentence, missing_s, limit_s, "s")


def _check_short(times: FoundTimes) -> VideoCheck:
    if times.length_s is None:
        return _check("short", True, "Its length is unknown.", None, LEAST_LENGTH_S, "s")
    sentence = f"It lasts {times.length_s:.1f} s."
    return _check("short", times.length_s >= LEAST_LENGTH_S, sentence, times.length_s, LEAST_LENGTH_S, "s")


def _check_slow(times: FoundTimes) -> VideoCheck:
    fps = times.fps
    if fps is None:
        return _check("slow", True, "Its frame rate is unknown.", None, LEAST_FPS, "fps")
    # A single frame has no rate.
    well = fps >= LEAST_FPS or times.frames < 2
    return _check("slow", well, f"It has {fps:.1f} frames per second.", fps, LEAST_FPS, "fps")


def _check_small(width_px: int, height_px: int) -> VideoCheck:
    side_px = min(width_px, height_px)
    sentence = f"Its pictures have {width_px}x{height_px} pixels."
    return _check("small", side_px >= LEAST_SIDE_PX, sentence, side_px, LEAST_SIDE_PX, "px")


def _check_clock(
    started_at_ms: int | None, time_source: TimeSource | None, duration_s: float | None, uploaded_at_ms: int
) -> VideoCheck:
    ahead_s, fault = clock_fault(started_at_ms, time_source, duration_s or 0.0, uploaded_at_ms)
    sentence = fault or "It was filmed before it was uploaded."
    return _check("clock", fault is None, sentence, ahead_s, CLOCK_AHEAD_S, "s")


def _check_repeated(looks: Sequence[PictureLook]) -> VideoCheck:
    mask = repeated_looks(looks)
    part = _part(mask)
    sentence = f"{part:.0%} of its frames repeat the picture before them."
    return _check("repeated", part <= MOST_REPEATED, sentence, part, MOST_REPEATED, "1", spans(looks, mask))


def _check_dropped(times: FoundTimes) -> VideoCheck:
    if times.gaps is None:
        return _check("dropped", True, "The times of its frames jump.", None, MOST_DROPPED, "1")
    missing, all_frames = times.gaps.missing, times.frames + times.gaps.missing
    part = missing / all_frames if all_frames else 0.0
    sentence = f"{missing:,} of {all_frames:,} frames are missing."
    return _check("dropped", part <= MOST_DROPPED, sentence, part, MOST_DROPPED, "1", times.gaps.spans_s)


def _check(
    name: CheckName,
    passed: bool,
    sentence: str,
    measured: float | None,
    limit: float,
    unit: str,
    spans_s: Sequence[tuple[float, float]] = (),
) -> VideoCheck:
    return VideoCheck(
        name=name,
        passed=passed,
        sentence=sentence,
        measured=None if measured is None else round(float(measured), 4),
        limit=round(float(limit), 4),
        unit=unit,
        spans_s=list(spans_s),
    )


def _part(mask: Sequence[bool]) -> float:
    return sum(mask) / len(mask) if mask else 0.0


def _of_length(part: float, length_s: float | None) -> str:
    if length_s is None:
        return f"{part:.0%} of its frames are"
    return f"{part * length_s:.1f} of {length_s:.1f} s are"


MADE_BY = f"2, FFmpeg {av.ffmpeg_version_info}"
"""Version of these checks, and of FFmpeg, which decodes."""

ORDER: tuple[CheckName, ...] = get_args(CheckName)


def check_video(record: VideoRecord, times: FoundTimes, looks: Sequence[PictureLook]) -> VideoQuality:
    """Return the results of all checks."""
    reasons = looks_without_scene(looks)
    checks = [
        check_black(looks, reasons, times.length_s),
        _check_dark(looks),
        _check_frozen(looks, reasons, times.length_s),
        _check_blurred(looks),
        _check_blocky(looks),
        _check_cut(times),
        _check_short(times),
        _check_slow(times),
        _check_small(record.facts.width_px, record.facts.height_px),
        _clock(record),
        _check_repeated(looks),
        _check_dropped(times),
    ]
    return VideoQuality(
        video_id=record.id,
        sha256=record.sha256,
        made_by=MADE_BY,
        passed=all(check.passed for check in checks),
        checks=sorted(checks, key=lambda check: ORDER.index(check.name)),
    )


def with_clock(quality: VideoQuality, record: VideoRecord) -> VideoQuality:
    """Return results with the check of the clock repeated for a video's current event time."""
    checks = [_clock(record) if check.name == "clock" else check for check in quality.checks]
    return msgspec.structs.replace(quality, checks=checks, passed=all(check.passed for check in checks))


def _clock(record: VideoRecord) -> VideoCheck:
    facts = record.facts
    return _check_clock(facts.started_at_ms, facts.time_source, facts.duration_s, record.uploaded_at_ms)
