"""The page and the API of retention, and the proof's message for removed pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from tests.accounts.people import asking_as, give_accounts
from tests.web.conftest import Place, Serving

from frametally import keys
from frametally.rules.times import DAY_MS
from frametally_retention.policy import (
    LegalHold,
    RemovedKind,
    RetentionRule,
    end_round,
    put_hold,
    set_rule,
)

MARKUP = "<script>alert(1)</script>"


def fill(place: Place) -> None:
    set_rule(place.store, RetentionRule(kind="frames", after_ms=30 * DAY_MS, most_bytes=2 * 10**12))
    set_rule(
        place.store,
        RetentionRule(kind="thinning", after_ms=DAY_MS, interval_s=900, frames=4, source="gate"),
    )
    put_hold(place.store, LegalHold(name=MARKUP, source="gate", from_ms=0, note=MARKUP, set_at_ms=1))
    removed = RemovedKind(kind="frames", source="gate", items=7, size_bytes=3_200_000)
    end_round(place.store, "id", DAY_MS, (removed,))


def test_the_api_and_the_page_show_rules_holds_and_the_last_round(place: Place) -> None:
    client = place.app().test_client()
    empty = client.get("/retention").text
    assert "frametally retention set" in empty and "not been applied" in empty
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


def test_a_damaged_policy_is_named_with_its_remedy(place: Place) -> None:
    place.store.put(keys.RETENTION_POLICY, b"no record")
    client = place.app().test_client()
    answer = client.get("/retention")
    assert answer.status_code == 503
    assert client.get("/api/v1/retention").status_code >= 500


def test_only_administrators_see_it(place: Place, serving: Serving) -> None:
    give_accounts(place)
    url = serving(place.app(web_accounts=True))
    for name, status in (("lukas", 403), ("clara", 403), ("runa", 200)):
        with asking_as(url, name) as ask:
            assert ask("GET", "/api/v1/retention").status == status, name
            assert ask("GET", "/retention").status == status, name


@pytest.fixture
def client(place: Place) -> Callable[[str], Any]:
    place.film({"car": 6}, intervals=4)
    app: Flask = place.app()
    return lambda path: app.test_client().get(path).json


def test_a_bar_whose_pictures_are_gone_says_so_and_keeps_its_count(
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
