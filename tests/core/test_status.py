"""The books: who is behind, who is broken, and the matching exit code."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from tests.fakes.memory import MemoryLog, MemoryStore
from tests.fakes.records import (
    make_coverage,
    make_frame,
    make_letter,
    make_manifest,
    make_run,
    make_segment,
    put_run,
    with_checksums,
)
from tests.kit.processes import run_program

from frametally import keys
from frametally.adapters_by_url import open_count_index, open_frame_log, open_ledger, open_object_store
from frametally.books.status import Status, read_status
from frametally.books.verdict import BEHIND, BROKEN, SETTLED, work_left
from frametally.checkup.findings import Finding
from frametally.errors import Misconfigured, Retryable
from frametally.live_records import LiveMinute
from frametally.openers import look_openers, port_openers
from frametally.ports.frame_log import consumer_group
from frametally.ports.opened import Ports
from frametally.process.reports import Progress
from frametally.records import Coverage, encode
from frametally.rules.counted_boxes import COUNTING_VERSION
from frametally.rules.times import utc
from frametally.settings.loading import Settings, load_settings
from frametally_cli import main as cli
from frametally_cli.commands.status_report import print_status

MODEL, TOPIC, MEDIUM = "pixels-1", "frames", "ab" * 32
INTERVAL_S = 60

LIVE = LiveMinute(session_ms=0, minute_ms=0)


class House:
    """A store, a log and an index, filled by hand."""

    def __init__(self, folder: Path) -> None:
        self.settings: Settings = load_settings(data_dir=folder, interval_s=INTERVAL_S)
        self.settings.data_dir.mkdir(exist_ok=True)
        self.store = MemoryStore()
        self.log = MemoryLog()
        self.log.create_topic(TOPIC, 1)
        self.index = open_count_index(self.settings.index_url)
        self.ledger = open_ledger(self.settings.ledger_url)

    def manifest(self, expected: int, announced: int, **changes: object) -> None:
        changes = {"frames_expected": expected} | changes
        manifest = msgspec.structs.replace(make_manifest(announced), **changes)
        self.store.put(keys.media_key(MEDIUM), encode(manifest))

    def announced(self, messages: int, committed: int) -> None:
        self.log.publish(TOPIC, [(b"k", b"m")] * messages)
        consumer = self.log.subscribe(
            TOPIC, consumer_group(MODEL), on_assigned=lambda _: None, on_revoked=lambda _: None
        )
        consumer.poll(timeout_s=0)
        consumer.commit(0, committed)
        consumer.close()

    def detected(self, frames: int) -> None:
        """All of a medium's frames, in one segment."""
        self.manifest(frames, frames)
        self.announced(frames, frames)
        self.segment(0, frames)

    def segment(self, first: int, nxt: int, dead: tuple[int, ...] = ()) -> None:
        frames = [make_frame(1_000 * offset, offset) for offset in range(first, nxt) if offset not in dead]
        letters = [
            make_letter(offset, make_frame(1_000 * offset, offset), stage="fetch", reason="gone")
            for offset in dead
        ]
        data = make_segment(frames, letters, first, log_id=self.log.log_id(TOPIC))
        self.store.put(keys.segment_key(MODEL, self.log.log_id(TOPIC), TOPIC, 0, first), data)

    def run(
        self,
        frames: int,
        *,
        indexed: bool,
        version: int = COUNTING_VERSION,
        day: str = "1970-01-01",
        black: int = 0,
    ) -> None:
        coverage = make_coverage(keys.day_start_ms(day), frames - black, model=MODEL, source="cam")
        if black:
            coverage = msgspec.structs.replace(coverage, blank=[("black", black, 1000 * black)])
        run = make_run(model=MODEL, day=day, frames=frames)
        run = msgspec.structs.replace(run, settings={"counting_version": version})
        run = put_run(self.store, run, [], [coverage])
        if indexed:
            assert self.index.publish(run, [], [coverage])

    def status(self) -> Status:
        ports = Ports(settings=self.settings, store=self.store, log=self.log, index=self.index)
        return read_status(ports, self.ledger)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.index.close()
    made.ledger.close()


def test_an_empty_installation_is_settled(house: House) -> None:
    status = house.status()
    assert (status.exit_code, status.model, status.sources) == (SETTLED, None, [])


def test_books_with_all_frames_at_every_stage_are_settled(house: House) -> None:
    house.manifest(5, 5)
    house.announced(5, 5)
    house.segment(0, 3)
    house.segment(3, 5, dead=(4,))
    house.run(4, indexed=True)
    status = house.status()
    assert (status.exit_code, status.behind, status.broken) == (SETTLED, [], [])
    [books] = status.sources
    assert books[2:8] == (5, 5, 4, 1, 4, 4)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("fill", "says"),
    [
        (lambda house: house.manifest(5, 3, state="producing"), "2 frames to announce"),
        (lambda house: house.manifest(5, 5, state="producing"), "a file was not read to the end; run"),
        (
            lambda house: house.manifest(5, 5, state="producing", live=LIVE),
            "its camera is still recording this minute; it continues",
        ),
        (lambda house: house.announced(5, 2), "3 messages to detect"),
        (lambda house: None, "5 frames to count"),
        (lambda house: house.run(5, indexed=False), "5 frames to index"),
    ],
)
def test_unfinished_work_is_behind_with_its_number(house: House, fill: Callable[..., Any], says: str) -> None:
    house.manifest(5, 5)
    house.segment(0, 5)
    fill(house)
    status = house.status()
    assert status.exit_code == BEHIND
    assert any(says in finding.line for finding in status.behind)


def test_days_of_an_earlier_version_are_named_before_they_are_counted_again(house: House) -> None:
    house.detected(3)
    house.run(3, indexed=True, version=COUNTING_VERSION - 1)
    status = house.status()
    assert (status.exit_code, status.broken) == (4, [])
    assert [finding.line for finding in status.behind] == [
        "1 day was counted with an earlier version's rules; `frametally aggregate "
        "--interval 60` counts them again, and their numbers may change: 1970-01-01"
    ]


def test_a_missing_frame_with_a_drained_log_is_broken(house: House) -> None:
    house.manifest(5, 5)
    house.announced(5, 5)
    house.segment(0, 4)
    house.run(4, indexed=True)
    status = house.status()
    assert status.exit_code == BROKEN
    assert "1 announced frame is in no segment" in status.broken[0].line
    assert "run `frametally redetect --model " in status.broken[0].line


def test_more_detected_than_announced_is_broken(house: House) -> None:
    house.manifest(3, 3)
    house.segment(0, 5)
    house.run(5, indexed=True)
    assert house.status().exit_code == BROKEN


@pytest.mark.thorough
def test_more_counted_than_detected_is_broken(house: House) -> None:
    house.manifest(5, 5)
    house.segment(0, 5)
    house.run(6, indexed=True)
    assert house.status().exit_code == BROKEN


@pytest.mark.parametrize(("first", "what"), [(4, "gap"), (2, "overlap")])
def test_a_chain_with_a_defect_is_broken(house: House, first: int, what: str) -> None:
    house.manifest(6, 6)
    house.segment(0, 3)
    house.segment(first, 6)
    assert any(finding.line.startswith(what) for finding in house.status().broken)


def test_a_frame_announced_twice_counts_once(house: House) -> None:
    house.manifest(3, 3)
    house.announced(6, 6)
    house.segment(0, 3)
    house.run(3, indexed=True)
    other = MemoryStore()
    key = next(info.key for info in house.store.list(keys.METADATA))
    other.put(key, house.store.get(key))
    offsets = (b'"first_offset":0,"next_offset":3', b'"first_offset":3,"next_offset":6')
    data = with_checksums(other.get(key).replace(*offsets))
    house.store.put(key.replace(f"{0:020d}", f"{3:020d}"), data)
    assert house.status().exit_code == SETTLED


def test_an_unreadable_segment_is_broken_and_named(house: House) -> None:
    house.segment(0, 3)
    key = next(info.key for info in house.store.list(keys.METADATA))
    house.store.put(key, house.store.get(key)[:-5])
    assert any(key in finding.line for finding in house.status().broken)


def test_a_source_timed_by_file_dates_is_marked(house: House) -> None:
    house.manifest(0, 0, time_source="file_time")
    assert house.status().sources[0].file_time


def test_the_second_look_rereads_only_the_quality_reports_of_the_three_newest_days(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = [f"1970-01-0{number}" for number in range(1, 6)]
    house.detected(5)
    for day in days:
        house.run(1, indexed=True, day=day)
    first = house.status()
    assert first.exit_code == SETTLED
    read: list[str] = []
    get = house.store.get
    monkeypatch.setattr(house.store, "get", lambda key: read.append(key) or get(key))
    assert house.status() == first
    runs = (make_run(model=MODEL, day=day) for day in days[-3:])
    assert read == [keys.quality_key(run.prefix) for run in runs]


def test_a_rebuilt_ledger_gives_the_same_books(house: House, tmp_path: Path) -> None:
    house.manifest(5, 5)
    house.announced(5, 4)
    house.segment(0, 3, dead=(1,))
    house.run(2, indexed=True)
    before = house.status()
    house.ledger.clear()
    assert house.status() == before
    house.ledger.close()
    for path in tmp_path.glob("ledger.sqlite*"):
        path.unlink()
    house.ledger = open_ledger(house.settings.ledger_url)
    assert house.status() == before


def test_an_apparent_defect_is_checked_once_more_before_it_is_reported(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.manifest(5, 5)
    house.segment(0, 5)
    house.run(6, indexed=True)
    looks: list[Any] = []
    refresh = house.ledger.refresh

    def refresh_and_then_it_comes_right(store: MemoryStore, progress: Progress) -> object:
        if looks:
            house.manifest(6, 6)
            house.segment(5, 6)
        looks.append(1)
        return refresh(store, progress)

    monkeypatch.setattr(house.ledger, "refresh", refresh_and_then_it_comes_right)
    assert house.status().broken == []
    assert len(looks) == 2


def test_a_run_that_only_the_index_has_is_reported_with_its_remedy(house: House) -> None:
    house.detected(3)
    house.run(3, indexed=True)
    [run] = house.index.current_runs()
    later = msgspec.structs.replace(run, run_id="000002-" + "1" * 16, sequence=2)
    covered = Coverage(model=MODEL, source="cam", interval_start_ms=0, interval_s=INTERVAL_S, frames=3)
    assert house.index.publish(later, [], [covered])  # by the store before its restoration
    status = house.status()
    assert status.exit_code == BROKEN
    assert [finding.line for finding in status.broken] == [
        "the index has 1 run that the store does not have, such as the run of 1970-01-01 (pixels-1, 60 s); "
        "run `frametally index --repair`"
    ]


@pytest.mark.parametrize("topic", [TOPIC, keys.redetect_topic(TOPIC, MODEL)])
def test_an_unreadable_topic_is_never_shown_as_an_empty_one(
    house: House, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.detected(3)
    house.run(3, indexed=True)
    assert house.status().exit_code == SETTLED
    end_offsets = house.log.end_offsets

    def refuse(asked: str) -> dict[int, int]:
        if asked == topic:
            raise Misconfigured(f"no right to read topic {topic!r}; ask for it")
        return end_offsets(asked)

    monkeypatch.setattr(house.log, "end_offsets", refuse)
    with pytest.raises(Misconfigured, match=topic):
        house.status()


def test_status_is_not_settled_if_no_name_server_knows_the_logs_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "store").mkdir()
    monkeypatch.setenv("FRAMETALLY_LOG_URL", "kafka://no-such-host.invalid:9092")
    assert cli.main(["status", "--data-dir", str(tmp_path)]) == 2
    said = capsys.readouterr()
    assert "no-such-host.invalid" in said.err
    assert "settled" not in said.out


def test_a_log_that_grows_during_the_check_is_not_called_drained(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.manifest(5, 5)
    house.announced(5, 5)
    house.segment(0, 4)
    refresh = house.ledger.refresh
    committed = [5]

    def refresh_while_it_grows(store: MemoryStore, progress: Progress) -> object:
        committed[0] += 1
        house.announced(1, committed[0])
        return refresh(store, progress)

    monkeypatch.setattr(house.ledger, "refresh", refresh_while_it_grows)
    status = house.status()
    assert (status.exit_code, status.broken) == (BEHIND, [])
    assert "1 frame to detect" in status.behind[0].line


def test_each_stage_shows_how_far_it_is_behind(house: House) -> None:
    house.manifest(9, 7, state="producing")
    house.announced(7, 5)
    house.segment(0, 5)
    house.run(4, indexed=False)
    assert [(stage.stage, stage.frames_behind) for stage in house.status().stages] == [
        ("produce", 2),
        ("consume", 2),
        ("aggregate", 1),
        ("index", 4),
    ]


def test_the_command_that_status_suggests_for_a_backlog_ends_when_it_has_caught_up(house: House) -> None:
    house.manifest(5, 5)
    house.announced(5, 3)
    house.segment(0, 3)
    status = house.status()
    assert status.stages[1].command == "frametally consume --until-caught-up"
    assert f"run `{status.stages[1].command}`" in status.behind[0].line


def test_dead_letters_are_reported_by_cause_until_they_are_mended(house: House) -> None:
    house.manifest(6, 6)
    house.announced(6, 6)
    house.segment(0, 6, dead=(2, 4))
    assert house.status().dead_letters == {"missing": 2}
    house.segment(6, 7)
    assert house.status().sources[0][4:6] == (5, 2)


def test_messages_that_the_log_lost_are_reported_as_lost_with_their_place(house: House) -> None:
    house.manifest(10, 10)
    house.announced(10, 10)
    house.segment(0, 2)
    key = next(info.key for info in house.store.list(keys.METADATA))
    data = house.store.get(key).replace(b'"next_offset":2', b'"next_offset":6')
    house.store.put(key, with_checksums(data))
    house.segment(6, 8)
    assert house.log.trim(TOPIC) == 10
    lost = [one[2:] for one in house.status().lost]
    # Four that a segment covers without lines for them, two that no segment covers and the log has lost.
    assert lost == [(0, 4, 0, 6), (0, 2, 8, 10)]


def test_pace_and_time_left_come_from_the_times_of_the_segments(tmp_path: Path) -> None:
    now_s = [1_000.0]
    house = House(tmp_path)
    house.store = MemoryStore(clock=lambda: now_s[0])
    house.manifest(400, 400)
    house.announced(400, 100)
    house.segment(0, 20)  # more than a minute before the newest: not part of the pace
    for first in range(20, 100, 20):
        now_s[0] += 30 if first > 20 else 300
        house.segment(first, first + 20)
    status = house.status()
    house.index.close()
    house.ledger.close()
    pace = status.pace
    assert pace.newest_segment_at_ms == int(now_s[0] * 1000)
    assert pace.frames_per_s == pytest.approx(2 * 20 / 60)
    assert pace.eta_s == pytest.approx(300 / (40 / 60))


@pytest.mark.parametrize(
    ("age_s", "words"),
    [
        (5, "newest segment 5 s old"),
        (-30, "newest segment 0 s old"),
        (
            -3650 * 86_400,
            "newest segment dated 2037-01-12 08:00:00Z, in the future: a clock was or is wrong; ",
        ),
        (3650 * 86_400, "newest segment 3650 d old; if that is wrong, check this clock with `date`"),
    ],
)
def test_an_age_that_no_correct_clock_gives_blames_the_clock(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], age_s: int, words: str
) -> None:
    now_s = 1_800_000_000
    monkeypatch.setattr("frametally_cli.commands.status_report.time", SimpleNamespace(time=lambda: now_s))
    status = house.status()
    pace = status.pace._replace(newest_segment_at_ms=(now_s - age_s) * 1000)
    print_status(status._replace(pace=pace))
    assert words in " ".join(capsys.readouterr().out.split())


def test_everything_that_waits_for_a_person_and_nothing_else_is_named_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.detected(5)
    house.run(5, indexed=True)
    assert house.status().needs == []

    house.segment(5, 7, dead=(5, 6))
    frames = house.status().needs[-1]
    assert (frames.area, frames.number, frames.page) == ("frames", 2, "/dead-letters")
    [since_ms] = house.status().dead_letters_since_ms.values()
    causes = f"since {utc(since_ms)} (missing 2)"
    assert frames.line == f"2 frames could not be analysed {causes}; run `frametally dead-letters list`"

    def no_answer(*_: object) -> list[Finding]:
        raise Retryable("the database is not responding")

    camera = Finding("camera", "Roof", "not responding", "", "see the page /live", "/live")
    plugins = (no_answer, no_answer, lambda _: [camera, camera])
    monkeypatch.setattr("frametally.checkup.findings.hooks", lambda _: plugins)
    house.settings = load_settings(data_dir=house.settings.data_dir, min_free_disk_mb=10**9)
    pages = [(need.area, need.page) for need in house.status().needs]
    assert pages == [
        ("books", "/books"),
        ("frames", "/dead-letters"),
        ("disk", "/footage"),
        ("part", ""),
        ("camera", "/live"),
    ]


@pytest.mark.parametrize(
    ("black_frames", "values"),
    [
        (1, []),
        (2, ["3 s black, up to 0.2% of a day's footage"]),
        (1000, ["17 min black, up to 100.0% of a day's footage"]),
    ],
)
def test_black_footage_is_worth_a_note_from_a_500th_of_a_day(
    house: House, black_frames: int, values: list[str]
) -> None:
    house.manifest(5, 5)
    house.segment(0, 5)
    house.run(1000, indexed=True, day="1970-01-01", black=1)
    house.run(1000, indexed=True, day="1970-01-02", black=black_frames)
    status = house.status()
    assert [notice.value for notice in status.notices] == values
    assert status.sources[0].shows_nothing_s == {"black": black_frames + 1}


def test_status_names_a_full_disk(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    house.manifest(1, 1)
    with closing(open_object_store(house.settings.store_url)) as store:
        for info in house.store.list(""):
            store.put(info.key, house.store.get(info.key))
    arguments = ["status", "--data-dir", str(house.settings.data_dir)]
    cli.main(arguments)
    assert "disk of" not in capsys.readouterr().out
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("FRAMETALLY_MIN_FREE_DISK_MB", str(10**9))
        cli.main(arguments)
    said = " ".join(capsys.readouterr().out.split())
    assert said.count(f"needs you: the disk of {house.settings.data_dir}: ") == 1
    assert " MB free, 1000000000 MB needed; free some space there, or set FRAMETALLY_DATA_DIR" in said


def test_the_newest_frame_of_each_source_is_shown(house: House) -> None:
    house.manifest(5, 5)
    house.segment(0, 5)
    assert house.status().sources[0].newest_captured_at_ms == 4_000


def test_status_shows_until_when_there_is_footage_and_until_when_it_is_counted(house: House) -> None:
    house.manifest(5, 5, first_captured_at_ms=0, last_captured_at_ms=400_000)
    house.segment(0, 5)
    books = house.status()
    assert (books.sources[0].footage_until_ms, books.sources[0].counted_until_ms) == (400_000, None)
    assert books.counted_at_ms is None
    house.run(5, indexed=True)
    books = house.status()
    assert books.sources[0].footage_until_ms == 400_000
    [indexed] = house.index.sources(MODEL)
    assert books.sources[0].counted_until_ms == indexed.next_interval_ms < 400_000
    assert books.counted_at_ms is not None


@pytest.mark.thorough
def test_status_prints_json_or_a_table_and_exits_with_its_verdict(
    house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with closing(open_object_store(house.settings.store_url)) as store:
        house.manifest(5, 5)
        house.segment(0, 5, dead=(4,))
        for info in house.store.list(""):
            store.put(info.key, house.store.get(info.key))
    arguments = ["status", "--data-dir", str(house.settings.data_dir)]
    assert cli.main([*arguments, "--json"]) == BEHIND
    said = json.loads(capsys.readouterr().out)
    assert said["verdict"] == "behind"
    assert said["sources"][0]["dead_lettered"] == 1
    assert said["stages"][2] == {"stage": "aggregate", "frames_behind": 4, "command": "frametally aggregate"}
    assert cli.main(arguments) == BEHIND
    [since_ms] = said["dead_letters_since_ms"].values()
    printed = " ".join(capsys.readouterr().out.split())
    assert printed.count(f"1 frame could not be analysed since {utc(since_ms)} (missing 1); run") == 1
    assert cli.main([*arguments, "--json", "--watch"]) == 2
    assert cli.main([*arguments, "--model", "nobody"]) == 2
    assert (
        f"--model nobody: no segment has this model; choose from {said['model']}" in capsys.readouterr().err
    )
    assert cli.main(["ledger", "rebuild", *arguments[1:]]) == 0
    assert "2 objects added" in capsys.readouterr().out


def test_of_400_sources_status_lists_first_those_that_need_attention(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    house.manifest(6, 6)
    house.segment(0, 6)
    books = house.status()
    [line] = books.sources
    sources = [
        line._replace(source_name=f"Gate {n}", counted=6 if n < 398 else 0, indexed=6 if n < 398 else 0)
        for n in range(400)
    ]
    behind = [work_left(f"Gate {n}", "6 frames to count", "") for n in range(398, 400)] * 11
    print_status(books._replace(sources=sources, findings=(*behind,)))
    said = capsys.readouterr().out
    rows = [row for row in said.splitlines() if row.startswith(" Gate")]
    assert (len(rows), rows[0].split()[:2], rows[1].split()[:2]) == (20, ["Gate", "398"], ["Gate", "399"])
    assert "… and 380 more: 380 have all frames; use `--json` to see each source" in said
    assert said.count("behind: ") == 20
    assert "… and 2 more such lines" in said


def test_status_names_what_is_down_and_shows_the_rest(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with (
        closing(open_object_store(house.settings.store_url)) as store,
        closing(open_frame_log(house.settings.log_url)) as log,
    ):
        log.create_topic(TOPIC, 1)
        log.publish(TOPIC, [(b"k", b"m")] * 6)
        house.manifest(6, 6)
        house.segment(0, 5)
        house.run(5, indexed=True)
        for info in house.store.list(""):
            store.put(info.key, house.store.get(info.key))
    arguments = ["status", "--data-dir", str(house.settings.data_dir)]
    assert cli.main(arguments) == BEHIND
    assert "indexed" in capsys.readouterr().out
    monkeypatch.setenv("FRAMETALLY_INDEX_URL", "postgresql://127.0.0.1:1/counts")
    assert cli.main(arguments) == 2
    said = capsys.readouterr()
    assert said.err.startswith("away: count index ") and len(said.err.splitlines()) == 1
    assert "Cam" in said.out and "log: 0 of 6 messages handled" in said.out
    assert not any(word in said.out for word in ("indexed", "settled", "behind", "broken"))
    monkeypatch.setenv("FRAMETALLY_LOG_URL", "kafka://127.0.0.1:1")
    assert cli.main([*arguments, "--json"]) == 2
    answer = json.loads(capsys.readouterr().out)
    assert (answer["verdict"], answer["exit_code"], [*answer["away"]]) == ("away", 2, ["log", "index"])
    [cam] = answer["sources"]
    assert (cam["announced"], cam["detected"], cam["counted"]) == (6, 5, 5)
    assert (answer["behind"], answer["broken"]) == ([], [])
    monkeypatch.setenv("FRAMETALLY_LEDGER_URL", "postgresql://127.0.0.1:1/ledger")
    assert cli.main(arguments) == 2
    error, *others = capsys.readouterr().err.splitlines()
    assert error.startswith("error: ledger ")
    assert [line.split(":")[0] for line in others] == ["also not responding", "also not responding"]


def test_watching_opens_each_part_once_and_reopens_only_what_was_down(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened: list[str] = []
    is_away = [False]

    openers = port_openers.port_openers

    def noting_openers(settings: Settings) -> dict[str, tuple[str, Callable[[str], Any]]]:
        def noting(name: str, open_at: Callable[[str], Any]) -> Callable[[str], Any]:
            def open_and_note(url: str) -> Any:
                opened.append(name)
                port = open_at(url)
                if name == "index" and url == settings.index_url:
                    port.version = answer
                return port

            return open_and_note

        return {name: (url, noting(name, open_at)) for name, (url, open_at) in openers(settings).items()}

    def answer() -> str:
        if is_away[0]:
            raise Retryable("count index is away")
        return "1"

    rounds: list[list[str]] = []

    def wait(_: float) -> None:
        rounds.append(opened.copy())
        opened.clear()
        is_away[0] = len(rounds) in (2, 3)
        if len(rounds) == 5:
            raise KeyboardInterrupt

    with closing(open_object_store(house.settings.store_url)) as store:
        store.put("media/x", b"")
    monkeypatch.setattr(look_openers, "port_openers", noting_openers)
    monkeypatch.setattr(
        "frametally_cli.commands.status_report.time", SimpleNamespace(time=time.time, sleep=wait)
    )
    assert cli.main(["status", "--watch", "--data-dir", str(house.settings.data_dir)]) == 130
    # In the third and fourth rounds the index is unavailable; an empty one replaces it, opened once.
    assert rounds == [["store", "log", "index", "ledger"], [], ["index"], ["index"], ["index"]]
    assert capsys.readouterr().err.count("away: count index is away") == 2


@pytest.mark.thorough
def test_in_a_pipe_each_table_row_stays_on_one_line(tmp_path: Path) -> None:
    done = run_program(
        [sys.executable, "-m", "frametally", "doctor", "--data-dir", str(tmp_path / ("deep" * 40))],
        code=None,
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if name != "COLUMNS"},
    )
    rows = [line for line in done.stdout.splitlines() if line.split()[:2] == ["good", "index"]]
    assert [("deep" * 40) in row and "nothing there yet" in row for row in rows] == [True]
