"""Guarantees of the SQLite log beyond the contract: several processes, kill -9, reopening, refused files."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.memory import ManualClock

from frametally.adapters.sqlite import database_file as sqlite_file
from frametally.adapters.sqlite.database_file import SqliteFile
from frametally.adapters.sqlite.file_log import SqliteLog
from frametally.adapters_by_url import open_count_index, open_frame_log, open_ledger
from frametally.errors import Misconfigured, Retryable
from frametally.files import sqlite as sqlite_opening
from frametally.files.sqlite import network_file_system
from frametally.ports.frame_log import LogConsumer

TOPIC, GROUP, PARTITIONS = "frames", "frametally-yolo", 6


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/log.sqlite"


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def open_log(stack: ExitStack, url: str, clock: ManualClock | None = None) -> SqliteLog:
    log = stack.enter_context(closing(SqliteLog(url, clock=clock or time.monotonic)))
    log.create_topic(TOPIC, PARTITIONS)
    return log


def join(stack: ExitStack, log: SqliteLog) -> LogConsumer:
    consumer = log.subscribe(TOPIC, GROUP, on_assigned=lambda _: None, on_revoked=lambda _: None)
    return stack.enter_context(closing(consumer))


def messages(count: int) -> list[tuple[bytes, bytes]]:
    return [(b"camera %d" % (n % 60), b"frame %d" % n) for n in range(count)]


def test_with_a_retention_time_messages_of_an_ended_process_are_removed_too(
    stack: ExitStack, url: str
) -> None:
    clock = ManualClock()
    first, second = (open_log(stack, url, clock) for _ in range(2))
    first.create_topic("results", 1, keep_s=60)
    first.publish("results", messages(100))
    second.create_topic("results", 1, keep_s=60)
    for _ in range(2):
        second.publish("results", messages(1))
        clock.advance(61)
    second.publish("results", messages(1))
    assert second.begin_offsets("results")[0] > 100
    assert second.end_offsets("results") == {0: 103}


def test_an_idle_wait_only_asks_the_file_whether_somebody_has_written(
    stack: ExitStack, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = open_log(stack, url)
    consumer = join(stack, log)
    log.publish(TOPIC, messages(12))
    while consumer.poll(timeout_s=0.0):
        pass
    asked: list[str] = []
    read = SqliteFile.read

    def noting(file: SqliteFile, sql: str, parameters: Any = ()) -> list[tuple[Any, ...]]:
        asked.append(sql)
        return read(file, sql, parameters)

    monkeypatch.setattr(SqliteFile, "read", noting)
    assert consumer.poll(timeout_s=0.1) == []
    assert {*asked} == {"PRAGMA data_version"}
    log.publish(TOPIC, messages(1))
    (record,) = consumer.poll(timeout_s=0.0)
    assert consumer.poll(timeout_s=0.0) == []
    consumer.seek(record.partition, record.offset)
    assert consumer.poll(timeout_s=0.0) == [record]


# Processes.


# A worker: prints its number of partitions at each change, its messages, and its commits.
_CONSUME = """
import sys
from frametally.adapters_by_url import open_frame_log
from frametally.ports.frame_log import LeaseLost
log = open_frame_log(sys.argv[1], lease_s=float(sys.argv[2]))
consumer = log.subscribe("frames", "frametally-yolo", on_assigned=lambda _: None, on_revoked=lambda _: None)
held, total = None, int(sys.argv[3])
while sum(log.committed("frames", "frametally-yolo").values()) < total:
    records = consumer.poll(timeout_s=0.02, max_records=20)
    if records:
        print("got", *(record.value.decode() for record in records), sep=",", flush=True)
    for record in records:
        try:
            consumer.commit(record.partition, record.offset + 1)
        except LeaseLost:
            continue
        print("done", record.value.decode(), sep=",", flush=True)
    if held != len(consumer.assignment()):
        held = len(consumer.assignment())
        print("held", held, sep=",", flush=True)
consumer.close()
log.close()
"""

_PUBLISH = """
import sys
from frametally.adapters_by_url import open_frame_log
log = open_frame_log(sys.argv[1])
for n in range(0, 600, 30):
    values = {i: f"{sys.argv[2]} {i}".encode() for i in range(n, n + 30)}
    log.publish("frames", [(b"camera %d" % i, value) for i, value in values.items()])
log.close()
"""


def spawn(stack: ExitStack, script: str, *arguments: str) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", script, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    stack.enter_context(process)
    stack.callback(process.kill)
    return process


def read_until(process: "subprocess.Popen[str]", start: str) -> list[str]:
    """The lines that the process prints, up to one that begins with `start`, or its end."""
    assert process.stdout
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line.strip())
        if line.startswith(start):
            return lines
    return lines


def read_rest(process: "subprocess.Popen[str]") -> list[str]:
    assert process.stdout
    return process.stdout.read().splitlines()


def told(word: str, lines: list[str]) -> list[str]:
    return [value for line in lines if line.startswith(f"{word},") for value in line.split(",")[1:]]


@pytest.mark.thorough
def test_two_processes_share_the_messages_of_three_others_without_loss_or_repetition(
    url: str, stack: ExitStack
) -> None:
    log = open_log(stack, url)
    consumers = [spawn(stack, _CONSUME, url, "30", "1800") for _ in range(2)]
    for consumer in consumers:
        read_until(consumer, "held,3")
    publishers = [spawn(stack, _PUBLISH, url, f"publisher {n}") for n in range(3)]
    shares = [told("done", read_rest(consumer)) for consumer in consumers]
    assert [process.wait() for process in consumers + publishers] == [0] * 5

    assert sorted(shares[0] + shares[1]) == sorted(f"publisher {n} {i}" for n in range(3) for i in range(600))
    assert min(map(len, shares)) >= 0.2 * 1800
    assert sum(log.end_offsets(TOPIC).values()) == 1800


@pytest.mark.thorough
def test_a_killed_consumers_partitions_pass_to_the_other_without_loss_or_repetition(
    url: str, stack: ExitStack
) -> None:
    log = open_log(stack, url)
    victim, heir = (spawn(stack, _CONSUME, url, "2", "2000") for _ in range(2))
    read_until(victim, "held,3")
    read_until(heir, "held,3")
    log.publish(TOPIC, messages(2000))
    lines = read_until(victim, "done,")  # it is in the middle of its work
    os.kill(victim.pid, signal.SIGKILL)
    lines += read_rest(victim)
    after = read_rest(heir)

    assert heir.wait() == 0
    assert told("done", lines)
    assert set(told("got", lines) + told("got", after)) == {f"frame {n}" for n in range(2000)}
    assert not set(told("done", lines)) & set(told("done", after))
    assert log.committed(TOPIC, GROUP) == log.end_offsets(TOPIC)


_OPEN = """
import sys
from frametally.adapters_by_url import open_frame_log
print("ready", flush=True)
sys.stdin.readline()
log = open_frame_log(sys.argv[1])
log.create_topic("frames", 6)
print(log.log_id("frames"))
log.close()
"""


@pytest.mark.thorough
def test_8_processes_that_open_a_new_file_at_once_get_one_log(tmp_path: Path, stack: ExitStack) -> None:
    url = f"sqlite:///{tmp_path}/new/folder/log.sqlite"
    openers = [spawn(stack, _OPEN, url) for _ in range(8)]
    for opener in openers:
        assert opener.stdout
        assert opener.stdout.readline() == "ready\n"
    for opener in openers:
        assert opener.stdin
        opener.stdin.close()
    identities = {opener.stdout.read() for opener in openers if opener.stdout}
    assert [opener.wait() for opener in openers] == [0] * 8
    assert len(identities) == 1
    assert identities == {open_log(stack, url).log_id(TOPIC) + "\n"}


def test_an_opener_that_lost_the_race_uses_the_log_that_the_other_created(
    url: str, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing = sqlite_file._writing

    def write_late(connection: sqlite3.Connection) -> AbstractContextManager[None]:
        monkeypatch.undo()
        open_log(stack, url)
        return writing(connection)

    monkeypatch.setattr(sqlite_file, "_writing", write_late)
    with closing(SqliteLog(url)) as overtaken:
        assert overtaken.log_id(TOPIC) == open_log(stack, url).log_id(TOPIC)


def test_an_opener_waits_its_turn_to_switch_the_journal_though_sqlite_does_not(
    url: str, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusals = [sqlite3.OperationalError("database is locked") for _ in range(3)]
    for refusal in refusals:
        refusal.sqlite_errorcode = sqlite3.SQLITE_BUSY

    class Refusing(sqlite3.Connection):
        def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
            if "journal_mode" in sql and refusals:
                raise refusals.pop()
            return super().execute(sql, parameters)

    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda path, **how: connect(path, factory=Refusing, **how))
    assert open_log(stack, url).partitions(TOPIC) == PARTITIONS
    assert refusals == []


# The file.


def test_a_reopened_file_keeps_messages_offsets_and_identity_and_a_new_file_has_another(
    tmp_path: Path, url: str
) -> None:
    with ExitStack() as stack:
        log = open_log(stack, url)
        log.publish(TOPIC, messages(60))
        consumer = join(stack, log)
        consumer.poll(timeout_s=0)
        consumer.commit(0, 4)
        identity, ends = log.log_id(TOPIC), log.end_offsets(TOPIC)
    with ExitStack() as stack:
        log = open_log(stack, url)
        assert (log.log_id(TOPIC), log.end_offsets(TOPIC)) == (identity, ends)
        assert log.committed(TOPIC, GROUP) == {0: 4}
        assert len(join(stack, log).poll(timeout_s=0)) == 56
    assert [path.name for path in tmp_path.iterdir()] == ["log.sqlite"]  # closed, the file is whole by itself
    (tmp_path / "log.sqlite").unlink()
    with ExitStack() as stack:
        assert open_log(stack, url).log_id(TOPIC) != identity


def test_trimming_frees_disk_space(tmp_path: Path, url: str) -> None:
    with ExitStack() as stack:
        log = open_log(stack, url)
        log.publish(TOPIC, [(b"%d" % n, b"x" * 500) for n in range(2000)])
        consumer = join(stack, log)
        consumer.poll(timeout_s=0)
        for partition, end in log.end_offsets(TOPIC).items():
            consumer.commit(partition, end)
        assert log.trim(TOPIC) == 2000
    assert (tmp_path / "log.sqlite").stat().st_size < 100_000


def test_a_poll_without_new_messages_writes_nothing(url: str, stack: ExitStack) -> None:
    clock = ManualClock()
    log = open_log(stack, url, clock)
    consumer = join(stack, log)
    consumer.poll(timeout_s=0)
    watcher = stack.enter_context(closing(sqlite3.connect(url.removeprefix("sqlite:///"))))

    def changes() -> object:
        return watcher.execute("PRAGMA data_version").fetchone()

    before = changes()
    for _ in range(20):
        consumer.poll(timeout_s=0)
        clock.advance(0.1)
    assert changes() == before
    clock.advance(2.0)  # a third of the lease is over
    consumer.poll(timeout_s=0)
    assert changes() != before


def test_after_a_restart_of_the_clock_a_dead_member_keeps_no_partitions(url: str, stack: ExitStack) -> None:
    clock = ManualClock()
    clock.advance(1_000_000)
    log = open_log(stack, url, clock)
    join(stack, log).poll(timeout_s=0)
    clock.now_s = 5.0  # the machine was restarted
    consumer = join(stack, log)
    consumer.poll(timeout_s=0)
    assert consumer.assignment() == set(range(PARTITIONS))


def test_several_threads_may_use_one_log_object(url: str, stack: ExitStack) -> None:
    log = open_log(stack, url)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: log.publish(TOPIC, [(b"%d" % n, b"x")] * 30), range(40)))
    assert sum(log.end_offsets(TOPIC).values()) == 1200


def test_a_full_disk_is_retryable_and_leaves_no_partial_chunk(url: str, stack: ExitStack) -> None:
    log = open_log(stack, url)
    log.publish(TOPIC, messages(10))
    ends = log.end_offsets(TOPIC)
    log._file.read("PRAGMA max_page_count = 30")
    with pytest.raises(Retryable, match=r"no space left for log file .*log\.sqlite: free some space"):
        log.publish(TOPIC, [(b"%d" % n, b"x" * 1000) for n in range(900)])
    assert log.end_offsets(TOPIC) == ends
    assert len(join(stack, log).poll(timeout_s=0)) == 10
    log._file.read("PRAGMA max_page_count = 10000")
    log.publish(TOPIC, messages(10))
    assert sum(log.end_offsets(TOPIC).values()) == 20


def test_a_file_that_stays_locked_is_retryable(
    url: str, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_file, "BUSY_TIMEOUT_S", 0.05)
    log = open_log(stack, url)
    path = url.removeprefix("sqlite:///")
    other = stack.enter_context(closing(sqlite3.connect(path, isolation_level=None)))
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Retryable, match=r"another process locked log file .*log.sqlite for 0.05 s"):
        log.publish(TOPIC, messages(1))
    assert log.partitions(TOPIC) == PARTITIONS  # readers need not wait
    other.execute("ROLLBACK")
    log.publish(TOPIC, messages(1))


# Files that are not a log.


def refused(url: str, words: str) -> None:
    with pytest.raises(Misconfigured, match=words) as caught:
        SqliteLog(url)
    assert "\n" not in str(caught.value)
    assert "FRAMETALLY_LOG_URL" in str(caught.value)


@pytest.mark.parametrize(
    "bad_url", ["sqlite://", "sqlite:///relative.sqlite", "sqlite://host/x", "sqlite:////a\0b"]
)
def test_a_url_without_an_absolute_file_is_refused(bad_url: str) -> None:
    refused(bad_url, "use sqlite:////absolute/file.sqlite")


@pytest.mark.parametrize(
    "content", [b"these are notes, no database" * 100, b"SQLite format 3\0" + b"\xff" * 9000]
)
def test_a_damaged_file_or_one_that_is_not_sqlite_is_refused_and_left_alone(
    tmp_path: Path, url: str, content: bytes
) -> None:
    (tmp_path / "log.sqlite").write_bytes(content)
    refused(url, r"log.sqlite is damaged or not a SQLite file .*move it away")
    assert (tmp_path / "log.sqlite").read_bytes() == content


def test_damage_found_later_is_one_line_too(tmp_path: Path, url: str) -> None:
    with ExitStack() as stack:
        open_log(stack, url).publish(TOPIC, messages(3000))
    path = tmp_path / "log.sqlite"
    data = path.read_bytes()
    path.write_bytes(data[:40960] + b"\xff" * (len(data) - 40960))
    with ExitStack() as stack, pytest.raises(Misconfigured, match="is damaged"):
        join(stack, open_log(stack, url)).poll(timeout_s=0, max_records=5000)


def test_another_programs_sqlite_file_is_refused_and_left_alone(tmp_path: Path, url: str) -> None:
    with closing(sqlite3.connect(tmp_path / "log.sqlite")) as other:
        other.execute("CREATE TABLE counts (label TEXT)")
    content = (tmp_path / "log.sqlite").read_bytes()
    refused(url, "log.sqlite is a SQLite file of another kind")
    assert (tmp_path / "log.sqlite").read_bytes() == content


def test_a_layout_from_a_later_version_is_refused(url: str, stack: ExitStack) -> None:
    open_log(stack, url)._file.read("PRAGMA user_version = 99")
    refused(url, "layout 99, but this version of frametally only knows 1; use the version that created it")


def test_an_empty_file_becomes_a_log(tmp_path: Path, url: str, stack: ExitStack) -> None:
    (tmp_path / "log.sqlite").touch()
    assert open_log(stack, url).partitions(TOPIC) == PARTITIONS


def test_an_unwritable_place_is_one_line_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    refused(f"sqlite:///{tmp_path}/file/log.sqlite", "give this user permission")
    refused(f"sqlite:///{tmp_path}", "give this user permission")


MOUNTS = r"""
/dev/sda1 / ext4 rw 0 0
nas:/home /home nfs4 rw 0 0
/dev/sdb1 /home/local xfs rw 0 0
//nas/films /mnt/my\040films cifs rw 0 0
me@host: /mnt/far fuse.sshfs rw 0 0
host /mnt/host 9p rw 0 0
nas:/old /mnt/hidden nfs rw 0 0
/dev/sdc1 /mnt/hidden ext4 rw 0 0
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/var/lib/frametally", None),
        ("/home/me/frametally-data", "nfs4"),
        ("/home/local/me", None),
        ("/homework", None),
        ("/mnt/my films/x", "cifs"),
        ("/mnt/far", "fuse.sshfs"),
        ("/mnt/host/x", "9p"),
        ("/mnt/hidden/x", None),
    ],
)
def test_the_innermost_and_latest_mount_decides_whether_a_folder_is_on_the_network(
    folder: str, kind: str | None
) -> None:
    assert network_file_system(Path(folder), MOUNTS.strip()) == kind
    assert network_file_system(Path(folder), "") is None


OPENED: dict[str, tuple[Callable[[str], Any], str]] = {
    "log": (open_frame_log, "FRAMETALLY_LOG_URL"),
    "index": (open_count_index, "FRAMETALLY_INDEX_URL"),
    "ledger": (open_ledger, "FRAMETALLY_LEDGER_URL"),
}


@pytest.mark.parametrize("kind", OPENED)
def test_a_network_file_system_is_refused_before_anything_is_created(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    opening, setting = OPENED[kind]
    url = f"sqlite:///{tmp_path}/data/{kind}.sqlite"
    (tmp_path / "mounts").write_text(f"nas:/x {tmp_path.resolve()} nfs4 rw 0 0\n")
    monkeypatch.setattr(sqlite_opening, "_MOUNTS", tmp_path / "mounts")
    with pytest.raises(Misconfigured, match=rf"network file system \(nfs4\).*set {setting}.*local disk"):
        opening(url)
    assert not (tmp_path / "data").exists()
    monkeypatch.setattr(sqlite_opening, "_MOUNTS", tmp_path / "no such file")  # as on macOS
    with closing(opening(url)):
        assert (tmp_path / f"data/{kind}.sqlite").exists()


def test_the_lease_can_be_set_on_opening(url: str, stack: ExitStack) -> None:
    log = stack.enter_context(closing(open_frame_log(url, lease_s=0.01)))
    log.create_topic(TOPIC, PARTITIONS)
    first, second = (
        stack.enter_context(
            closing(log.subscribe(TOPIC, GROUP, on_assigned=lambda _: None, on_revoked=lambda _: None))
        )
        for _ in range(2)
    )
    first.poll(timeout_s=0)
    second.poll(timeout_s=0.1, max_records=0)
    assert second.assignment() == set(range(PARTITIONS))
