"""Where a video's times jump by more than a day: someone set the clock, or the file is damaged."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from frametally.media.manifests import media_of
from frametally.media.overlapping import runs_of
from frametally.records import MediaManifest
from frametally.rules.times import DAY_MS, utc
from frametally.rules.tombstones import Forgotten, is_forgotten


def time_jumps(manifest: MediaManifest, forgotten: Forgotten) -> list[tuple[int, int]]:
    """Return `(from_ms, to_ms)` of a video's frames that follow each other more than a day apart.

    A jump from or to forgotten footage does not count.
    """
    if manifest.kind != "video":
        return []
    jumps = [(last, first) for (_, last), (first, _) in pairwise(runs_of(manifest)) if first - last > DAY_MS]
    media = media_of(manifest)
    return [jump for jump in jumps if not any(is_forgotten(media, end_ms, forgotten) for end_ms in jump)]


def told_time_jumps(manifest: MediaManifest, jumps: Sequence[tuple[int, int]]) -> str:
    """Say in one line where its times jump, at least once, and what to do."""
    from_ms, to_ms = jumps[0]
    more = f" (and {len(jumps) - 1} more jumps)" if len(jumps) > 1 else ""
    return (
        f"{manifest.name}: its times jump from {utc(from_ms)} to {utc(to_ms)}{more}; if it was not filmed "
        "like that, `frametally forget` it, or only the wrong part with --from and --to"
    )
