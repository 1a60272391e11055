"""Measures the cost of accounts per request: `python benchmarks/access.py [requests]`.

The same requests go to a dashboard with accounts, by session and by token, and to one without, alternating in
one run, each over one connection. The gate, which identifies the client, is also measured alone, in its own
process. The access book is SQLite's.
"""

from __future__ import annotations

import http.client
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask
from results import Cell, Goal, Table, save

from frametally.opening import open_count_index, open_frame_log, open_ledger, open_object_store
from frametally.settings.loading import Settings
from frametally_accounts.book import AccessBook
from frametally_accounts.credentials import make_api_token, make_token, sign, token_hash
from frametally_accounts.gate import Gate
from frametally_accounts.rights import ApiToken, UserAccount
from frametally_videos.opening import open_video_catalogue
from frametally_web.app import create_app, parts_of
from frametally_web.serving import DashboardServer

PATHS = {
    "a short answer": "/api/v1/models",
    "a native route": "/api/v1/videos/00000000-0000-4000-8000-000000000000/original",
}
HOUR_S = 3600.0
MOST_MS = 2.0
_BLOCK, _LEFT_OUT = 50, 10
"""Consecutive requests to one server, and the first ones that do not count."""

Headers = dict[str, str]


@contextmanager
def dashboard(folder: Path, access: AccessBook | None) -> Iterator[Flask]:
    """Create a dashboard over an empty folder."""
    with (
        closing(open_object_store((folder / "store").as_uri())) as store,
        closing(open_count_index(f"sqlite:///{folder}/index.sqlite")) as index,
        closing(open_ledger(f"sqlite:///{folder}/ledger.sqlite")) as ledger,
        closing(open_frame_log(f"sqlite:///{folder}/log.sqlite")) as log,
        closing(open_video_catalogue(f"sqlite:///{folder}/catalogue.sqlite")) as catalogue,
    ):
        yield create_app(
            settings=Settings(data_dir=folder).resolved(),
            store=store,
            index=index,
            ledger=ledger,
            log=log,
            catalogue=catalogue,
            access=access,
        )


def serve(folder: Path, has_accounts: bool, told: Connection) -> None:
    """Serve an empty folder on a free port until the process ends."""
    with (
        closing(AccessBook(f"sqlite:///{folder}/catalogue.sqlite")) as book,
        dashboard(folder, book if has_accounts else None) as app,
    ):
        server = DashboardServer(app, host="127.0.0.1", port=0)
        told.send(server.url)
        server.run()


@contextmanager
def serving(folder: Path, *, has_accounts: bool) -> Iterator[str]:
    """Serve in a separate process, so that the client does not share its interpreter."""
    context = multiprocessing.get_context("spawn")
    told, tells = context.Pipe(duplex=False)
    process = context.Process(target=serve, args=(folder, has_accounts, tells))
    process.start()
    try:
        yield told.recv()
    finally:
        process.terminate()
        process.join()


def visitors(book: AccessBook) -> dict[str, Headers]:
    """Add an account, and return the headers that identify it."""
    book.add_account(UserAccount("anna", "run"))
    session, token = make_token(), make_api_token()
    book.begin_session("anna", token_hash(session), most_s=HOUR_S)
    book.add_token(ApiToken("anna", "t", "run"), token_hash(token), lasts_s=HOUR_S)
    return {
        "by a session": {"Cookie": f"frametally={sign(session, book.signing_key())}"},
        "by a token": {"Authorization": f"Bearer {token}"},
    }


def ask_ms(connection: http.client.HTTPConnection, path: str, headers: Headers) -> float:
    """Return the time for an answer."""
    began_s = time.perf_counter()
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    answer.read()
    took_ms = (time.perf_counter() - began_s) * 1000
    if answer.status in (401, 403):
        raise SystemExit(f"{path}: {answer.status}")
    return took_ms


def admit_ms(gate: Gate, headers: Headers) -> float:
    """Return the time of the gate alone."""
    began_s = time.perf_counter()
    gate.admit("GET", "/api/v1/models", headers, "127.0.0.1")
    return (time.perf_counter() - began_s) * 1000


def row(what: str, took_ms: list[float]) -> list[Cell]:
    """Return a row of a table."""
    p95 = statistics.quantiles(took_ms, n=20)[-1]
    return [what, round(statistics.median(took_ms), 2), round(p95, 2), round(max(took_ms), 1)]


def turns_p95(took_ms: list[float]) -> list[float]:
    """Return the 95th percentile of each turn."""
    turns = [took_ms[at : at + _BLOCK] for at in range(0, len(took_ms), _BLOCK)]
    return [statistics.quantiles(turn, n=20)[-1] for turn in turns]


def main(requests: int) -> None:
    """Measure everything in one run."""
    load_before = os.getloadavg()[0]
    columns = ["what", "median, ms", "p95, ms", "most, ms"]
    with ExitStack() as stack:
        name, other = (Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(2))
        book = stack.enter_context(closing(AccessBook(f"sqlite:///{name}/catalogue.sqlite")))
        known = visitors(book)
        gate = parts_of(stack.enter_context(dashboard(name, book))).gate
        url = stack.enter_context(serving(name, has_accounts=True))
        open_url = stack.enter_context(serving(other, has_accounts=False))
        asking: dict[str, tuple[http.client.HTTPConnection, Headers]] = {
            "without accounts": (http.client.HTTPConnection(urlsplit(open_url).netloc), {})
        }
        for who, headers in known.items():
            asking[who] = (http.client.HTTPConnection(urlsplit(url).netloc), headers)
        asked: list[list[Cell]] = []
        dearer: list[tuple[str, float]] = []
        alone: dict[str, list[float]] = {who: [] for who in known}
        for what, path in PATHS.items():
            took: dict[str, list[float]] = {who: [] for who in asking}
            for _ in range(requests // _BLOCK):
                for who, (connection, headers) in asking.items():
                    found = [ask_ms(connection, path, headers) for _ in range(_BLOCK + _LEFT_OUT)]
                    took[who] += found[_LEFT_OUT:]
                for who, headers in known.items():
                    alone[who] += [admit_ms(gate, headers) for _ in range(_BLOCK)]
            asked += [row(f"{what}, {who}", took_ms) for who, took_ms in took.items()]
            free = turns_p95(took["without accounts"])
            for who in known:
                beyond = [
                    with_it - without for with_it, without in zip(turns_p95(took[who]), free, strict=True)
                ]
                dearer.append((f"{what}, {who}", statistics.median(beyond)))
        for connection, _ in asking.values():
            connection.close()
    gated = [row(who, took_ms) for who, took_ms in alone.items()]
    save(
        name="access",
        title="What accounts cost a request",
        about=f"{requests} requests of each kind to a dashboard with accounts, by a session and by a token, "
        "and to one without, in turns of fifty by one connection each; and the gate alone, which finds out "
        "who asks, as often. The access book is SQLite's. Beyond: in the median of the turns.",
        load_before=load_before,
        packages=["SQLAlchemy", "Flask", "uvicorn"],
        tables=[
            Table(title="The gate alone", columns=columns, rows=gated),
            Table(
                title="Whole requests",
                columns=columns,
                rows=asked,
                note="What others do on the machine meanwhile is in all of them.",
            ),
        ],
        goals=[
            Goal(what=f"the gate, {who}, p95, ms", measured=float(p95 or 0), at_most=MOST_MS)
            for who, _, p95, _ in gated
        ]
        + [
            Goal(
                what=f"{what}, p95 of a turn beyond that without accounts, ms",
                measured=round(ms, 2),
                at_most=MOST_MS,
            )
            for what, ms in dearer
        ],
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
