"""How the command line prints what an aggregation would do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import filesize

from frametally.rules.places import FLOWS, in_words, series_of
from frametally.rules.times import HOUR_S


def dry_run_lines(found: Mapping[str, Any]) -> list[str]:
    """Write a dry run (`frametally aggregate --dry-run --json`) for people."""
    lines = [f"{day['day']}  {_what(day)}" for day in found["days"]]
    if not found["days"]:
        return [f"nothing to count: {found['days_up_to_date']} days are up to date"]
    total = f"{len(found['days'])} days to count, {found['days_up_to_date']} up to date: "
    total += f"{found['segments']} segments, {filesize.decimal(found['bytes'])}, "
    if found["estimated_s"] is None:
        total += "no earlier aggregation here to estimate the time from"
    else:
        total += f"about {_duration(found['estimated_s'])}, going by the last {found['estimated_from']} here"
    return [*lines, total]


def _what(day: Mapping[str, Any]) -> str:
    """Return what would be counted of a day, and from what."""
    what = f"{in_words(day['model'])}, {day['interval_s']} s"
    if series_of(day["model"]) == FLOWS:
        return f"{what}: its tracks"
    return f"{what}: {day['segments']} segments, {filesize.decimal(day['bytes'])}"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / HOUR_S:.1f} h"
