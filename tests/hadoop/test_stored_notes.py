"""A machine with an empty data folder plans by the notes in the store, and never wrong, whatever they say."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from tests.hadoop.conftest import Footage, WatchedStore
from tests.hadoop.test_kept_notes import MODEL, NOON_MS, Scene, few_are_stored, plan_of, said

from frametally import keys
from frametally.errors import Misconfigured
from frametally_hadoop.planning.kept_notes import SegmentNotes

DAY_H = 24


@pytest.fixture(autouse=True)
def of_few_segments() -> Iterator[None]:
    with few_are_stored():
        yield


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """Six segments of three days, and their notes."""
    scene = Scene(tmp_path)
    for offset in range(0, 12, 2):
        scene.put(0, offset, hour=offset // 4 * DAY_H + offset % 4)
    round_of(scene, "first")
    return scene


def round_of(scene: Scene, machine: str, store: Any = None) -> tuple[dict[str, Any], list[str]]:
    """What a machine plans, after which it leaves its notes; and its warnings."""
    folder = scene.folder / machine
    folder.mkdir(exist_ok=True)
    notes = SegmentNotes(folder, scene.store.url)
    plan = said(plan_of(store or scene.store, notes))
    notes.share(store or scene.store)
    return plan, notes.warnings


def plan_by_headers(scene: Scene) -> dict[str, Any]:
    """What a machine plans that reads all headers."""
    with mock.patch("frametally_hadoop.planning.stored_notes.FEWEST", 10**9):
        return round_of(scene, f"without notes {scene.puts}")[0]


def stored(scene: Scene) -> dict[str, bytes]:
    """The notes in the store."""
    return {info.key: scene.store.get(info.key) for info in scene.store.list(keys.NOTES)}


def test_an_empty_machine_plans_without_reading_a_header_that_another_has_noted(
    footage: Footage, watched: Callable[..., WatchedStore], tmp_path: Path
) -> None:
    for hour in (0, 12, DAY_H, 2 * DAY_H):  # that at midnight is near two days
        footage.segment([footage.frame(NOON_MS + hour * 3_600_000, "car", index=hour)])
    assert len(footage.aggregate().runs) == 3
    calls: list[tuple[str, str]] = []
    store = watched(footage.store, lambda call, key: calls.append((call.split()[1], key)))
    (tmp_path / "empty").mkdir()
    footage.settings = footage.settings.model_copy(update={"data_dir": tmp_path / "empty"})
    report = footage.aggregate(store=store)  # type: ignore[arg-type]
    assert (report.runs, report.days_up_to_date, report.warnings) == ([], 3, [])
    assert [key for call, key in calls if "get" in call and key.startswith(keys.METADATA)] == []
    assert [key for call, key in calls if call == "put"] == []  # the notes are not stored again


def cut(data: bytes) -> bytes:
    return data[:-40]


def flip(data: bytes) -> bytes:
    return data.replace(b'"gate"', b'"gale"')


def flip_first(data: bytes) -> bytes:
    return data.replace(b"\n", b"\v", 1)


def empty(data: bytes) -> bytes:
    return b""


def of_other_fields(data: bytes) -> bytes:
    """Notes with their checksum, by a program that notes other fields."""
    lines = b'["a","b"]\n'
    return b"frametally-notes 01234567 %s\n%s" % (hashlib.sha256(lines).hexdigest().encode(), lines)


@pytest.mark.parametrize("harm", [cut, flip, flip_first, empty, of_other_fields])
def test_stored_notes_that_are_damaged_or_of_another_version_are_reported_once_and_replaced(
    scene: Scene, harm: Callable[[bytes], bytes]
) -> None:
    before = stored(scene)
    for key in list(before)[1:]:
        scene.store.put(key, harm(before[key]))
    plan, warnings = round_of(scene, "second")
    assert plan == plan_by_headers(scene)
    assert warnings == [
        f"{list(before)[1]} and 1 more: it is damaged, or another version of frametally wrote it; frametally "
        "reads headers of segments instead"
    ]
    assert stored(scene) == before
    assert round_of(scene, "third") == (plan, [])


def put_again(scene: Scene) -> None:
    scene.put(0, 2, hour=5 * DAY_H, source="yard")


def remove(scene: Scene) -> None:
    scene.store.delete(keys.segment_key(MODEL, "log", "frames", 0, 2))


def add(scene: Scene) -> None:
    scene.put(0, 12, hour=1)


def swap(scene: Scene) -> None:
    """Leave the notes of each day under the name of another day."""
    notes = stored(scene)
    for key, data in zip(notes, [*notes.values()][::-1], strict=True):
        scene.store.put(key, data)


def lose(scene: Scene) -> None:
    scene.store.delete(min(stored(scene)))


@pytest.mark.parametrize("change", [put_again, remove, add, swap, lose])
def test_stored_notes_that_are_not_of_the_segments_as_listed_change_no_plan(
    scene: Scene, change: Callable[[Scene], None]
) -> None:
    change(scene)
    expected = plan_by_headers(scene)
    for machine in ("second", "third"):
        assert round_of(scene, machine) == (expected, [])


def test_two_machines_that_store_notes_of_one_day_at_once_leave_no_wrong_plan(scene: Scene) -> None:
    machines = []
    for offset in (12, 14):
        scene.put(0, offset, hour=offset)
        (scene.folder / f"{offset}").mkdir()
        notes = SegmentNotes(scene.folder / f"{offset}", scene.store.url)
        plan_of(scene.store, notes)
        machines.append(notes)
    expected = plan_by_headers(scene)
    for notes in machines[::-1]:  # the last to write knows the least
        notes.share(scene.store)
        assert round_of(scene, "first")[0] == expected
    assert round_of(scene, "fourth") == (expected, [])


def test_a_day_that_grows_each_round_is_stored_few_times_and_once_more_when_it_rests(
    scene: Scene, watched: Callable[..., WatchedStore]
) -> None:
    put: list[str] = []
    store = watched(scene.store, lambda call, key: put.append(key) if call == "after put" else None)
    for number in range(47):
        scene.put(0, 12 + 2 * number, hour=10 * DAY_H)
        round_of(scene, "first", store)
    growing = [key for key in put if key.startswith(keys.NOTES)]
    assert (len(set(growing)), len(growing)) == (1, 6)
    for _ in range(2):
        round_of(scene, "first", store)
    assert [key for key in put if key.startswith(keys.NOTES)] == [*growing, growing[0]]
    notes = stored(scene)[growing[0]]
    assert len(notes.splitlines()) == 1 + 47
    scene.store.delete(growing[0])
    round_of(scene, "first", store)
    assert stored(scene)[growing[0]] == notes


@pytest.mark.parametrize("machine", ["first", "empty"])
def test_the_notes_of_a_day_go_from_the_store_when_its_last_segment_does(scene: Scene, machine: str) -> None:
    before = [*stored(scene)]
    for offset in (0, 2):
        scene.store.delete(keys.segment_key(MODEL, "log", "frames", 0, offset))
    round_of(scene, machine)
    assert [*stored(scene)] == before[1:]


@pytest.mark.parametrize(("prefix", "call"), [(keys.NOTES, "list"), (f"{keys.NOTES}/", "get")])
def test_a_key_without_rights_on_stored_notes_plans_by_headers_and_names_the_right(
    scene: Scene, watched: Callable[..., WatchedStore], prefix: str, call: str
) -> None:
    def refuse(call: str, key: str) -> None:
        if key.startswith(prefix):
            raise Misconfigured(f"{key} {call}: give this key the right")

    scene.put(0, 12, hour=1)
    before = stored(scene)
    plan, warnings = round_of(scene, "second", watched(scene.store, refuse))
    assert (plan, stored(scene)) == (plan_by_headers(scene), before)
    read, written = warnings
    assert f"before {call}: give this key the right" in read
    assert written.startswith("the notes of segments could not be stored for other machines")
    assert f"before {'put' if call == 'get' else call}: give this key the right" in written


def test_the_notes_of_removed_segments_go_even_if_few_segments_are_left(scene: Scene) -> None:
    for offset in (0, 2):
        scene.store.delete(keys.segment_key(MODEL, "log", "frames", 0, offset))
    with mock.patch("frametally_hadoop.planning.stored_notes.FEWEST", 5):
        round_of(scene, "first")
    assert len(stored(scene)) == 2


def test_of_few_segments_no_notes_are_stored(footage: Footage) -> None:
    footage.segment([footage.frame(NOON_MS, "car")])
    with mock.patch("frametally_hadoop.planning.stored_notes.FEWEST", 2):
        assert len(footage.aggregate().runs) == 1
    assert footage.objects(keys.NOTES) == {}
