"""Measures how password guessing slows other clients: `python benchmarks/sign_in_storm.py [requests]`.

It sends an API request with a token, first alone and then during a storm of sign-ins, alternating in one run.
In the storm, 32 clients, each from its own address (127.0.10.x), guess passwords of made-up names as fast as
they are answered.
"""

from __future__ import annotations

import http.client
import multiprocessing
import os
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from access import Headers, ask_ms, serving, visitors
from results import Cell, Goal, Table, save

from frametally_accounts.book import AccessBook

PATH = "/api/v1/sources"
CLIENTS = 32
MOST_RATIO = 2.0
_TURNS = 4
_UNDER_WAY_S = 3.0
"""The time until all clients have a guess under way."""


def guess(place: str, clients: int, statuses: Connection) -> None:
    """Guess until the other end of `statuses` signals a stop, and send it the number of each status."""
    seen: Counter[str] = Counter()
    stop = threading.Event()

    def client(number: int) -> None:
        source = (f"127.0.10.{number + 1}", 0)
        while not stop.is_set():
            form = urlencode({"name": f"made.up.{number}.{sum(seen.values())}", "password": "guess " * 3})
            connection = http.client.HTTPConnection(place, timeout=60, source_address=source)
            try:
                connection.request(
                    "POST", "/sign-in", form, {"Content-Type": "application/x-www-form-urlencoded"}
                )
                seen[str(connection.getresponse().status)] += 1
            except OSError as error:
                seen[type(error).__name__] += 1
            finally:
                connection.close()

    threads = [threading.Thread(target=client, args=(number,), daemon=True) for number in range(clients)]
    for thread in threads:
        thread.start()
    statuses.recv()
    statuses.send(seen)
    os._exit(0)  # no one needs their answers any more


@contextmanager
def storm(place: str, seen: Counter[str]) -> Iterator[None]:
    """Let `CLIENTS` guess during the block; then add their statuses to `seen`."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=guess, args=(place, CLIENTS, theirs))
    process.start()
    try:
        yield
    finally:
        ours.send("stop")
        seen.update(ours.recv())
        process.join()


def ask(place: str, headers: Headers, requests: int) -> list[float]:
    """Return the time of each of `requests` in ms, over one connection."""
    with closing(http.client.HTTPConnection(place, timeout=60)) as connection:
        return [ask_ms(connection, PATH, headers) for _ in range(requests)]


def row(what: str, took_ms: list[float]) -> list[Cell]:
    """Return a row of a table."""
    p95 = statistics.quantiles(took_ms, n=20)[-1]
    return [what, len(took_ms), *(round(ms, 2) for ms in (statistics.median(took_ms), p95, max(took_ms)))]


def main(requests: int) -> None:
    """Measure everything in one run."""
    load_before = os.getloadavg()[0]
    quiet: list[float] = []
    stormy: list[float] = []
    seen: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        with closing(AccessBook(f"sqlite:///{name}/catalogue.sqlite")) as book:
            headers = visitors(book)["by a token"]
        with serving(Path(name), has_accounts=True) as url:
            place = urlsplit(url).netloc
            ask(place, headers, 50)
            for _ in range(_TURNS):
                quiet += ask(place, headers, requests // _TURNS)
                with storm(place, seen):
                    time.sleep(_UNDER_WAY_S)
                    stormy += ask(place, headers, requests // _TURNS)
    rows = [row("alone", quiet), row(f"beside {CLIENTS} clients that guess", stormy)]
    save(
        name="sign_in_storm",
        title="What guessed passwords cost everybody else",
        about=f"{requests} requests for {PATH} with a token, by one connection, alone and while {CLIENTS} "
        "clients, each from its own address, guess made-up names as fast as they are answered. In turns, "
        "in one run, on the same machine.",
        load_before=load_before,
        packages=["Flask", "uvicorn", "argon2-cffi"],
        tables=[
            Table(
                title="Requests with a token",
                columns=["what", "requests", "median, ms", "p95, ms", "most, ms"],
                rows=rows,
            ),
            Table(
                title="Answers to the guesses",
                columns=["status", "answers"],
                rows=[[status, number] for status, number in sorted(seen.items())],
            ),
        ],
        goals=[
            Goal(
                what="p95 beside the storm by p95 alone",
                measured=round(float(rows[1][3] or 0) / float(rows[0][3] or 1), 2),
                at_most=MOST_RATIO,
            )
        ],
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
