"""The answer of `/api/objects`: the unique objects behind a bar, by the time of their first box."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from frametally import keys
from frametally.actions.answers import answer_of, nothing
from frametally.actions.parameters import write_cursor
from frametally.books.runs import find_tracks
from frametally.ports.object_store import ObjectStore
from frametally.rules.places import parse_place, source_of
from frametally.track_records import Track, TrackHead, TrackSighting
from frametally_web.access.visitors import visitor
from frametally_web.charts.local_bars import touches
from frametally_web.charts.question import Question
from frametally_web.proof import answers
from frametally_web.proof.bars import Bar, NoBar, Place, days_with_boxes, find_bar, take
from frametally_web.requests.addresses import image_url
from frametally_web.requests.query import Selection


class ObjectsCursor(NamedTuple):
    """The end of a page: the place of its last object, and the number of objects up to it."""

    first_seen_ms: int
    source: str
    label: str
    id: str
    running_total: int


def find_objects(
    store: ObjectStore,
    question: Question,
    *,
    limit: int,
    cursor: ObjectsCursor | None,
) -> answers.Objects:
    """Return a page of the unique objects behind a bar.

    The store has the tracks of the index's runs; other arguments are those of `frames.find_frames`.

    Raises:
        Retryable: A port is unavailable, or a run was replaced while it was read.
        Poison: An hour file is damaged or missing; the message names it.
    """
    bar = find_bar(question)
    if isinstance(bar, NoBar):
        return answer_of(answers.Objects, (bar, nothing(answers.Objects)), objects_missing=bar.missing)
    part = take(_tracks(store, bar, cursor[:-1] if cursor else None), limit)
    before = cursor.running_total if cursor else 0
    total = before + len(part.entries)
    return answer_of(
        answers.Objects,
        (bar,),
        tracks=[_object(track, number) for number, (_, track) in enumerate(part.entries, before + 1)],
        next=write_cursor((*part.stopped_at, total)) if part.stopped_at else None,
        note=None if part.stopped_at or bar.objects in (total, None) else _differs(total, bar),
    )


def _tracks(store: ObjectStore, bar: Bar, after: Place | None) -> Iterator[tuple[Place, Track]]:
    """Yield the bar's objects after `after`, by the time when they were first seen."""
    runs = {
        run.day: run
        for run in bar.question.index.current_runs()
        if (run.model, run.interval_s) == (bar.model, bar.base_interval_s)
    }
    start_ms = max(bar.from_ms, after[0]) if after else bar.from_ms
    selection = bar.question.selection
    for from_ms, to_ms in days_with_boxes(bar, start_ms - start_ms % (bar.base_interval_s * 1000)):
        run = runs.get(keys.utc_day(from_ms))
        if run is None:
            continue
        first_ms = max(from_ms, bar.from_ms)

        def is_in_part(head: TrackHead, first_ms: int = first_ms, to_ms: int = to_ms) -> bool:
            return (
                head.is_counted
                and first_ms <= head.first_seen_ms < to_ms
                and touches(bar.question.chosen, head.first_seen_ms, head.first_seen_ms + 1)
                and _is_of(selection, head.source)
                and (not selection.labels or head.label in selection.labels)
                and (after is None or _place(head) > after)
            )

        tracks = find_tracks(
            store,
            run,
            is_match=is_in_part,
            order=_place,
            sources=selection.sources or None,
            span=(first_ms, to_ms),
        )
        yield from ((_place(track), track) for track in tracks)


def _is_of(selection: Selection, source: str) -> bool:
    """Return whether tracks of a source or place are selected; a run has those of all sources."""
    if selection.within is not None and parse_place(source).names != (selection.within,):
        return False
    slug = source_of(source)
    return visitor().sees(slug) and (not selection.sources or slug in selection.sources)


def _place(track: TrackHead) -> tuple[int, str, str, str]:
    return track.first_seen_ms, track.source, track.label, track.id


def _object(track: Track, running_total: int) -> answers.CountedObject:
    def sighting(sighted: TrackSighting) -> answers.Sighting:
        return answers.Sighting(
            captured_at_ms=sighted.captured_at_ms,
            image_path=sighted.image_path,
            image_url=image_url(sighted.image_path),
            box=answers.Box(label=track.label, confidence=sighted.confidence, box=sighted.box),
        )

    return answer_of(
        answers.CountedObject,
        (track,),
        source=source_of(track.source),
        running_total=running_total,
        first=sighting(track.first),
        best=sighting(track.best),
    )


def _differs(total: int, bar: Bar) -> str:
    return (
        f"These are {total} objects, but the bar shows {bar.objects}: it was counted from earlier data; "
        "run `frametally aggregate` and `frametally index`."
    )
