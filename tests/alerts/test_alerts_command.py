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
        lacking = said(*busy[:4], "--channel", "ops", code=2)
        assert "error: --at-least or --below: give a number from 0 on\n" in lacking
        assert "none of the channels that are set" in said(*busy[:-1], "nobody", code=2)
        with alert_place(tmp_path) as place:
            place.count({0: 3})
        assert "1 rules looked at, 1 alerts told or corrected, 0 reports made, 1 messages sent" in said("run")
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


BAD_REPORTS = [
    (("--at", "7"), "--at: '7' is no time of a day"),
    (("--at", "24:00"), "--at: '24:00' is no time of a day"),
    (("--zone", "Mars"), "--zone: 'Mars' is no time zone"),
    (("--zone", "../../etc/passwd"), "is no time zone"),
    (("--source", "nobody"), "There is no source 'nobody'. There are: gate."),
    (("--label", "unicorn"), "unicorn"),
    (("--channel", "nobody"), "--channel: 'nobody' is none of the channels that are set"),
    (("--interval", "7"), "interval=7 is not a multiple of a stored interval"),
    (("--interval", "-1"), "--interval: give the seconds of a row"),
    (("--every", "full moon"), "full moon"),
]


def test_a_report_is_added_made_shown_and_removed_and_a_bad_one_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(*arguments: str, code: int = 0) -> str:
        assert main([*arguments]) == code
        captured = capsys.readouterr()
        return captured.out + captured.err

    monkeypatch.setenv("FRAMETALLY_DATA_DIR", str(tmp_path))
    weekly = ("report", "add", "weekly", "--every", "monday", "--at", "07:00", "--zone", "Europe/Berlin")
    assert "no data in" in said(*weekly, code=2)
    with alert_place(tmp_path) as place:
        place.count({0: 3})
    assert "weekly: added" in said(*weekly)
    assert "already" in said(*weekly, code=2)
    for name in ("a/b", "..", "A", ""):
        assert "name: give one of a-z" in said("report", "add", name, *weekly[3:], code=2)
    for options, line in BAD_REPORTS:
        told = said(*weekly[:2], "bad", *weekly[3:], *options, code=2)
        assert line in told
        assert len(told.splitlines()) == 1
    assert "weekly  every monday at 07:00 Europe/Berlin  by the store alone" in said("report", "list")
    assert "not made yet" in said("report", "list")
    assert "0 reports made" in said("alerts", "run")  # it was due before it was added
    assert "removed" in said("report", "remove", "weekly")
    assert "no report" in said("report", "remove", "weekly", code=2)
    assert "there are no reports" in said("report", "list")
