"""Alerts in the API and on their page: rules, sent, waiting and failed messages; all as text."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient
from tests.alerts.hook_server import Hook, hook_server
from tests.fakes.records import DAY_MS, make_count, make_coverage
from tests.web.conftest import Place

from frametally.settings.fields import SecretStr
from frametally_alerts.book import AlertBook
from frametally_alerts.reports.due_reports import MOST_REPORTS, turn_of
from frametally_alerts.rule_form import make_report, make_rule
from frametally_alerts.rules import FOR_GOOD, Alert, AlertFinding, AlertRule, ScheduledReport, Scope, turn_key
from frametally_live.feed_records import Feed

CHANNELS = SecretStr(
    json.dumps({"ops": "https://hooks.example.org/hunter2", "people": "mailto:a@example.org"})
)
REPORT: dict[str, Any] = {"name": "weekly", "every": "monday", "at": "07:00", "channels": ["people"]}
RULE: dict[str, Any] = {"name": "busy", "what": "count", "threshold": 10, "channels": ["ops"]}
MARKUP = "<script>alert(1)</script>\u202e"


@pytest.fixture
def client(place: Place) -> FlaskClient:
    return place.app(alert_channels=CHANNELS).test_client()


@pytest.fixture
def book(place: Place) -> Iterator[AlertBook]:
    with closing(AlertBook(place.catalogue.url)) as opened:
        yield opened


def fill(book: AlertBook, findings: int, **finding: Any) -> None:
    rule = make_rule(
        name="<b>busy", what="count", threshold=1, channels=["ops"], known_channels={"ops"}, now_ms=1
    )
    book.add(rule)
    found = [
        AlertFinding(**{"source": "gate", "label": "car", "start_ms": 60_000 * at, "value": at, **finding})
        for at in range(findings)
    ]
    book.settle(rule, found, Scope(0, 10**12), {})


def count(place: Place) -> None:
    """A minute of cars: a source, a label and a model for reports."""
    counts = [make_count(DAY_MS, "car", 3, source="gate", evidence=[])]
    coverage = [make_coverage(DAY_MS, 5, source="gate", detections=3)]
    place.publish(counts, coverage, interval_s=60, model="m")


def add_report(book: AlertBook, name: str) -> ScheduledReport:
    report = make_report(
        name=name,
        every="monday",
        at="07:00",
        zone="Europe/Berlin",
        sources=["Gate 1"],
        channels=["people"],
        known_channels={"people"},
        now_ms=1,
    )
    assert book.add(report)
    return report


def test_a_rule_is_added_listed_and_removed(client: FlaskClient) -> None:
    added = client.post("/api/v1/alerts/rules", json={**RULE, "sources": ["Gate 1"], "lasting": "30m"})
    assert added.status_code == 201
    assert (added.json["sources"], added.json["duration_s"]) == (["gate-1"], 1800)
    told = client.get("/api/alerts").json
    assert told["rules"] == [added.json]
    assert told["channels"][0] == {
        "name": "ops",
        "kind": "webhook",
        "place": "https://hooks.example.org:443",
        "waiting": 0,
        "from_settings": True,
    }
    assert client.post("/api/alerts/rules", json=RULE).status_code == 409
    assert client.delete("/api/v1/alerts/rules/busy").status_code == 204
    assert client.delete("/api/v1/alerts/rules/busy").status_code == 404
    assert client.get("/api/alerts").json["rules"] == []


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("said", "parameter"),
    [
        ({"channels": ["nobody"]}, "channels"),
        ({"threshold": None}, "threshold"),
        ({"name": "a/b"}, "name"),
        ({"name": ".."}, "name"),
        ({"interval": "7m"}, "interval"),
        ({"lasting": "90s"}, "lasting"),
        ({"lasting": "soon"}, "lasting"),
        ({"since_ms": 10**18}, "since_ms"),
        ({"what": "everything"}, None),
        ({"url": "http://169.254.169.254/"}, None),
    ],
)
def test_an_invalid_rule_is_refused_with_a_remedy(
    client: FlaskClient, said: dict[str, Any], parameter: str | None
) -> None:
    answer = client.post("/api/v1/alerts/rules", json={**RULE, **said})
    assert answer.status_code == 400
    assert answer.json.get("parameter") == parameter
    assert parameter is None or answer.json["detail"].startswith(f"{parameter}: ")
    assert answer.json["remedy"]


@pytest.mark.thorough
def test_a_rule_that_can_never_fire_is_refused_and_one_that_may_stay_silent_says_why(
    place: Place, client: FlaskClient
) -> None:
    early = client.post("/api/alerts/rules", json={**RULE, "name": "early", "interval": "30s"})
    assert early.status_code == 201
    assert "count with `frametally aggregate --interval 30`" in early.json["silent"][0]
    count(place)
    for said, detail in (
        ({"sources": ["gaet"]}, "sources: there is no source named 'gaet'; did you mean gate?"),
        ({"model": "n"}, "model: there is no model named 'n'; choose from: m."),
        (
            {"interval": "90s"},
            "interval: its interval of 90s is not a multiple of a counted interval (1m), so it",
        ),
    ):
        answer = client.post("/api/alerts/rules", json={**RULE, **said})
        assert (answer.status_code, answer.json["parameter"]) == (400, next(iter(said))), answer.json
        assert answer.json["detail"].startswith(detail)
    assert client.post("/api/alerts/rules", json={**RULE, "labels": ["car"]}).json["silent"] == []
    busy, early = client.get("/api/alerts").json["rules"]
    assert (busy["silent"], len(early["silent"])) == ([], 1)
    page = client.get("/alerts").text
    assert page.count("may stay silent") == 1
    assert "FRAMETALLY_" not in page
    assert "its interval of 30s is not a multiple of a counted interval (1m)" in page


@pytest.mark.thorough
def test_a_report_is_added_listed_and_removed_through_the_api(place: Place, client: FlaskClient) -> None:
    count(place)
    wanted = {**REPORT, "zone": "Europe/Berlin", "sources": ["Gate"], "by_source": True, "interval_s": 3600}
    added = client.post("/api/v1/alerts/reports", json=wanted)
    assert added.status_code == 201, added.json
    assert added.json is not None
    expected = {**wanted, "sources": ["gate"], "labels": [], "model": "", "last_day": None}
    assert added.json == expected
    assert client.get("/api/alerts").json["reports"] == [expected]
    assert client.post("/api/alerts/reports", json=REPORT).status_code == 409
    alone = client.post("/api/alerts/reports", json={"name": "alone", "every": "day", "at": "00:30"})
    assert (alone.status_code, alone.json["zone"], alone.json["channels"]) == (201, "UTC", [])
    assert client.delete("/api/v1/alerts/reports/weekly").status_code == 204
    gone = client.delete("/api/v1/alerts/reports/weekly")
    assert (gone.status_code, bool(gone.json["remedy"])) == (404, True)
    assert [report["name"] for report in client.get("/api/alerts").json["reports"]] == ["alone"]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("said", "parameter"),
    [
        ({"name": "A/b"}, "name"),
        ({"name": ".."}, "name"),
        ({"at": "24:00"}, "at"),
        ({"zone": "../../etc/passwd"}, "zone"),
        ({"channels": ["nobody"]}, "channels"),
        ({"sources": ["nobody"]}, "sources"),
        ({"labels": ["unicorn"]}, "labels"),
        ({"labels": ["x" * 201]}, "labels"),
        ({"model": "nobody"}, "model"),
        ({"interval_s": -1}, "interval_s"),
        ({"interval_s": 7}, "interval_s"),
        ({"every": "full moon"}, None),
        ({"sources": None}, None),
        ({"url": "http://169.254.169.254/"}, None),
    ],
)
def test_an_invalid_report_is_refused_with_its_field_and_a_remedy(
    place: Place, client: FlaskClient, said: dict[str, Any], parameter: str | None
) -> None:
    count(place)
    answer = client.post("/api/v1/alerts/reports", json={**REPORT, **said})
    assert (answer.status_code, answer.json.get("parameter")) == (400, parameter), answer.json
    assert answer.json["remedy"]
    assert client.get("/api/alerts").json["reports"] == []


def test_the_number_of_reports_is_limited(client: FlaskClient, book: AlertBook) -> None:
    for number in range(MOST_REPORTS):
        add_report(book, f"r{number}")
    assert client.post("/api/alerts/reports", json=REPORT).status_code == 409


def test_rules_and_reports_cannot_be_changed_on_a_read_only_dashboard(place: Place) -> None:
    client = place.app(alert_channels=CHANNELS, web_uploads=False).test_client()
    assert client.post("/api/alerts/reports", json=REPORT).status_code == 403
    assert client.delete("/api/alerts/reports/weekly").status_code == 403
    assert client.post("/api/alerts/rules", json=RULE).status_code == 403
    assert client.delete("/api/alerts/rules/busy").status_code == 403
    assert client.get("/api/alerts").json["changes_allowed"] is False


def test_sent_waiting_and_failed_messages_are_paged_by_state(client: FlaskClient, book: AlertBook) -> None:
    fill(book, 60)
    message = book.claim("ops", lease_s=60)
    assert message is not None
    book.end(message, "failed", reason="it answered 422")
    page = client.get("/api/alerts").json
    assert [len(page["messages"]), page["messages"][0]["value"]] == [50, 59]
    rest = client.get(f"/api/alerts?before={page['next']}").json
    assert (len(rest["messages"]), rest["next"]) == (10, 0)
    alone = client.get(f"/api/v1/alerts/messages?before={page['next']}").json
    assert alone == {name: rest[name] for name in ("messages", "next")}
    [failed] = client.get("/api/alerts?state=failed").json["messages"]
    assert (failed["value"], failed["reason"]) == (0, "it answered 422")
    assert client.get("/api/alerts?state=lost").status_code == 400
    assert client.get("/api/alerts?before=x").status_code == 400
    assert page["channels"][0]["waiting"] == 59


def test_alerts_without_a_receiver_are_listed_until_their_rule_has_a_channel(
    client: FlaskClient, book: AlertBook
) -> None:
    rule = AlertRule(name="quiet", what="count", channels=(), threshold=1, made_at_ms=1)
    assert book.add(rule)
    findings = [AlertFinding(source="gate", label="car", start_ms=60_000 * at, value=at) for at in (1, 2)]
    book.settle(rule, findings, Scope(0, 10**12), {})
    fill(book, 1)
    answer = client.get("/api/v1/alerts").get_json()
    assert [(one["rule"], one["value"]) for one in answer["unsent"]] == [("quiet", 2.0), ("quiet", 1.0)]
    assert "Alerts that nobody received" in client.get("/alerts").text
    assert "Alerts that nobody received" not in client.get("/alerts?state=failed").text
    book.settle(rule, [], Scope(0, 10**12), {})
    assert client.get("/api/v1/alerts").get_json()["unsent"] == []


def test_the_page_shows_names_as_text_and_no_secret(client: FlaskClient, book: AlertBook) -> None:
    fill(book, 1, source=MARKUP, label=MARKUP, detail=MARKUP)
    message = book.claim("ops", lease_s=60)
    assert message is not None
    book.end(message, "failed", reason=f"no {MARKUP}")
    answer = client.get("/alerts?state=failed")
    assert answer.status_code == 200
    assert "&lt;b&gt;busy: count (&lt;script&gt;alert(1)&lt;/script&gt;" in answer.text
    for secret in ("<b>busy", "<script>alert", "hunter2"):
        assert secret not in answer.text
    assert "https://hooks.example.org:443" in answer.text


def test_scheduled_reports_are_listed_with_the_outcome_of_the_last_one(
    place: Place, client: FlaskClient, book: AlertBook
) -> None:
    report = add_report(book, "weekly")
    [told] = client.get("/api/alerts").json["reports"]
    assert told == {
        "name": "weekly",
        "every": "monday",
        "at": "07:00",
        "zone": "Europe/Berlin",
        "sources": ["gate-1"],
        "labels": [],
        "by_source": False,
        "interval_s": None,
        "model": "",
        "channels": ["people"],
        "last_day": None,
    }
    turn = turn_of(report, round(time.time() * 1000))
    alert = Alert(
        key=turn_key(report, turn.day),
        revision=1,
        state="told",
        rule="weekly",
        what="report",
        source="",
        label="",
        start_ms=turn.from_ms,
        end_ms=turn.to_ms,
        detail="the week",
    )
    assert book.tell_report(report, alert) is True
    answer = client.get("/api/alerts").json
    assert answer["reports"][0]["last_day"] == f"{turn.day}"
    assert answer["messages"][0]["text"] == "report weekly: the week"
    assert answer["source_names"] == {}
    assert ">gate-1</td>" in client.get("/alerts").text
    place.feeds.put_camera(Feed("1", "camera", "gate-1", "Gate 1"))
    assert client.get("/api/alerts").json["source_names"] == {"gate-1": "Gate 1"}
    page = client.get("/alerts").text
    assert "Monday at 07:00, Europe/Berlin" in page
    assert ">Gate 1</td>" in page
    assert f">{turn.day}</td>" in page


@pytest.mark.thorough
def test_without_rules_and_channels_the_page_explains_how_to_add_them(place: Place) -> None:
    page = place.app(alert_key=SecretStr("k" * 32)).test_client().get("/alerts").text
    assert "No rules yet." in page
    assert "No channels yet. Add e-mail or a webhook." in page
    assert "No channels yet. Add e-mail" not in place.app().test_client().get("/alerts").text
    assert "Add a channel" in page
    assert "No notifications yet." in page
    assert "No reports yet." in page
    assert "Add a rule" in page
    assert "Add a report" in page


def test_a_changed_rule_stays_muted(client: FlaskClient) -> None:
    client.post("/api/alerts/rules", json=RULE)
    muted = client.put("/api/alerts/rules/busy/mute", json={"until_ms": None})
    assert muted.json["muted_until_ms"] == FOR_GOOD
    changed = client.put("/api/alerts/rules/busy", json={**RULE, "name": "crowd", "threshold": 40})
    assert (changed.status_code, changed.json["threshold"]) == (200, 40)
    [rule] = client.get("/api/alerts").json["rules"]
    assert (rule["name"], rule["threshold"], rule["muted_until_ms"]) == ("crowd", 40, FOR_GOOD)
    assert client.put("/api/alerts/rules/crowd/mute", json={"until_ms": 0}).json["muted_until_ms"] == 0
    client.post("/api/alerts/rules", json=RULE)
    for name, said, status in (
        ("busy", {"name": "crowd"}, 409),
        ("nobody", {}, 404),
        ("busy", {"channels": ["nobody"]}, 400),
    ):
        refused = client.put(f"/api/alerts/rules/{name}", json={**RULE, **said})
        assert (refused.status_code, bool(refused.json["remedy"])) == (status, True)
    assert client.put("/api/alerts/rules/nobody/mute", json={"until_ms": 0}).status_code == 404
    for over_ms in (-1, 1, FOR_GOOD + 1):
        refused = client.put("/api/alerts/rules/busy/mute", json={"until_ms": over_ms})
        assert (refused.status_code, refused.json["parameter"]) == (400, "until_ms")
        assert refused.json["detail"] == "until_ms: give a time in the future, before the year 10000."


@pytest.mark.thorough
def test_a_report_can_be_changed(place: Place, client: FlaskClient) -> None:
    count(place)
    assert client.post("/api/alerts/reports", json=REPORT).status_code == 201
    changed = client.put("/api/alerts/reports/weekly", json={**REPORT, "name": "daily", "every": "day"})
    assert (changed.status_code, changed.json["every"]) == (200, "day")
    assert [one["name"] for one in client.get("/api/alerts").json["reports"]] == ["daily"]
    assert client.put("/api/alerts/reports/weekly", json=REPORT).status_code == 404
    client.post("/api/alerts/reports", json=REPORT)
    assert client.put("/api/alerts/reports/weekly", json={**REPORT, "name": "daily"}).status_code == 409


def test_a_trial_of_a_rule_ignores_footage_dated_in_the_future(place: Place, client: FlaskClient) -> None:
    day_ms = 86_400_000
    end_ms = int(time.time() * 1000) // day_ms * day_ms
    then = place.film({"car": 3}, intervals=1, interval_s=60, start_ms=end_ms + 3000 * day_ms)
    place.film({"car": 9}, intervals=5, interval_s=60, start_ms=end_ms - 300_000, also=then)
    trial = client.post("/api/alerts/trials", json={**RULE, "interval": "1m", "threshold": 1, "channels": []})
    assert (trial.json["from_ms"], trial.json["to_ms"]) == (end_ms - 300_000, end_ms)
    assert trial.json["total"] > 0


def test_a_trial_uses_the_last_counted_week_and_stores_nothing(place: Place, client: FlaskClient) -> None:
    nothing = client.post("/api/alerts/trials", json={**RULE, "channels": [], "name": ""})
    assert (nothing.json["from_ms"], nothing.json["total"], nothing.json["tried"]) == (None, 0, 0)
    count(place)
    trial = client.post("/api/alerts/trials", json={**RULE, "interval": "1m", "threshold": 3, "channels": []})
    assert trial.status_code == 200, trial.json
    assert trial.json["total"] == 1
    [alert] = trial.json["alerts"]
    assert (alert["source"], alert["start_ms"], alert["value"]) == ("gate", DAY_MS, 3)
    over = client.post("/api/alerts/trials", json={**RULE, "interval": "1m", "threshold": 4})
    assert over.json["total"] == 0
    assert client.post("/api/alerts/trials", json={**RULE, "interval": "7m"}).status_code == 400
    told = client.get("/api/alerts").json
    assert (told["rules"], told["messages"]) == ([], [])


def test_a_rule_in_seconds_uses_the_next_counted_interval(place: Place, client: FlaskClient) -> None:
    count(place)
    wanted = {**RULE, "interval": "1s", "lasting": "5s", "threshold": 3}
    assert client.post("/api/alerts/trials", json=wanted).json["interval_s"] == 60
    rule = client.post("/api/alerts/rules", json=wanted).json
    assert (rule["interval_s"], rule["duration_s"], rule["silent"]) == (60, 60, [])


@pytest.mark.thorough
def test_a_rule_sees_the_same_numbers_as_the_chart(place: Place, client: FlaskClient) -> None:
    """Its metric, its local days and its labels together; a condition that always holds is
    reported as such."""
    hour_ms = 3_600_000
    start_ms = 1_711_753_200_000  # 2024-03-30 00:00 in Berlin; a day later the clocks change
    films: Any = ([], [])
    for number, (source, frames) in enumerate((("gate", 10), ("yard", 300))):
        films = place.film(
            {"car": 4, "bus": 2},
            source=source,
            frames=frames,
            start_ms=start_ms,
            interval_s=3600,
            intervals=71,
            also=films,
            seed=number,
        )
    asked = {"interval": 86_400, "timezone": "Europe/Berlin", "label": ["bus", "car"], "by": "source"}
    for measure in ("detections", "peak", "mean_per_frame"):
        chart = client.get(f"/api/counts?{urlencode({**asked, 'metric': measure}, doseq=True)}").json
        bars: dict[tuple[str, int], list[float]] = {}
        for bucket in chart["buckets"]:
            bars.setdefault((bucket["source"], bucket["start_ms"]), []).append(bucket[measure])
        add = max if measure == "peak" else sum
        rule = {**RULE, "measure": measure, "interval": "24h", "labels": ["bus", "car"], "threshold": 0.5}
        trial = client.post("/api/alerts/trials", json={**rule, "timezone": "Europe/Berlin"}).json
        tried = {(one["source"], one["start_ms"]): one["value"] for one in trial["intervals"]}
        assert tried == pytest.approx({place: add(values) for place, values in bars.items()})
        assert (trial["tried"], trial["fulfilled"], trial["total"]) == (6, 6, 2)
        assert (trial["from_ms"], trial["to_ms"]) == (start_ms, start_ms + 71 * hour_ms)
        assert {one["label"] for one in trial["alerts"]} == {"bus, car"}
    span = {"from": start_ms + 24 * hour_ms, "to": start_ms + 47 * hour_ms}  # the day with 23 hours
    trial = client.post(
        f"/api/alerts/trials?{urlencode(span)}", json={**rule, "timezone": "Europe/Berlin"}
    ).json
    assert (trial["from_ms"], trial["to_ms"], trial["tried"]) == (span["from"], span["to"], 2)


def test_a_test_message_is_sent_through_a_channel_or_its_fault_is_shown(place: Place) -> None:
    hook = Hook()
    with hook_server(hook) as port:
        channels = SecretStr(json.dumps({"ops": f"http://127.0.0.1:{port}/hunter2"}))
        given = {"alert_channels": channels, "alert_secret": SecretStr("s")}
        refused = place.app(**given).test_client().post("/api/v1/alerts/channels/ops/test", json={})
        assert (refused.status_code, hook.posted) == (409, [])
        assert "hunter2" not in refused.text
        client = place.app(**given, alert_allow="127.0.0.1").test_client()
        assert client.post("/api/v1/alerts/channels/nobody/test", json={}).status_code == 404
        assert client.post("/api/v1/alerts/channels/ops/test", json={}).status_code == 204
        assert len(hook.posted) == 1


def test_withdrawn_alerts_do_not_hide_older_ones_without_a_receiver(book: AlertBook) -> None:
    rule = AlertRule(name="quiet", what="count", channels=(), threshold=1, made_at_ms=1)
    assert book.add(rule)
    findings = [AlertFinding(source="gate", label="car", start_ms=60_000 * at, value=at) for at in range(9)]
    book.settle(rule, findings, Scope(0, 10**12), {})
    book.settle(rule, findings[:5], Scope(0, 10**12), {})
    for limit, values in ((2, [4, 3]), (4, [4, 3, 2, 1]), (5, [4, 3, 2, 1, 0]), (50, [4, 3, 2, 1, 0])):
        assert [alert.value for alert in book.newest_alerts(["quiet"], limit)] == values
