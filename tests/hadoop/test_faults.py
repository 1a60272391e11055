"""After kills, races, damaged segments or a full disk, the counts are right, and omissions are named."""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import math
import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.hadoop.conftest import Footage, twin
from tests.kit.errors import one_line
from tests.kit.http_server import Answers, answering
from tests.kit.stand_ins import Around, Watched

from frametally.books.quality_reports import read_quality
from frametally.books.runs import current_runs, read_run
from frametally.errors import Misconfigured, Retryable
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import NoProgress
from frametally_hadoop.driver import aggregate
from frametally_hadoop.job import reading
from frametally_hadoop.job.reading import LinkEnded
from frametally_hadoop.planning.plan import ALL_DAYS
from frametally_hadoop.publication.quality_checks import LINES_READABLE, SEGMENTS_WHOLE
from frametally_hadoop.running import engine
from frametally_hadoop.running.counting_job import CountObjects

NOON_MS = 1_767_268_800_000
DAY_MS = 86_400_000


class Killed(BaseException):
    """Simulates the end of the process."""


def kill_at(call_to_die_at: int) -> Callable[[str, str], None]:
    calls = 0

    def watch(call: str, key: str) -> None:
        nonlocal calls
        calls += 1
        if calls == call_to_die_at:
            raise Killed

    return watch


def frames_seen(store: ObjectStore) -> list[int]:
    """A reader's view of the store: frames per day, with every run read and checked completely."""
    return [sum(record.frames for record in read_run(store, run)[1]) for run in current_runs(store)]


def reports_of(footage: Footage) -> list[Any]:
    return [read_quality(footage.store, run) for run in current_runs(footage.store)]


def two_days(footage: Footage) -> None:
    footage.segment([footage.frame(NOON_MS + n, "car", index=n) for n in range(3)])
    footage.aggregate()
    footage.segment([footage.frame(NOON_MS + n, "car", "bus", index=n) for n in range(2, 6)])
    footage.segment([footage.frame(NOON_MS + DAY_MS, "car")])


@pytest.mark.thorough
def test_killed_at_any_store_call_readers_see_old_or_new_and_a_rerun_gives_the_same_bytes(
    footage: Footage,
) -> None:
    two_days(footage)
    undisturbed = twin(footage)
    undisturbed.aggregate()
    kills = 0
    while True:
        victim = twin(footage)
        try:
            victim.aggregate(store=Watched(victim.store, kill_at(kills + 1)))
        except Killed:
            kills += 1
        else:
            break
        assert frames_seen(victim.store) in ([3], [6], [6, 1])
        victim.aggregate()
        assert victim.objects("mapreduce-output") == undisturbed.objects("mapreduce-output")
    assert kills > 20
    assert footage.temporary_files() == []


@pytest.mark.parametrize("call", ["put", "list", "get", "get_range"])
def test_a_temporarily_unavailable_store_stops_the_aggregation_and_nothing_is_half_published(
    footage: Footage, call: str
) -> None:
    two_days(footage)

    def away(at: str, key: str) -> None:
        if at == f"before {call}":
            raise Retryable("the store is away")

    with pytest.raises(Retryable, match="the store is away"):
        footage.aggregate(store=Watched(footage.store, away))
    assert frames_seen(footage.store) == [3]


def test_an_aggregation_that_loses_the_race_adopts_the_winners_run(footage: Footage) -> None:
    two_days(footage)
    alone = twin(footage)
    alone.aggregate()
    won: list[Any] = []

    def publish_first(call: str, key: str) -> None:
        if call == "before put" and "/_runs/" in key and not won:
            won.append(True)
            assert len(footage.aggregate().runs) == 2

    report = footage.aggregate(store=Watched(footage.store, publish_first))
    assert (report.runs, report.days_up_to_date) == ([], 2)
    assert footage.objects("mapreduce-output") == alone.objects("mapreduce-output")


@pytest.mark.parametrize("listing", ["mapreduce-output", "metadata"])
def test_an_aggregation_with_an_older_view_never_replaces_a_newer_one(footage: Footage, listing: str) -> None:
    two_days(footage)
    meanwhile: list[Any] = []

    def more_footage_is_counted(call: str, key: str) -> None:
        if call in ("before list", "before list_unless") and key == listing and not meanwhile:
            meanwhile.append(footage.segment([footage.frame(NOON_MS + 60_000, "car", index=60)]))
            footage.aggregate()

    footage.aggregate(store=Watched(footage.store, more_footage_is_counted))
    assert frames_seen(footage.store) == [7, 1]
    assert footage.aggregate().runs == []


@pytest.mark.thorough
def test_aggregations_that_always_lose_give_up_with_one_line(footage: Footage) -> None:
    two_days(footage)
    count = 0

    def always_first(call: str, key: str) -> None:
        nonlocal count
        if call == "before put" and "/_runs/" in key:
            footage.aggregate()
            count += 1
            footage.segment([footage.frame(NOON_MS + 1000 * count, "car", index=count)])

    with pytest.raises(Retryable, match="run `frametally aggregate` again"):
        footage.aggregate(store=Watched(footage.store, always_first))


@pytest.mark.thorough
def test_two_simultaneous_aggregations_publish_every_day_once(file_footage: Footage) -> None:
    for day in range(6):
        file_footage.film(9, "car", start_ms=NOON_MS + day * DAY_MS)
    script = (
        "import sys; from frametally.adapters_by_url import open_object_store\n"
        "from frametally.process.reports import NoProgress\n"
        "from frametally.settings.loading import load_settings\n"
        "from frametally_hadoop.driver import aggregate\n"
        "settings = load_settings(); store = open_object_store(settings.store_url)\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "report = aggregate(settings=settings, store=store, progress=NoProgress())\n"
        "print(len(report.runs), report.days_up_to_date)\n"
    )
    env = os.environ | {
        "FRAMETALLY_STORE_URL": file_footage.store.url,
        "FRAMETALLY_DATA_DIR": str(file_footage.settings.data_dir),
    }
    both = [
        subprocess.Popen(
            [sys.executable, "-c", script], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for process in both:
        assert process.stdout.readline() == "ready\n"
    for process in both:
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate()[0].split() for process in both]
    published = sum(int(runs) for runs, _ in said)
    assert published == 6
    assert frames_seen(file_footage.store) == [9] * 6
    assert len([key for key in file_footage.objects("mapreduce-output") if "/_runs/" in key]) == 6


def with_line(number: int, change: Any) -> Callable[[bytes], bytes]:
    """Change one line (1 is the header) of a segment."""

    def spoil(data: bytes) -> bytes:
        lines = data.split(b"\n")
        lines[number - 1] = change(lines[number - 1])
        return b"\n".join(lines)

    return spoil


def with_field(name: str, value: object) -> Callable[[bytes], bytes]:
    return lambda line: json.dumps({**json.loads(line), name: value}).encode()


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda line: line[: len(line) // 2], "truncated"),
        (lambda line: b"not json", "malformed"),
        (lambda line: line.replace(b'"gate"', b'"g\xff\xfete"'), "utf-8"),
        (lambda line: line.replace(b'"v":1', b'"v":2'), "version 2"),
        (lambda line: line.replace(b":", b":\t", 1), "TAB"),
        (with_field("captured_at_ms", "noon"), "captured_at_ms"),
        (with_field("captured_at_ms", NOON_MS + DAY_MS), "the header does not list"),
        (with_field("captured_at_ms", NOON_MS + 3), "another source or time"),
        (with_field("source", "yard"), "the header does not list"),
        (with_field("model", "other"), "its model is other"),
        (with_field("detections", [{"label": "car", "confidence": 2, "box": [0, 0, 1, 1]}]), "<= 1"),
        (with_field("detections", [{"label": "car", "confidence": 1, "box": [0, 0, 0, 9]}]), "> 0"),
        (with_field("detections", [{"label": "car", "confidence": 1, "box": [0, 0, 9, 0]}]), "> 0"),
        (
            with_field("detections", [{"label": "car", "confidence": math.nan, "box": [0, 0, 9, 9]}]),
            "malformed",
        ),
    ],
)
def test_a_corrupt_line_is_named_and_left_out_and_the_rest_is_counted(
    footage: Footage, change: Any, reason: str
) -> None:
    good = footage.segment([footage.frame(NOON_MS + 60_000, "car")])
    bad = footage.film(5, "car", spoil=with_line(4, change))
    report = footage.aggregate()
    [skipped] = report.skipped
    assert skipped.name == f"{bad}, line 4"
    assert reason in skipped.reason
    assert "\n" not in skipped.reason
    assert good not in str(report.skipped)
    assert report.frames == 5
    [quality] = reports_of(footage)
    assert (quality.lines_dead, [(one.segment, one.line) for one in quality.set_aside]) == (1, [(bad, 4)])
    assert {check.name: check.count for check in quality.failed} == {LINES_READABLE: 1}


def test_a_day_with_a_corrupt_line_is_reported_every_time_and_heals_with_the_segment(
    footage: Footage,
) -> None:
    whole = [footage.frame(NOON_MS + n, "car", index=n) for n in range(5)]
    healthy = twin(footage)
    key = healthy.segment(whole)
    footage.segment(whole, spoil=with_line(3, lambda line: b"{}"))
    first = footage.aggregate()
    again = footage.aggregate()
    assert (len(first.runs), len(again.runs), again.days_up_to_date) == (1, 0, 1)
    assert first.skipped == again.skipped != []

    footage.store.put(key, healthy.store.get(key))
    healed = footage.aggregate()
    healthy.aggregate()
    assert (healed.skipped, healed.frames) == ([], 5)
    assert footage.parts() == healthy.parts()


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda data: data[: len(data) - 50], "cut short"),
        (lambda data: data[: data.index(b"\n") + 200], "cut short"),
        (lambda data: data[:30], "not a segment"),
        (lambda data: b"", "not a segment"),
        (with_line(1, lambda line: b"hello"), "not a SegmentHeader"),
        (with_line(1, lambda line: line.replace(b'"v":1', b'"v":2')), "version 2"),
        (with_line(1, lambda line: line.replace(b'"model":"tiny-1"', b'"model":"x"')), "says that it is"),
        (with_line(1, with_field("frames", 2)), "lines"),
        (
            with_line(1, lambda line: line.replace(str(NOON_MS).encode(), b"999999999999999999")),
            "impossible numbers",
        ),
    ],
)
def test_a_damaged_segment_in_the_store_is_named_and_left_out_and_the_rest_is_counted(
    footage: Footage, spoil: Any, reason: str
) -> None:
    footage.segment([footage.frame(NOON_MS + n, "car", index=n) for n in range(4)])
    bad = footage.segment([footage.frame(NOON_MS, "bus", index=n + 9) for n in range(3)], spoil=spoil)
    for _ in range(2):
        report = footage.aggregate()
        [skipped] = report.skipped
        assert skipped.name == bad
        assert reason in skipped.reason
        assert "\n" not in skipped.reason
        assert frames_seen(footage.store) == [4]
    assert report.runs == []
    [quality] = reports_of(footage)
    assert {check.name: check.details for check in quality.failed} == {SEGMENTS_WHOLE: [bad]}


class Addressed(Around):
    """A store whose tasks read different content."""

    def __init__(self, store: ObjectStore, address: Any) -> None:
        super().__init__(store)
        self.address = lambda key, ttl_s: address(key)


@pytest.mark.thorough
@pytest.mark.parametrize("runner", ["inline", "local"])
def test_an_interrupted_download_is_never_counted_and_is_retried_later(
    footage: Footage, tmp_path: Path, runner: str, capfd: pytest.CaptureFixture[str]
) -> None:
    key = footage.segment([footage.frame(NOON_MS + n, "car", index=n) for n in range(4)])
    (tmp_path / "short").write_bytes(footage.store.get(key)[:-30])
    short = Addressed(footage.store, lambda key: (tmp_path / "short").as_uri())
    with pytest.raises(Retryable) as raised:
        footage.aggregate(store=short, runner=runner)
    assert str(raised.value) == f"segment {key} was cut short: 3 lines of 4"
    assert list(current_runs(footage.store)) == []
    assert footage.temporary_files() == []
    assert capfd.readouterr().err == ""
    assert footage.aggregate().frames == 4


@contextlib.contextmanager
def served(body: bytes, *, missing_bytes: int, status: int = 200) -> Iterator[str]:
    class Handler(Answers):
        def do_GET(self) -> None:  # noqa: N802 - as the library has it
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) - missing_bytes])

    with answering(Handler) as url:
        yield f"{url}/segment.jsonl?signature=secret"


def test_segments_can_be_read_over_http_too(footage: Footage) -> None:
    key = footage.segment([footage.frame(NOON_MS, "car")])
    with served(footage.store.get(key), missing_bytes=0) as url:
        assert footage.aggregate(store=Addressed(footage.store, lambda key: url)).frames == 1


@pytest.mark.thorough
def test_an_expired_link_is_told_apart_from_other_failures_even_in_another_process(footage: Footage) -> None:
    footage.segment([footage.frame(NOON_MS, "car")])
    with (
        served(b"", missing_bytes=0, status=403) as url,
        pytest.raises(LinkEnded, match="its presigned link has expired"),
    ):
        footage.aggregate(runner="local", store=Addressed(footage.store, lambda key: url))


@pytest.mark.parametrize(
    ("days", "per_day", "recount"), [(1, 1, False), (2, 2, False), (4, 1, False), (5, 1, True)]
)
def test_if_links_expire_before_all_is_read_fewer_days_are_counted_at_a_time(
    footage: Footage, days: int, per_day: int, recount: bool
) -> None:
    """Two links of one plan work: a longer job has to be planned in parts."""
    for day, number in itertools.product(range(days), range(per_day)):
        frames = range(3 * number, 3 * number + 3)
        footage.segment([footage.frame(NOON_MS + day * DAY_MS + n, "car", index=n) for n in frames])
    expected = twin(footage).aggregate(count_objects=False).runs
    given: list[str] = []

    with served(b"", missing_bytes=0, status=403) as ended:

        def two_at_a_time(key: str) -> str:
            if given and key <= given[-1]:
                given.clear()
            given.append(key)
            return footage.store.address(key) if len(given) <= 2 else ended

        store = Addressed(footage.store, two_at_a_time)
        selection = ALL_DAYS._replace(recount=recount)
        report = footage.aggregate(store=store, count_objects=False, selection=selection)
    assert report.runs == expected
    assert [run.sequence for run in report.runs] == [1] * days


@pytest.mark.thorough
@pytest.mark.parametrize(("missing_bytes", "status"), [(40, 200), (0, 503)])
def test_a_failed_download_is_one_line_with_the_segment_and_without_the_signature(
    footage: Footage, missing_bytes: int, status: int
) -> None:
    key = footage.segment([footage.frame(NOON_MS, "car")])
    with (
        served(footage.store.get(key), missing_bytes=missing_bytes, status=status) as url,
        one_line(Retryable, key, without=("secret",)),
    ):
        footage.aggregate(store=Addressed(footage.store, lambda key: url))


def test_an_unresponsive_server_is_tried_eight_times(monkeypatch: pytest.MonkeyPatch) -> None:
    addresses: list[str] = []

    def unavailable(url: str, _: int) -> None:
        addresses.append(url)
        raise OSError("no answer")

    monkeypatch.setattr(reading, "_open", unavailable)
    monkeypatch.setattr("frametally_hadoop.job.reading.time.sleep", lambda _: None)
    with pytest.raises(Retryable, match="segment a cannot be read: no answer"):
        deque(reading.fetch("http://host/a", "segment a"), maxlen=0)
    assert addresses == ["http://host/a"] * 8


def test_segments_can_be_read_by_the_hadoop_command_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = tmp_path / "bin" / "hadoop"
    command.parent.mkdir()
    command.write_text(
        '#!/bin/sh\n[ "$3" = hdfs:///a ] && exec printf lines\necho no such file >&2\nexit 1\n'
    )
    command.chmod(0o700)
    monkeypatch.setenv("HADOOP_HOME", str(tmp_path))
    assert b"".join(reading.fetch("hdfs:///a", "segment a")) == b"lines"
    with pytest.raises(Retryable, match="segment b cannot be read: no such file"):
        deque(reading.fetch("hdfs:///b", "segment b"), maxlen=0)


def test_an_address_that_is_not_a_url_is_refused(footage: Footage) -> None:
    footage.segment([footage.frame(NOON_MS, "car")])
    with pytest.raises(Exception, match="must begin with file://"):
        footage.aggregate(store=Addressed(footage.store, lambda key: "/etc/passwd"))


def test_a_broken_run_pointer_is_named_and_its_day_is_counted_again(footage: Footage) -> None:
    footage.segment([footage.frame(NOON_MS, "car")])
    [run] = footage.aggregate().runs
    pointer = next(key for key in footage.objects("mapreduce-output") if "/_runs/" in key)
    footage.store.put(pointer, b"{")
    report = footage.aggregate()
    assert [skipped.name for skipped in report.skipped] == [pointer]
    assert [(new.sequence, new.inputs_sha256) for new in report.runs] == [(2, run.inputs_sha256)]
    assert footage.aggregate().skipped == []


def test_an_unwritable_data_folder_is_one_line(footage: Footage, tmp_path: Path) -> None:
    footage.segment([footage.frame(NOON_MS, "car")])
    (tmp_path / "file").touch()
    with pytest.raises(Misconfigured, match="FRAMETALLY_DATA_DIR"):
        aggregate(
            settings=footage.settings.model_copy(update={"data_dir": tmp_path / "file"}),
            store=footage.store,
            progress=NoProgress(),
        )


def test_a_missing_runner_is_one_line_that_says_what_to_install(
    footage: Footage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    footage.segment([footage.frame(NOON_MS, "car")])
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("HADOOP_HOME", raising=False)
    with one_line(Misconfigured, "the hadoop runner cannot be started", "FRAMETALLY_RUNNER=inline"):
        footage.aggregate(runner="hadoop")
    assert footage.temporary_files() == []


def test_an_empty_store_is_not_an_error_and_has_no_runs(footage: Footage) -> None:
    report = footage.aggregate()
    assert (report.runs, report.skipped, report.days_up_to_date) == ([], [], 0)


@pytest.fixture
def much_footage(file_footage: Footage) -> Footage:
    """Some 3 MB of segments."""
    for minute in range(8):
        start_ms = NOON_MS + minute * 60_000
        file_footage.film(300, *["car"] * 20, start_ms=start_ms, step_ms=200, first=minute * 300)
    return file_footage


@pytest.mark.thorough
@pytest.mark.parametrize("runner", ["inline", "local"])
def test_a_disk_that_fills_up_during_the_job_is_one_line(
    much_footage: Footage, tiny_disk: Path, monkeypatch: pytest.MonkeyPatch, runner: str
) -> None:
    monkeypatch.setattr(engine, "IN_MEMORY_BYTES", 100_000)
    bodies = []
    store = Watched(
        much_footage.store,
        lambda call, key: bodies.append(key) if call == "before get" and "metadata/" in key else None,
    )
    roomy, much_footage.settings = (
        much_footage.settings,
        much_footage.settings.model_copy(update={"data_dir": tiny_disk}),
    )
    with one_line(Retryable, match=r"no space left in .*tiny/tmp .*free some space there"):
        much_footage.aggregate(store=store, runner=runner)
    assert much_footage.temporary_files() == []
    assert bodies == []
    assert much_footage.parts() == {}
    much_footage.settings = roomy
    assert much_footage.aggregate(runner=runner).frames == 2400


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_every_error_about_missing_space_is_reported_as_such(
    footage: Footage, monkeypatch: pytest.MonkeyPatch, code: Any
) -> None:
    footage.segment([footage.frame(NOON_MS, "car")])

    def full(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(CountObjects, "map_pairs", full)
    with pytest.raises(Retryable, match="no space left in"):
        footage.aggregate()
    monkeypatch.undo()
    assert footage.aggregate().frames == 1
