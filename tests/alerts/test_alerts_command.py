"""`frametally alerts`, as a person uses it."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from tests.alerts.alert_place import DAY_MS, AlertPlace, alert_place
from tests.alerts.hook_server import Hook, hook_server
from tests.fakes.records import make_coverage, make_manifest, make_run

from frametally import keys
from frametally.records import encode
from frametally_alerts.channels.wording import payload_of, subject_of
from frametally_alerts.rules import AlertMessage
from frametally_cli.main import main
from frametally_live.book import LiveBook
from frametally_live.feed_records import Feed
from frametally_traffic.drawings.revisions import change_drawing, with_shapes
from frametally_traffic.records import DrawnLine
from tests import commands


@pytest.mark.thorough
def test_a_rule_is_added_fires_and_is_shown_and_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = partial(commands.said, "alerts")
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
        assert "error: --at-least or --below: give a number of 0 or more\n" in lacking
        assert "choose a configured channel" in said(*busy[:-1], "nobody", code=2)
        with alert_place(tmp_path) as place:
            place.count({0: 3})
        assert "1 rule checked, 1 alert new or corrected, 0 reports made, 1 message sent" in said("run")
        assert "accepted the test" in said("test", "ops")
        assert "busy: count (gate): 3 (threshold: at least 3)" in said("log")
        assert "there are no messages" in said("log", "--failed")
        shown = said("list")
        assert "busy  count  at least 3 in 60 s" in shown
        assert f"channel ops: http://127.0.0.1:{port}, 0 waiting" in shown
        assert "hunter2" not in shown
        assert json.loads(said("list", "--json"))["rules"][0]["name"] == "busy"
        assert "deleted" in said("remove", "busy")
        assert "no rule" in said("remove", "busy", code=2)
        hook.answers = [b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"]
        assert "answered 503" in said("test", "ops", code=2)
    assert [posted.json["alert"]["is_test"] for posted in hook.posted] == [False, True, True]


COUNTED = ("add", "busy", "--channel", "ops", "--at-least", "3", "--what")
SILENT_FOR_GOOD = [
    (("count", "--source", "Gaet"), "--source: there is no source named 'gaet'; did you mean gate?"),
    (("count", "--source", "harbour"), "--source: there is no source named 'harbour'; choose from: gate"),
    (("count", "--model", "n"), "--model: there is no model named 'n'; choose from: m"),
    (
        ("count", "--interval", "30s"),
        "--interval: its interval of 30s is not a multiple of a counted interval (1m)",
    ),
    (("crossings", "--line", "kreb"), "--line: there is no line named 'kreb'; did you mean kerb?"),
    (("occupancy", "--zone", "plaza"), "--zone: there is no zone named 'plaza'; none is drawn yet: draw one"),
]
Said = Callable[..., str]


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Said:
    monkeypatch.setenv("FRAMETALLY_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("FRAMETALLY_ALERT_CHANNELS", '{"ops": "https://hooks.example.org/frametally"}')
    monkeypatch.setenv("FRAMETALLY_ALERT_SECRET", "hunter2")

    return commands.said


def draw_kerb(place: AlertPlace) -> None:
    kerb = DrawnLine(name="kerb", width_px=64, height_px=48, points=((1.0, 1.0), (60.0, 40.0)))
    change_drawing(place.ports.store, "gate", lambda drawing: with_shapes(drawing, [kerb]))


@pytest.mark.thorough
@pytest.mark.parametrize(("options", "line"), SILENT_FOR_GOOD)
def test_a_rule_that_can_never_fire_is_refused_with_the_nearest_names(
    tmp_path: Path, said: Said, options: tuple[str, ...], line: str
) -> None:
    with alert_place(tmp_path) as place:
        place.count({0: 3})
        draw_kerb(place)
    told = said("alerts", *COUNTED, *options, code=2)
    assert line in told
    assert len(told.splitlines()) == 1
    assert "there are no rules" in said("alerts", "list")


def test_an_unknown_label_gets_a_note_and_an_unknown_kind_of_job_is_refused(
    tmp_path: Path, said: Said
) -> None:
    with alert_place(tmp_path) as place:
        place.count({0: 3})
        with closing(LiveBook(place.ports.settings.catalogue_url)) as feeds:
            feeds.put_camera(Feed("1", "camera", "quay", "Quay"))
    told = said("alerts", *COUNTED, "count", "--label", "cab", "--label", "car", "--source", "quay")
    assert "note: there is no label named 'cab'; did you mean car?\n" in told
    assert "  may stay silent: there is no label named 'cab'; did you mean car?" in said("alerts", "list")
    jobs = ("alerts", "add", "jobs", "--what", "work_failed", "--channel", "ops", "--label")
    assert "--label: 'dreams' is not one of frames, " in said(*jobs, "dreams", code=2)
    assert "jobs: added" in said(*jobs, "frames")


def test_names_are_accepted_before_there_is_data_and_one_line_says_so(tmp_path: Path, said: Said) -> None:
    names = ("--source", "gate", "--label", "car")
    nowhere = (
        "note: there is no source named 'gate' yet, and there are no others; there is no label named 'car' "
        "yet, and there are no others"
    )
    rule = said("alerts", *COUNTED, "count", *names, "--interval", "15s").splitlines()
    report = said("report", "add", "daily", "--every", "day", "--at", "07:00", *names).splitlines()
    day = ("--from", "2026-05-01", "--to", "2026-05-02", "--site", "https://intranet.example")
    chart = said("embed", *day, *names).splitlines()
    account = said("users", "add", "ben", *names[:2]).splitlines()
    for told in (rule, report, chart):
        assert sum(line.startswith(nowhere) for line in told) == 1
    assert "count with `frametally aggregate --interval 15`, or use a multiple of 1m" in "".join(rule)
    assert f"note: there is no data in {tmp_path} yet, so frametally could not try the report" in report
    assert "note: there is no source named 'gate' yet, and there are no others" in account
    assert [path.name for path in (tmp_path / "store").iterdir()] == ["access"]  # that there are accounts
    # Once minutes are counted, the rule of 15 s sends nothing, and its list says so.
    with alert_place(tmp_path) as place:
        place.count({0: 3})
    silent = "its interval of 15s is not a multiple of a counted interval (1m), so it stays silent: use 1m"
    assert f"  may stay silent: {silent}" in said("alerts", "list")
    [listed] = json.loads(said("alerts", "list", "--json"))["rules"]
    assert [line.startswith(silent) for line in listed["silent"]] == [True]


def test_a_rule_says_that_gaps_before_its_look_back_are_not_reported(
    tmp_path: Path, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    with alert_place(tmp_path) as place:
        place.count({0: 3})
    rule = (
        "alerts",
        "add",
        "dark",
        "--what",
        "no_footage",
        "--source",
        "gate",
        "--for",
        "10m",
        "--channel",
        "ops",
    )
    line = "gaps that are more than 62 days old are not reported"
    assert line in said(*rule, "--since", "2020-01-01")
    assert f"may stay silent: {line}" in said("alerts", "list")
    assert line in json.loads(said("alerts", "list", "--json"))["rules"][0]["silent"][0]
    with monkeypatch.context() as away:
        away.setenv("FRAMETALLY_INDEX_URL", "http://127.0.0.1:9")
        assert "may stay silent: frametally cannot check this now: " in said("alerts", "list")
    said("alerts", "remove", "dark")
    assert line not in said(*rule)


def test_a_rule_whose_intervals_are_no_longer_counted_is_listed_with_the_reason(
    tmp_path: Path, said: Said
) -> None:
    with alert_place(tmp_path) as place:
        place.count({0: 3})
        assert "busy: added" in said("alerts", *COUNTED, "count", "--interval", "1m")
        assert "may stay silent" not in said("alerts", "list")
        run = make_run(day="2026-01-02", interval_s=300)
        assert place.ports.index.publish(
            run, [], [make_coverage(DAY_MS + 86_400_000, interval_s=300, covered_ms=300_000)]
        )
    assert "  may stay silent: of the newest day its interval of 1m is not" in said("alerts", "list")


@pytest.mark.thorough
def test_people_see_a_sources_name_and_programs_also_its_slug(
    tmp_path: Path, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRAMETALLY_LIVE_ALLOW", "127.0.0.1")
    assert said("live", "add", "http://127.0.0.1:1/", "--source", "North Quay", code=6).startswith(
        "North Quay: added, but the camera is not responding at 127.0.0.1:1 (connection refused)."
    )
    assert said("live", "list").startswith("North Quay  http://127.0.0.1:1/")
    with alert_place(tmp_path) as place:
        place.publish({"gate-1": {0: 3}, "north-quay": {0: 3}, "old": {0: 3}})
        film = make_manifest(5, source="gate-1", source_name="Gate 1")
        place.ports.store.put(keys.media_key(film.sha256), encode(film))
        place.rule(threshold=3, sources=["Gate 1", "north-quay", "old"])
        assert place.look().alert_count == 3
        alerts = {alert.source: alert for alert in place.alerts()}
    subjects = {source: subject_of(alert) for source, alert in alerts.items()}
    assert subjects == {
        "gate-1": "busy: count (Gate 1): 3 (threshold: at least 3)",
        "north-quay": "busy: count (North Quay): 3 (threshold: at least 3)",
        "old": "busy: count (old): 3 (threshold: at least 3)",
    }
    payload = json.loads(payload_of(AlertMessage("1", "ops", alerts["gate-1"])))
    assert (payload["alert"]["source"], payload["alert"]["source_name"]) == ("gate-1", "Gate 1")
    assert "  of Gate 1, North Quay, old  " in said("alerts", "list")
    assert json.loads(said("alerts", "list", "--json"))["rules"][0]["sources"] == [
        "gate-1",
        "north-quay",
        "old",
    ]
    daily = ("report", "add", "daily", "--every", "day", "--at", "07:00", "--source", "Gate 1")
    assert "daily: added" in said(*daily)
    assert "  of Gate 1  " in said("report", "list")
    status = said("status", code=3)
    assert "Gate 1: " in status
    assert "gate-1" not in status


@pytest.mark.thorough
def test_charts_and_accounts_check_names_against_the_existing_ones(tmp_path: Path, said: Said) -> None:
    with alert_place(tmp_path) as place:
        place.count({0: 3})
    day = ("embed", "--from", "2026-05-01", "--to", "2026-05-02", "--site", "https://intranet.example")
    assert said(*day, "--source", "gaet", code=2) == (
        "error: --source: there is no source named 'gaet'; did you mean gate?\n"
    )
    assert said(*day, "--label", "cab", code=2) == (
        "error: --label: there is no label named 'cab'; did you mean car?\n"
    )
    assert said(*day, "--source", "Gate", "--label", "car").startswith("<iframe")
    history = ("history", "--from", "2026-05-01")
    assert said(*history, "--source", "nope", code=2) == (
        "error: There is no source named 'nope'. Choose from: gate.\n"
    )
    assert said(*history, "--source", "Gate", "--label", "cab", code=2) == (
        "error: There is no label named 'cab'. Did you mean car?\n"
    )
    told = said("users", "add", "ben", "--source", "gaet", "--source", "gate")
    assert told.count("note: there is no source named 'gaet'; did you mean gate?\n") == 1
    assert told.count("no source") == 1
    told = said("tokens", "add", "ben", "nightly", "--source", "gaet")
    assert "note: there is no source named 'gaet'; did you mean gate?\n" in told


def test_a_rule_cannot_be_muted_until_a_time_in_the_past(said: Said) -> None:
    told = said("alerts", "mute", "busy", "--until", "2020-01-01T00:00Z", code=2)
    assert told == "error: --until: give a time in the future, before the year 10000\n"


BAD_REPORTS = [
    (("--at", "7"), "--at: '7' is not a time of day"),
    (("--at", "24:00"), "--at: '24:00' is not a time of day"),
    (("--zone", "Mars"), "--zone: 'Mars' is not a time zone"),
    (("--zone", "../../etc/passwd"), "is not a time zone"),
    (("--source", "nobody"), "--source: there is no source named 'nobody'; choose from: gate"),
    (("--source", "Gaet"), "--source: there is no source named 'Gaet'; did you mean gate?"),
    (("--label", "unicorn"), "unicorn"),
    (("--channel", "nobody"), "--channel: there is no channel named 'nobody'; choose a configured channel"),
    (("--interval", "7"), "interval=7 is not a multiple of a stored interval"),
    (("--interval", "-1"), "--interval: give the length of a row in seconds"),
    (("--every", "full moon"), "full moon"),
]


@pytest.mark.thorough
def test_a_report_is_added_made_shown_and_removed_and_a_bad_one_gives_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = commands.said
    monkeypatch.setenv("FRAMETALLY_DATA_DIR", str(tmp_path))
    weekly = ("report", "add", "weekly", "--every", "monday", "--at", "07:00", "--zone", "Europe/Berlin")
    with alert_place(tmp_path) as place:
        place.count({0: 3})
    assert "weekly: added" in said(*weekly)
    assert "already" in said(*weekly, code=2)
    for name in ("a/b", "..", "A", ""):
        assert "name: use only a-z" in said("report", "add", name, *weekly[3:], code=2)
    for options, line in BAD_REPORTS:
        told = said(*weekly[:2], "bad", *weekly[3:], *options, code=2)
        assert line in told
        assert len(told.splitlines()) == 1
    assert "weekly  every monday at 07:00 Europe/Berlin  only stored, since " in said("report", "list")
    assert "not made yet" in said("report", "list")
    assert "0 reports made" in said("alerts", "run")  # it was due before it was added
    assert "deleted" in said("report", "remove", "weekly")
    assert "no report" in said("report", "remove", "weekly", code=2)
    assert "there are no reports" in said("report", "list")


def test_a_missing_option_gives_one_line_with_its_choices(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["alerts", "add", "busy"]) == 2
    assert "Choose from: count, crossings, " in " ".join(capsys.readouterr().err.split())
