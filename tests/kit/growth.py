"""How much the code may grow between releases: a trend with room for a mend, not an exact sum."""

from __future__ import annotations

MOST_GROWTH = 0.05
LEAST_ROOM = 2


def most_after(released: int) -> int:
    """Return the most that a sum may be, 5 % (at least 2) above what it was at the last release."""
    return released + max(LEAST_ROOM, int(released * MOST_GROWTH))


def growth_line(name: str, now: int, released: int) -> str:
    """Return a line that says how far a sum is above its limit, and what to do; empty if it is within it."""
    most = most_after(released)
    if now <= most:
        return ""
    return (
        f"{name}: {now}, {now - most} more than 5 % above the last release ({released}): take as much away, "
        "or say in docs/decisions.md why this release is larger, and set the number of the release anew"
    )
