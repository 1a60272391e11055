"""The server: its port, its end, and its messages when a port or file is unavailable."""

from __future__ import annotations

import contextlib
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path

import pytest
from flask import Response
from tests.web.conftest import Place, Serving

from frametally.errors import Misconfigured
from frametally_web import connections
from frametally_web.api import events
from frametally_web.security import HEADERS
from frametally_web.serving import THREADS, DashboardServer, serve

SERVER = """
import sys
from pathlib import Path
from frametally.adapters_by_url import open_count_index
from frametally.adapters_by_url import open_ledger
from frametally.adapters_by_url import open_object_store
from frametally_videos.catalogue_by_url import open_video_catalogue
from frametally.settings.loading import Settings
from tests.fakes.memory import MemoryLog
from frametally_web.app import create_app
from frametally_web import connections
from frametally_web.security import HEADERS
from frametally_web.serving import serve
folder = Path(sys.argv[1])
index = open_count_index(f"sqlite:///{folder / 'index.sqlite'}")
ledger = open_ledger(f"sqlite:///{folder / 'ledger.sqlite'}")
store = open_object_store(f"file://{folder / 'store'}")
catalogue = open_video_catalogue(f"sqlite:///{folder / 'catalogue.sqlite'}")
ports = {"store": store, "index": index, "ledger": ledger, "log": MemoryLog(), "catalogue": catalogue}
app = create_app(settings=Settings(), **ports)
serve(app, "127.0.0.1", int((sys.argv + ["0"])[2]))
index.close()
ledger.close()
catalogue.close()
print("ended")
"""


@pytest.mark.thorough
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_server_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", SERVER, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        line = server.stdout.readline()
        url = line.split()[2]
        assert url.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(f"{url}/healthz", timeout=60) as answer:  # noqa: S310
            assert answer.status == 200
            assert "Server" not in answer.headers  # no program, no version
        server.send_signal(number)
        rest, errors = server.communicate(timeout=20)
    assert server.returncode == 0
    assert rest == "ended\n"
    assert errors == ""


def test_a_taken_port_is_one_line_with_the_port_and_the_settings(place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Misconfigured) as refused:
            serve(place.app(), "127.0.0.1", port)
    said = str(refused.value)
    assert f"port {port} " in said
    assert "FRAMETALLY_WEB_PORT" in said
    assert "--port" in said
    assert "\n" not in said


@pytest.mark.thorough
@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid", "a..b", "x" * 300])
def test_an_address_of_another_machine_is_one_line_with_the_setting(place: Place, host: str) -> None:
    with pytest.raises(Misconfigured, match="FRAMETALLY_WEB_HOST") as refused:
        serve(place.app(), host, 0)
    assert "\n" not in str(refused.value)


def test_port_0_means_any_free_port_and_the_url_names_it(place: Place) -> None:
    server = DashboardServer(place.app(), host="0.0.0.0", port=0)  # noqa: S104
    try:
        assert server.port > 0
        assert server.url == f"http://127.0.0.1:{server.port}"
    finally:
        server.close()


def test_a_body_is_sent_without_waiting_for_the_acknowledgement_of_its_head(place: Place) -> None:
    server = DashboardServer(place.app(), host="127.0.0.1", port=0)
    with socket.create_connection((server.host, server.port)), server._listener.accept()[0] as accepted:
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    server.close()


@pytest.mark.thorough
def test_open_streams_end_with_the_server_and_its_port_is_free_at_once(tmp_path: Path) -> None:
    port = 0
    for _ in range(3):
        with (
            subprocess.Popen(
                [sys.executable, "-W", "error", "-c", SERVER, str(tmp_path), str(port)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            ) as server,
            contextlib.ExitStack() as listening,
        ):
            url = server.stdout.readline().split()[2]
            assert port in (0, int(url.rsplit(":", 1)[1]))
            port = int(url.rsplit(":", 1)[1])
            for _ in range(20):
                stream = listening.enter_context(urllib.request.urlopen(f"{url}/api/v1/events", timeout=60))  # noqa: S310
                assert stream.readline().startswith(b"retry:")
            server.send_signal(signal.SIGTERM)
            rest, errors = server.communicate(timeout=20)
            stream.read()  # to its end, which is no error
        assert (server.returncode, rest, errors) == (0, "ended\n", "")


def test_several_requests_are_answered_at_once(place: Place, serving: Serving) -> None:
    place.film({"car": 3})
    url = serving(place.app())
    sockets = [socket.create_connection(("127.0.0.1", int(url.rsplit(":", 1)[1]))) for _ in range(4)]
    try:
        # Three browsers that never finish their requests, and one that does.
        for waiting in sockets[:3]:
            waiting.sendall(b"GET /api/counts HTTP/1.1\r\nHost: x\r\n")
        sockets[3].sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert b"200 OK" in sockets[3].recv(1000)
    finally:
        for one in sockets:
            one.close()


def test_hundreds_of_idle_and_slow_connections_do_not_block_the_page(place: Place, serving: Serving) -> None:
    place.film({"car": 3})
    port = int(serving(place.app()).rsplit(":", 1)[1])
    request = b"GET /api/v1/sources HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    sockets: list[socket.socket] = []
    try:
        for number in range(400):
            sockets.append(socket.create_connection(("127.0.0.1", port), timeout=30))
            if number % 2:
                sockets[-1].sendall(request[:1])
        for place_in_it in range(1, 4):
            for slow in sockets[1::2]:  # a byte more of an endless body
                slow.sendall(request[place_in_it : place_in_it + 1])
            with socket.create_connection(("127.0.0.1", port), timeout=30) as asking:
                asking.sendall(request + b"\r\n")
                assert b"200 OK" in asking.recv(1000)
    finally:
        for one in sockets:
            one.close()


UNFINISHED = (
    b"POST /api/v1/alerts/rules HTTP/1.1\r\nHost: localhost\r\n"
    b'Content-Type: application/json\r\nContent-Length: 4000\r\n\r\n{"name'
)


@pytest.mark.thorough
def test_endless_bodies_leave_health_pages_and_api_to_other_clients(place: Place, serving: Serving) -> None:
    place.film({"car": 3})
    app = place.app()
    slow = 4 * THREADS
    port = int(serving(app).rsplit(":", 1)[1])
    with contextlib.ExitStack() as open_sockets:
        for _ in range(slow):
            one = open_sockets.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
            one.sendall(UNFINISHED)
        for path in (b"/healthz", b"/", b"/api/v1/sources"):
            with socket.create_connection(("127.0.0.1", port), timeout=4) as asking:
                asking.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                assert asking.recv(1000).startswith(b"HTTP/1.1 200"), path


@pytest.mark.thorough
def test_a_body_that_arrives_too_slowly_is_refused_with_408(
    place: Place, serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_NEXT_BYTES_S", 0.2)
    port = int(serving(place.app()).rsplit(":", 1)[1])
    assert refused(port, UNFINISHED) == (408, HEADERS)
    # A request that arrives byte by byte has a limit as well.
    monkeypatch.setattr(connections, "_WHOLE_BODY_S", 1.0)
    with socket.create_connection(("127.0.0.1", port), timeout=30) as dripping:
        dripping.sendall(UNFINISHED)
        stop = threading.Event()

        def drip() -> None:
            with contextlib.suppress(OSError):
                while not stop.wait(0.05):
                    dripping.sendall(b"x")

        dripper = threading.Thread(target=drip)
        dripper.start()
        try:
            assert dripping.recv(1000).startswith(b"HTTP/1.1 408")
        finally:
            stop.set()
            dripper.join()


@pytest.mark.thorough
def test_large_bodies_do_not_fill_the_memory_or_block_small_ones(
    place: Place, serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_MOST_LARGE_BODIES", 2)
    port = int(serving(place.app()).rsplit(":", 1)[1])
    head = "POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\nConnection: close\r\n\r\n"
    with contextlib.ExitStack() as open_sockets:

        def sent(length: int, body: bytes) -> socket.socket:
            one = socket.create_connection(("127.0.0.1", port), timeout=30)
            open_sockets.enter_context(one).sendall(head.format(length).encode() + body)
            return one

        large = [sent(900_000, bytes(70_000)) for _ in range(5)]
        answered: list[socket.socket] = []
        while len(answered) < 3:
            answered += [one for one in select.select(large, [], [], 30)[0] if one not in answered]
        assert {one.recv(1000)[:12] for one in answered} == {b"HTTP/1.1 503"}
        assert sent(4, b"name").recv(1000).startswith(b"HTTP/1.1 404")  # there are no accounts here
        waiting = [one for one in large if one not in answered]
        assert select.select(waiting, [], [], 0)[0] == []
        waiting[0].close()
        while (again := sent(70_000, bytes(70_000)).recv(1000)).startswith(b"HTTP/1.1 503"):
            time.sleep(0.01)
        assert again.startswith(b"HTTP/1.1 404")


@pytest.mark.thorough
def test_health_is_answered_while_every_thread_is_busy(place: Place, serving: Serving) -> None:
    app, released = place.app(), threading.Event()
    threads = THREADS
    started = threading.Semaphore(0)

    @app.get("/api/v1/busy")
    def busy() -> str:
        started.release()
        released.wait(60)
        return ""

    port = int(serving(app).rsplit(":", 1)[1])
    with contextlib.ExitStack() as open_sockets:
        open_sockets.callback(released.set)
        for _ in range(threads):
            one = open_sockets.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
            one.sendall(b"GET /api/v1/busy HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for _ in range(threads):
            assert started.acquire(timeout=30)
        with socket.create_connection(("127.0.0.1", port), timeout=30) as asking:
            asking.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert asking.recv(1000).startswith(b"HTTP/1.1 200")


UPGRADE = (
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA==\r\n"
)


@pytest.mark.parametrize("path", [b"/healthz", b"/api/v1/events", b"/ws/process_stream"])
def test_a_request_with_two_hosts_none_or_another_one_in_its_target_is_refused(
    place: Place, serving: Serving, path: bytes
) -> None:
    port = int(serving(place.app()).rsplit(":", 1)[1])
    own, more = f"127.0.0.1:{port}".encode(), UPGRADE if path.startswith(b"/ws") else b""
    end = b"\r\n" + more + b"\r\n"
    for hosts in ((own, b"evil.example"), (b"evil.example", own), (own, own), ()):
        lines = b"".join(b"Host: " + host + b"\r\n" for host in hosts)
        assert refused(port, b"GET " + path + b" HTTP/1.1\r\n" + lines + more + b"\r\n") == (400, HEADERS)
    for target in (
        b"http://evil.example",
        b"http://evil.example@" + own,
        b"http://" + own + b".evil.example",
        b"ftp://" + own,
    ):
        request = b"GET " + target + path + b" HTTP/1.1\r\nHost: " + own + end
        assert refused(port, request) == (421, HEADERS), target
    itself = b"GET http://" + own + b"/healthz HTTP/1.1\r\nHost: " + own + b"\r\n\r\n"
    assert refused(port, itself)[0] == 200


@pytest.mark.thorough
@pytest.mark.parametrize(
    "abuse",
    [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\n: x\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + b"x" * 300_000],
)
def test_an_invalid_request_gets_an_answer_with_all_headers(
    place: Place, serving: Serving, abuse: bytes
) -> None:
    port = int(serving(place.app()).rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port), timeout=30) as abusing:
        abusing.sendall(abuse)
        with HTTPResponse(abusing) as answer:
            answer.begin()
            assert 400 <= answer.status < 500
            assert {name: answer.headers[name] for name in HEADERS} == HEADERS


def refused(port: int, request: bytes) -> tuple[int, dict[str, str | None]]:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as asking:
        asking.sendall(request)
        with HTTPResponse(asking) as answer:
            answer.begin()
            return answer.status, {name: answer.headers[name] for name in HEADERS}


def test_a_body_that_no_route_reads_is_refused_before_it_is_sent(place: Place, serving: Serving) -> None:
    port = int(serving(place.app()).rsplit(":", 1)[1])
    head = b"POST /api/v1/counts HTTP/1.1\r\nHost: localhost\r\n"
    assert refused(port, head + b"Content-Length: 99999999\r\n\r\n") == (413, HEADERS)
    assert refused(port, head + b"Content-Length: 4\r\n\r\nbody") == (405, HEADERS)
    with socket.create_connection(("127.0.0.1", port), timeout=30) as endless:
        endless.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n")
        with pytest.raises(OSError):
            for _ in range(100_000):
                endless.sendall(b"400\r\n" + b"x" * 0x400 + b"\r\n")


@pytest.mark.thorough
def test_a_client_that_sends_or_reads_nothing_is_disconnected(
    place: Place, serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "IDLE_S", 0.2)
    port = int(serving(place.app()).rsplit(":", 1)[1])
    for said in (b"", b"GET / HTTP/1.1\r\n", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", port), timeout=30) as silent:
            silent.sendall(said)
            while silent.recv(65536):
                pass


def test_a_request_sent_before_the_last_answer_ended_is_answered_to_its_own_end(
    place: Place, serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "IDLE_S", 0.2)
    monkeypatch.setattr(events, "_HEARTBEAT_S", 0.1)
    port = int(serving(place.app()).rsplit(":", 1)[1])
    requests = [f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n" for path in ("/healthz", "/api/events")]
    with socket.create_connection(("127.0.0.1", port), timeout=30) as eager:
        eager.sendall("".join(requests).encode())
        heard = b""
        while heard.count(b"beat\n") + heard.count(b": still here\n") < 8:
            piece = eager.recv(65536)
            assert piece, heard
            heard += piece


def test_a_new_connection_replaces_the_one_that_was_silent_for_longest(
    place: Place, serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_MOST_CONNECTIONS", 3)
    url = serving(place.app())
    port = int(url.rsplit(":", 1)[1])
    with urllib.request.urlopen(f"{url}/api/v1/events", timeout=30) as stream:  # noqa: S310
        assert stream.readline().startswith(b"retry:")
        silent = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(5)]
        for one in silent[:3]:
            with contextlib.suppress(ConnectionResetError):
                assert one.recv(1) == b""
        assert stream.readline() is not None  # an answered client keeps its place
        request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        silent[4].sendall(request)
        assert silent[4].recv(1000).startswith(b"HTTP/1.1 200")
        for one in silent:
            one.close()


def test_a_query_in_another_encoding_is_a_client_error_and_never_a_server_error(
    place: Place, serving: Serving
) -> None:
    port = int(serving(place.app()).rsplit(":", 1)[1])
    for query in (b"label=\xff\xfe", b"label=%ff", "label=Straße".encode()):
        request = b"GET /api/v1/counts?" + query + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"
        assert refused(port, request)[0] in (200, 400)


def test_a_long_answer_waits_for_its_client_without_filling_the_memory(
    place: Place, serving: Serving
) -> None:
    app = place.app()
    made, ended = [0], threading.Event()

    def chunks() -> Iterator[bytes]:
        try:
            while made[0] < 1_000_000_000:
                made[0] += 1_000_000
                yield bytes(1_000_000)
        finally:
            ended.set()

    app.add_url_rule("/long", view_func=lambda: Response(chunks()))
    port = int(serving(app).rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port), timeout=30) as slow:
        slow.sendall(b"GET /long HTTP/1.1\r\nHost: localhost\r\n\r\n")
        taken, before = 0, -1
        for _ in range(3):
            while made[0] > before:  # until it waits for us
                before = made[0]
                time.sleep(0.1)
            # Memory in the system's sockets is not ours, and may be large.
            assert made[0] < taken + 100_000_000
            goal = taken + 50_000_000
            while taken < goal:
                taken += len(slow.recv(1_000_000))
        assert made[0] < 1_000_000_000
        assert not ended.is_set()
    assert ended.wait(30)  # a client that has gone needs no rest
    assert made[0] < 1_000_000_000
