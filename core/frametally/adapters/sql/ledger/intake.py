"""Writes what was read from the store into the ledger's tables, each function within one transaction.

What is in the tables already is left as it is, so that two processes may take in the same objects, in any
order. `forget_segments` makes room for segments that changed or are gone: which frames only they held is
unknown, so what others have of the same times is taken in again. Its cost is that of these times, however
much more the ledger holds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, and_, bindparam, delete, func, insert, select, update

from frametally.adapters.sql.ledger import tables
from frametally.adapters.sql.ledger.chains import Chains, links_query
from frametally.books.intake import FrameKey, TakenObject, TakenRun, TakenSegment
from frametally.errors import Poison
from frametally.ports.object_store import ObjectInfo
from frametally.rules.seals import unsealed
from frametally.rules.times import DAY_MS
from frametally.segments.stretches import SegmentStretch

_ValueT = TypeVar("_ValueT")
_IN = 500  # values in one IN (...): SQLite takes 32,766, others fewer

# Statements for each medium of a batch, made once: a fleet's batch has a few frames of each of very many.
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


class Numbers:
    """Numbers of names within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._numbers: dict[str, int] = {}

    def number_of(self, name: str) -> int:
        """Return the name's number, given to it now if it has none."""
        if name not in self._numbers:
            query = select(tables.names.c.number).where(tables.names.c.name == name)
            number = self._connection.execute(query).scalar()
            if number is None:
                number = self.new()
                self._connection.execute(insert(tables.names).values(name=name, number=number))
            self._numbers[name] = int(number)
        return self._numbers[name]

    def new(self) -> int:
        """Return a number that nothing has."""
        number: int = self._connection.execute(select(tables.about.c.next_number)).scalar_one()
        self._connection.execute(update(tables.about).values(next_number=number + 1))
        return number


def known_objects(connection: Connection, kind: str) -> dict[str, tuple[int, str, bool]]:
    """Return size, version and whether to read it again, by key, of everything of that kind.

    That is where there was a problem, and where the record that is kept is damaged itself.
    """
    table = tables.objects.c
    query = select(table.key, table.size_bytes, table.version, table.record, table.problem.is_not(None))
    rows = connection.execute(query.where(table.kind == kind))
    return {
        key: (size, version, bool(problem) or not _is_whole(record))
        for key, size, version, record, problem in rows
    }


def segments_with_problems(connection: Connection) -> list[Row[Any]]:
    """Return the rows of `objects` of segments that could not be read, or not all of them."""
    # All kinds are read, so that the index of the few with problems is used, not that of a million segments.
    rows = connection.execute(select(tables.objects).where(tables.objects.c.problem.is_not(None)))
    return [row for row in rows if row.kind == "segment"]


def _is_whole(record: str | None) -> bool:
    try:
        return record is None or unsealed(record.encode()) is not None
    except Poison:
        return False


def is_changed(info: ObjectInfo, known_objects: Mapping[str, tuple[int, str, bool]]) -> bool:
    """Return whether an object that is known is another now."""
    return known_objects[info.key][:2] != (info.size_bytes, info.version)


def is_new(info: ObjectInfo, known_objects: Mapping[str, tuple[int, str, bool]]) -> bool:
    """Return whether to read it: unknown, changed, or one that could not be read the last time."""
    return info.key not in known_objects or is_changed(info, known_objects) or known_objects[info.key][2]


def remove_objects(connection: Connection, object_keys: Iterable[str]) -> None:
    """Forget manifests, tombstones, dropped dead letters and runs by their keys."""
    for key_batch in _by(_IN, list(object_keys)):
        connection.execute(delete(tables.run_frames).where(tables.run_frames.c.key.in_(key_batch)))
        connection.execute(delete(tables.objects).where(tables.objects.c.key.in_(key_batch)))


def put_object(connection: Connection, stored_object: TakenObject, kind: str) -> None:
    """Record a manifest, a tombstone or a dropped dead letter, and replace the earlier one."""
    remove_objects(connection, [stored_object.info.key])
    _insert_object(connection, stored_object.info, kind, None, stored_object.record, stored_object.problem)


def put_run(connection: Connection, stored_run: TakenRun) -> None:
    """Record a current run, and replace the earlier one."""
    remove_objects(connection, [stored_run.info.key])
    _insert_object(
        connection, stored_run.info, "run", stored_run.model, stored_run.record, stored_run.problem
    )
    rows = [{"key": stored_run.info.key, "source": s, "frames": n} for s, n in stored_run.frames]
    if rows:
        connection.execute(insert(tables.run_frames), rows)


def put_segments(
    connection: Connection, numbers: Numbers, chains: Chains, segments: Sequence[TakenSegment]
) -> None:
    """Take in segments, but those that are there without a problem.

    Their frames are written together: a fleet's segment has a few frames of each of very many media.
    """
    new_by_model: defaultdict[str, list[TakenSegment]] = defaultdict(list)
    for segment in segments:
        if _put_segment(connection, numbers, chains, segment):
            new_by_model[segment.model].append(segment)
    for name, new in new_by_model.items():
        detected = (frame for segment in new for frame in segment.frames)
        dead = (letter.frame for segment in new for letter in segment.dead_letters if letter.frame)
        _put_frames(connection, numbers, numbers.number_of(name), detected, dead=False)
        _put_frames(connection, numbers, numbers.number_of(name), dead, dead=True)


def _put_segment(connection: Connection, numbers: Numbers, chains: Chains, segment: TakenSegment) -> bool:
    """Take in a segment without its frames; return whether these are to be taken in."""
    key = segment.info.key
    objects = tables.objects.c
    before = connection.execute(select(objects.problem).where(objects.key == key)).one_or_none()
    if before is not None and before.problem is None:
        return False
    header = segment.header
    link_before: SegmentStretch | None = None
    if before is not None and header is not None:
        link_before = next(iter(_remove_segments(connection, [key])[1]), None)
    elif before is not None:  # its other rows stay: they say which frames are in `frames` by it
        connection.execute(delete(tables.objects).where(objects.key == key))
    _insert_object(connection, segment.info, "segment", segment.model, None, segment.problem)
    if header is None:
        return False
    model, number = numbers.number_of(segment.model), numbers.new()
    connection.execute(
        insert(tables.segments).values(
            number=number,
            key=key,
            model=model,
            log_id=header.log_id,
            topic=header.topic,
            partition=header.partition,
            first_offset=header.first_offset,
            next_offset=header.next_offset,
            frames=header.frames,
            dead_letters=header.dead_letters,
        )
    )
    offsets = header.first_offset, header.next_offset
    link = SegmentStretch(key, key, *offsets, header.frames, header.dead_letters)
    if link_before is None:
        chains.add(link)
    elif link != link_before:
        chains.order(key)
    part_rows = [
        {
            "model": model,
            "source": numbers.number_of(part.source),
            "segment": number,
            "first_ms": part.first_captured_at_ms,
            "last_ms": part.last_captured_at_ms,
            "first_byte": segment.header_bytes + part.first_byte,
            "next_byte": segment.header_bytes + part.next_byte,
            "span_ms": part.last_captured_at_ms - part.first_captured_at_ms,
            "crc32": part.crc32,
        }
        for part in header.sources
    ]
    if part_rows:
        connection.execute(insert(tables.parts), part_rows)
    letter_rows = [
        {
            "segment": number,
            "at_offset": letter.offset,
            "model": model,
            "source": numbers.number_of(letter.frame.source) if letter.frame else None,
            "media": numbers.number_of(letter.frame.media) if letter.frame else None,
            "captured_at_ms": letter.frame.captured_at_ms if letter.frame else None,
            "frame": letter.frame.frame if letter.frame else None,
            "cause": letter.cause,
        }
        for letter in segment.dead_letters
    ]
    if letter_rows:
        connection.execute(insert(tables.dead_letters), letter_rows)
    return True


def forget_segments(connection: Connection, chains: Chains, segment_keys: Iterable[str]) -> set[str]:
    """Forget segments, and all frames of their sources between the first and the last of those of a day.

    Returns the keys of other segments that have frames of these times. They are to be read again: until
    then that is their problem.
    """
    ranges, links = _remove_segments(connection, sorted(segment_keys))
    chains.remove(links)
    segments, parts, letters = tables.segments.c, tables.parts.c, tables.dead_letters.c
    numbers: set[int] = set()
    for (model, source, _), (first_ms, last_ms) in ranges.items():
        _forget_frames(connection, model, source, first_ms, last_ms)
        of_parts = parts.model == model, parts.source == source
        longest = select(func.coalesce(func.max(parts.span_ms), 0)).where(*of_parts).scalar_subquery()
        is_near = parts.last_ms >= first_ms, parts.last_ms <= last_ms + longest, parts.first_ms <= last_ms
        near = select(parts.segment).where(*of_parts, *is_near)
        numbers.update(connection.execute(near).scalars())
        near = select(letters.segment).where(
            letters.model == model,
            letters.source == source,
            letters.captured_at_ms >= first_ms,
            letters.captured_at_ms <= last_ms,
        )
        numbers.update(connection.execute(near).scalars())
    read_again: set[str] = set()
    for batch in _by(_IN, sorted(numbers)):
        read_again.update(
            connection.execute(select(segments.key).where(segments.number.in_(batch))).scalars()
        )
    objects = tables.objects.c
    for key_batch in _by(_IN, sorted(read_again)):
        problem = "segment " + objects.key + " must be read again: run the command again"
        is_whole = objects.key.in_(key_batch), objects.problem.is_(None)
        connection.execute(update(tables.objects).where(*is_whole).values(problem=problem))
    return read_again


def _remove_segments(
    connection: Connection, segment_keys: Sequence[str]
) -> tuple[dict[tuple[int, int, int], tuple[int, int]], list[SegmentStretch]]:
    """Remove the rows of segments, but of no frame.

    Returns their first and last times by model, source and day on which they begin, and their links in the
    chains.
    """
    segments, objects, parts, letters = tables.segments, tables.objects, tables.parts, tables.dead_letters
    ranges: dict[tuple[int, int, int], tuple[int, int]] = {}
    links: list[SegmentStretch] = []
    for batch in _by(_IN, segment_keys):
        rows = connection.execute(links_query().where(segments.c.key.in_(batch))).all()
        links += [SegmentStretch(*row) for row in rows]
        numbers = select(segments.c.number).where(segments.c.key.in_(batch))
        spans = select(parts.c.model, parts.c.source, parts.c.first_ms, parts.c.last_ms)
        times = select(letters.c.model, letters.c.source, letters.c.captured_at_ms, letters.c.captured_at_ms)
        for query in (
            spans.where(parts.c.segment.in_(numbers)),
            times.where(letters.c.segment.in_(numbers), letters.c.frame.is_not(None)),
        ):
            for model, source, first_ms, last_ms in connection.execute(query):
                of_day = model, source, first_ms // DAY_MS
                first, last = ranges.get(of_day, (first_ms, last_ms))
                ranges[of_day] = min(first, first_ms), max(last, last_ms)
        for table in (parts, letters):
            connection.execute(delete(table).where(table.c.segment.in_(numbers)))
        for of_keys in (segments, objects):
            connection.execute(delete(of_keys).where(of_keys.c.key.in_(batch)))
    return ranges, links


def _forget_frames(connection: Connection, model: int, source: int, first_ms: int, last_ms: int) -> None:
    """Remove a source's frames of these times; their tallies say of which media there are some."""
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


def _insert_object(
    connection: Connection,
    info: ObjectInfo,
    kind: str,
    model: str | None,
    record: str | None,
    problem: str | None,
) -> None:
    connection.execute(
        insert(tables.objects).values(
            key=info.key,
            kind=kind,
            model=model,
            size_bytes=info.size_bytes,
            version=info.version,
            put_at_ms=info.modified_at_ms,
            record=record,
            problem=problem,
        )
    )


def _put_frames(
    connection: Connection, numbers: Numbers, model: int, frames: Iterable[FrameKey], *, dead: bool
) -> None:
    """Take in distinct frames; a frame with detections is detected, whatever dead letters it has."""
    groups: dict[tuple[int, int, int], set[tuple[int, int]]] = defaultdict(set)
    for frame in frames:
        medium = numbers.number_of(frame.source), numbers.number_of(frame.media)
        groups[frame.captured_at_ms // DAY_MS, *medium].add((frame.captured_at_ms, frame.frame))
    rows: list[dict[str, int]] = []
    for (day, source, media), identities in groups.items():
        of_medium = {"of_model": model, "of_source": source, "of_media": media}
        was_dead_by_frame: dict[tuple[int, int], int] = {}
        for times_ms in _by(_IN, sorted({ms for ms, _ in identities})):
            known_rows = connection.execute(_FRAMES_OF_TIMES, {**of_medium, "of_times_ms": times_ms})
            was_dead_by_frame.update({(ms, frame): was_dead for ms, frame, was_dead in known_rows})
        new = identities - was_dead_by_frame.keys()
        mended = [] if dead else [identity for identity in identities - new if was_dead_by_frame[identity]]
        for ms, identity in mended:
            this = *_OF_MEDIUM, _FRAMES.captured_at_ms == ms, _FRAMES.frame == identity
            connection.execute(update(tables.frames).where(*this).values(dead=0), of_medium)
        of_all = {"model": model, "source": source, "media": media, "dead": int(dead)}
        rows += [{**of_all, "captured_at_ms": ms, "frame": identity} for ms, identity in sorted(new)]
        detected, buried = (0, len(new)) if dead else (len(new) + len(mended), -len(mended))
        _add_to_tally(connection, (model, day, source, media), detected, buried)
    if rows:
        connection.execute(insert(tables.frames), rows)


def _add_to_tally(
    connection: Connection, of_day: tuple[int, int, int, int], detected: int, dead_lettered: int
) -> None:
    if not detected and not dead_lettered:
        return
    row = dict(zip(_TALLIES.keys(), (*of_day, detected, dead_lettered), strict=True))
    if not connection.execute(_ADD_TO_TALLY, {f"of_{name}": number for name, number in row.items()}).rowcount:
        connection.execute(insert(tables.tallies), row)


def _by(size: int, values: Sequence[_ValueT]) -> Iterable[Sequence[_ValueT]]:
    return (values[start : start + size] for start in range(0, len(values), size))
