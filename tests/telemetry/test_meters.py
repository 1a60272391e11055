"""A process's figures include those of its children, even of dead ones."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families as families
from tests.kit.errors import one_line

from frametally.errors import Misconfigured, Retryable
from frametally.process import meters, retrying
from frametally.process.meters import BOUNDS_S, FOLDER_VARIABLE, METERS, MOST_NAMES, OTHERS, Figures, Meters
from frametally.process.period import repeat
from frametally.process.reports import NoProgress
from frametally.process.retrying import Patience, record_outages
from frametally.settings.loading import load_settings
from frametally.telemetry.exposition import Scraped
from frametally.telemetry.family import family, family_figures
from frametally.telemetry.listener import listening, metrics_shown

CHILD = """
import sys, time
from frametally.process.meters import METERS
METERS.took("detect", 0.2, frames=3)
METERS.set_aside("checksum")
METERS.away("frame store", "fetch")
METERS.write()
print("written", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[Meters]:
    """Hides figures of other tests."""
    mine = Meters()
    for module in ("process.meters", "process.retrying", "telemetry.family"):
        monkeypatch.setattr(f"frametally.{module}.METERS", mine)
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    yield mine


def values(body: bytes) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for one in families(body.decode())
        for sample in one.samples
    }


def started() -> subprocess.Popen[bytes]:
    child = subprocess.Popen([sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"written\n"
    return child


def test_an_outage_counts_once_however_often_it_is_retried(
    fresh: Meters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrying, "_FIRST_PAUSE_S", 0.02)
    failures = [Retryable("away")] * 3

    def action() -> str:
        if failures:
            raise failures.pop()
        return "done"

    patience = Patience(lambda line: None, lambda: False)
    assert patience.until_done("the object store", action) == "done"
    assert patience.until_done("the object store", action) == "done"
    found = fresh.figures()
    assert found.outages == {"object store": 1}
    assert found.outage_s["object store"] > 0.01  # the first pause is half of that at least
    failures.append(Retryable("again"))
    patience.until_done("the object store", action)
    assert fresh.figures().outages == {"object store": 2}


def fails(part: str) -> Callable[[], None]:
    def action() -> None:
        raise Retryable("away", part=part)

    return action


def test_a_part_is_back_only_after_the_failed_action_has_succeeded(fresh: Meters, tmp_path: Path) -> None:
    def is_away() -> dict[str, float]:
        found = values(Scraped(tmp_path).answer("").body)
        return {key[1]: number for key, number in found.items() if key[0] == "frametally_part_away"}

    patience = Patience(lambda line: None, lambda: False)
    for asking in ("fetch", "read"):
        with pytest.raises(Retryable):
            record_outages(asking, fails("frame store"))
    patience.tell("log", Retryable("away", part="frame log"))
    began = fresh.absence("frame store")
    assert began is not None
    assert (began.seen_by, began.back_since_ms) == ({"fetch", "read"}, None)
    record_outages("look", lambda: None)  # perhaps it did not ask the store
    patience.answered("look")
    assert is_away() == {"frame store": 1, "frame log": 1}
    patience.answered("log")
    record_outages("read", lambda: None)
    assert is_away() == {"frame store": 0, "frame log": 0}
    ended = fresh.absence("frame store")
    assert ended is not None and ended.back_since_ms is not None
    assert began.away_since_ms == ended.away_since_ms <= ended.back_since_ms
    with pytest.raises(Retryable):
        record_outages("read", fails("frame store"))
    again = fresh.absence("frame store")
    assert again is not None and again.back_since_ms is None
    assert fresh.figures().outages == {"frame store": 2, "frame log": 1}


def test_a_part_has_its_own_name_whatever_uses_it(fresh: Meters) -> None:
    patience = Patience(lambda line: None, lambda: False)
    for topic in ("the servers", "fetch"):
        patience.tell(topic, Retryable("away", part="frame store"))
    with pytest.raises(Retryable):  # an answer that is too late has no part
        record_outages("fetch", fails(""))
    assert fresh.figures().outages == {"frame store": 1}


def test_rounds_report_to_the_meters_which_part_is_unavailable(fresh: Meters) -> None:
    failures = [fails("count index")]
    away: list[float] = []

    def work() -> None:
        away.append(fresh.figures().away.get("count index", -1))
        if failures:
            failures.pop()()

    repeat(
        work,
        period_s=1,
        should_stop=lambda: len(away) == 2,
        progress=NoProgress(),
        clock=iter(range(100)).__next__,
        sleep=lambda _: None,
    )
    assert (away, fresh.figures().away) == ([-1, 1], {"count index": 0})


def test_a_permanent_failure_adds_no_duration_to_its_stage(fresh: Meters) -> None:
    with pytest.raises(ValueError, match="bad"), fresh.timed("fetch"):
        raise ValueError("bad")
    assert fresh.figures().seconds == {}


def test_the_number_of_names_is_limited_whatever_their_origin(fresh: Meters) -> None:
    for number in range(10 * MOST_NAMES):
        fresh.took(f"stage {number}", 0.1, frames=1)
        fresh.set_aside(f"reason {number}")
        fresh.away(f"part {number}", "fetch")
    found = fresh.figures()
    for sums in (found.seconds, found.frames, found.dead, found.outages, found.outage_s, found.away):
        assert len(sums) == MOST_NAMES + 1
        assert OTHERS in sums
    assert sum(found.frames.values()) == 10 * MOST_NAMES


def test_buckets_are_cumulative_as_prometheus_expects(fresh: Meters, tmp_path: Path) -> None:
    for seconds in (0.0005, 0.001, 0.3, 5000.0):
        fresh.took("write", seconds, frames=2)
    found = values(Scraped(tmp_path).answer("").body)
    of = "frametally_stage_seconds"
    assert found[f"{of}_bucket", "0.001", "write"] == 2
    assert found[f"{of}_bucket", "0.25", "write"] == 2
    assert found[f"{of}_bucket", "0.5", "write"] == 3
    assert found[f"{of}_bucket", repr(BOUNDS_S[-1]), "write"] == 3
    assert found[f"{of}_bucket", "+Inf", "write"] == found[f"{of}_count", "write"] == 4
    assert found[f"{of}_sum", "write"] == pytest.approx(5000.3015)
    assert found["frametally_stage_frames_total", "write"] == 8


def test_work_of_child_processes_is_added_and_stays_when_they_are_killed(fresh: Meters) -> None:
    fresh.took("detect", 0.2, frames=4)
    with family() as is_first:
        assert is_first
        with family() as again:
            assert not again
        children = [started() for _ in range(3)]
        try:
            assert family_figures().frames == {"detect": 13}
            children[0].send_signal(signal.SIGKILL)
            children[0].wait()
            for _ in range(3):
                found = family_figures()
                assert found.frames == {"detect": 13}
                assert found.dead == {"checksum": 3}
                assert (found.outages, found.away) == ({"frame store": 3}, {"frame store": 2})
                assert sum(found.seconds["detect"][:-1]) == 4
            assert len(list(Path(os.environ[FOLDER_VARIABLE]).glob("[0-9]*.json"))) == 2
        finally:
            for child in children:
                child.kill()
                child.communicate()
        assert family_figures().frames == {"detect": 13}
    assert FOLDER_VARIABLE not in os.environ


def test_a_death_while_dead_children_are_added_adds_none_twice(
    fresh: Meters, monkeypatch: pytest.MonkeyPatch
) -> None:
    with family():
        child = started()
        child.kill()
        child.communicate()

        def dies(path: Path, missing_ok: bool = False) -> None:
            raise OSError("killed here")

        with monkeypatch.context() as patch:
            patch.setattr(Path, "unlink", dies)
            family_figures()
        assert family_figures().frames == {"detect": 3}
        assert family_figures().frames == {"detect": 3}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff" * 50,
        b"[1]",
        b'{"frames": {"detect": -5}}',
        b'{"frames": {"detect": "many"}}',
        b'{"frames": {"detect": Infinity}}',
        b'{"seconds": {"detect": [1, 2]}}',
        b'{"frames": {"' + b"x" * 200_000 + b'": 1}}',
        json.dumps({"frames": {f"stage {number}": 1 for number in range(100)}}).encode(),
        b"[" * 90_000,
    ],
)
def test_a_compromised_child_process_cannot_spoil_a_sum(fresh: Meters, data: bytes) -> None:
    fresh.took("detect", 0.2, frames=4)
    with family():
        Path(os.environ[FOLDER_VARIABLE], f"{os.getpid()}-1.json").write_bytes(data)
        Path(os.environ[FOLDER_VARIABLE], "99999999999999999999-1.json").write_bytes(data)
        assert family_figures().frames == {"detect": 4}


def test_figures_are_read_back_as_they_were_written() -> None:
    figures = Figures()
    figures.observe("put", 0.3)
    figures.dead["size"] = 7
    assert vars(meters.figures_of(figures.as_json())) == vars(figures)


def test_a_listener_answers_only_metrics_and_health(fresh: Meters, tmp_path: Path) -> None:
    with listening(Scraped(tmp_path), "127.0.0.1", 0) as port:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            found = values(answer.read())
        assert found["frametally_disk_free_bytes",] > 0
        assert ("process_cpu_seconds_total",) in found
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=60) as answer:
            assert (answer.status, answer.read()) == (200, b'{"status": "running"}')
        for path in ("/", "/metrics/../etc/passwd", "/metricsx", "/healthz/x"):
            with pytest.raises(urllib.error.HTTPError, match="404") as refused:
                urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60)
            refused.value.close()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("HEAD", "/metrics")
        head = connection.getresponse()
        assert (head.status, head.read()) == (200, b"")
        connection.request("POST", "/metrics", body=b"x")
        assert connection.getresponse().status == 501
        connection.close()


@pytest.mark.thorough
def test_silent_clients_do_not_prevent_the_listener_from_stopping(fresh: Meters, tmp_path: Path) -> None:
    with listening(Scraped(tmp_path), "127.0.0.1", 0) as port:
        silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
        deadline_s = time.monotonic() + 60
        while sum(thread.name.startswith("Thread") for thread in threading.enumerate()) > 4:
            assert time.monotonic() < deadline_s
        for one in silent:
            one.close()
        while True:  # their places are free again
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
                    assert answer.status == 200
                    break
            except (OSError, http.client.HTTPException):
                assert time.monotonic() < deadline_s
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=1)


def test_a_port_in_use_gives_one_line_with_the_settings(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(Misconfigured, match="FRAMETALLY_METRICS_ADDRESS") as refused,
            metrics_shown(tmp_path, "127.0.0.1", port),
        ):
            pass
    assert "\n" not in str(refused.value)


def test_by_default_nothing_listens_and_nothing_is_written(tmp_path: Path) -> None:
    before = threading.active_count()
    with metrics_shown(tmp_path, "127.0.0.1", 0):
        assert threading.active_count() == before
        assert FOLDER_VARIABLE not in os.environ
        METERS.took("detect", 0.1)
        METERS.write()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "address", ["9464", "127.0.0.1", "127.0.0.1:0", ":9464", "127.0.0.1:99999", "[::1]:x"]
)
def test_an_address_without_host_or_port_gives_one_line(address: str) -> None:
    with one_line(Misconfigured, match="write an address with a port, such as"):
        load_settings(metrics_address=address)


def test_an_address_is_a_host_and_a_port() -> None:
    assert load_settings().metrics_place == ("", 0)
    assert load_settings(metrics_address="[::1]:9464").metrics_place == ("::1", 9464)
