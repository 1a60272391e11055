"""Published days: outdated reports are renewed, and no frame is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import pytest
from tests.fakes.records import make_frame, make_letter, make_manifest, make_segment, with_checksums
from tests.hadoop.conftest import Footage, twin
from tests.kit.stand_ins import Watched

from frametally import keys
from frametally.books.quality_reports import read_quality
from frametally.books.runs import current_runs
from frametally.errors import Retryable
from frametally.records import encode
from frametally.undo_records import Tombstone
from frametally_hadoop import driver
from frametally_hadoop.planning.plan import DaySelection
from frametally_hadoop.publication.quality_checks import (
    CHAIN_UNBROKEN,
    COVERAGE_EQUALS_MANIFESTS,
    SEGMENTS_WHOLE,
)

NOON_MS = 1_767_268_800_000
DAY_MS = 86_400_000
MEDIUM = "ab" * 32


def put_manifest(
    footage: Footage, *, frames: int, state: Literal["producing", "complete"] = "complete"
) -> None:
    manifest = make_manifest(
        frames, source="gate", source_name="gate", span_ms=(NOON_MS, NOON_MS + 999), state=state
    )
    footage.store.put(keys.media_key(MEDIUM), encode(manifest))


def put_dead_letter(footage: Footage, index: int) -> None:
    """The next segment of the chain: without frames, with a dead letter."""
    letter = make_letter(index, make_frame(NOON_MS + index, index, source="gate"))
    data = make_segment([], [letter], index, model="tiny-1")
    footage.store.put(keys.segment_key("tiny-1", "log-1", "frames", 0, index), data)


def verdicts(footage: Footage, day: str = "2026-01-01") -> dict[str, bool | None]:
    """The checks of the day's current run that did not simply pass."""
    [run] = [run for run in current_runs(footage.store) if run.day == day]
    report = read_quality(footage.store, run)
    assert report is not None
    return {check.name: check.passed for check in report.checks if not check.passed}


def film(footage: Footage, count: int, first: int = 0, start_ms: int = NOON_MS, **options: Any) -> str:
    return footage.film(count, "car", first=first, start_ms=start_ms + first, **options)


def test_a_dead_letter_after_the_count_corrects_the_report(footage: Footage) -> None:
    film(footage, 5)
    put_manifest(footage, frames=6)
    footage.aggregate()
    assert verdicts(footage) == {COVERAGE_EQUALS_MANIFESTS: None}
    put_dead_letter(footage, 5)
    runs = current_runs(footage.store)
    report = footage.aggregate()
    assert (report.runs, report.days_up_to_date) == ([], 1)
    assert current_runs(footage.store) == runs
    assert verdicts(footage) == {}


def test_a_medium_completed_after_the_count_corrects_the_report(footage: Footage) -> None:
    film(footage, 5)
    put_manifest(footage, frames=5, state="producing")
    footage.aggregate()
    assert verdicts(footage)[COVERAGE_EQUALS_MANIFESTS] is None
    put_manifest(footage, frames=5)
    footage.aggregate()
    assert verdicts(footage) == {}


def test_a_restored_segment_of_another_day_corrects_the_reports_of_its_model(footage: Footage) -> None:
    film(footage, 5)
    put_manifest(footage, frames=5)
    gone = film(footage, 1, first=5, start_ms=NOON_MS + DAY_MS)
    film(footage, 1, first=6, start_ms=NOON_MS + 2 * DAY_MS)
    whole = footage.store.get(gone)
    footage.store.put(gone, whole[:-9])
    footage.aggregate()
    assert verdicts(footage) == {SEGMENTS_WHOLE: False, CHAIN_UNBROKEN: False}
    footage.store.put(gone, whole)
    footage.aggregate()
    assert verdicts(footage) == {}


def test_a_rewritten_report_equals_that_of_a_count_from_scratch(footage: Footage) -> None:
    film(footage, 5)
    film(footage, 1)  # a duplicate
    put_manifest(footage, frames=6)
    footage.aggregate()
    put_dead_letter(footage, 6)
    late = twin(footage)
    for key in late.objects("mapreduce-output"):
        late.store.delete(key)
    put_manifest(late, frames=6)
    footage.aggregate()
    late.aggregate()
    assert footage.objects("mapreduce-output") == late.objects("mapreduce-output")


def test_an_unchanged_report_is_not_written_and_reads_no_part_file(footage: Footage) -> None:
    film(footage, 5)
    put_manifest(footage, frames=6)
    footage.aggregate()
    calls = []
    footage.aggregate(store=Watched(footage.store, lambda call, key: calls.append((call, key))))
    assert not any("put" in call or "/part-" in key for call, key in calls)


def with_a_label_of_digits(data: bytes) -> bytes:
    return with_checksums(data.replace(b'"label":"car"', b'"label":12345', 1))


@pytest.mark.parametrize(
    ("damage", "named", "frames"),
    [(with_a_label_of_digits, ", line 2", 5), (lambda data: b"x" + data, "", 1)],
    ids=["a line", "the header"],
)
def test_an_unreadable_line_or_header_is_named_and_the_rest_of_the_day_is_published(
    footage: Footage, damage: Callable[[bytes], bytes], named: str, frames: int
) -> None:
    key = film(footage, 5)
    footage.aggregate()
    footage.store.put(key, damage(footage.store.get(key)))
    film(footage, 1, first=5, start_ms=NOON_MS + 600_000)
    report = footage.aggregate()
    assert [run.frames for run in report.runs] == [frames]
    assert [item.name for item in report.skipped] == [f"{key}{named}"]


@pytest.mark.parametrize("harm", ["part", "report"])
def test_damage_to_a_published_day_does_not_stop_an_aggregation(footage: Footage, harm: str) -> None:
    film(footage, 5)
    put_manifest(footage, frames=6)
    [run] = footage.aggregate().runs
    key = f"{run.prefix}/{run.parts[0]}" if harm == "part" else keys.quality_key(run.prefix)
    footage.store.put(key, b'["coverage"]\t{')
    put_dead_letter(footage, 5)
    assert footage.aggregate().days_up_to_date == 1


@pytest.fixture
def expired(footage: Footage) -> Footage:
    """A counted day of two segments that is stale because the first one is gone."""
    gone = film(footage, 5)
    film(footage, 5, first=5, start_ms=NOON_MS + 120_000)
    footage.aggregate()
    footage.store.delete(gone)
    return footage


def late_footage(footage: Footage) -> None:
    film(footage, 50, first=100, start_ms=NOON_MS + 600_000)


def test_late_footage_of_a_day_with_expired_segments_is_not_published_and_the_line_says_why(
    expired: Footage,
) -> None:
    before = expired.parts()
    late_footage(expired)
    film(expired, 1, first=900, start_ms=NOON_MS + DAY_MS)
    report = expired.aggregate(store_metadata_days=30)
    assert [run.day for run in report.runs] == ["2026-01-02"]
    [skipped] = report.skipped
    assert skipped.name == "tiny-1, 2026-01-01"
    assert (
        "1 interval would lose frames (the first, gate 2026-01-01 12:00:00Z: 0 instead of 5)"
        in skipped.reason
    )
    assert "`frametally aggregate --all --from 2026-01-01 --to 2026-01-02`" in skipped.reason
    assert "FRAMETALLY_STORE_METADATA_DAYS" in skipped.reason
    assert expired.parts().items() >= before.items()


@pytest.mark.parametrize("ends", [(None, None), (NOON_MS - DAY_MS, None), (None, NOON_MS + DAY_MS)])
def test_counting_all_days_again_takes_nothing_from_a_day_with_expired_segments(
    expired: Footage, ends: tuple[int | None, int | None]
) -> None:
    before = expired.parts()
    late_footage(expired)
    film(expired, 1, first=900, start_ms=NOON_MS + DAY_MS // 3)
    report = expired.aggregate(selection=DaySelection(*ends, recount=True))
    [skipped] = report.skipped
    assert "`frametally aggregate --all --from 2026-01-01 --to 2026-01-02`" in skipped.reason
    assert expired.parts().items() >= before.items()


def test_the_rest_of_a_day_is_published_on_request(expired: Footage) -> None:
    late_footage(expired)
    of_the_day = DaySelection(NOON_MS // DAY_MS * DAY_MS, (NOON_MS // DAY_MS + 1) * DAY_MS, recount=True)
    report = expired.aggregate(selection=of_the_day)
    assert (report.frames, report.skipped) == (55, [])
    assert expired.aggregate().runs == []


@pytest.mark.parametrize(("days", "said"), [(30, 0), (0, 1)])
def test_a_day_that_only_loses_segments_stays_and_is_named_only_if_they_should_have_been_kept(
    expired: Footage, days: int, said: int
) -> None:
    before = expired.parts()
    report = expired.aggregate(store_metadata_days=days)
    assert (report.runs, len(report.skipped), report.days_up_to_date) == ([], said, 1 - said)
    assert expired.parts() == before


def forget(footage: Footage, *, source: str = "gate", from_ms: int | None = None) -> None:
    stone = Tombstone(
        media=keys.media_id(MEDIUM, 0),
        source=source,
        name=f"{source}.mp4",
        from_ms=from_ms,
        to_ms=None,
        why="forget",
    )
    footage.store.put(keys.tombstone_key(stone.media, stone.from_ms, stone.to_ms), encode(stone))


def test_forgotten_footage_is_not_mistaken_for_lost_footage(footage: Footage) -> None:
    film(footage, 5)
    footage.aggregate()
    forget(footage, from_ms=NOON_MS + 3)
    report = footage.aggregate()
    assert (report.frames, report.skipped) == (3, [])


@pytest.mark.parametrize("days", [0, 30])
def test_a_forget_that_a_day_with_expired_segments_cannot_follow_is_named(
    expired: Footage, days: int
) -> None:
    before = expired.parts()
    forget(expired, from_ms=NOON_MS + 120_007)
    report = expired.aggregate(store_metadata_days=days)
    assert (report.runs, [skipped.name for skipped in report.skipped]) == ([], ["tiny-1, 2026-01-01"])
    assert expired.parts() == before


def test_a_setting_that_a_day_with_expired_segments_cannot_follow_is_named(expired: Footage) -> None:
    report = expired.aggregate(store_metadata_days=30, count_labels="car")
    assert (report.runs, [skipped.name for skipped in report.skipped]) == ([], ["tiny-1, 2026-01-01"])


def test_a_source_with_expired_segments_can_still_be_forgotten(footage: Footage) -> None:
    gone = footage.segment([footage.frame(NOON_MS + n, "car", index=n, source="yard") for n in range(4)])
    film(footage, 5)
    footage.aggregate()
    footage.store.delete(gone)
    forget(footage, source="yard")
    report = footage.aggregate()
    assert (report.frames, report.skipped) == (5, [])


def test_a_segment_that_disappears_during_the_count_reduces_nothing(
    footage: Footage, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = film(footage, 5)
    footage.aggregate()
    before = footage.parts()
    film(footage, 5, first=5, start_ms=NOON_MS + 120_000)

    def one_goes_first(**arguments: Any) -> None:
        monkeypatch.undo()
        footage.store.delete(gone)
        raise Retryable("the counting job failed")

    monkeypatch.setattr(driver, "count_plan", one_goes_first)
    [skipped] = footage.aggregate().skipped
    assert (skipped.name, "would lose frames" in skipped.reason) == ("tiny-1, 2026-01-01", True)
    assert footage.parts() == before


def test_a_damaged_segment_of_another_day_does_not_remove_the_protection_of_this_one(
    expired: Footage,
) -> None:
    film(expired, 3, first=900, start_ms=NOON_MS + DAY_MS, spoil=lambda data: data[:-30])
    before = expired.parts()
    late_footage(expired)
    names = [skipped.name for skipped in expired.aggregate().skipped]
    assert "tiny-1, 2026-01-01" in names and len(names) == 2
    assert expired.parts() == before
