"""What every count index refuses to be asked, and how it puts an answer together.

The page and its users get the same bounds and the same words, whichever index answers.
"""

from __future__ import annotations

from collections.abc import Sequence

from frametally.count_index import Bucket, CoverageBucket, Histogram
from frametally.errors import Misconfigured

MAX_BUCKETS = 200_000
_MAX_NAMES = 1_000
_HOUR_S = 3600


def check_interval(interval_s: int, base_interval_s: int) -> None:
    """Raises `Misconfigured` if the interval (seconds) is no multiple of the stored one."""
    if interval_s < 1 or base_interval_s < 1 or interval_s % base_interval_s:
        raise Misconfigured(
            f"interval {interval_s} s is no multiple of the stored {base_interval_s} s; use "
            f"{base_interval_s}, {2 * base_interval_s}, {3 * base_interval_s} or another multiple of it"
        )


def check_week_hours(base_interval_s: int) -> None:
    """Raises `Misconfigured` if the stored interval (seconds) divides no hour."""
    if base_interval_s < 1 or _HOUR_S % base_interval_s:
        raise Misconfigured(f"the stored {base_interval_s} s divide no hour: hours of the week are unknown")


def check_offset(offset_ms: int, base_interval_s: int) -> None:
    """Raises `Misconfigured` if the offset (milliseconds) is no multiple of the stored interval."""
    if offset_ms % (base_interval_s * 1000):
        raise Misconfigured(f"an offset of {offset_ms} ms is no multiple of the stored {base_interval_s} s")


def check_names(sources: Sequence[str] | None, labels: Sequence[str] | None) -> None:
    """Raises `Misconfigured` if one query names too many."""
    for kind, names in (("sources", sources), ("labels", labels)):
        if names and len(names) > _MAX_NAMES:
            raise Misconfigured(
                f"{len(names)} {kind} in one query; name at most {_MAX_NAMES}, or none for all"
            )


def histogram_of(
    bars: list[Bucket],
    covered: list[CoverageBucket],
    *,
    model: str,
    base_interval_s: int,
    interval_s: int,
) -> Histogram:
    """The answer of what `merging` has merged. Raises `Misconfigured` for more bars than one holds."""
    if max(len(bars), len(covered)) > MAX_BUCKETS:
        raise Misconfigured(
            f"interval {interval_s} s makes more than {MAX_BUCKETS} bars; "
            "ask for a longer interval or a shorter range"
        )
    return Histogram(model=model, base_interval_s=base_interval_s, buckets=bars, coverage=covered)
