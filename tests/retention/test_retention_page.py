"""The page and the API of retention, and the proof's message for removed pictures."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from time import time
from typing import Any

import pytest
from flask import Flask
from tests.accounts.people import asking_as, give_accounts
from tests.commands import frametally
from tests.fakes.memory import MemoryStore
from tests.kit.away import Switched
from tests.kit.waiting import until
from tests.retention.filmed import AGES_MS, FRAMES, START_MS, filmed_days
from tests.web.conftest import Place, Serving

from frametally import keys
from frametally.adapters_by_url import open_count_index
from frametally.books.verdict import BEHIND
from frametally.process.reports import NoProgress
from frametally.rules.times import DAY_MS, HOUR_MS, HOUR_S, utc
from frametally_retention.policy import (
    LegalHold,
    RemovedKind,
    RetentionPolicy,
    RetentionRule,
    end_round,
    put_hold,
    read_policy,
    set_rule,
)

MARKUP = "<script>alert(1)</script>"


def fill(place: Place) -> None:
    set_rule(place.store, RetentionRule(kind="frames", after_ms=30 * DAY_MS, most_bytes=2 * 10**12))
    set_rule(
        place.store, RetentionRule(kind="thinning", after_ms=DAY_MS, interval_s=900, frames=4, source="gate")
    )
    put_hold(place.store, LegalHold(name=MARKUP, source="gate", from_ms=0, note=MARKUP, set_at_ms=1))
    removed = RemovedKind(kind="frames", source="gate", items=7, size_bytes=3_200_000)
    end_round(place.store, "id", DAY_MS, (removed,))


def test_the_api_and_the_page_show_rules_holds_and_the_last_round(place: Place) -> None:
    client = place.app().test_client()
    empty = client.get("/retention").text
    assert "no rules" in empty and "not been applied" in empty
    fill(place)
    answer = client.get("/api/v1/retention").json
    assert [rule["kind"] for rule in answer["rules"]] == ["frames", "thinning"]
    assert answer["holds"][0]["to_ms"] is None
    assert answer["removed"] == [{"kind": "frames", "source": "gate", "items": 7, "size_bytes": 3_200_000}]
    text = client.get("/retention").text
    frames = "older than 30 d or beyond the newest 2.0 TB"
    for words in (frames, "every 15 minutes", "All other sources", "3.2 MB"):
        assert words in text
    assert MARKUP not in text
    german = client.get("/retention", headers={"Accept-Language": "de"}).text
    assert "Aufbewahrung" in german and "älter als 30 d oder" in german


def test_the_page_says_that_nothing_applies_the_rules(place: Place) -> None:
    hours_ago = 0.0
    place.store = MemoryStore(clock=lambda: time() - hours_ago * HOUR_S)
    client = place.app().test_client()
    missing = 'id="unapplied"'
    assert missing not in client.get("/retention").text
    set_rule(place.store, RetentionRule(kind="frames", after_ms=30 * DAY_MS))
    assert missing not in client.get("/retention").text
    hours_ago = 3.0
    set_rule(place.store, RetentionRule(kind="frames", after_ms=31 * DAY_MS))
    assert missing in client.get("/retention").text
    assert "Seit zwei Stunden" in client.get("/retention", headers={"Accept-Language": "de"}).text
    end_round(place.store, "id", round(time() * 1000), ())
    assert missing not in client.get("/retention").text


def test_a_damaged_policy_is_named_with_its_remedy(place: Place) -> None:
    place.store.put(keys.RETENTION_POLICY, b"no record")
    client = place.app().test_client()
    answer = client.get("/retention")
    assert answer.status_code == 503
    assert client.get("/api/v1/retention").status_code >= 500


def test_only_administrators_see_the_page(place: Place, serving: Serving) -> None:
    give_accounts(place)
    url = serving(place.app(web_accounts=True))
    for name, status in (("lukas", 403), ("clara", 403), ("runa", 200)):
        with asking_as(url, name) as ask:
            assert ask("GET", "/api/v1/retention").status == status, name
            assert ask("GET", "/retention").status == status, name


def send(app: Flask, path: str, body: dict[str, Any], status: int = 200) -> Any:
    answer = app.test_client().post(f"/api/v1/retention/{path}", json=body)
    assert answer.status_code == status, answer.text
    return answer.json


def planned(app: Flask, rule: dict[str, Any]) -> Any:
    send(app, "plan", rule, 202)
    client = app.test_client()
    until(lambda: client.get("/api/v1/retention/plan").json["state"] != "running")
    return client.get("/api/v1/retention/plan").json


@pytest.mark.thorough
def test_a_rule_can_be_tried_before_it_is_saved_and_the_next_round_removes_exactly_that(
    place: Place, tmp_path: Path
) -> None:
    with filmed_days(tmp_path / "filmed") as filmed:
        place.settings, place.store, place.ledger = filmed.settings, filmed.store, filmed.ledger
        app = place.app()
        objects = filmed.objects()
        rule = {"kind": "frames", "source": "gate", "after_ms": 20 * DAY_MS}
        plan = planned(app, rule)
        assert plan["state"] == "done" and plan["spared"] == []
        [row] = plan["kinds"]
        assert (row["kind"], row["source"], row["items"], row["going"]) == (
            "frames",
            "gate",
            900,
            len(filmed.days[0]),
        )
        assert plan["going_bytes"] == row["going_bytes"] > 0
        # Nothing is saved, nothing is removed.
        assert read_policy(filmed.store) == RetentionPolicy() and filmed.objects() == objects
        send(app, "holds", {"name": "case/17", "source": "gate", "to_ms": START_MS - 29 * DAY_MS})
        held = planned(app, rule)
        assert held["going_bytes"] == 0 and held["spared"] == [
            {"reason": "held", "frames": len(filmed.days[0])}
        ]
        send(app, "holds/release", {"name": "case/17"})
        assert [kept["kind"] for kept in send(app, "rules", rule)["rules"]] == ["frames"]
        report = filmed.round()
        assert report.going_bytes == plan["going_bytes"]
        assert filmed.frames() == sorted(filmed.days[1] + filmed.days[2])
        assert send(app, "rules", {"kind": "frames", "source": "gate", "never": True})["rules"] == []


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("rules", {"kind": "frames", "after_ms": 60_000}, 400, "would keep nothing"),
        ("rules", {"kind": "frames", "most_bytes": 0}, 400, "would keep nothing"),
        ("rules", {"kind": "frames"}, 400, "does not say when"),
        ("rules", {"kind": "segments", "after_ms": DAY_MS}, 400, "there can be no rule"),
        ("rules", {"kind": "frames", "after_ms": 10**30}, 400, "retention rule"),
        ("rules", {"kind": "frames", "never": True}, 400, "no rule for frames"),
        ("plan", {"kind": "frames", "after_ms": 60_000}, 400, "would keep nothing"),
        ("rules", {"kind": "frames", "after_ms": DAY_MS, "source": "gaet"}, 404, "gaet"),
        ("holds", {"name": "a", "from_ms": 5, "to_ms": 5}, 400, "ends before it begins"),
        ("holds", {"name": ""}, 400, "legal hold"),
        ("holds/release", {"name": "b"}, 404, "no hold named"),
    ],
)
def test_an_invalid_policy_is_refused_with_its_remedy(
    place: Place, path: str, body: dict[str, Any], status: int, words: str
) -> None:
    place.film({"car": 1})
    problem = send(place.app(), path, body, status)
    assert words.lower() in problem["detail"].lower() and problem["remedy"]
    assert read_policy(place.store) == RetentionPolicy()


def test_only_administrators_change_the_policy_and_the_audit_log_says_what(
    place: Place, serving: Serving
) -> None:
    give_accounts(place)
    url = serving(place.app(web_accounts=True))
    rule = {"kind": "frames", "after_ms": 30 * DAY_MS}
    hold = {"name": "case 17", "note": "request of 3 March"}
    for name, status in (("lukas", 403), ("clara", 403), ("runa", 200)):
        with asking_as(url, name) as ask:
            for path, body in (("rules", rule), ("holds", hold), ("holds/release", {"name": "case 17"})):
                sent = json.dumps(body).encode()
                answer = ask("POST", f"/api/v1/retention/{path}", sent, Content_Type="application/json")
                assert answer.status == status, (name, path)
    with asking_as(url, "runa") as ask:
        done = [
            (change["what"], change["target"])
            for change in ask("GET", "/api/v1/audit").json["changes"]
            if "/retention/" in change["what"] and change["status"] == 200
        ]
    assert done[::-1] == [
        ("POST /api/retention/rules", f"kind=frames after_ms={30 * DAY_MS} interval_s=0 frames=0"),
        ("POST /api/retention/holds", 'name="case 17"'),
        ("POST /api/retention/holds/release", 'name="case 17"'),
    ]


@pytest.fixture
def client(place: Place) -> Callable[[str], Any]:
    place.film({"car": 6}, intervals=4)
    app: Flask = place.app()
    return lambda path: app.test_client().get(path).json


def test_a_bar_whose_pictures_are_deleted_says_so_and_keeps_its_count(
    place: Place, client: Callable[[str], Any]
) -> None:
    before, evidence = client("/api/v1/counts"), client("/api/v1/evidence")
    assert evidence["frames"][0]["note"] is None
    for info in list(place.store.list(keys.IMAGES)):
        place.store.delete(info.key)
    frames = client("/api/v1/frames?label=car&limit=2")
    assert frames["note"] == "2 pictures here are no longer in the store; the count stays."
    assert "no longer in the store" in client("/api/v1/evidence")["frames"][0]["note"]
    assert client("/api/v1/counts") == before


def test_a_bar_whose_segments_are_deleted_says_so_in_page_and_command_and_keeps_its_count(
    place: Place, tmp_path: Path
) -> None:
    with filmed_days(tmp_path / "filmed") as filmed:
        place.settings, place.store, place.ledger = filmed.settings, filmed.store, filmed.ledger
        place.index = Switched(open_count_index(filmed.settings.index_url))
        client = place.app().test_client()
        day = f"from={utc(START_MS - AGES_MS[0])}&to={utc(START_MS - AGES_MS[0] + HOUR_MS)}&label=car"
        before = client.get("/api/v1/counts").json
        filmed.ledger.refresh(filmed.store, NoProgress())
        assert client.get(f"/api/v1/frames?{day}").json["note"] is None
        filmed.store.delete(next(filmed.store.list("metadata")).key)
        filmed.ledger.refresh(filmed.store, NoProgress())
        for query in (day, f"{day}&empty=1"):
            frames = client.get(f"/api/v1/frames?{query}").json
            assert frames["frames"] == [] and frames["detections"] == FRAMES
            assert (
                frames["note"]
                == "The detections behind this bar are no longer in the store; the count stays."
            )
        assert client.get("/api/v1/counts").json == before
        start = ("--interval-start", utc(START_MS - AGES_MS[0]), "--interval", "3600")
        bar = ("--source", "gate", "--label", "car", *start)
        said = frametally("explain", *bar, "--data-dir", tmp_path / "filmed", code=BEHIND).out
        assert f"the bar shows {FRAMES}: its detections are no longer in the store; the count stays" in said
