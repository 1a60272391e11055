"""A frame in a pack is read, listed and deleted like a single one; packing loses none, even if killed."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import count, groupby, product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples, first_quick
from tests.fakes.memory import ManualClock, MemoryStore
from tests.fakes.records import make_announcement, make_frame

from frametally import keys
from frametally.adapters.files.folder_store import FileStore
from frametally.adapters_by_url import open_object_store
from frametally.errors import Misconfigured
from frametally.packs import pack_format
from frametally.packs.pack_changes import add_frames
from frametally.packs.pack_format import HEADER_BYTES, PackDamaged, index_bytes
from frametally.packs.pack_keys import CAMERA_PACK_MS, MINUTE_MS, is_part_key, pack_of, part_key
from frametally.packs.packed_store import PackedStore, delete_pictures
from frametally.packs.packing import SETTLED_MS, pack_pictures
from frametally.ports.object_store import Change, KeyRanges, ObjectInfo, ObjectMissing
from frametally.process.reports import NoProgress
from frametally.segments.stored_frame import BadFrame, read_frame

DAY_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z
LATER_MS = 2 * SETTLED_MS
EVERY_KEY = [
    keys.image_key(source, DAY_MS + minute * 60_000 + index * 20_000, "0123456789ab", index)
    for source in ("east", "east-2")
    for minute in (0, 1439)
    for index in range(3)
]
OLD_KEY = keys.image_key("east", 12_345, "0123456789ab", 7)  # of 1970: it stays single


def picture(key: str, version: int = 0) -> bytes:
    return f"{key} {version} ".encode() * 3 + b"\xff\xd9"


def name_of(key: str) -> str:
    return key.rpartition("/")[2]


class Died(BaseException):
    """Simulates a kill."""


class WatchedStore(MemoryStore):
    """Calls `before_call` with the number of each call, counted from 0, before it happens."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock=clock)
        self.before_call: Callable[[int], None] = lambda number: None
        self.calls = count()
        self.is_changing = False

    def _pass(self) -> None:
        if not self.is_changing:  # no other process intervenes
            self.before_call(next(self.calls))

    def put(self, key: str, data: bytes, *, if_absent: bool = False, durable: bool = True) -> bool:
        self._pass()
        return super().put(key, data, if_absent=if_absent, durable=durable)

    def get(self, key: str) -> bytes:
        self._pass()
        return super().get(key)

    def head(self, key: str) -> ObjectInfo | None:
        self._pass()
        return super().head(key)

    def delete(self, key: str, *, durable: bool = True) -> None:
        self._pass()
        super().delete(key, durable=durable)

    def change(self, key: str, make: Change) -> bytes | None:
        self._pass()
        self.is_changing = True
        try:
            return super().change(key, make)
        finally:
            self.is_changing = False


def filled_store() -> WatchedStore:
    clock = ManualClock()
    store = WatchedStore(clock)
    for key in (*EVERY_KEY, OLD_KEY):
        if "/east-2/" in key:  # a camera
            add_frames(store, pack_of(key, CAMERA_PACK_MS) or "", {name_of(key): picture(key)})
        else:
            store.put(key, picture(key))
    clock.advance(LATER_MS / 1000)
    store.calls = count()
    return store


def pack_all(store: WatchedStore, now_ms: int = LATER_MS) -> tuple[int, int, int, list[str]]:
    report = pack_pictures(PackedStore(store), "images", now_ms=now_ms, progress=NoProgress())
    return report.pictures, report.packs, report.young, [line.name for line in report.skipped]


def every_part(store: MemoryStore) -> dict[str, bytes]:
    return {info.key: store.get(info.key) for info in store.list("images") if is_part_key(info.key)}


def test_packing_leaves_one_object_per_source_and_minute_and_every_picture_reads_as_before() -> None:
    store = filled_store()
    before = [(info.key, info.size_bytes) for info in PackedStore(store).list("images")]
    assert [key for key, _ in before] == sorted((*EVERY_KEY, OLD_KEY))
    assert pack_all(store) == (10, 4, 0, [])  # the first pack of a camera's minute has the minute's name
    assert pack_all(store, 2 * LATER_MS) == (0, 0, 0, [])
    assert {info.key for info in store.list("images")} == {OLD_KEY, *every_part(store)}
    assert len(every_part(store)) == 4
    packed = PackedStore(store)
    assert [(info.key, info.size_bytes) for info in packed.list("images")] == before
    for key in (*EVERY_KEY, OLD_KEY):
        assert packed.get(key) == picture(key)
        assert packed.get_range(key, 5, 15) == picture(key)[5:15]


def test_a_reopened_store_lists_new_objects_without_reading_known_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_object_store(tmp_path.as_uri())
    known, new = "metadata/model=m/log=l/frames-0-1.jsonl", "metadata/model=m/log=l/frames-0-2.jsonl"
    for key in (known, new):
        store.put(key, b"")
    monkeypatch.delattr(FileStore, "list")
    assert [info.key for info in store.list_unless("metadata", KeyRanges([(known, known)]))] == [new]


def test_frames_in_known_packs_are_not_listed_as_new() -> None:
    store = filled_store()
    pack_all(store)
    known = EVERY_KEY[1]
    new = [info.key for info in PackedStore(store).list_unless("images", KeyRanges([(known, known)]))]
    assert new == sorted({*EVERY_KEY, OLD_KEY} - {known})


def test_a_minute_that_grew_within_the_last_hour_is_left_alone() -> None:
    store = filled_store()
    before = every_part(store)
    assert pack_all(store, SETTLED_MS - 1) == (0, 0, 4, [])
    assert every_part(store) == before


def test_frames_read_in_order_take_few_reads_and_a_frame_deleted_meanwhile_is_soon_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = filled_store()
    pack_all(store)
    packed = PackedStore(store)
    packed.get(EVERY_KEY[0])
    store.calls = count()
    assert [packed.get(key) for key in EVERY_KEY[1:3]] == [picture(key) for key in EVERY_KEY[1:3]]
    assert next(store.calls) == 1
    list(delete_pictures(PackedStore(store), EVERY_KEY[1:2]))
    monkeypatch.setattr("frametally.packs.packed_store._AHEAD_S", 0.0)
    with pytest.raises(ObjectMissing):
        packed.get(EVERY_KEY[1])
    assert packed.get(EVERY_KEY[2]) == picture(EVERY_KEY[2])


actions = st.lists(
    st.tuples(
        st.sampled_from(["put", "put if absent", "add", "add as a camera", "delete", "delete some", "pack"]),
        st.integers(0, 1),
        st.lists(st.sampled_from([*EVERY_KEY, OLD_KEY]), min_size=1, max_size=4, unique=True),
    ),
    max_size=12,
)


@settings(max_examples=examples(100), deadline=None)
@given(actions=actions, small=st.booleans())
def test_two_processes_that_put_pack_and_delete_leave_what_a_store_without_packs_has(
    actions: list[tuple[str, int, list[str]]], small: bool
) -> None:
    with pytest.MonkeyPatch.context() as patches:
        if small:  # so that a minute takes several parts
            patches.setattr(pack_format, "PACK_BYTES", 150)
        plain = MemoryStore(clock=ManualClock())
        processes = [PackedStore(plain), PackedStore(plain)]
        expected: dict[str, bytes] = {}
        for version, (action, who, chosen) in enumerate(actions):
            store = processes[who]
            patches.setattr("frametally.packs.packed_store._ABSENCE_S", 0.0)
            patches.setattr("frametally.packs.packed_store._AHEAD_S", 0.0)
            match action:
                case "put" | "put if absent":
                    for key in chosen:
                        is_new = store.put(key, picture(key, version), if_absent=action != "put")
                        assert is_new == (action == "put" or key not in expected)
                        if is_new:
                            expected[key] = picture(key, version)
                case "add" | "add as a camera":
                    span_ms = MINUTE_MS if action == "add" else CAMERA_PACK_MS
                    for key in chosen:
                        if (pack := pack_of(key, span_ms)) and key not in expected:
                            stored = add_frames(store, pack, {name_of(key): picture(key, version)}).stored
                            expected[key] = stored[name_of(key)]
                case "delete":
                    store.delete(chosen[0])
                    expected.pop(chosen[0], None)
                case "delete some":
                    assert sorted(delete_pictures(store, chosen)) == sorted(chosen)
                    expected = {key: data for key, data in expected.items() if key not in chosen}
                case "pack":
                    pack_pictures(store, "images", now_ms=LATER_MS, progress=NoProgress())
            for store in processes:
                assert [info.key for info in store.list("")] == sorted(expected)
                after = chosen[0]
                assert [info.key for info in store.list("images", after)] == [
                    key for key in sorted(expected) if key > after
                ]
                for key in chosen:
                    info = store.head(key)
                    assert (info and info.size_bytes) == (len(expected[key]) if key in expected else None)
                for key in EVERY_KEY:
                    if key in expected:
                        assert store.get(key) == expected[key]
                    else:
                        with pytest.raises(ObjectMissing):
                            store.get(key)


def every_moment() -> range:
    """Return the numbers of the calls that a quiet packing makes."""
    store = filled_store()
    pack_all(store)
    return range(next(store.calls))


def test_packing_killed_anywhere_loses_no_picture_and_a_later_call_gives_the_same_packs() -> None:
    quiet = filled_store()
    pack_all(quiet)
    for fatal in every_moment():
        store = filled_store()

        def die(number: int, fatal: int = fatal) -> None:
            if number == fatal:
                raise Died

        store.before_call = die
        with pytest.raises(Died):
            pack_all(store)
        store.before_call = lambda number: None
        for now_ms in (LATER_MS, 2 * LATER_MS):
            packed = PackedStore(store)
            assert all(packed.get(key) == picture(key) for key in EVERY_KEY)
            pack_all(store, now_ms)
        assert {info.key for info in store.list("images")} == {info.key for info in quiet.list("images")}
        assert every_part(store) == every_part(quiet)


@pytest.mark.parametrize("began", ["at that moment", "before the other"])
def test_two_simultaneous_packings_lose_no_picture(began: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for moment in every_moment():
        store = filled_store()
        listed = list(store.list("images"))

        def pack_too(
            number: int, moment: int = moment, store: WatchedStore = store, listed: list[ObjectInfo] = listed
        ) -> None:
            if number == moment:
                store.before_call = lambda number: None
                with monkeypatch.context() as patches:
                    if began == "before the other":  # its listing is from then
                        patches.setattr(store, "list", lambda prefix: iter(listed))
                    pack_all(store)

        store.before_call = pack_too
        pack_all(store)
        packed = PackedStore(store)
        assert all(packed.get(key) == picture(key) for key in EVERY_KEY), moment


@pytest.mark.parametrize("key", [EVERY_KEY[1], EVERY_KEY[7]], ids=["single", "of a camera"])
def test_a_picture_that_is_packed_during_a_read_is_never_missing(key: str) -> None:
    for moment in range(8):
        store = filled_store()

        def pack(number: int, moment: int = moment, store: WatchedStore = store) -> None:
            if number == moment:
                store.before_call = lambda number: None
                pack_all(store)

        store.before_call = pack
        assert PackedStore(store).get(key) == picture(key), moment


@pytest.mark.parametrize("victim", [EVERY_KEY[1], EVERY_KEY[7]], ids=["single", "of a camera"])
def test_a_picture_deleted_while_it_is_packed_is_gone_and_the_others_stay(victim: str) -> None:
    for moment in every_moment():
        store = filled_store()

        def delete(number: int, moment: int = moment, store: WatchedStore = store) -> None:
            if number == moment:
                store.before_call = lambda number: None
                list(delete_pictures(PackedStore(store), [victim]))

        store.before_call = delete
        pack_all(store)
        pack_all(store, 2 * LATER_MS)
        packed = PackedStore(store)
        assert packed.head(victim) is None, moment
        assert all(packed.get(key) == picture(key) for key in EVERY_KEY if key != victim), moment


@pytest.mark.thorough
@pytest.mark.parametrize("is_packing_first", first_quick([True, False]))
def test_packing_and_deleting_in_any_order_leave_no_byte_of_a_deleted_picture(is_packing_first: bool) -> None:
    """One begins, the other goes as far as some call, the first one ends, and so does the other."""
    victims, kept = [EVERY_KEY[1], EVERY_KEY[7]], [EVERY_KEY[0], EVERY_KEY[6]]
    calls = (39, 6) if is_packing_first else (6, 39)  # a call more than each makes
    for cuts in product(range(calls[0]), range(calls[1])):
        store = filled_store()

        def delete(store: WatchedStore = store) -> None:
            list(delete_pictures(PackedStore(store), victims))

        def pack(store: WatchedStore = store) -> None:
            pack_all(store)

        in_turns(store, (pack, delete) if is_packing_first else (delete, pack), cuts)
        pack_all(store, 2 * LATER_MS)
        assert not holds_a_picture(store, victims), cuts
        assert all(PackedStore(store).get(key) == picture(key) for key in kept), cuts


def in_turns(
    store: WatchedStore, acts: tuple[Callable[[], None], Callable[[], None]], cuts: tuple[int, int]
) -> None:
    """Run two acts: the second begins at a call of the first, and waits at one of its calls until
    that ends."""
    cut, may_go_on = threading.Event(), threading.Event()
    seen: Counter[bool] = Counter()

    def second() -> None:
        acts[1]()
        cut.set()

    other = threading.Thread(target=second)

    def turn(_: int) -> None:
        is_other = threading.current_thread() is other
        if seen[is_other] == cuts[is_other]:
            (cut.set if is_other else other.start)()
            (may_go_on if is_other else cut).wait()
        seen[is_other] += 1

    store.before_call = turn
    acts[0]()
    may_go_on.set()
    if other.ident is None:  # the first makes fewer calls
        other.start()
    other.join()
    store.before_call = lambda number: None


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


# The state of a pack of three frames: how many can be read, and why the others cannot.
DAMAGE: dict[str, tuple[Callable[[bytes], bytes], int, str]] = {
    "cut in the last frame": (lambda part: part[:-1], 2, "it was cut short"),
    "cut in the index": (lambda part: part[: HEADER_BYTES + 9], 0, "its index was cut short or changed"),
    "empty": (lambda part: b"", 0, "it does not begin with the header of a pack"),
    "a bit of a frame": (lambda part: flipped(part, -2 % len(part)), 2, "the sha256 of a frame differs"),
    "a bit of the index": (
        lambda part: flipped(part, index_bytes("", part) - 9),
        0,
        "its index was cut short or changed",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_the_rest_of_a_truncated_or_changed_pack_is_readable_and_every_other_frame_reports_the_damage(
    damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    spoil, readable, reason = DAMAGE[damage]
    store = filled_store()
    pack_all(store)
    mine = EVERY_KEY[:3]
    pack = pack_of(mine[0]) or ""
    store.put(part_key(pack, 0), spoil(store.get(part_key(pack, 0))))
    spoilt = store.get(part_key(pack, 0))
    packed = PackedStore(store)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            for key in mine[:readable]:
                assert packed.get(key) == picture(key)
            for key in mine[readable:]:
                with pytest.raises(
                    PackDamaged, match=f"pack {pack}-0.pack is damaged: {reason}.*; restore it"
                ):
                    packed.get(key)
        assert set(EVERY_KEY[3:]) <= {info.key for info in packed.list("images")}
    assert len(caplog.records) == 1
    frame = make_announcement(
        make_frame(DAY_MS + 40_000, 2, source="east", image_path=mine[2], time_source="exif")
    )
    with pytest.raises(BadFrame, match=f"is damaged: {reason}") as bad:
        read_frame(packed, frame, max_pixels=10**6)
    assert (bad.value.stage, bad.value.cause) == ("fetch", "missing")
    # No process rewrites it, which would lose the readable frames; single frames stay single.
    with pytest.raises(Misconfigured, match=reason):
        add_frames(packed, pack, {"1767225600007-0123456789ab-9.jpg": b"x"})
    with pytest.raises(Misconfigured, match=reason):
        list(delete_pictures(packed, mine))
    store.put(mine[0], picture(mine[0]))
    assert pack_all(store, 10 * LATER_MS) == (0, 0, 0, [pack])
    assert store.get(part_key(pack, 0)) == spoilt
    assert packed.get(mine[0]) == picture(mine[0])


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_truncated_or_changed_camera_pack_stays_and_the_rest_of_its_minute_is_packed(damage: str) -> None:
    spoil, _, reason = DAMAGE[damage]
    store = filled_store()
    victim, others = EVERY_KEY[7], [key for key in EVERY_KEY if key != EVERY_KEY[7]]
    key = part_key(pack_of(victim, CAMERA_PACK_MS) or "", 0)
    store.put(key, spoil(store.get(key)))
    spoilt = store.get(key)
    assert pack_all(store, 10 * LATER_MS) == (9, 4, 0, [key])
    assert store.get(key) == spoilt
    packed = PackedStore(store)
    assert all(packed.get(other) == picture(other) for other in others)
    with pytest.raises(PackDamaged, match=f"pack {key} is damaged: {reason}.*; restore it"):
        packed.get(victim)
    with pytest.raises(Misconfigured, match=reason):
        add_frames(packed, pack_of(victim, CAMERA_PACK_MS) or "", {name_of(victim): picture(victim)})


def holds_a_picture(store: MemoryStore, image_keys: Iterable[str]) -> bool:
    """Return whether the bytes of one of these pictures are anywhere in the store."""
    everything = b"".join(store.get(info.key) for info in store.list(""))
    return any(picture(key) in everything for key in image_keys)


class CountingStore(WatchedStore):
    """Records the keys that are changed or deleted."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.writes: list[str] = []

    def delete(self, key: str, *, durable: bool = True) -> None:
        if not self.is_changing:
            self.writes.append(key)
        super().delete(key, durable=durable)

    def change(self, key: str, make: Change) -> bytes | None:
        self.writes.append(key)
        return super().change(key, make)


@pytest.mark.parametrize("span_ms", [MINUTE_MS, CAMERA_PACK_MS])
def test_deleting_packed_pictures_rewrites_each_pack_once_and_removes_their_bytes(span_ms: int) -> None:
    store = CountingStore(ManualClock())
    image_keys = [keys.image_key("east", DAY_MS + 50 * n, "0123456789ab", n) for n in range(2000)]
    for pack, of_pack in groupby(image_keys, lambda key: pack_of(key, span_ms)):
        add_frames(store, pack or "", {name_of(key): picture(key) for key in of_pack})
    parts = list(every_part(store))
    assert len(parts) == 100_000 // span_ms + (span_ms == MINUTE_MS)
    store.writes.clear()
    forgotten = image_keys[10:]  # the first pack keeps ten
    assert sorted(delete_pictures(PackedStore(store), forgotten)) == sorted(forgotten)
    assert sorted(set(store.writes)) == parts
    assert len(store.writes) == len(parts) + 1  # a check for packs of other processes
    assert not holds_a_picture(store, forgotten)
    assert [info.key for info in PackedStore(store).list("images")] == image_keys[:10]


def test_a_deletion_killed_anywhere_is_completed_by_the_same_call_and_leaves_no_byte() -> None:
    forgotten = [key for key in EVERY_KEY if not key.endswith("-2.jpg")]
    kept = [key for key in EVERY_KEY if key not in forgotten]
    for fatal in range(100):
        store = filled_store()

        def die(number: int, fatal: int = fatal) -> None:
            if number == fatal:
                raise Died

        store.before_call = die
        try:
            list(delete_pictures(PackedStore(store), forgotten))
        except Died:
            store.before_call = lambda number: None
            list(delete_pictures(PackedStore(store), forgotten))
        else:
            break
        assert not holds_a_picture(store, forgotten), fatal
        assert all(PackedStore(store).get(key) == picture(key) for key in kept)
    assert fatal == len(forgotten)  # one write each: all are separate objects, or packs of one frame
