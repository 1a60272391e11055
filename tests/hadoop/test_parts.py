"""Part files: sorted lines, split where the run says, the same in any order of lines."""

from __future__ import annotations

import gzip
import json
import random
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.day_segments import segments_of
from tests.hadoop.conftest import Footage
from tests.kit.stand_ins import Watched

from frametally import keys
from frametally.books.runs import DayKey
from frametally.history_records import hours_key
from frametally.ports.object_store import ObjectStore
from frametally.rules.times import DAY_MS
from frametally_hadoop import driver
from frametally_hadoop.job.params import CountParams
from frametally_hadoop.planning.hours import SegmentBook
from frametally_hadoop.planning.plan import DayPlan
from frametally_hadoop.publication import publish as publishing
from frametally_hadoop.publication.publish import publish_day
from frametally_hadoop.publication.quality_checks import DayAudit, look_around
from frametally_hadoop.running.engine import DaySpool
from frametally_hadoop.running.outcome import Outcome

NOON_MS = 1_767_268_800_000
DAY = DayKey("tiny-1", 60, "2026-01-01")


@pytest.mark.parametrize("held_bytes", [1, 120, 10_000])
def test_lines_of_many_days_come_back_sorted_by_day_whatever_fits_in_memory(
    tmp_path: Path, held_bytes: int
) -> None:
    lines = [(number % 3, b"%d\tx\n" % number) for number in range(50)]
    random.Random(1).shuffle(lines)  # noqa: S311
    spool = DaySpool(tmp_path / "files", held_bytes=held_bytes)
    for day, line in lines:
        spool.add(day, line)
    for day in range(3):
        assert list(spool.sorted_lines(day)) == sorted(line for of_day, line in lines if of_day == day)
    assert list(spool.sorted_lines("no such day")) == []
    assert (tmp_path / "files").exists() == (held_bytes < 10_000)


def publish(store: ObjectStore, folder: Path, lines: Any) -> Any:
    plan = DayPlan(DAY, CountParams(), 1, segments_of("a segment"), None)
    outcome = Outcome.within(folder)
    outcome.counts.add(DAY, *lines)
    outcome.duplicates[DAY]["gate", 0] = 2
    covered = 2 + sum(json.loads(line.partition(b"\t")[2])["frames"] for line in lines)
    around = look_around(store, [], forgotten={}, unusable=(), with_dead_letters=(), chain_breaks={})
    audit = DayAudit(
        plan=plan, lines_passed_on=covered, duplicates_dropped=2, corrupt_lines={}, surroundings=around
    )
    return publish_day(store, plan, outcome, audit, inputs_sha256="5" * 64)


def coverage(number: int) -> bytes:
    body = b'{"source":"gate","interval_start_ms":%d,"frames":%d,"detections":0}' % (number, number)
    return b'["coverage","gate",%d]\t%b\n' % (number, body)


def test_parts_are_split_by_number_of_lines_and_named_in_order(
    footage: Footage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [coverage(number) for number in range(1, 6)]
    monkeypatch.setattr(publishing, "LINES_PER_PART", 2)
    run = publish(footage.store, tmp_path, lines)
    assert run.parts == ["part-00000.gz", "part-00001.gz", "part-00002.gz"]
    parts = [gzip.decompress(footage.store.get(f"{run.prefix}/{part}")) for part in run.parts]
    assert parts == [b"".join(lines[:2]), b"".join(lines[2:4]), lines[4]]
    assert (run.frames, run.duplicates_dropped) == (15, 2)


def test_a_run_without_a_line_has_no_part(footage: Footage, tmp_path: Path) -> None:
    run = publish(footage.store, tmp_path, [])
    assert (run.parts, run.frames) == ([], 0)


def test_an_existing_pointer_is_left_as_it_is(footage: Footage, tmp_path: Path) -> None:
    first = publish(footage.store, tmp_path, [coverage(1)])
    objects = footage.objects("mapreduce-output")
    assert first is not None
    assert publish(footage.store, tmp_path, [coverage(1)]) is None
    assert footage.objects("mapreduce-output") == objects


def test_the_pointer_is_written_last(footage: Footage) -> None:
    puts = []
    footage.segment([footage.frame(NOON_MS, "car")])
    store = Watched(footage.store, lambda call, key: puts.append(key) if call == "before put" else None)
    [run] = footage.aggregate(store=store).runs
    folder = run.prefix.rpartition("/")[0]
    assert puts == [
        *footage.objects("hours"),
        f"{run.prefix}/part-00000.gz",
        f"{run.prefix}/_quality.json",
        hours_key(run.prefix),
        f"{folder}/_runs/000001.json",
    ]


def test_a_run_names_its_settings_its_day_and_its_segments(footage: Footage) -> None:
    key = footage.segment([footage.frame(NOON_MS, "car"), footage.frame(NOON_MS + 86_400_000, "car")])
    first, second = footage.aggregate().runs
    assert first.run_id == f"000001-{first.inputs_sha256[:16]}"
    assert first.prefix == (
        f"mapreduce-output/model=tiny-1/params={first.params}/interval=60s/day=2026-01-01/run={first.run_id}"
    )
    assert first.run_id != second.run_id
    with closing(SegmentBook(footage.settings.ledger_url)) as book:
        segments = book.days(with_margin=True)[DAY.model, NOON_MS // DAY_MS]
        assert segments.keys() == [key]
        plan = DayPlan(DAY, CountParams(), 1, segments, None)
        assert plan.inputs_sha256() == first.inputs_sha256
        assert plan.inputs_sha256({key: [3]}) != first.inputs_sha256
        assert plan.inputs_sha256({"another": [3]}) == first.inputs_sha256


def test_an_aggregation_that_publishes_its_days_plans_once(footage: Footage) -> None:
    listed: list[str] = []

    def watch(call: str, prefix: str) -> None:
        if call.startswith("before list") and prefix == keys.METADATA:
            listed.append(prefix)

    footage.segment([footage.frame(NOON_MS, "car")])
    assert len(footage.aggregate(store=Watched(footage.store, watch)).runs) == 1
    assert len(listed) == 1


def test_progress_names_the_current_work(footage: Footage) -> None:
    said = []

    class Progress:
        def update(self, done: Any, total: Any, note: str = "") -> None:
            said.append((done, total, note))

        def say(self, line: Any) -> None:
            raise AssertionError(line)

    footage.segment([footage.frame(NOON_MS, "car")])
    driver.aggregate(settings=footage.settings, store=footage.store, progress=Progress())
    assert said == [
        (0, 1, "headers of new segments"),
        (1, 1, "headers of new segments"),
        (0, 1, "counting 1 segment (inline)"),
        (0, 1, "publishing 2026-01-01"),
        (1, 1, "published"),
    ]
