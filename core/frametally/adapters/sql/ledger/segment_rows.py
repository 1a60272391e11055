"""Writes segments into the ledger's tables, each function within one transaction.

Existing rows are left unchanged, so that two processes may add the same segments, in any order, one their
headers and another their lines. `forget_segments` removes segments that changed or are gone: it is unknown
which frames only they held, so other segments' frames of the same times are added again. Its cost depends on
these times only, however much more the ledger holds.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from msgspec import UNSET
from sqlalchemy import Connection, Row, Table, and_, bindparam, delete, func, insert, select, update

from frametally.adapters.sql.ledger import tables
from frametally.adapters.sql.ledger.chains import Chains, links_query
from frametally.adapters.sql.ledger.hour_rows import digest_of
from frametally.adapters.sql.ledger.intake import MOST_IN, Numbers, by, insert_rows, marks_of
from frametally.books.intake import FrameKey, TakenSegment
from frametally.ports.object_store import ObjectInfo
from frametally.rules.times import DAY_MS, HOUR_MS
from frametally.segments.stretches import SegmentStretch

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


_SEGMENTS, _HOURS = tables.segments.c, tables.hours.c


def known_segments(connection: Connection) -> dict[str, tuple[int, str, bool]]:
    """Return size, version and whether to read it again, by key, of every segment."""
    columns = _SEGMENTS.key, _SEGMENTS.size_bytes, _SEGMENTS.version, _SEGMENTS.problem.is_not(None)
    rows = connection.execute(select(*columns))
    return {key: (size_bytes, version, bool(problem)) for key, size_bytes, version, problem in rows}


def segments_with_problems(connection: Connection) -> list[Row[Any]]:
    """Return the rows of segments that could not be read, or only in part."""
    return [*connection.execute(select(tables.segments).where(_SEGMENTS.problem.is_not(None)))]


def unread_segments(connection: Connection) -> list[ObjectInfo]:
    """Return the segments of which only the header was read, in the order in which they were added."""
    query = select(_SEGMENTS.key, _SEGMENTS.size_bytes, _SEGMENTS.version, _SEGMENTS.put_at_ms)
    query = query.where(_SEGMENTS.is_read == 0, _SEGMENTS.problem.is_(None)).order_by(_SEGMENTS.number)
    return [ObjectInfo(*row) for row in connection.execute(query)]


_Rows = defaultdict[Table, list[tuple[Any, ...]]]
"""Rows by table, each with all its columns in the table's order."""


def put_segments(
    connection: Connection, numbers: Numbers, chains: Chains, segments: Sequence[TakenSegment]
) -> None:
    """Add segments, except those already there without a problem; of these, add the lines not yet read.

    The rows of a table are written together: a fleet's segment has a few frames of each of very many media.
    """
    states = _states_of(connection, [segment.info.key for segment in segments])
    settled = {key for key, state in states.items() if state.problem is None}
    unread = {key: state.number for key, state in states.items() if state.is_unread}
    new = [segment for segment in segments if segment.info.key not in settled]
    replaced = [segment.info.key for segment in new if segment.info.key in states and segment.header]
    links_before = {link.first_key: link for link in _remove_segments(connection, replaced)[1]}
    rows: _Rows = defaultdict(list)
    number_by_key: dict[str, int] = {}
    for number, segment in enumerate(new, start=numbers.new(len(new))):
        key, header = segment.info.key, segment.header
        if header is None and key in states:
            _put_problem(connection, segment)  # the rest stays: it records which of `frames` came from it
            continue
        number_by_key[key] = number
        _add_rows(rows, numbers, segment, number)
        if header is None:
            continue
        offsets, figures = (header.first_offset, header.next_offset), (header.frames, header.dead_letters)
        link = SegmentStretch(key, key, *offsets, *figures)
        if key not in links_before:
            chains.add(link)
        elif link != links_before[key]:
            chains.order(key)
    to_read = number_by_key.keys() | unread.keys()
    read = [segment for segment in segments if segment.is_read and segment.info.key in to_read]
    for segment in read:
        key = segment.info.key
        rows[tables.dead_letters] += _letter_rows(numbers, segment, number_by_key.get(key) or unread[key])
    rows[tables.hours].sort()  # the table's order, so that neighbouring rows are written together
    for table, of_table in rows.items():
        insert_rows(connection, table, of_table)
    _add_to_total(connection, [sum(digests) % tables.DIGESTS for digests in _digests(rows[tables.hours])])
    were_unread = [unread[segment.info.key] for segment in read if segment.info.key in unread]
    for batch in by(MOST_IN, were_unread):
        connection.execute(update(tables.segments).where(_SEGMENTS.number.in_(batch)).values(is_read=1))
    for segment in segments:
        if segment.problem and segment.info.key in unread:
            _put_problem(connection, segment)
    by_model: defaultdict[str, list[TakenSegment]] = defaultdict(list)
    for segment in read:
        by_model[segment.model].append(segment)
    for name, of_model in by_model.items():
        detected = (frame for segment in of_model for frame in segment.frames)
        dead = (letter.frame for segment in of_model for letter in segment.dead_letters if letter.frame)
        put_frames(connection, numbers, numbers.number_of(name), detected, dead=False)
        put_frames(connection, numbers, numbers.number_of(name), dead, dead=True)


class _State(NamedTuple):
    """The state of a segment in the tables; without a header they have only its problem."""

    number: int
    problem: str | None
    is_read: int

    @property
    def is_unread(self) -> bool:
        """Whether its header is there and its lines are not."""
        return self.is_read == 0 and self.problem is None


def _states_of(connection: Connection, segment_keys: Sequence[str]) -> dict[str, _State]:
    query = f'SELECT "key", number, problem, is_read FROM {tables.segments.name} WHERE "key" IN '  # noqa: S608
    return {
        key: _State(*state)
        for batch in by(MOST_IN, segment_keys)
        for key, *state in connection.exec_driver_sql(
            f"{query}({marks_of(connection, len(batch))})", tuple(batch)
        )
    }


def _put_problem(connection: Connection, segment: TakenSegment) -> None:
    info = segment.info
    listed = {"size_bytes": info.size_bytes, "version": info.version, "put_at_ms": info.modified_at_ms}
    this = update(tables.segments).where(_SEGMENTS.key == info.key)
    connection.execute(this.values(problem=segment.problem, **listed))


def _add_rows(rows: _Rows, numbers: Numbers, segment: TakenSegment, number: int) -> None:
    """Add the rows for a segment's header."""
    (key, *version, put_at_ms), header, model = segment.info, segment.header, numbers.number_of(segment.model)
    listed = number, key, model, *version, put_at_ms, segment.problem
    if header is None:
        rows[tables.segments].append((*listed, *(None,) * 7, 0))
        return
    chain = header.log_id, header.topic, header.partition
    figures = header.first_offset, header.next_offset, header.frames, header.dead_letters
    rows[tables.segments].append((*listed, *chain, *figures, int(segment.is_read)))
    lines_of = {}
    for part in header.sources:
        lines_of[part.source] = (
            part.first_captured_at_ms,
            part.last_captured_at_ms,
            segment.header_bytes + part.first_byte,
            segment.header_bytes + part.next_byte,
            part.crc32,
            None if part.picture_digests is UNSET else zlib.crc32(part.picture_digests.encode()),
        )
    of_hours = rows[tables.hours]
    for source, hour, is_own in segment.hours:
        lines = lines_of[source]
        place = model, numbers.number_of(source), hour, number, int(is_own)
        digest = digest_of(segment.model, source, hour, place[-1], key, lines[-2], lines[-1])
        of_hours.append(place + lines + digest)


def _digests(rows: Sequence[Sequence[Any]]) -> list[list[int]]:
    """Return the first and the second digests, the last values of rows."""
    return [[row[column] for row in rows] for column in (-2, -1)]


def _add_to_total(connection: Connection, sums: Iterable[int]) -> None:
    """Add to the sums of all digests of hours."""
    total = tables.about.c
    values = {f"digest_{n}": (total[f"digest_{n}"] + by) % tables.DIGESTS for n, by in enumerate(sums)}
    connection.execute(update(tables.about).values(values))


def _letter_rows(numbers: Numbers, segment: TakenSegment, number: int) -> list[tuple[Any, ...]]:
    rows = []
    for letter in segment.dead_letters:
        frame: tuple[int | None, ...] = (None,) * 4
        if (place := letter.frame) is not None:
            names = numbers.number_of(place.source), numbers.number_of(place.media)
            frame = *names, place.captured_at_ms, place.frame
        rows.append((number, letter.offset, numbers.number_of(segment.model), *frame, letter.cause))
    return rows


def forget_segments(connection: Connection, chains: Chains, segment_keys: Iterable[str]) -> set[str]:
    """Forget segments, and each day's frames of their sources from the first to the last of theirs.

    Returns the keys of other segments with frames of these times. They must be read again, and until then
    have that as their problem.
    """
    ranges, links = _remove_segments(connection, sorted(segment_keys))
    chains.remove(links)
    letters = tables.dead_letters.c
    numbers: set[int] = set()
    for (model, source, _), (first_ms, last_ms) in ranges.items():
        forget_frames(connection, model, source, first_ms, last_ms)
        near = select(_HOURS.segment).where(
            _HOURS.model == model,
            _HOURS.source == source,
            _HOURS.hour >= first_ms // HOUR_MS,
            _HOURS.hour <= last_ms // HOUR_MS,
            _HOURS.last_ms >= first_ms,
            _HOURS.first_ms <= last_ms,
        )
        numbers.update(connection.execute(near).scalars())
        near = select(letters.segment).where(
            letters.model == model,
            letters.source == source,
            letters.captured_at_ms >= first_ms,
            letters.captured_at_ms <= last_ms,
        )
        numbers.update(connection.execute(near).scalars())
    read_again: set[str] = set()
    problem = "segment " + _SEGMENTS.key + " must be read again: run the command again"
    for batch in by(MOST_IN, sorted(numbers)):
        these = _SEGMENTS.number.in_(batch)
        read_again.update(connection.execute(select(_SEGMENTS.key).where(these)).scalars())
        is_whole = these, _SEGMENTS.problem.is_(None)
        connection.execute(update(tables.segments).where(*is_whole).values(problem=problem))
    return read_again


def _remove_segments(
    connection: Connection, segment_keys: Sequence[str]
) -> tuple[dict[tuple[int, int, int], tuple[int, int]], list[SegmentStretch]]:
    """Remove the rows of segments, but not those of frames.

    Returns their first and last times by model, source and the day on which they begin, and their links in
    the chains.
    """
    letters = tables.dead_letters.c
    ranges: dict[tuple[int, int, int], tuple[int, int]] = {}
    links: list[SegmentStretch] = []
    for batch in by(MOST_IN, segment_keys):
        links += [
            SegmentStretch(*row) for row in connection.execute(links_query().where(_SEGMENTS.key.in_(batch)))
        ]
        numbers = select(_SEGMENTS.number).where(_SEGMENTS.key.in_(batch))
        spans = select(_HOURS.model, _HOURS.source, _HOURS.first_ms, _HOURS.last_ms).distinct()
        times = select(letters.model, letters.source, letters.captured_at_ms, letters.captured_at_ms)
        for query in (
            spans.where(_HOURS.segment.in_(numbers)),
            times.where(letters.segment.in_(numbers), letters.frame.is_not(None)),
        ):
            for model, source, first_ms, last_ms in connection.execute(query):
                of_day = model, source, first_ms // DAY_MS
                first, last = ranges.get(of_day, (first_ms, last_ms))
                ranges[of_day] = min(first, first_ms), max(last, last_ms)
        sums = select(_HOURS.digest_0, _HOURS.digest_1).where(_HOURS.segment.in_(numbers))
        removed = connection.execute(sums).all()
        _add_to_total(connection, [-sum(digests) % tables.DIGESTS for digests in _digests(removed)])
        for table in (tables.hours, tables.dead_letters):
            connection.execute(delete(table).where(table.c.segment.in_(numbers)))
        connection.execute(delete(tables.segments).where(_SEGMENTS.key.in_(batch)))
    return ranges, links
