"""Writes distinct frames into the ledger's tables, and their tallies by day and medium."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

from frametally.adapters.sql.ledger.database import LedgerConnection, execute_in, insert_rows
from frametally.adapters.sql.ledger.intake import Numbers
from frametally.rules.times import DAY_MS

_OF_MEDIUM = "WHERE model = ? AND source = ? AND media = ?"
_FRAMES_OF_TIMES = (
    f"SELECT captured_at_ms, frame, dead FROM frametally_ledger_frames {_OF_MEDIUM} AND captured_at_ms IN "  # noqa: S608
)
_MEND = f"UPDATE frametally_ledger_frames SET dead = 0 {_OF_MEDIUM} AND captured_at_ms = ? AND frame = ?"  # noqa: S608
_ADD_TO_TALLY = (
    "UPDATE frametally_ledger_tallies SET detected = detected + ?, dead_lettered = dead_lettered + ? "
    "WHERE model = ? AND day = ? AND source = ? AND media = ?"
)

if TYPE_CHECKING:
    from frametally.books.intake import FrameKey


def put_frames(
    connection: LedgerConnection, numbers: Numbers, model: int, frames: Iterable[FrameKey], *, dead: bool
) -> None:
    """Add distinct frames; a frame with detections counts as detected, whatever dead letters it has."""
    groups: dict[tuple[int, int, int], set[tuple[int, int]]] = defaultdict(set)
    for frame in frames:
        medium = numbers.number_of(frame.source), numbers.number_of(frame.media)
        groups[frame.captured_at_ms // DAY_MS, *medium].add((frame.captured_at_ms, frame.frame))
    rows: list[tuple[int, ...]] = []
    for (day, source, media), identities in groups.items():
        of_medium = model, source, media
        known_rows = execute_in(connection, _FRAMES_OF_TIMES, sorted({ms for ms, _ in identities}), of_medium)
        was_dead_by_frame = {(ms, frame): was_dead for ms, frame, was_dead in known_rows}
        new = identities - was_dead_by_frame.keys()
        mended = [] if dead else [identity for identity in identities - new if was_dead_by_frame[identity]]
        for identity in mended:
            connection.execute(_MEND, [*of_medium, *identity])
        rows += [(*of_medium, ms, identity, int(dead)) for ms, identity in sorted(new)]
        detected, buried = (0, len(new)) if dead else (len(new) + len(mended), -len(mended))
        _add_to_tally(connection, (model, day, source, media), detected, buried)
    insert_rows(connection, "frames", rows)


def _add_to_tally(
    connection: LedgerConnection, of_day: tuple[int, int, int, int], detected: int, dead_lettered: int
) -> None:
    if not detected and not dead_lettered:
        return
    if not connection.execute(_ADD_TO_TALLY, [detected, dead_lettered, *of_day]).rowcount:
        insert_rows(connection, "tallies", [(*of_day, detected, dead_lettered)])


def forget_frames(connection: LedgerConnection, model: int, source: int, first_ms: int, last_ms: int) -> None:
    """Remove a source's frames of these times; their tallies show which media have any."""
    of_source = "WHERE model = ? AND source = ? AND day >= ? AND day <= ?"
    days = model, source, first_ms // DAY_MS, last_ms // DAY_MS
    query = f"SELECT day, media FROM frametally_ledger_tallies {of_source}"  # noqa: S608
    for day, media in connection.execute(query, days).fetchall():
        times = max(first_ms, day * DAY_MS), min(last_ms, (day + 1) * DAY_MS - 1)
        these = f"FROM frametally_ledger_frames {_OF_MEDIUM} AND captured_at_ms >= ? AND captured_at_ms <= ?"
        values = model, source, media, *times
        counts = connection.execute(f"SELECT dead, count(*) {these} GROUP BY dead", values).fetchall()
        count_of = {dead: int(count) for dead, count in counts}
        connection.execute(f"DELETE {these}", values)
        _add_to_tally(connection, (model, day, source, media), -count_of.get(0, 0), -count_of.get(1, 0))
    empty = f"DELETE FROM frametally_ledger_tallies {of_source} AND detected + dead_lettered = 0"  # noqa: S608
    connection.execute(empty, days)
