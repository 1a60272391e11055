"""Splits: many segments a map task, so that small segments cost no more than large ones."""

from __future__ import annotations

from collections.abc import Iterable


def plan_splits(sizes: Iterable[tuple[str, int]], *, split_bytes: int) -> list[list[str]]:
    """Cut segments, in the order given, where a split would grow beyond `split_bytes`.

    Neighbours stay together: they share intervals, which a task then passes on as one.

    Args:
        sizes: Key and bytes of each segment.
        split_bytes: Size of a split; one larger segment is a split of its own.
    """
    splits: list[list[str]] = []
    held_bytes = 0
    for key, size_bytes in sizes:
        if not splits or held_bytes + size_bytes > split_bytes:
            splits.append([])
            held_bytes = 0
        splits[-1].append(key)
        held_bytes += size_bytes
    return splits
