"""The footage options of `produce` and `run`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from frametally.console.options import option
from frametally.errors import Misconfigured
from frametally.rules.pace import Pace, parse_pace_number

footage_options: list[Callable[[Any], Any]] = [
    option(
        "--source",
        "Name of the source; default: the folder's name, or a single file's name without its extension.",
    ),
    option("--start-time", "ISO 8601 time of a video's first frame, such as 2026-05-01T08:00:00+02:00."),
    click.option(
        "--track",
        type=click.IntRange(min=1),
        help="Track of moving pictures to count of each video; needs --source. Default: as FFmpeg chooses.",
    ),
    option(
        "--speed",
        "How many times faster than life the videos run, such as 60 for a time-lapse, 0.125 for slow motion.",
    ),
    option("--seconds-per-frame", "Seconds from each frame of the videos to the next, for a time-lapse."),
    option("--sample-fps", "Frames per second to extract from a video, or 'all'."),
    option("--timezone", "IANA time zone of times without an offset."),
    click.option(
        "--container-time",
        type=click.Choice(["utc", "local"]),
        help="Time zone of creation_time in a video: UTC, or local (--timezone) as of GoPro and DJI.",
    ),
    option("--time-pattern", "Pattern of the time in names or paths, such as cam_%Y%m%d_%H%M%S."),
    option(
        "--max-side-px", "Longest side of a stored frame in pixels; larger frames are scaled down.", type=int
    ),
    option("--jpeg-quality", "JPEG quality of stored frames, 1 to 100.", type=int),
    click.option(
        "--receipt",
        type=click.Path(path_type=Path, dir_okay=False),
        help="List what became of every file in this .csv or .json, and compare it with the earlier list.",
    ),
    option(
        "--value-range", "LOW:HIGH, the values that become black and white in pictures with more than 8 bits."
    ),
    click.option("--no-file-time", is_flag=True, help="Refuse media whose only time is the file's date."),
]


def asked_film(options: dict[str, Any]) -> dict[str, Any]:
    """Move the options about the film and its receipt out of `options`; return fields of a `ProduceCall`.

    Raises `Misconfigured`.
    """
    track, speed, frame_s = (options.pop(name) for name in ("track", "speed", "seconds_per_frame"))
    if speed is not None and frame_s is not None:
        raise Misconfigured("use either --speed or --seconds-per-frame, not both")
    pace = None
    try:
        if frame_s is not None:
            pace = Pace(frame_s=parse_pace_number(frame_s))
        elif speed is not None:
            value = parse_pace_number(speed)
            pace = Pace() if value == 1 else Pace(speed=value)
    except ValueError as error:
        name, usual = ("--seconds-per-frame", "60") if speed is None else ("--speed", "0.125")
        raise Misconfigured(f"{name} {error}; write it like {usual}") from error
    return {"track": track, "pace": pace, "receipt": options.pop("receipt")}
