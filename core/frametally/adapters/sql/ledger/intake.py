"""Writes what was read from the store into the ledger's tables, each function within one transaction.

What is in the tables already is left as it is, so that two processes may take in the same objects, in any
order. `forget_model` makes room for segments that changed or are gone: which frames only they held is
unknown, so all of that model's segments are taken in again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, func, insert, select, update

from frametally.adapters.sql.ledger import tables
from frametally.adapters.sql.ledger.chains import Chains
from frametally.books.intake import FrameKey, TakenObject, TakenRun, TakenSegment
from frametally.errors import Poison
from frametally.ports.object_store import ObjectInfo
from frametally.rules.seals import unsealed
from frametally.segments.stretches import SegmentStretch

_IN = 500  # values in one IN (...): SQLite takes 32,766, others fewer


class Numbers:
    """Numbers of names within one transaction."""

    def __init__(self, connection: Connection) -> None:
        """Know nothing yet."""
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
    """Take in a manifest, a tombstone or a dropped dead letter, instead of what was there."""
    remove_objects(connection, [stored_object.info.key])
    _insert_object(connection, stored_object.info, kind, None, stored_object.record, stored_object.problem)


def put_run(connection: Connection, stored_run: TakenRun) -> None:
    """Take in a current run, instead of what was there."""
    remove_objects(connection, [stored_run.info.key])
    _insert_object(
        connection, stored_run.info, "run", stored_run.model, stored_run.record, stored_run.problem
    )
    rows = [{"key": stored_run.info.key, "source": s, "frames": n} for s, n in stored_run.frames]
    if rows:
        connection.execute(insert(tables.run_frames), rows)


def put_segment(connection: Connection, numbers: Numbers, chains: Chains, segment: TakenSegment) -> None:
    """Take in a segment, unless it is there without a problem."""
    key = segment.info.key
    objects = tables.objects.c
    before = connection.execute(select(objects.problem).where(objects.key == key)).one_or_none()
    if before is not None and before.problem is None:
        return
    if before is not None:
        connection.execute(delete(tables.objects).where(objects.key == key))
        _remove_segment_rows(connection, key)
        chains.order(key)
    _insert_object(connection, segment.info, "segment", segment.model, None, segment.problem)
    header = segment.header
    if header is None:
        return
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
    put_at_ms = segment.info.modified_at_ms
    chains.add(SegmentStretch(key, key, *offsets, header.frames, header.dead_letters, put_at_ms))
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
    dead = [letter.frame for letter in segment.dead_letters if letter.frame is not None]
    _put_frames(connection, numbers, model, segment.frames, dead=False)
    _put_frames(connection, numbers, model, dead, dead=True)
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


def forget_model(connection: Connection, name: str) -> None:
    """Forget all segments of a model, and the frames in them."""
    numbers = tables.names.c
    number = connection.execute(select(numbers.number).where(numbers.name == name)).scalar()
    for table in (
        tables.segments,
        tables.stretches,
        tables.parts,
        tables.frames,
        tables.tallies,
        tables.dead_letters,
    ):
        connection.execute(delete(table).where(table.c.model == number))
    objects = tables.objects
    connection.execute(delete(objects).where(objects.c.kind == "segment", objects.c.model == name))


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


def _remove_segment_rows(connection: Connection, key: str) -> None:
    segments = tables.segments.c
    number = connection.execute(select(segments.number).where(segments.key == key)).scalar()
    if number is not None:
        connection.execute(delete(tables.parts).where(tables.parts.c.segment == number))
        connection.execute(delete(tables.dead_letters).where(tables.dead_letters.c.segment == number))
        connection.execute(delete(tables.segments).where(segments.number == number))


def _put_frames(
    connection: Connection, numbers: Numbers, model: int, frames: Iterable[FrameKey], *, dead: bool
) -> None:
    """Take in distinct frames; a frame with detections is detected, whatever dead letters it has."""
    groups: dict[tuple[int, int], set[tuple[int, int]]] = defaultdict(set)
    for frame in frames:
        medium = numbers.number_of(frame.source), numbers.number_of(frame.media)
        groups[medium].add((frame.captured_at_ms, frame.frame))
    table = tables.frames.c
    for (source, media), identities in groups.items():
        of_medium = and_(table.model == model, table.source == source, table.media == media)
        was_dead_by_frame: dict[tuple[int, int], int] = {}
        for times_ms in _by(_IN, sorted({ms for ms, _ in identities})):
            query = select(table.captured_at_ms, table.frame, table.dead)
            rows = connection.execute(query.where(of_medium, table.captured_at_ms.in_(times_ms)))
            was_dead_by_frame.update({(ms, frame): was_dead for ms, frame, was_dead in rows})
        new = identities - was_dead_by_frame.keys()
        mended = (
            []
            if dead
            else [
                identity for identity in identities & was_dead_by_frame.keys() if was_dead_by_frame[identity]
            ]
        )
        for ms, identity in mended:
            this = and_(of_medium, table.captured_at_ms == ms, table.frame == identity)
            connection.execute(update(tables.frames).where(this).values(dead=0))
        if new:
            of_all = {"model": model, "source": source, "media": media, "dead": int(dead)}
            rows_new = [{**of_all, "captured_at_ms": ms, "frame": frame} for ms, frame in sorted(new)]
            connection.execute(insert(tables.frames), rows_new)
        detected, buried = (0, len(new)) if dead else (len(new) + len(mended), -len(mended))
        _add_to_tally(connection, (model, source, media), detected, buried)


def _add_to_tally(
    connection: Connection, medium: tuple[int, int, int], detected: int, dead_lettered: int
) -> None:
    if not detected and not dead_lettered:
        return
    table = tables.tallies.c
    is_of_medium = and_(table.model == medium[0], table.source == medium[1], table.media == medium[2])
    if connection.execute(select(func.count()).select_from(tables.tallies).where(is_of_medium)).scalar_one():
        sums = {
            "detected": table.detected + detected,
            "dead_lettered": table.dead_lettered + dead_lettered,
        }
        connection.execute(update(tables.tallies).where(is_of_medium).values(sums))
    else:
        row = dict(zip(("model", "source", "media"), medium, strict=True))
        connection.execute(
            insert(tables.tallies).values(**row, detected=detected, dead_lettered=dead_lettered)
        )


def _by(size: int, values: list[str] | list[int]) -> Iterable[list[str] | list[int]]:
    return (values[start : start + size] for start in range(0, len(values), size))
