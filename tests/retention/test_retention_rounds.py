"""The removed data, the kept data, and a dry run's report: on a real folder, with real counts."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.capabilities import needs
from tests.retention.filmed import AGES_MS, FRAMES, START_MS, STEP_MS, Filmed, filmed_days

from frametally import keys
from frametally.adapters_by_url import open_frame_log
from frametally.books.runs import current_runs, read_run, read_tracks
from frametally.errors import FrametallyError, Misconfigured
from frametally.media import stored_images
from frametally.media.manifests import list_manifests
from frametally.media.mending import _corrected, carry_out, plan_renaming, plan_retiming, unfinished
from frametally.media.stored_images import missing_images
from frametally.packs.packed_store import delete_pictures
from frametally.plugins import hooks
from frametally.ports.object_store import ObjectStore
from frametally.ports.opened import StagePorts
from frametally.process.reports import NoProgress
from frametally.rules.times import DAY_MS, HOUR_MS
from frametally_retention import rounds
from frametally_retention.frame_choice import at_crossings, spread_evenly
from frametally_retention.frame_hours import size_cutoff_ms
from frametally_retention.policy import (
    LegalHold,
    Removal,
    RetentionPolicy,
    RetentionRule,
    begin_removal,
    change_policy,
    put_hold,
    read_policy,
    release_hold,
    set_rule,
)


def draw_line(store: ObjectStore) -> None:
    from frametally_traffic.drawings.revisions import change_drawing
    from frametally_traffic.records import DrawnLine

    line = DrawnLine(
        name="middle",
        points=((300.0, 0.0), (300.0, 480.0)),
        width_px=640,
        height_px=480,
        to_right="in",
        to_left="out",
    )
    change_drawing(store, "gate", lambda drawing: msgspec.structs.replace(drawing, lines=(line,)))


def after(days: int, kind: str = "frames", **fields: Any) -> RetentionRule:
    return RetentionRule(kind=kind, after_ms=days * DAY_MS, **fields)


def counts_of(filmed: Filmed) -> list[Any]:
    return [read_run(filmed.store, run) for run in current_runs(filmed.store)]


def test_frames_older_than_the_rule_are_deleted_and_counts_stay(filmed: Filmed) -> None:
    counts = counts_of(filmed)
    set_rule(filmed.store, after(15))
    filmed.round()
    assert filmed.frames() == sorted(filmed.days[1] + filmed.days[2])
    filmed.count()
    assert counts_of(filmed) == counts


def test_frames_in_packs_are_also_deleted(filmed: Filmed) -> None:
    filmed.pack("images/gate", START_MS + 10**12)
    packs = [info.key for info in filmed.plain.list("images")]
    assert all(key.endswith(".pack") for key in packs)
    set_rule(filmed.store, after(15))
    assert filmed.round().kinds[0].going == FRAMES
    assert filmed.frames() == sorted(filmed.days[1] + filmed.days[2])


def test_a_dry_run_shows_what_would_be_deleted_and_removes_nothing(filmed: Filmed) -> None:
    set_rule(filmed.store, after(15))
    before = filmed.objects()
    dry = filmed.round(dry=True)
    assert filmed.objects() == before
    assert read_policy(filmed.store).applied_at_ms is None
    done = filmed.round()
    assert dry.kinds == done.kinds
    assert done.going_bytes == sum(len(before[key]) for key in before.keys() - filmed.objects().keys()) > 0


def test_the_newest_bytes_of_a_source_stay(filmed: Filmed) -> None:
    size_bytes = sum(info.size_bytes for info in filmed.store.list("images"))
    set_rule(filmed.store, RetentionRule(kind="frames", most_bytes=round(size_bytes * 0.7)))
    filmed.round()
    assert filmed.frames() == sorted(filmed.days[1] + filmed.days[2])


@pytest.mark.parametrize(
    ("sizes", "most", "cutoff"),
    [
        ([], 1, 0),
        ([(0, 5), (HOUR_MS, 5)], 10, 0),
        ([(0, 5), (HOUR_MS, 5)], 9, HOUR_MS),
        ([(0, 5), (HOUR_MS, 5)], 1, HOUR_MS),  # the newest hour stays
        ([(0, 5), (3 * HOUR_MS, 5), (4 * HOUR_MS, 5)], 12, HOUR_MS),
    ],
)
def test_the_size_limit_applies_to_whole_hours(sizes: list[tuple[int, int]], most: int, cutoff: int) -> None:
    assert size_cutoff_ms(sizes, most) == cutoff


def test_a_rule_of_a_source_replaces_the_one_for_all(filmed: Filmed) -> None:
    yard = filmed.film("yard", START_MS - 30 * DAY_MS)
    set_rule(filmed.store, after(5))
    set_rule(filmed.store, after(60, source="yard"))
    filmed.round()
    assert (filmed.frames("gate"), filmed.frames("yard")) == (sorted(filmed.days[2]), sorted(yard))


@pytest.mark.thorough
@needs("traffic")
def test_thinning_keeps_first_best_and_crossing_frames_and_some_of_each_interval(tmp_path: Path) -> None:
    with filmed_days(tmp_path, draw_line) as filmed:
        counts = counts_of(filmed)
        set_rule(filmed.store, after(5, "thinning", interval_s=60, frames=2))
        report = filmed.round()
        left = set(filmed.frames())
        assert set(filmed.days[2]) <= left
        tracks = [
            track
            for run in current_runs(filmed.store)
            if run.hours
            for track in read_tracks(filmed.store, run)
        ]
        assert len(tracks) > 10
        for track in tracks:
            assert {track.first.image_path, track.best.image_path} <= left
        # A car starts each 12 s; the middle of its box passes x = 300 at frame 27.
        thinned = filmed.days[0]
        for start in range(0, FRAMES, 60):
            assert {thinned[start + 27], thinned[start + 28]} & left
        times = [START_MS - AGES_MS[0] + number * STEP_MS for number in range(FRAMES)]
        for at_ms in spread_evenly(times, 60, 2):
            assert thinned[(at_ms - times[0]) // STEP_MS] in left
        assert report.kinds[0].going == FRAMES * 3 - len(left)
        assert len(left & set(thinned)) < FRAMES / 6
        again = filmed.round()
        assert sum(kind.going for kind in again.kinds) == 0
        filmed.count()
        assert counts_of(filmed) == counts


@pytest.mark.thorough
@needs("traffic")
def test_thinning_keeps_crossings_after_midnight_in_footage_that_begins_then(tmp_path: Path) -> None:
    with filmed_days(tmp_path, draw_line) as filmed:
        midnight_ms = START_MS - START_MS % DAY_MS - 20 * DAY_MS  # the day before has no footage
        night = filmed.film("gate", midnight_ms)
        filmed.count()
        set_rule(filmed.store, after(5, "thinning", interval_s=3600, frames=0))
        filmed.round()
        left = set(filmed.frames())
        for start in range(0, FRAMES, 60):
            assert {night[start + 27], night[start + 28]} & left


@pytest.mark.thorough
@pytest.mark.parametrize("what", ["retime", "rename-source"])
def test_thinned_footage_is_not_corrected_because_its_counts_would_be_lost(filmed: Filmed, what: str) -> None:
    set_rule(filmed.store, after(20, "thinning", interval_s=900, frames=1))
    filmed.round()
    counts, before = counts_of(filmed), filmed.objects()
    media = list_manifests(filmed.store)
    change = (
        plan_retiming(media, "gate", start_ms=START_MS, delete=False)
        if what == "retime"
        else plan_renaming(filmed.store, "gate", "yard", delete=False)
    )
    with closing(open_frame_log(filmed.settings.log_url)) as log:
        ports = StagePorts(filmed.settings, filmed.store, log)
        with pytest.raises(Misconfigured, match=r"^1 recording of gate no longer has .* nothing was changed"):
            carry_out(ports, change, NoProgress())
    assert (counts_of(filmed), filmed.objects()) == (counts, before)
    assert unfinished(filmed.store) == []


@pytest.mark.thorough
def test_footage_that_is_not_counted_yet_is_not_thinned(filmed: Filmed) -> None:
    late = filmed.film("yard", START_MS - 10 * DAY_MS)
    set_rule(filmed.store, after(5, "thinning", interval_s=900, frames=1))
    report = filmed.round()
    assert set(filmed.days[1] + late) <= set(filmed.frames() + filmed.frames("yard"))
    assert report.spared["not_counted_yet"] == 2 * FRAMES
    filmed.count()
    filmed.round()
    assert len(filmed.frames("yard")) < FRAMES / 4


def test_frames_that_no_model_has_analysed_stay(filmed: Filmed) -> None:
    waiting = filmed.film("yard", START_MS - 30 * DAY_MS, analysed=False)
    set_rule(filmed.store, after(5))
    report = filmed.round()
    assert filmed.frames("yard") == sorted(waiting)
    assert report.spared["not_analysed_yet"] == FRAMES


def test_a_hold_keeps_its_range_until_it_is_released(filmed: Filmed) -> None:
    set_rule(filmed.store, after(5))
    begin_ms = START_MS - AGES_MS[0]
    hold = LegalHold(name="case", source="gate", from_ms=begin_ms, to_ms=begin_ms + 10 * STEP_MS, set_at_ms=0)
    assert put_hold(filmed.store, hold) == []
    report = filmed.round()
    assert filmed.frames() == sorted(filmed.days[0][:10] + filmed.days[2])
    assert report.spared["held"] == 10
    release_hold(filmed.store, "case")
    filmed.round()
    assert filmed.frames() == sorted(filmed.days[2])


def test_a_hold_set_during_a_round_stops_deletions_that_have_not_begun(
    filmed: Filmed, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_rule(filmed.store, after(5))
    monkeypatch.setattr(rounds, "_BATCH", 50)
    under_way: list[Any] = []

    def delete(store: ObjectStore, batch: Any) -> Any:
        if not under_way:
            hold = LegalHold(name="case", set_at_ms=START_MS + DAY_MS)
            under_way.extend(put_hold(store, hold))
        return delete_pictures(store, batch)

    monkeypatch.setattr(rounds, "delete_pictures", delete)
    report = filmed.round()
    assert filmed.frames() == sorted(filmed.days[0][50:] + filmed.days[1] + filmed.days[2])
    assert [(one.source, one.from_ms) for one in under_way] == [("gate", START_MS - AGES_MS[0])]
    assert any("policy was changed" in line for line in report.lines)


def test_a_hold_set_hours_into_a_round_still_learns_what_was_being_removed(
    filmed: Filmed, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_rule(filmed.store, after(5))
    passed_s = iter([0.0])
    monkeypatch.setattr(rounds, "monotonic", lambda: next(passed_s, 3 * 3600.0))
    under_way: list[Any] = []

    def delete(store: ObjectStore, batch: Any) -> Any:
        hold = LegalHold(name=str(len(under_way)), set_at_ms=START_MS + DAY_MS + 3 * HOUR_MS)
        under_way.extend(put_hold(store, hold))
        return delete_pictures(store, batch)

    monkeypatch.setattr(rounds, "delete_pictures", delete)
    filmed.round()
    assert [(removal.source, removal.from_ms) for removal in under_way] == [("gate", START_MS - AGES_MS[0])]


def put_check(filmed: Filmed, image_path: str, captured_at_ms: int) -> None:
    """Begin an accuracy check that has drawn one frame."""
    from frametally_accuracy.book import AccuracyBook
    from frametally_accuracy.records import AccuracyCheck, CheckUnit

    check = AccuracyCheck(
        id="c",
        name="c",
        model="m",
        sources=("gate",),
        labels=("car",),
        from_ms=0,
        to_ms=START_MS,
        seed="1",
        wanted_width=0.1,
        planned_units=1,
        params=(),
        units=1,
        totals={"car": 1},
        population_sha256="",
        zones=(("gate", 0, "gate", 1),),
        zone_units=(1,),
    )
    unit = CheckUnit(
        number=1,
        round=0,
        zone=0,
        weight=1.0,
        rest=1.0,
        source="gate",
        captured_at_ms=captured_at_ms,
        image_path=image_path,
        width_px=640,
        height_px=480,
        boxes=(),
    )
    with closing(AccuracyBook(filmed.settings.catalogue_url)) as book:
        book.add(check, [unit])


@needs("accuracy")
def test_frames_of_accuracy_checks_stay(filmed: Filmed) -> None:
    put_check(filmed, filmed.days[0][3], START_MS - AGES_MS[0] + 3 * STEP_MS)
    set_rule(filmed.store, after(5))
    report = filmed.round()
    assert filmed.frames() == sorted([filmed.days[0][3], *filmed.days[2]])
    assert report.spared["of_accuracy_checks"] == 1


@needs("accuracy")
def test_a_check_that_starts_during_a_round_keeps_its_frames(
    filmed: Filmed, monkeypatch: pytest.MonkeyPatch
) -> None:

    def begins(store: ObjectStore, removal: Removal) -> RetentionPolicy:
        monkeypatch.setattr(rounds, "begin_removal", begin_removal)
        put_check(filmed, filmed.days[0][3], START_MS - AGES_MS[0] + 3 * STEP_MS)
        return begin_removal(store, removal)

    monkeypatch.setattr(rounds, "begin_removal", begins)
    set_rule(filmed.store, after(5))
    filmed.round()
    assert filmed.frames() == sorted([filmed.days[0][3], *filmed.days[2]])


@pytest.mark.parametrize("what", ["retime", "rename-source"])
def test_a_hold_follows_footage_to_its_new_source_or_time(filmed: Filmed, what: str) -> None:
    begin_ms = START_MS - AGES_MS[0]
    put_hold(
        filmed.store, LegalHold(name="case", source="gate", from_ms=begin_ms, to_ms=START_MS, set_at_ms=0)
    )
    first, *_ = list_manifests(filmed.store)
    change = (
        plan_retiming([first], "gate", start_ms=begin_ms - 100 * DAY_MS, delete=False)
        if what == "retime"
        else plan_renaming(filmed.store, "gate", "yard", delete=False)
    )
    with closing(open_frame_log(filmed.settings.log_url)) as log:
        ports = StagePorts(filmed.settings, filmed.store, log)
        for _ in range(2):  # a second call, as after a kill, adds nothing
            for follow in hooks("changing"):
                follow(ports, _corrected(change, 0, is_new=False), NoProgress())
    _, hold = read_policy(filmed.store).holds
    expected = (
        ("gate", begin_ms - 100 * DAY_MS, begin_ms - 100 * DAY_MS + (FRAMES - 1) * STEP_MS + 1)
        if what == "retime"
        else ("yard", begin_ms, START_MS)
    )
    assert (hold.source, hold.from_ms, hold.to_ms) == expected
    assert hold.name.startswith("case (")


def test_rules_and_holds_of_a_renamed_source_reach_its_new_name_before_its_footage(
    filmed: Filmed, monkeypatch: pytest.MonkeyPatch
) -> None:
    for rule in (after(5), after(20, source="gate"), after(5, "thinning", source="gate", interval_s=900)):
        set_rule(filmed.store, rule)
    put_hold(filmed.store, LegalHold(name="case", source="gate", to_ms=START_MS, set_at_ms=0))
    change = plan_renaming(filmed.store, "gate", "yard", delete=False)

    def kill(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with closing(open_frame_log(filmed.settings.log_url)) as log, monkeypatch.context() as patch:
        patch.setattr("frametally.media.corrections.rename_source", kill)
        with pytest.raises(KeyboardInterrupt):
            carry_out(StagePorts(filmed.settings, filmed.store, log), change, NoProgress())
    policy = read_policy(filmed.store)
    of_yard = [(rule.kind, rule.after_ms) for rule in policy.rules if rule.source == "yard"]
    assert of_yard == [("frames", 20 * DAY_MS), ("thinning", 5 * DAY_MS)]
    assert [(hold.source, hold.to_ms) for hold in policy.holds][1:] == [("yard", START_MS)]


@pytest.mark.thorough
def test_a_source_that_takes_over_footage_keeps_its_own_rules(filmed: Filmed) -> None:
    filmed.film("yard", START_MS)
    set_rule(filmed.store, after(20, source="gate"))
    with closing(open_frame_log(filmed.settings.log_url)) as log:
        change = plan_renaming(filmed.store, "gate", "yard", delete=False)
        carry_out(StagePorts(filmed.settings, filmed.store, log), change, NoProgress())
    assert [rule.source for rule in read_policy(filmed.store).rules] == ["gate"]


@needs("accuracy")
def test_an_unreadable_catalogue_is_not_mistaken_for_one_without_accuracy_checks(
    filmed: Filmed,
) -> None:
    from frametally_accuracy.kept_pictures import data_places

    path = filmed.settings.catalogue_url.removeprefix("sqlite:///")
    Path(path).unlink(missing_ok=True)
    assert [*data_places(filmed.ports).ranges("gate")] == []
    Path(path).write_bytes(b"no database" * 100)
    with pytest.raises(FrametallyError):
        data_places(filmed.ports).ranges("gate")


@pytest.mark.parametrize("shift_ms", [-4000 * DAY_MS, 4000 * DAY_MS])
def test_a_wrong_clock_deletes_nothing_that_the_newest_footage_protects(
    filmed: Filmed, shift_ms: int
) -> None:
    set_rule(filmed.store, after(15))
    report = filmed.round(clock_ms=START_MS + shift_ms)
    kept = (
        sorted(filmed.days[0] + filmed.days[1] + filmed.days[2])
        if shift_ms < 0
        else sorted(filmed.days[1] + filmed.days[2])
    )
    assert filmed.frames() == kept
    assert ["clock" in line for line in report.lines] == [True]


def test_nothing_is_deleted_without_a_rule(filmed: Filmed) -> None:
    before = filmed.objects()
    assert filmed.round().kinds == []
    assert filmed.objects() == before
    assert filmed.store.head(keys.RETENTION_POLICY) is None


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (RetentionRule(kind="frames"), "say when"),
        (RetentionRule(kind="frames", after_ms=0), "keep nothing"),
        (RetentionRule(kind="frames", after_ms=-DAY_MS), "keep nothing"),
        (RetentionRule(kind="frames", most_bytes=0), "keep nothing"),
        (RetentionRule(kind="frames", after_ms=DAY_MS, frames=3), "thinning"),
        (RetentionRule(kind="thinning", most_bytes=5, interval_s=60), "age"),
        (RetentionRule(kind="thinning", after_ms=DAY_MS, interval_s=70), "divide an hour"),
        (RetentionRule(kind="thinning", after_ms=DAY_MS, interval_s=60, frames=-1), "divide an hour"),
    ],
)
def test_a_rule_that_keeps_nothing_or_has_no_time_is_refused(
    rule: RetentionRule, words: str, store: Any
) -> None:
    with pytest.raises(Misconfigured, match=words):
        set_rule(store, rule)
    assert store.head(keys.RETENTION_POLICY) is None


def test_missing_pictures_are_named(filmed: Filmed) -> None:
    set_rule(filmed.store, after(15))
    filmed.round()
    assert missing_images(filmed.store, [filmed.days[0][0], filmed.days[1][0]]) == {filmed.days[0][0]}


def test_missing_neighbouring_pictures_cost_one_listing_whatever_is_missing(
    filmed: Filmed, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    head = filmed.store.head
    monkeypatch.setattr(filmed.store, "head", lambda key: asked.append(key) or head(key))
    gone = [filmed.days[0][0], filmed.days[0][50], filmed.days[0][99]]
    for key in delete_pictures(filmed.store, gone):
        assert key in gone
    assert missing_images(filmed.store, filmed.days[0][:100]) == set(gone)
    assert asked == []
    monkeypatch.setattr(stored_images, "_LISTED", 20)  # far from each other
    assert missing_images(filmed.store, filmed.days[0][:100:10]) == {filmed.days[0][0], filmed.days[0][50]}
    assert asked == filmed.days[0][30:100:10]
    filmed.pack("images/gate", START_MS + 10**12)
    asked.clear()
    monkeypatch.setattr(stored_images, "_LISTED", 1000)
    assert missing_images(filmed.store, filmed.days[0]) == set(gone) and asked == []


def test_the_first_frame_after_a_crossing_stays() -> None:
    assert at_crossings([0, 10, 20, 30], [15]) == {20}
    assert at_crossings([0, 10, 20, 30], [20]) == {20}
    assert at_crossings([0, 10], [-5, 99]) == {0, 10}
    assert at_crossings([], [5]) == set()


def test_kept_frames_of_an_interval_are_spread_evenly() -> None:
    assert spread_evenly([0, 100, 29_000, 31_000, 59_999, 60_000], 60, 2) == {0, 31_000, 60_000}
    assert spread_evenly([0, 100], 60, 0) == set()


def test_two_policies_changed_at_the_same_time_both_stay(filmed: Filmed) -> None:
    set_rule(filmed.store, after(5))
    change_policy(filmed.store, lambda policy: policy)
    set_rule(filmed.store, after(9, "thinning", interval_s=60))
    assert [rule.kind for rule in read_policy(filmed.store).rules] == ["frames", "thinning"]
