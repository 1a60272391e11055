"""`frametally alerts`, as a person uses it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.fakes.alerts import alert_place
from tests.fakes.webhooks import Hook, hook_server

from frametally_cli.main import main


def test_a_rule_is_added_told_shown_and_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(*arguments: str, code: int = 0) -> str:
        assert main(["alerts", *arguments]) == code
        captured = capsys.readouterr()
        return captured.out + captured.err

    hook = Hook()
    monkeypatch.setenv("FRAMETALLY_DATA_DIR", str(tmp_path))
    with hook_server(hook) as port:
        channels = {"ops": f"http://127.0.0.1:{port}/hunter2"}
        monkeypatch.setenv("FRAMETALLY_ALERT_CHANNELS", json.dumps(channels))
        monkeypatch.setenv("FRAMETALLY_ALERT_SECRET", "hunter2")
        monkeypatch.setenv("FRAMETALLY_ALERT_ALLOW", "127.0.0.1")
        busy = ("add", "busy", "--what", "count", "--at-least", "3", "--interval", "1m", "--channel", "ops")
        assert "added" in said(*busy, "--since", "2026-01-01")
        assert "already" in said(*busy, code=2)
        assert "threshold" in said(*busy[:4], "--channel", "ops", code=2)
        assert "none of the channels that are set" in said(*busy[:-1], "nobody", code=2)
        with alert_place(tmp_path) as place:
            place.count({0: 3})
        assert "1 rules looked at, 1 alerts told or corrected, 1 messages sent" in said("run")
        assert "has taken a test" in said("test", "ops")
        assert "busy: count (gate): 3, from 3" in said("log")
        assert "nothing was told" in said("log", "--failed")
        shown = said("list")
        assert "busy  count  at least 3 in 60 s" in shown
        assert f"channel ops: http://127.0.0.1:{port}, 0 waiting" in shown
        assert "hunter2" not in shown
        assert json.loads(said("list", "--json"))[0]["name"] == "busy"
        assert "removed" in said("remove", "busy")
        assert "no rule" in said("remove", "busy", code=2)
        hook.answers = [b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"]
        assert "answered 503" in said("test", "ops", code=2)
    assert [posted.json["alert"]["is_test"] for posted in hook.posted] == [False, True, True]
