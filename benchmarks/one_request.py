"""What one `GET /api/v1/counts` takes: modules passed, read transactions, processor time.

python benchmarks/one_request.py [--days 30] [--rounds 60]

The index has a made-up month of three cameras (`dashboard_data`). Each question is of another range, so that
none is answered from the kept answers; the last line is a hash of all answers, to compare two versions by.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import FrameType
from typing import Any

from dashboard_data import FIRST_DAY_MS, load_index
from flask.testing import FlaskClient
from sqlalchemy import event
from sqlalchemy.engine import Engine

from frametally.opening import open_count_index, open_frame_log, open_ledger, open_object_store
from frametally.settings.loading import Settings
from frametally_videos.opening import open_video_catalogue
from frametally_web.app import close_app, create_app
from frametally_web.serving import look_for_garbage_seldom

QUESTIONS = {
    "a chart of all labels": "",
    "as the page asks": "&top=6&metric=auto",
    "one label, by hour, in local time": "&label=label-01&interval=3600&timezone=Europe/Berlin",
    "each source apart": "&by=source&top=3",
}


def modules_passed(ask: Callable[[], Any]) -> tuple[dict[str, int], int]:
    """Return the calls into each of our modules, and how often control moved from one to another."""
    calls: dict[str, int] = {}
    moves = 0
    last = ""

    def watch(frame: FrameType, what: str, _: object) -> None:
        nonlocal last, moves
        name = frame.f_globals.get("__name__", "")
        if what == "call" and name.startswith("frametally"):
            calls[name] = calls.get(name, 0) + 1
            moves += name != last
            last = name

    sys.setprofile(watch)
    try:
        ask()
    finally:
        sys.setprofile(None)
    return calls, moves


def transactions(ask: Callable[[], Any]) -> int:
    """Return how many transactions a request begins in databases."""
    begun = 0

    def count(_: object) -> None:
        nonlocal begun
        begun += 1

    event.listen(Engine, "begin", count)
    try:
        ask()
    finally:
        event.remove(Engine, "begin", count)
    return begun


def measure(client: FlaskClient, days: int, rounds: int, *, named: bool) -> None:
    """Print a line for each question."""
    sent = hashlib.sha256()
    for what, more in QUESTIONS.items():
        number = 0

        def ask(more: str = more) -> bytes:
            nonlocal number
            number += 1
            from_ms = FIRST_DAY_MS + number * 60_000
            to_ms = FIRST_DAY_MS + days * 86_400_000
            answer = client.get(f"/api/v1/counts?from={from_ms}&to={to_ms}{more}")
            if answer.status_code != 200:
                raise SystemExit(answer.text)
            return bytes(answer.data)

        for _ in range(5):
            sent.update(ask())
        begun = transactions(ask)
        calls, moves = modules_passed(ask)
        took = []
        for _ in range(rounds):
            began_s = time.thread_time()
            body = ask()
            took.append(time.thread_time() - began_s)
            sent.update(body)
        ms = 1000 * statistics.median(took)
        print(f"{what}: {len(calls)} modules, {moves} moves, {begun} transactions, {ms:.2f} ms of CPU")
        if named:
            print("  " + ", ".join(f"{name} {calls[name]}" for name in sorted(calls)))
    print(f"answers: {sent.hexdigest()[:16]}")


def main() -> None:
    """Make the counts and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--names", action="store_true", help="name the modules")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder)).resolved()
        with (
            closing(open_count_index(settings.index_url)) as index,
            closing(open_object_store(settings.store_url)) as store,
            closing(open_ledger(settings.ledger_url)) as ledger,
            closing(open_frame_log(settings.log_url)) as log,
            closing(open_video_catalogue(settings.catalogue_url)) as catalogue,
        ):
            load_index(index, days=asked.days)
            look_for_garbage_seldom()
            ports: dict[str, Any] = {"store": store, "index": index, "ledger": ledger, "log": log}
            app = create_app(settings=settings, catalogue=catalogue, **ports)
            try:
                measure(app.test_client(), asked.days, asked.rounds, named=asked.names)
            finally:
                close_app(app)


if __name__ == "__main__":
    main()
