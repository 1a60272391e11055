"""The contract of every ledger: the same books, whatever it contained before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any, cast
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable
from tests.examples import examples
from tests.fakes.at_once import at_once
from tests.fakes.databases import DATABASES, Openings
from tests.fakes.memory import MemoryStore
from tests.fakes.records import (
    make_coverage,
    make_frame,
    make_letter,
    make_manifest,
    make_run,
    make_segment,
    put_lines,
    with_checksums,
)

from frametally import keys
from frametally.adapters.sql.ledger import cache, frame_rows, tables
from frametally.adapters.sql.ledger.database import COLUMNS
from frametally.adapters_by_url import open_ledger
from frametally.errors import Misconfigured, Poison
from frametally.ports.ledger import CountedHour, Ledger, SegmentPart
from frametally.process.reports import NoProgress
from frametally.records import DeadLetter, FrameDetections, encode
from frametally.segments.contents import list_segments, read_segment
from frametally.undo_records import DroppedDeadLetter, Tombstone

Make = Callable[..., Ledger]


MODEL, TOPIC, LOG = "pixels-1", "frames", "log-1"
MEDIUM = "ab" * 32


@pytest.fixture(params=DATABASES)
def make(request: pytest.FixtureRequest) -> Iterator[Callable[..., Ledger]]:
    with ExitStack() as stack:
        yield Openings(stack, open_ledger, request.param)


def frame(at: int, *, source: str = "cam", media: str = MEDIUM) -> FrameDetections:
    return make_frame(1_000 * at, at, source=source, media=media, model=MODEL)


def letter(offset: int, at: int | None) -> DeadLetter:
    if at is None:
        return DeadLetter(offset=offset, message=b"{", stage="parse", cause="malformed", reason="no JSON")
    return make_letter(offset, frame(at), stage="fetch", cause="missing", reason="gone")


def put_segment(
    store: MemoryStore,
    first: int,
    frames: list[FrameDetections],
    letters: list[DeadLetter] | None = None,
    model: str = MODEL,
) -> str:
    letters = letters or []
    key = keys.segment_key(model, LOG, TOPIC, 0, first)
    store.put(key, make_segment(frames, letters, first, model=model, log_id=LOG, topic=TOPIC))
    return key


def put_run(store: MemoryStore, sequence: int, frames: int) -> str:
    run = make_run(sequence, model=MODEL, day="1970-01-01", digest="0123456789abcdef" * 4, frames=frames)
    coverage = make_coverage(0, frames, model=MODEL, source="cam")
    return put_lines(store, run, [b'["coverage","cam",0]\t' + encode(coverage) + b"\n"]).key


def put_manifest(store: MemoryStore, announced: int) -> None:
    manifest = make_manifest(announced, media=MEDIUM, announced_frames=b"\xff" * 1000)
    store.put(keys.media_key(MEDIUM), encode(manifest))


def refresh(ledger: Ledger, store: MemoryStore) -> tuple[int, int]:
    return ledger.refresh(store, NoProgress())


def refreshed(make: Make, store: MemoryStore, name: str = "book") -> Ledger:
    """A new ledger of what is in the store."""
    ledger = make(name)
    refresh(ledger, store)
    return ledger


def books(ledger: Ledger) -> dict[str, object]:
    """The whole content of a ledger, except the numbers that it assigns itself."""
    return {
        "manifests": ledger.manifests(),
        "tombstones": ledger.tombstones(),
        "runs": ledger.runs(),
        "models": ledger.models(),
        "tallies": ledger.tallies(MODEL),
        "chain": ledger.chain(MODEL),
        "newest": ledger.newest_frames(MODEL),
        "dead": sorted(ledger.dead_frames(MODEL), key=str),
        "parts": ledger.parts(MODEL, "cam", from_ms=0, to_ms=10**12),
        "problems": ledger.problems(MODEL),
        "extent": ledger.extent(MEDIUM, from_ms=None, to_ms=None),
    }


def fill(store: MemoryStore) -> None:
    put_manifest(store, 6)
    put_segment(store, 0, [frame(0), frame(1), frame(2, source="gate")])
    put_segment(store, 3, [frame(1), frame(3)], [letter(5, 4), letter(6, None)])
    put_run(store, 1, 4)
    stone = Tombstone(media=MEDIUM, source="cam", name="cam.mp4", from_ms=0, to_ms=500, why="forget")
    store.put(keys.tombstone_key(MEDIUM, 0, 500), encode(stone))


def test_an_empty_store_makes_an_empty_ledger(make: Make, store: MemoryStore) -> None:
    ledger = make()
    assert refresh(ledger, store) == (0, 0)
    assert not any(value for name, value in books(ledger).items() if name != "extent")


def test_frames_are_tallied_once_however_often_segments_repeat_them(make: Make, store: MemoryStore) -> None:
    fill(store)
    ledger = refreshed(make, store)
    assert [tuple(tally) for tally in ledger.tallies(MODEL)] == [
        ("cam", MEDIUM, 3, 1),
        ("gate", MEDIUM, 1, 0),
    ]
    assert ledger.tally_between(MODEL, "cam", MEDIUM, from_ms=1_000, to_ms=4_000) == (2, 0)
    assert ledger.tally_between(MODEL, "cam", MEDIUM, from_ms=4_000, to_ms=None) == (0, 1)
    assert tuple(ledger.extent(MEDIUM, from_ms=None, to_ms=None)) == (4, 1)
    dead = ledger.dead_frames(MODEL)
    assert [letter.cause for letter in dead] == ["missing", "malformed"]
    letters = {
        (key, one.offset) for key in list_segments(store) for one in read_segment(store, key).dead_letters()
    }
    assert {(letter.segment, letter.offset) for letter in dead} == letters


def test_a_refresh_reads_only_what_is_new(make: Make, store: MemoryStore) -> None:
    class CountingStore(MemoryStore):
        gets = 0

        def get(self, key: str) -> bytes:
            self.gets += 1
            return super().get(key)

    counting = CountingStore()
    fill(counting)
    ledger = make()
    assert refresh(ledger, counting).taken == 5
    counting.gets = 0
    assert refresh(ledger, counting) == (0, 0)
    assert counting.gets == 0
    put_segment(counting, 7, [frame(5)])
    assert refresh(ledger, counting) == (1, 0)
    assert counting.gets == 1


def test_one_statement_inserts_the_frames_of_all_media_of_a_batch(make: Make, store: MemoryStore) -> None:
    media = [f"{number:064x}" for number in range(30)]
    put_segment(store, 0, [frame(at, source=f"cam-{at}", media=medium) for at, medium in enumerate(media)])
    ledger = make()
    with mock.patch.object(frame_rows, "insert_rows", wraps=frame_rows.insert_rows) as insert:
        refresh(ledger, store)
    [rows] = [call.args[2] for call in insert.call_args_list if call.args[1] == "frames" and call.args[2]]
    assert len(rows) == len(media)
    assert {tally.media for tally in ledger.tallies(MODEL)} == {*media}


def test_a_removal_costs_what_is_stored_at_its_times_whatever_else_is_kept(make: Make) -> None:
    class CountingStore(MemoryStore):
        gets: list[str]

        def get(self, key: str) -> bytes:
            self.gets.append(key)
            return super().get(key)

    store = CountingStore()
    store.gets = []
    per_day, days, last_s = 4, 5, 86_390
    for first in range(0, per_day * days, 2):  # the second segment of a day ends in the next
        day, of_day = divmod(first, per_day)
        seconds = (0, 1) if not of_day else (last_s, 86_400)
        put_segment(store, first, [frame(day * 86_400 + at) for at in seconds])
    ledger = refreshed(make, store)
    all_keys = list(list_segments(store))
    # The third begins when the second ends, the sixth ends when the seventh begins.
    removed, near = [*all_keys[:2], all_keys[6]], [all_keys[2], all_keys[5]]
    store.gets.clear()
    for key in removed:
        store.delete(key)
    assert refresh(ledger, store) == (2, 3)
    assert store.gets == near
    anew = refreshed(make, store, "another")
    assert books(ledger) == books(anew)


def test_a_removed_segment_over_midnight_leaves_no_frame_on_either_day(
    make: Make, store: MemoryStore
) -> None:
    key = put_segment(store, 0, [frame(86_399), frame(86_400)])
    ledger = refreshed(make, store)
    store.delete(key)
    refresh(ledger, store)
    assert ledger.tallies(MODEL) == []


def test_a_removed_segment_takes_no_other_segments_dead_letter_along(make: Make, store: MemoryStore) -> None:
    went = put_segment(store, 0, [frame(0), frame(9)])
    put_segment(store, 2, [frame(20)], [letter(3, 5)])
    ledger = refreshed(make, store)
    store.delete(went)
    refresh(ledger, store)
    assert [tally[2:] for tally in ledger.tallies(MODEL)] == [(1, 1)]


def test_a_segment_removed_before_it_is_read_again_leaves_no_frame(make: Make, store: MemoryStore) -> None:
    first = put_segment(store, 0, [frame(0), frame(9)])
    second = put_segment(store, 2, [frame(5), frame(99)])
    put_segment(store, 4, [frame(200)])
    ledger = refreshed(make, store)
    store.delete(first)
    with (
        mock.patch("frametally.books.intake.take_segment", side_effect=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        refresh(ledger, store)
    assert [second in problem for problem in ledger.problems(MODEL)] == [True]
    store.delete(second)
    refresh(ledger, store)
    anew = refreshed(make, store, "another")
    assert books(ledger) == books(anew)
    assert [tally.detected for tally in ledger.tallies(MODEL)] == [1]


PLACES = st.tuples(st.integers(0, 3), st.integers(0, 5))  # a day, and the next second


@pytest.mark.thorough
@settings(max_examples=examples(25))
@given(
    st.lists(
        st.tuples(st.lists(PLACES, max_size=3, unique=True), st.lists(PLACES, max_size=2, unique=True)),
        min_size=1,
        max_size=6,
    ),
    st.lists(st.tuples(st.integers(0, 5), st.none() | st.lists(PLACES, max_size=3)), max_size=5),
)
def test_a_ledger_after_removals_and_rewrites_equals_one_from_scratch(
    content: list[tuple[list[tuple[int, int]], list[tuple[int, int]]]],
    changes: list[tuple[int, list[tuple[int, int]] | None]],
) -> None:
    now_s = [1_800_000_000.0]
    store, firsts = MemoryStore(clock=lambda: now_s[0]), [0]

    def put(first: int, frames: list[tuple[int, int]], dead: list[tuple[int, int]]) -> None:
        now_s[0] += 1
        letters = [letter(first + len(frames) + n, day * 86_400 + at) for n, (day, at) in enumerate(dead)]
        put_segment(store, first, [frame(day * 86_400 + at) for day, at in frames], letters)

    for frames, dead in content:
        put(firsts[-1], frames, dead)
        firsts.append(firsts[-1] + max(1, len(frames) + len(dead)))
    with ExitStack() as stack:
        opened = Openings(stack, open_ledger)
        ledger = opened("one")
        refresh(ledger, store)
        for number, frames_again in changes:
            first = firsts[number % len(content)]
            store.delete(keys.segment_key(MODEL, LOG, TOPIC, 0, first))
            if frames_again is not None:
                put(first, frames_again, [])
            refresh(ledger, store)
        anew = opened("two")
        refresh(anew, store)
        assert books(ledger) == books(anew)


def test_a_deleted_ledger_is_rebuilt_with_the_same_books(make: Make, store: MemoryStore) -> None:
    ledger = refreshed(make, store)
    fill(store)
    refresh(ledger, store)
    put_run(store, 2, 5)
    put_segment(store, 7, [frame(4), frame(5)])
    refresh(ledger, store)
    anew = refreshed(make, store, "another")
    assert books(ledger) == books(anew)
    ledger.clear()
    assert ledger.tallies(MODEL) == []
    refresh(ledger, store)
    assert books(ledger) == books(anew)


def test_a_successfully_replayed_dead_letter_is_no_longer_open(make: Make, store: MemoryStore) -> None:
    fill(store)
    ledger = refreshed(make, store)
    put_segment(store, 7, [frame(4)])
    refresh(ledger, store)
    assert [letter.cause for letter in ledger.dead_frames(MODEL)] == ["malformed"]
    assert ledger.tallies(MODEL)[0][2:] == (4, 0)


def test_a_dropped_dead_letter_is_no_longer_open_but_still_in_the_equation(
    make: Make, store: MemoryStore
) -> None:
    fill(store)
    ledger = make()
    segment = keys.segment_key(MODEL, LOG, TOPIC, 0, 3)
    dropped = DroppedDeadLetter(segment=segment, offset=5)
    store.put(dropped.key, encode(dropped))
    refresh(ledger, store)
    assert [letter.cause for letter in ledger.dead_frames(MODEL)] == ["malformed"]
    assert ledger.tallies(MODEL)[0].dead_lettered == 1


def test_a_record_damaged_in_the_ledger_itself_is_read_again(
    make: Callable[..., Any], store: MemoryStore
) -> None:
    put_manifest(store, 6)
    ledger = refreshed(make, store)
    with ledger._database.writing() as connection:
        six, seven = "'frames_announced\":6'", "'frames_announced\":7'"
        damage = f"UPDATE frametally_ledger_objects SET record = replace(record, {six}, {seven})"  # noqa: S608
        connection.execute(damage)
    with pytest.raises(Poison, match="damaged"):
        ledger.manifests()
    refresh(ledger, store)
    assert [manifest.frames_announced for manifest in ledger.manifests()] == [6]


def test_changes_and_removals_in_the_store_reach_the_ledger(make: Make, store: MemoryStore) -> None:
    fill(store)
    ledger = refreshed(make, store)
    put_manifest(store, 9)
    put_run(store, 2, 7)
    store.delete(keys.tombstone_key(MEDIUM, 0, 500))
    store.delete(keys.segment_key(MODEL, LOG, TOPIC, 0, 3))
    refresh(ledger, store)
    assert [manifest.frames_announced for manifest in ledger.manifests()] == [9]
    assert [(counted.run.sequence, counted.frames) for counted in ledger.runs()] == [(2, {"cam": 7})]
    assert ledger.tombstones() == []
    assert [tally[2:] for tally in ledger.tallies(MODEL)] == [(2, 0), (1, 0)]
    for info in list(store.list("")):
        store.delete(info.key)
    refresh(ledger, store)
    assert not any(value for name, value in books(ledger).items() if name != "extent")
    with cast("Any", ledger)._database.reading() as connection:
        for table in COLUMNS.keys() - {"names"}:
            query = f"SELECT * FROM frametally_ledger_{table}"  # noqa: S608
            assert connection.execute(query).fetchall() == []


def test_the_newest_pointer_of_a_day_names_its_run(make: Make, store: MemoryStore) -> None:
    pointers = [put_run(store, sequence, sequence) for sequence in (1, 2, 3)]
    ledger = refreshed(make, store)
    assert [counted.run.sequence for counted in ledger.runs()] == [3]
    store.delete(pointers[2])
    refresh(ledger, store)
    assert [counted.run.sequence for counted in ledger.runs()] == [2]


def test_a_sources_bytes_in_a_segment_are_exactly_its_lines(make: Make, store: MemoryStore) -> None:
    lines = [frame(0, source="gate"), frame(1), frame(2)]
    key = put_segment(store, 0, lines)
    ledger = refreshed(make, store)
    [part] = ledger.parts(MODEL, "cam", from_ms=2_000, to_ms=2_001)
    assert isinstance(part, SegmentPart)
    assert store.get_range(*part[:3]) == b"".join(encode(line) + b"\n" for line in lines[1:])
    assert part.key == key
    assert ledger.parts(MODEL, "cam", from_ms=2_001, to_ms=9_000) == []
    assert ledger.parts("other", "cam", from_ms=0, to_ms=9_000) == []


@pytest.mark.parametrize(
    ("break_it", "says"),
    [
        (lambda data: data[:-5], "cut short"),
        (lambda data: b"{}" + data[data.index(b"\n") :], "SegmentHeader"),
        (lambda data: data.replace(b'"frame_index":1', b'"frame_index":x'), "cam: damaged"),
        (lambda data: with_checksums(data.replace(b'"frame_index":1', b'"frame_index":x')), "line 3"),
    ],
)
def test_an_unreadable_object_is_named_and_healed_once_it_is_mended(
    make: Make, store: MemoryStore, break_it: Callable[[bytes], bytes], says: str
) -> None:
    key = put_segment(store, 0, [frame(0), frame(1)])
    put_segment(store, 2, [frame(2)])
    good = store.get(key)
    store.put(key, break_it(good))
    ledger = make()
    for _ in range(2):  # it is read again each time, next to the undamaged ones
        refresh(ledger, store)
        assert ledger.chain(MODEL)[-1].next_offset == 3
    [problem] = ledger.problems(MODEL)
    assert key in problem
    assert says in problem
    assert ledger.problems("another model") == []
    store.put(key, good)
    refresh(ledger, store)
    assert ledger.problems(MODEL) == []
    assert [tally[2:] for tally in ledger.tallies(MODEL)] == [(3, 0)]


def test_a_model_whose_only_segment_is_unreadable_is_still_listed(make: Make, store: MemoryStore) -> None:
    key = put_segment(store, 0, [frame(0)])
    store.put(key, b"{")
    ledger = refreshed(make, store)
    assert ledger.models() == [MODEL]
    assert key in ledger.problems(MODEL)[0]


def test_an_interrupted_download_is_read_again_the_next_time(make: Make) -> None:
    class Cutting(MemoryStore):
        cuts = 1

        def get(self, key: str) -> bytes:
            self.cuts -= 1
            return super().get(key)[:-5] if self.cuts == 0 else super().get(key)

    store = Cutting()
    put_segment(store, 0, [frame(0), frame(1)])
    ledger = refreshed(make, store)
    assert "cut short" in ledger.problems(MODEL)[0]
    refresh(ledger, store)
    assert (ledger.problems(MODEL), ledger.tallies(MODEL)[0].detected) == ([], 2)


def test_a_manifest_that_does_not_parse_is_named_for_every_model(make: Make, store: MemoryStore) -> None:
    store.put(keys.media_key(MEDIUM), b"{")
    ledger = refreshed(make, store)
    [problem] = ledger.problems("any")
    assert keys.media_key(MEDIUM) in problem


def test_models_are_kept_apart_and_the_newest_is_first(make: Make) -> None:
    now = [1.0]
    store = MemoryStore(clock=lambda: now[0])
    put_segment(store, 0, [frame(0)])
    now[0] = 2.0
    put_segment(store, 0, [frame(0), frame(1)], model="another")
    ledger = refreshed(make, store)
    assert ledger.models() == ["another", MODEL]
    assert [ledger.tallies(model)[0].detected for model in ledger.models()] == [2, 1]


def test_the_newest_frame_is_known_for_each_source_and_for_the_model(make: Make, store: MemoryStore) -> None:
    put_segment(store, 0, [frame(at, source=source) for source, at in (("a", 7), ("b", 3), ("a", 5))])
    put_segment(store, 3, [frame(4, source="b")])
    put_segment(store, 0, [frame(9, source="b"), frame(2, source="c")], model="another")
    ledger = refreshed(make, store)
    assert ledger.newest_frames(MODEL) == {"a": 7_000, "b": 4_000}
    assert ledger.newest_frames("another") == {"b": 9_000, "c": 2_000}
    assert ledger.newest_frames("unknown") == {}


def test_the_pace_comes_from_the_newest_segments_however_many_there_are_a_minute(
    make: Make, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "MOST_PUTS", 2)
    for first in range(0, 9, 3):
        put_segment(store, first, [frame(first + n) for n in range(3)], [])
    ledger = refreshed(make, store)
    assert len(ledger.recent_puts(MODEL, 60_000)) == 2
    monkeypatch.setattr(cache, "MOST_PUTS", 9)
    assert [messages for _, messages in ledger.recent_puts(MODEL, 60_000)] == [3, 3, 3]


def test_two_simultaneous_refreshes_keep_one_set_of_books(make: Make, store: MemoryStore) -> None:
    for first in range(0, 400, 4):
        put_segment(store, first, [frame(at) for at in range(first, first + 4)])
    ledgers = [make(), make()]

    def work(ledger: Ledger) -> None:
        for _ in range(3):
            refresh(ledger, store)

    at_once(*(partial(work, ledger) for ledger in ledgers))
    assert books(ledgers[0]) == books(ledgers[1])
    assert ledgers[0].tallies(MODEL)[0].detected == 400


@settings(max_examples=examples(15))
@given(
    st.lists(
        st.tuples(st.lists(st.integers(0, 12), max_size=4), st.lists(st.integers(0, 12), max_size=2)),
        max_size=5,
    ),
    st.data(),
)
def test_the_order_of_segments_changes_nothing(
    content: list[tuple[list[int], list[int]]], data: st.DataObject
) -> None:
    whole, parts = MemoryStore(), MemoryStore()
    first = 0
    for frames, dead in content:
        letters = [letter(first + len(frames) + n, at) for n, at in enumerate(dead)]
        put_segment(whole, first, [frame(at) for at in frames], letters)
        first += len(frames) + len(dead)
    with ExitStack() as stack:
        opened = Openings(stack, open_ledger)
        at_once, bit_by_bit = opened("one"), opened("two")
        most_listed = data.draw(st.sampled_from([0, 20_000]))  # with 0 only new segments are listed
        stack.enter_context(mock.patch("frametally.segments.stretches.MOST_LISTED", most_listed))
        refresh(at_once, whole)
        for info in data.draw(st.permutations(list(whole.list("")))):
            parts.put(info.key, whole.get(info.key))
            refresh(bit_by_bit, parts)
        assert at_once.tallies(MODEL) == bit_by_bit.tallies(MODEL)
        assert at_once.chain(MODEL) == bit_by_bit.chain(MODEL)
        seen = {at for frames, _ in content for at in frames}
        dead_only = {at for _, dead in content for at in dead} - seen
        detected, buried = len(seen), len(dead_only)
        assert sum(tally.detected for tally in at_once.tallies(MODEL)) == detected
        assert sum(tally.dead_lettered for tally in at_once.tallies(MODEL)) == buried


def test_consecutive_segments_without_a_gap_are_one_link(make: Make, store: MemoryStore) -> None:
    for first in (0, 2, 4, 8, 10):  # of which 6 is missing
        put_segment(store, first, [frame(first), frame(first + 1)])
    ledger = refreshed(make, store)
    assert [(link.first_offset, link.next_offset, link.frames) for link in ledger.chain(MODEL)] == [
        (0, 6, 6),
        (8, 12, 4),
    ]
    put_segment(store, 6, [frame(6), frame(7)])
    refresh(ledger, store)
    assert [(link.first_offset, link.next_offset, link.frames) for link in ledger.chain(MODEL)] == [
        (0, 12, 12)
    ]


@pytest.mark.parametrize("passed_s", [86_400, -1])
def test_removed_segments_among_many_are_noticed_daily_and_after_a_clock_was_set_back(
    make: Make, store: MemoryStore, passed_s: int
) -> None:
    key = put_segment(store, 0, [frame(0)])
    put_segment(store, 1, [frame(1)])
    ledger = make()
    with mock.patch("frametally.segments.stretches.MOST_LISTED", 0), mock.patch("time.time") as clock:
        clock.return_value = 1_800_000_000.0
        refresh(ledger, store)
        store.delete(key)
        put_segment(store, 2, [frame(2)])
        assert refresh(ledger, store) == (1, 0)
        clock.return_value += passed_s
        assert refresh(ledger, store) == (0, 1)
    assert ledger.tallies(MODEL)[0].detected == 2


def test_reading_headers_before_lines_gives_the_same_books(make: Make, store: MemoryStore) -> None:
    fill(store)
    whole, in_steps = make(), make("in steps")
    refresh(whole, store)
    in_steps.refresh_headers(store, NoProgress())
    assert in_steps.tallies(MODEL) == in_steps.dead_frames(MODEL) == []
    assert (in_steps.chain(MODEL), hours_of(in_steps)) == (whole.chain(MODEL), hours_of(whole))
    in_steps.refresh_headers(store, NoProgress())
    refresh(in_steps, store)
    assert books(in_steps) == books(whole)


def hours_of(ledger: Ledger) -> list[list[CountedHour]]:
    return [[*ledger.counted_hours(with_margin=with_margin)] for with_margin in (True, False)]


def test_damaged_lines_are_named_even_if_their_header_was_read_before(make: Make, store: MemoryStore) -> None:
    key = put_segment(store, 0, [frame(0), frame(1)])
    put_segment(store, 2, [frame(2)])
    whole = store.get(key)
    store.put(key, whole.replace(b'"media"', b'"medja"', 1))
    ledger = make()
    ledger.refresh_headers(store, NoProgress())
    assert ledger.problems(MODEL) == []
    refresh(ledger, store)
    [problem] = ledger.problems(MODEL)
    assert key in problem
    assert [tally.detected for tally in ledger.tallies(MODEL)] == [1]
    store.put(key, whole)
    refresh(ledger, store)
    assert ledger.problems(MODEL) == []
    assert [tally.detected for tally in ledger.tallies(MODEL)] == [3]


HOUR_MS = 3_600_000


@pytest.mark.thorough
@given(
    st.lists(st.tuples(st.integers(0, 4 * 3600), st.integers(0, 200)), min_size=1, max_size=8),
    st.randoms(use_true_random=False),
)
@settings(max_examples=examples(20))
def test_an_hours_digest_depends_on_its_segments_and_not_on_their_order(
    spans: list[tuple[int, int]], order: Any
) -> None:
    """In any order, with repetitions, the digests equal those of a fresh ledger, and differ between sets."""
    with ExitStack() as stack:
        make, store = Openings(stack, open_ledger), MemoryStore()
        segments = [
            (number, [frame(first), frame(first + seconds)]) for number, (first, seconds) in enumerate(spans)
        ]
        order.shuffle(segments)
        ledger = make()
        for number, frames in segments:
            put_segment(store, 2 * number, frames)
            if order.random() < 0.5:
                ledger.refresh_headers(store, NoProgress())
        gone = put_segment(store, 1000, [frame(0), frame(7200)])
        ledger.refresh_headers(store, NoProgress())
        digests_with = hours_of(ledger)
        without = [*ledger.counted_hours(with_margin=True, without={gone})]
        store.delete(gone)
        refresh(ledger, store)
        anew = make("anew")
        refresh(anew, store)
        assert hours_of(ledger) == hours_of(anew)
        assert without == hours_of(ledger)[0]
        assert {(0, True), (1, True), (2, True)} <= {(one.hour, one.is_own) for one in digests_with[0]}
        for with_margin, hours in zip((True, False), hours_of(ledger), strict=True):
            margin_ms = 60_000 if with_margin else 0
            near: set[int] = set()
            for first, seconds in spans:
                first_ms, last_ms = 1000 * first - margin_ms, 1000 * (first + seconds) + margin_ms
                near |= {*range(first_ms // HOUR_MS, last_ms // HOUR_MS + 1)}
            assert {one.hour for one in hours} == near
        for one in hours_of(ledger)[0]:
            rows = ledger.segments_of_hours(MODEL, {"cam"}, from_hour=one.hour, to_hour=one.hour + 1)
            assert rows and any(row.is_own for row in rows) == one.is_own


def test_pictures_far_apart_count_only_in_their_own_hours(make: Make, store: MemoryStore) -> None:
    day_s = 86_400
    put_segment(store, 0, [frame(0), frame(30 * day_s), frame(400 * day_s)])
    by_header, whole = make(), make("whole")
    by_header.refresh_headers(store, NoProgress())
    refresh(whole, store)
    assert hours_of(by_header) == hours_of(whole)
    assert [one.hour for one in hours_of(whole)[1]] == [0, 720, 9600]


@pytest.mark.parametrize("table", tables.ALL.sorted_tables, ids=lambda table: table.name)
def test_the_tables_can_be_made_in_postgresql_too(table: Table) -> None:
    made = str(CreateTable(table).compile(dialect=postgresql.dialect()))
    assert "WITHOUT ROWID" not in made
    assert "BIGINT" in made or "TEXT" in made


@pytest.mark.parametrize("url", ["sqlite:///ledger.sqlite", "mongodb://x"])
def test_a_url_that_names_no_ledger_is_refused_with_one_that_does(url: str) -> None:
    with pytest.raises(Misconfigured, match=r"FRAMETALLY_LEDGER_URL.*sqlite:////absolute/file\.sqlite"):
        open_ledger(url)


def test_a_file_that_is_not_a_ledger_is_named_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"no database at all, but long enough to be looked at " * 99)
    with pytest.raises(Misconfigured, match="frametally ledger rebuild"):
        open_ledger(f"sqlite:///{path}")
    path.unlink()
    with closing(open_ledger(f"sqlite:///{path}")) as ledger:
        assert ledger.manifests() == []
