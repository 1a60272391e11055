"""Rounds of rules, reports and sending are killed, at each step and at random: each alert is sent."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections import defaultdict
from pathlib import Path

import pytest
from tests.alerts.alert_place import alert_place
from tests.alerts.hook_server import Hook, hook_server
from tests.commands import start_frametally
from tests.examples import THOROUGH

from frametally.process import failpoints

KILLS = int(os.environ.get("FAULTS_ALERT_KILLS", 8 if THOROUGH else 2))
SEED = int(os.environ.get("FAULTS_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)
PATIENCE_S = 120.0
POINTS = ("reports.put", "reports.told", "alerts.told", "alerts.claimed", "alerts.taken", "alerts.noted")
# A lease of no time, so that the next process does not wait for a dead one.
CONSTANTS = {"frametally_alerts.channels.delivery._LEASE_S": 0.0}


@pytest.mark.timeout(900)
def test_each_alert_and_report_is_sent_once_whatever_is_killed(tmp_path: Path) -> None:
    print("seed", SEED)
    rng = random.Random(SEED)  # noqa: S311
    hook = Hook()
    with hook_server(hook) as port, alert_place(tmp_path) as place:
        environment = {
            "FRAMETALLY_DATA_DIR": str(tmp_path),
            "FRAMETALLY_ALERT_CHANNELS": json.dumps({"ops": f"http://127.0.0.1:{port}/"}),
            "FRAMETALLY_ALERT_SECRET": "secret",
            "FRAMETALLY_ALERT_ALLOW": "127.0.0.1",
        }

        def look(failpoint: str = "", killed_after_s: float = PATIENCE_S) -> int | None:
            """Return the exit code of one that looks, or of its death."""
            env = environment | {failpoints.VARIABLE: failpoint}
            looker = start_frametally(
                "alerts", "run", cwd=tmp_path, output=tmp_path, constants=CONSTANTS, **env
            )
            looker.join(killed_after_s)
            looker.kill()
            looker.join()
            return looker.exitcode

        place.rule(threshold=10)
        minutes: dict[int, int | None] = {}
        told: defaultdict[int, list[float | None]] = defaultdict(list)
        # Due six hours ago: the turn of a day that all these minutes are near to.
        clock = time.strftime("%H:%M", time.gmtime(time.time() - 6 * 3600))
        killed = reports = 0
        while killed < KILLS:
            for _ in range(rng.randrange(1, 3)):
                minute = 2 * rng.randrange(700)  # with a gap on either side, so that each is an alert
                if minutes.get(minute) is None:
                    minutes[minute] = rng.randrange(10, 99)
                    told[minute].append(minutes[minute])
            place.count(minutes)
            if rng.random() < 0.3:
                place.schedule(f"r{reports}", every="day", at=clock, zone="UTC", now_ms=0)
                reports += 1
            if rng.random() < 0.7:
                code = look(f"{rng.choice(POINTS)}:{rng.randrange(1, 3)}")
            else:
                code = look(killed_after_s=rng.uniform(0.2, 2))
            killed += code == -signal.SIGKILL
        assert look() == 0
        messages, _ = place.book.messages(10_000)
        assert {message.state for message in messages} == {"sent"}
        expected = {minute: [(1, values[0])] for minute, values in told.items()}
        found: defaultdict[int, list[tuple[int, float | None]]] = defaultdict(list)
        by_id = {posted.json["id"]: posted.json["alert"] for posted in hook.posted}
        made = [alert for alert in by_id.values() if alert["what"] == "report"]
        assert sorted(alert["rule"] for alert in made) == sorted(f"r{at}" for at in range(reports))
        assert all(place.ports.store.get(key) for alert in made for key in alert["files"])
        for alert in by_id.values():
            if alert["what"] == "report":
                continue
            minute = (alert["start_ms"] - place.ports.index.sources("m")[0].first_interval_ms) // 60_000
            found[minute + min(told)].append((alert["revision"], alert["value"]))
        assert dict(found) == expected
        # The same message may arrive twice with the same key; no two messages share a key.
        assert len({posted.body for posted in hook.posted}) == len(by_id) == len(messages)
    again = len(hook.posted) - len(by_id)
    print(f"{killed} kills, {reports} reports, {len(hook.posted)} posts, {again} of them a second time")
