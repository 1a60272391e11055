"""Counters of the books only grow: over restarts and deletions, with any number of servers."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from frametally.books.figures import FILE, MOST_SOURCES, BooksCollector, GrowingSums, LastReading
from frametally.books.offsets import SegmentPace
from frametally.books.status import Status
from frametally.books.verdict import SourceLine, StageLine, work_left
from frametally.errors import Retryable

NOW_MS = 1_714_550_400_000


def line(source: str, frames: int, *, footage_until_ms: int | None = None) -> SourceLine:
    return SourceLine(
        source=source,
        source_name=source.title(),
        expected=frames,
        announced=frames,
        detected=frames,
        dead_lettered=0,
        counted=frames,
        indexed=frames,
        producing=False,
        capturing=False,
        file_time=False,
        forgotten=0,
        overlapped=0,
        newest_captured_at_ms=footage_until_ms,
        footage_until_ms=footage_until_ms,
        counted_until_ms=None if footage_until_ms is None else footage_until_ms - 60_000,
    )


def books(*sources: SourceLine, model: str = "m", dead: dict[str, int] | None = None) -> Status:
    return Status(
        model=model,
        sources=list(sources),
        stages=[StageLine("consume", 7, "frametally consume")],
        log_messages=100,
        log_committed=93,
        counted_at_ms=None,
        pace=SegmentPace(None, None, None),
        lost=[],
        dead_letters=dead or {},
        dead_letters_since_ms={},
        unidentified_dead_letters=0,
        away={},
        quality=[],
        findings=(work_left("", "something", ""),),
    )


class Shown:
    """The books as shown by several processes in turn."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.at_ms = NOW_MS
        self.restart()

    def restart(self) -> None:
        self.sums = GrowingSums(self.folder)

    def of(self, status: Status | Exception) -> dict[tuple[str, ...], float]:
        self.at_ms += 1000

        def read() -> LastReading:
            if isinstance(status, Exception):
                raise status
            return LastReading(self.at_ms, status)

        registry = CollectorRegistry()
        registry.register(BooksCollector(read, self.sums, clock=lambda: self.at_ms / 1000 + 5))
        return {
            (sample.name, *sample.labels.values()): sample.value
            for one in registry.collect()
            for sample in one.samples
        }


@pytest.fixture
def shown(tmp_path: Path) -> Shown:
    return Shown(tmp_path)


def test_metrics_match_the_books(shown: Shown) -> None:
    found = shown.of(books(line("gate", 10, footage_until_ms=NOW_MS), line("yard", 5), dead={"size": 2}))
    for name in ("announced", "detected", "counted", "indexed"):
        assert found[f"frametally_frames_{name}_total", "gate"] == 10
        assert found[f"frametally_frames_{name}_total", "yard"] == 5
    assert found["frametally_frames_dead_total", "size"] == 2
    assert found["frametally_frames_behind", "consume"] == 7
    assert found["frametally_log_messages_behind",] == 7
    assert found["frametally_books_state", "behind"] == 1
    assert found["frametally_books_state", "settled"] == found["frametally_books_state", "broken"] == 0
    assert found["frametally_newest_footage_timestamp_seconds", "gate"] == NOW_MS / 1000
    assert found["frametally_newest_footage_age_seconds", "gate"] == 6
    assert found["frametally_counting_lag_seconds", "gate"] == 60
    assert ("frametally_newest_footage_age_seconds", "yard") not in found
    assert found["frametally_books_age_seconds",] == 5


def test_counters_only_grow_across_forgotten_footage_and_restarts(shown: Shown) -> None:
    seen = []
    for frames, restart in [(10, False), (4, True), (4, False), (9, True), (9, True), (30, False), (0, True)]:
        seen.append(shown.of(books(line("gate", frames)))["frametally_frames_counted_total", "gate"])
        if restart:
            shown.restart()
    assert seen == [10, 10, 10, 15, 15, 36, 36]


def test_repaired_dead_letters_stay_counted_and_new_ones_are_added(shown: Shown) -> None:
    seen = [
        shown.of(books(dead=dead))["frametally_frames_dead_total", "size"]
        for dead in ({"size": 3}, {}, {"size": 1}, {"size": 2, "missing": 1})
    ]
    assert seen == [3, 3, 4, 5]


def test_a_second_models_detections_are_added_to_the_first_ones(shown: Shown) -> None:
    shown.of(books(line("gate", 10)))
    found = shown.of(books(line("gate", 10), model="another"))
    assert found["frametally_frames_announced_total", "gate"] == 10
    assert found["frametally_frames_detected_total", "gate"] == 20


def test_two_processes_that_show_the_same_books_agree(shown: Shown) -> None:
    other = Shown(shown.folder)
    shown.of(books(line("gate", 10)))
    other.at_ms = shown.at_ms
    assert other.of(books(line("gate", 12)))["frametally_frames_counted_total", "gate"] == 12
    shown.at_ms = other.at_ms
    assert shown.of(books(line("gate", 15)))["frametally_frames_counted_total", "gate"] == 15
    other.at_ms -= 500  # it has read them before
    assert other.of(books(line("gate", 12)))["frametally_frames_counted_total", "gate"] == 15


def test_a_clock_that_is_set_back_does_not_stop_a_counter(shown: Shown) -> None:
    shown.of(books(line("gate", 10)))
    shown.at_ms -= 86_400_000
    assert shown.of(books(line("gate", 11)))["frametally_frames_counted_total", "gate"] == 11
    assert shown.of(books(line("gate", 12)))["frametally_frames_counted_total", "gate"] == 12


def test_labels_are_limited_and_no_value_is_lost(shown: Shown) -> None:
    lines = [line(f"camera-{number:04}", 2, footage_until_ms=NOW_MS) for number in range(MOST_SOURCES + 50)]
    found = shown.of(books(*lines))
    counted = {key: value for key, value in found.items() if key[0] == "frametally_frames_counted_total"}
    assert len(counted) == MOST_SOURCES + 1
    assert counted["frametally_frames_counted_total", "other"] == 100
    assert sum(counted.values()) == 2 * len(lines)
    # A source keeps its label, whatever else is added to the books.
    found = shown.of(books(line("a-new-one", 3), *lines))
    assert found["frametally_frames_counted_total", "other"] == 103
    assert sum(key[0] == "frametally_newest_footage_age_seconds" for key in found) == MOST_SOURCES + 1


@pytest.mark.parametrize("damage", [b"", b"\x00\xff", b"[]", b'{"as_of_ms": "x"}'])
def test_a_damaged_file_gives_one_line_and_counting_starts_again(
    shown: Shown, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    shown.of(books(line("gate", 10)))
    (shown.folder / FILE).write_bytes(damage)
    shown.restart()
    with caplog.at_level(logging.WARNING):
        assert shown.of(books(line("gate", 4)))["frametally_frames_counted_total", "gate"] == 4
        assert shown.of(books(line("gate", 5)))["frametally_frames_counted_total", "gate"] == 5
    assert len(caplog.records) == 1
    assert "\n" not in caplog.records[0].getMessage()


def test_a_file_that_can_never_be_written_is_reported_once_and_counters_continue(
    shown: Shown, caplog: pytest.LogCaptureFixture
) -> None:
    (shown.folder / FILE).mkdir()
    with caplog.at_level(logging.WARNING):
        for frames in (4, 2, 5):
            found = shown.of(books(line("gate", frames)))
    assert found["frametally_frames_counted_total", "gate"] == 7
    assert len(caplog.records) == 1


def test_without_a_folder_counters_are_those_of_the_process(shown: Shown, tmp_path: Path) -> None:
    nowhere = Shown(tmp_path / "nowhere")
    assert nowhere.of(books(line("gate", 4)))["frametally_frames_counted_total", "gate"] == 4
    assert nowhere.of(books(line("gate", 2)))["frametally_frames_counted_total", "gate"] == 4


def test_unreadable_books_are_shown_as_down_and_never_as_0(shown: Shown) -> None:
    shown.of(books(line("gate", 10)))
    found = shown.of(Retryable("the store is away"))
    assert found == {("frametally_books_up",): 0}
    assert shown.of(books(line("gate", 10)))["frametally_books_up",] == 1
