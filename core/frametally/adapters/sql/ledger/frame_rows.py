"""Writes distinct frames into the ledger's tables, and their tallies by day and medium."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from sqlalchemy import Connection, and_, bindparam, delete, func, insert, select, update

from frametally.adapters.sql.ledger import tables
from frametally.adapters.sql.ledger.intake import MOST_IN, Numbers, by, insert_rows
from frametally.books.intake import FrameKey
from frametally.rules.times import DAY_MS

# Statements for each medium of a batch, built once: a fleet's batch has a few frames of each of very many.
_FRAMES, _TALLIES = tables.frames.c, tables.tallies.c
_OF_MEDIUM = [_FRAMES[name] == bindparam(f"of_{name}") for name in ("model", "source", "media")]
_FRAMES_OF_TIMES = select(_FRAMES.captured_at_ms, _FRAMES.frame, _FRAMES.dead).where(
    *_OF_MEDIUM, _FRAMES.captured_at_ms.in_(bindparam("of_times_ms", expanding=True))
)
_ADD_TO_TALLY = (
    update(tables.tallies)
    .where(*(_TALLIES[name] == bindparam(f"of_{name}") for name in ("model", "day", "source", "media")))
    .values({name: _TALLIES[name] + bindparam(f"of_{name}") for name in ("detected", "dead_lettered")})
)


def put_frames(
    connection: Connection, numbers: Numbers, model: int, frames: Iterable[FrameKey], *, dead: bool
) -> None:
    """Add distinct frames; a frame with detections counts as detected, whatever dead letters it has."""
    groups: dict[tuple[int, int, int], set[tuple[int, int]]] = defaultdict(set)
    for frame in frames:
        medium = numbers.number_of(frame.source), numbers.number_of(frame.media)
        groups[frame.captured_at_ms // DAY_MS, *medium].add((frame.captured_at_ms, frame.frame))
    rows: list[tuple[int, ...]] = []
    for (day, source, media), identities in groups.items():
        of_medium = {"of_model": model, "of_source": source, "of_media": media}
        was_dead_by_frame: dict[tuple[int, int], int] = {}
        for times_ms in by(MOST_IN, sorted({ms for ms, _ in identities})):
            known_rows = connection.execute(_FRAMES_OF_TIMES, {**of_medium, "of_times_ms": times_ms})
            was_dead_by_frame.update({(ms, frame): was_dead for ms, frame, was_dead in known_rows})
        new = identities - was_dead_by_frame.keys()
        mended = [] if dead else [identity for identity in identities - new if was_dead_by_frame[identity]]
        for ms, identity in mended:
            this = *_OF_MEDIUM, _FRAMES.captured_at_ms == ms, _FRAMES.frame == identity
            connection.execute(update(tables.frames).where(*this).values(dead=0), of_medium)
        rows += [(model, source, media, ms, identity, int(dead)) for ms, identity in sorted(new)]
        detected, buried = (0, len(new)) if dead else (len(new) + len(mended), -len(mended))
        _add_to_tally(connection, (model, day, source, media), detected, buried)
    insert_rows(connection, tables.frames, rows)


def _add_to_tally(
    connection: Connection, of_day: tuple[int, int, int, int], detected: int, dead_lettered: int
) -> None:
    if not detected and not dead_lettered:
        return
    row = dict(zip(_TALLIES.keys(), (*of_day, detected, dead_lettered), strict=True))
    if not connection.execute(_ADD_TO_TALLY, {f"of_{name}": number for name, number in row.items()}).rowcount:
        connection.execute(insert(tables.tallies), row)


def forget_frames(connection: Connection, model: int, source: int, first_ms: int, last_ms: int) -> None:
    """Remove a source's frames of these times; their tallies show which media have any."""
    tallies, frames = tables.tallies.c, tables.frames.c
    days = tallies.day >= first_ms // DAY_MS, tallies.day <= last_ms // DAY_MS
    of_source = and_(tallies.model == model, *days, tallies.source == source)
    for day, media in connection.execute(select(tallies.day, tallies.media).where(of_source)).all():
        of_medium = and_(
            frames.model == model,
            frames.source == source,
            frames.media == media,
            frames.captured_at_ms >= max(first_ms, day * DAY_MS),
            frames.captured_at_ms <= min(last_ms, (day + 1) * DAY_MS - 1),
        )
        query = select(frames.dead, func.count()).where(of_medium).group_by(frames.dead)
        count_of = {row.dead: int(row[1]) for row in connection.execute(query)}
        connection.execute(delete(tables.frames).where(of_medium))
        _add_to_tally(connection, (model, day, source, media), -count_of.get(0, 0), -count_of.get(1, 0))
    is_empty = tallies.detected + tallies.dead_lettered == 0
    connection.execute(delete(tables.tallies).where(of_source, is_empty))
