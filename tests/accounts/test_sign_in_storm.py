"""Many sign-ins at once wait for each other, and keep no other request waiting."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import uuid
from collections.abc import Iterator

import pytest
from tests.web.conftest import Place, Serving

from frametally.process.allowed_addresses import counted_as
from frametally_accounts import sign_in
from frametally_accounts.credentials import HASHED_AT_ONCE
from frametally_web import asgi
from frametally_web.serving import THREADS

MOST = THREADS + 4
FORM = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 49\r\n\r\npassword=guess&name={}"


class Hashing:
    """Hashes that block until they are released."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self.begun = threading.Semaphore(0)

    def is_password(self, *_: str) -> bool:
        self.begun.release()
        assert self.released.wait(60)
        return False


@pytest.fixture
def hashing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hashing]:
    hashing = Hashing()
    monkeypatch.setattr(sign_in, "is_password", hashing.is_password)
    monkeypatch.setattr(asgi, "MOST_SIGNING_IN", MOST)
    yield hashing
    hashing.released.set()


def ask(port: int, request: bytes, opened: contextlib.ExitStack) -> socket.socket:
    one = opened.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
    one.sendall(request + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n")
    # Each guesses another name, because many guesses at one would have to wait.
    one.sendall(FORM.format(uuid.uuid4().hex[:29]).encode() if request.startswith(b"POST") else b"\r\n")
    return one


def answers(one: socket.socket) -> str:
    return b"".join(iter(lambda: one.recv(65536), b"")).decode()


def first_answered(sockets: list[socket.socket]) -> list[socket.socket]:
    return select.select(sockets, [], [], 30)[0]


def test_guesses_leave_threads_for_others_and_one_too_many_is_refused(
    people: Place, serving: Serving, hashing: Hashing
) -> None:
    port = int(serving(people.app()).rsplit(":", 1)[1])
    with contextlib.ExitStack() as opened:
        guesses = [ask(port, b"POST /sign-in", opened) for _ in range(HASHED_AT_ONCE)]
        for _ in guesses:
            assert hashing.begun.acquire(timeout=30)
        guesses += [ask(port, b"POST /sign-in", opened) for _ in range(MOST + 1 - len(guesses))]
        assert answers(ask(port, b"GET /sign-in", opened)).startswith("HTTP/1.1 200")
        [refused] = first_answered(guesses)
        answer = answers(refused)
        assert answer.startswith("HTTP/1.1 503")
        assert "\r\nretry-after: 5\r\n" in answer
        assert "\r\ncontent-security-policy: default-src 'none'" in answer
        assert "Too many people are signing in" in answer
        guesses.remove(refused)
        # A client that gives up makes room, though no hash has ended.
        guesses.pop().close()
        again = ask(port, b"POST /sign-in", opened)
        while select.select([again], [], [], 0.2)[0]:
            assert answers(again).startswith("HTTP/1.1 503")
            again = ask(port, b"POST /sign-in", opened)
        hashing.released.set()
        statuses = {answers(one)[9:12] for one in [*guesses, again]}
        assert statuses == {"401"}


def test_every_route_that_hashes_a_password_waits_its_turn(people: Place) -> None:
    rules = [rule for rule in people.app().url_map.iter_rules() if rule.endpoint.startswith("access.")]
    writers = {rule.rule for rule in rules if "POST" in (rule.methods or ())}
    assert {rule for rule in writers if not rule.startswith(sign_in.SIGN_IN_PATH)} == {"/sign-out"}


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("64:ff9b::c000:207", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("not an address", "not an address"),
        ("", ""),
    ],
)
def test_attempts_over_ipv6_are_counted_by_network(address: str, counted: str) -> None:
    assert counted_as(address) == counted
