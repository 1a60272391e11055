"""Loads a day into gold tables, killed at each statement in turn: `python -m tests.gold.gold_kills`.

Its input is the database and the log-in, as JSON; after each kill it prints a line with the content of the
tables. It is a program of its own, so that its children are made by a fork without threads.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import closing
from typing import Any

from sqlalchemy import Engine, event
from tests.fakes.memory import MemoryStore
from tests.gold.gold_year import put_day

from frametally.process.reports import NoProgress
from frametally.settings.access import ServerAccess
from frametally.settings.fields import SecretStr
from frametally_gold.book import Gold
from frametally_gold.loading import gold_day, load_gold

DAY = "2025-03-01"


def _killed_at(number: int, url: str, access: ServerAccess | None, store: MemoryStore) -> bool:
    """Load in a child that is killed before the statement with this number; return whether it was."""
    child = os.fork()
    if child == 0:
        with closing(Gold(url, access)) as gold:  # opening it already executes statements
            done = 0

            @event.listens_for(Engine, "before_cursor_execute")
            def count(*_: Any) -> None:
                nonlocal done
                done += 1
                if done == number:
                    os.kill(os.getpid(), signal.SIGKILL)

            load_gold(store=store, gold=gold, progress=NoProgress())
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def main() -> None:
    """Kill at the first statement, at the second, and so on, until one load finishes."""
    order = json.loads(sys.stdin.read())
    url = order["url"]
    access = None
    if order["password"] is not None:
        access = ServerAccess(user=order["user"], password=SecretStr(order["password"]))
    store = MemoryStore()
    runs = [put_day(store, DAY)]
    with closing(Gold(url, access)) as gold:
        load_gold(store=store, gold=gold, progress=NoProgress())
        runs.append(put_day(store, DAY, sequence=2, seed=1))
    number, killed = 0, True
    while killed:
        number += 1
        killed = _killed_at(number, url, access, store)
        with closing(Gold(url, access)) as gold:
            day = gold_day(runs[0])
            [load] = gold.loads().values()
            sums = gold.day_sums(day)
            boxes = sum(one.detections for one in sums.labels.values())
        print(json.dumps([load.run_id, load.rows, boxes, sum(sums.frames.values())]), flush=True)


if __name__ == "__main__":
    main()
