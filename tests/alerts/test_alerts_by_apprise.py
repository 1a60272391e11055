"""Alerts by Apprise: sent to each service that it supports, and queued while it fails."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from tests.alerts.alert_place import alert_place
from tests.alerts.hook_server import Hook, hook_server

from frametally_alerts.channels.delivery import AlertSender, SentReport

pytestmark = pytest.mark.thorough


@pytest.mark.parametrize(
    ("answers", "report"),
    [([], SentReport(sent=1)), ([b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"], SentReport(put_off=1))],
)
def test_apprise_sends_an_alert(tmp_path: Path, answers: list[bytes], report: SentReport) -> None:
    hook = Hook()
    hook.answers = [*answers]
    with hook_server(hook) as port:
        channels = json.dumps({"ops": f"apprise:json://127.0.0.1:{port}/hook"})
        with alert_place(tmp_path, alert_channels=channels) as place:
            place.rule("<b>busy", threshold=1)
            place.count({0: 4})
            place.look()
            assert AlertSender(place.ports.settings, place.book, lambda _: None).send() == report
    [posted] = hook.posted
    assert posted.json["title"] == "<b>busy: count (gate): 4 (threshold: at least 1)"


@pytest.mark.parametrize("is_there", [True, False])
def test_an_address_unknown_to_apprise_or_a_missing_apprise_gives_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_there: bool
) -> None:
    if not is_there:
        monkeypatch.delitem(sys.modules, "frametally_alerts.channels.apprise_channel", raising=False)
        monkeypatch.setitem(sys.modules, "apprise", None)
    lines: list[str] = []
    with alert_place(tmp_path, alert_channels='{"ops": "apprise:nothing://hunter2"}') as place:
        place.rule(threshold=1)
        place.count({0: 4})
        place.look()
        sender = AlertSender(place.ports.settings, place.book, lines.append)
        assert sender.send() == SentReport(put_off=1)
        assert place.book.waiting() == {"ops": 1}
    [line] = lines
    assert ("knows" if is_there else "pip install 'frametally[apprise]'") in line
    assert "hunter2" not in line
