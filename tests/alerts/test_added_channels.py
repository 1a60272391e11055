"""Channels that administrators add: their addresses are stored and never shown, and alerts go there."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
from flask.testing import FlaskClient
from tests.accounts.people import asking_as, give_accounts
from tests.alerts.hook_server import Hook, hook_server
from tests.alerts.test_alerts_api import CHANNELS, RULE, fill
from tests.web.conftest import Place, Serving, Visit

from frametally.settings.fields import SecretStr
from frametally_alerts import tables
from frametally_alerts.book import AlertBook
from frametally_alerts.channels.delivery import AlertSender
from frametally_alerts.opened_book import OpenedAlerts
from frametally_alerts.rules import AlertRule

KEY = SecretStr("k" * 32)
SECRET = SecretStr("signs the webhooks")
URL = "https://hooks.example.org/hunter2?token=hunter3"
SECRETS = ("hunter2", "hunter3")


@pytest.fixture
def client(place: Place) -> FlaskClient:
    return place.app(alert_channels=CHANNELS, alert_key=KEY).test_client()


@pytest.fixture
def book(place: Place) -> Iterator[AlertBook]:
    with closing(AlertBook(place.catalogue.url)) as opened:
        yield opened


def add(client: FlaskClient, name: str = "hall", url: str = URL, status: int = 201) -> Any:
    answer = client.post("/api/v1/alerts/channels", json={"name": name, "url": url})
    assert answer.status_code == status, answer.text
    return answer.json


def channels(client: FlaskClient) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in client.get("/api/alerts").json["channels"]}


@pytest.mark.thorough
def test_a_channel_is_added_used_replaced_and_deleted(client: FlaskClient) -> None:
    added = add(client)
    assert added == {
        "name": "hall",
        "kind": "webhook",
        "place": "https://hooks.example.org:443",
        "waiting": 0,
        "from_settings": False,
    }
    assert channels(client)["hall"] == added
    assert [one["from_settings"] for one in channels(client).values()] == [False, True, True]
    assert client.post("/api/alerts/rules", json={**RULE, "channels": ["hall"]}).status_code == 201
    used = client.delete("/api/alerts/channels/hall")
    assert (used.status_code, "busy" in used.json["detail"]) == (409, True)
    other = client.put("/api/alerts/channels/hall", json={"url": "mailto:a@example.org"})
    assert (other.status_code, other.json["place"]) == (200, "a@example.org")
    assert client.delete("/api/alerts/rules/busy").status_code == 204
    assert client.delete("/api/alerts/channels/hall").status_code == 204
    assert client.delete("/api/alerts/channels/hall").status_code == 404
    assert client.put("/api/alerts/channels/hall", json={"url": URL}).status_code == 404
    assert "hall" not in channels(client)


def test_an_invalid_channel_is_refused_without_repeating_its_address(client: FlaskClient) -> None:
    for url in (
        "gopher://hunter2",
        "https://user:hunter2@host/",
        "mailto:hunter2",
        "mailto:a@example.org?bcc=hunter2@evil.example",
        "mailto:a@example.org#hunter2",
        "mailto:a@example.org%0d%0aBcc:hunter2@evil.example",
        "mailto:a%40hunter2@evil.example",
        "mailto:a@hunter2@evil.example",
        "mqtt://host/#hunter2",
        "https:// hunter2",
        "apprise:json://10.0.0.1/hunter2",
    ):
        answer = add(client, url=url, status=400)
        assert answer["parameter"] == "url"
        assert "hunter2" not in str(answer)
    assert add(client, "a/b", status=400)["remedy"]
    add(client, "ops", status=409)
    add(client)
    add(client, status=409)
    for answer in (
        client.put("/api/alerts/channels/ops", json={"url": URL}),
        client.delete("/api/alerts/channels/ops"),
    ):
        assert answer.status_code == 409
        assert "server's settings" in answer.json["detail"]


def test_channel_tests_with_hanging_receivers_leave_threads_for_others(
    place: Place, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(client)
    begun, released = threading.Semaphore(0), threading.Event()

    def hang(*_: object) -> bool:
        begun.release()
        return released.wait(60)

    monkeypatch.setattr(OpenedAlerts, "send_test", hang)
    test = "/api/alerts/channels/hall/test"
    with ThreadPoolExecutor() as pool:
        hanging = [pool.submit(client.application.test_client().post, test) for _ in range(2)]
        for _ in hanging:
            assert begun.acquire(timeout=30)
        refused = client.post(test)
        released.set()
        assert {one.result().status_code for one in hanging} == {204}
    assert refused.status_code == 503
    assert refused.headers["Retry-After"]
    assert client.post(test).status_code == 204


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "a.localhost.",
        "2130706433",
        "0x7f.1",
        "10.0.0.1",
        "169.254.169.254",
        "[::1]",
        "[::ffff:10.0.0.1]",
        "[64:ff9b::10.0.0.1]",
        "[64:ff9b:1::10.0.0.1]",
        "[::10.0.0.1]",
        "[::ffff:0:10.0.0.1]",
        "[::8.8.8.8]",
        "[fec0::1]",
    ],
)
@pytest.mark.parametrize("url", ["http://{}/hunter2", "mqtt://{}/hunter2"])
def test_a_channel_at_a_refused_address_is_not_stored(client: FlaskClient, url: str, host: str) -> None:
    answer = add(client, url=url.format(host), status=400)
    assert answer["parameter"] == "url"
    assert "does not allow alert channels at" in answer["detail"]
    assert "hunter2" not in str(answer)
    add(client)
    replaced = client.put("/api/alerts/channels/hall", json={"url": url.format(host)})
    assert replaced.status_code == 400
    assert channels(client)["hall"]["place"] == "https://hooks.example.org:443"


def test_without_a_key_a_channel_is_refused_with_the_missing_setting(place: Place) -> None:
    client = place.app(alert_channels=CHANNELS).test_client()
    assert "FRAMETALLY_ALERT_KEY" in add(client, status=409)["remedy"]
    assert "hall" not in channels(client)


def test_secrets_appear_in_no_answer_page_database_or_log(
    place: Place, client: FlaskClient, book: AlertBook, caplog: pytest.LogCaptureFixture
) -> None:
    add(client)
    client.put("/api/alerts/channels/hall", json={"url": URL})
    client.post("/api/alerts/channels/hall/test")
    shown = [client.get(path).text for path in ("/api/alerts", "/alerts", "/api/audit", "/audit")]
    with closing(sqlite3.connect(place.settings.data_dir / "catalogue.sqlite")) as database:
        stored = "\n".join(database.iterdump())
    assert "frametally_alert_channels" in stored
    for secret in SECRETS:
        assert not [one for one in (*shown, stored, caplog.text) if secret in one]
    assert "hall" in shown[0]
    assert tables.channels.info == {"kept": "alert channels"}  # a backup has the row as it is stored


def test_a_viewer_cannot_add_replace_test_or_delete_a_channel(place: Place, serving: Serving) -> None:
    give_accounts(place)
    with asking_as(serving(place.app(alert_key=KEY)), "lukas") as looking:
        for method, path in (
            ("POST", "/api/v1/alerts/channels"),
            ("PUT", "/api/v1/alerts/channels/hall"),
            ("DELETE", "/api/v1/alerts/channels/hall"),
            ("POST", "/api/v1/alerts/channels/hall/test"),
        ):
            assert looking(method, path).status == 403


def test_an_alert_reaches_a_real_receiver_through_an_added_channel(place: Place, book: AlertBook) -> None:
    hook = Hook()
    with hook_server(hook) as port:
        given: dict[str, Any] = {"alert_key": KEY, "alert_secret": SECRET}
        no_more = place.app(**given).test_client()
        given["alert_allow"] = "127.0.0.1"
        client = place.app(**given).test_client()
        add(client, "ops", f"http://127.0.0.1:{port}/hunter2")
        refused = no_more.post("/api/alerts/channels/ops/test")
        assert (refused.status_code, hook.posted) == (409, [])  # this machine is no longer allowed
        assert client.post("/api/alerts/channels/ops/test").status_code == 204
        fill(book, 2)
        lines: list[str] = []
        sender = AlertSender(place.settings.model_copy(update=given), book, lines.append)
        assert sender.send().sent == 2
        assert [one.path for one in hook.posted] == ["/hunter2"] * 3
        # A running worker uses another address from then on.
        client.put("/api/alerts/channels/ops", json={"url": f"http://127.0.0.1:{port}/elsewhere"})
        book.remove(AlertRule, "<b>busy")
        fill(book, 1, source="yard")
        assert sender.send().sent == 1
        assert hook.posted[-1].path == "/elsewhere"
    assert lines == []


def test_with_another_key_the_channel_says_so_and_its_messages_wait(
    place: Place, client: FlaskClient, book: AlertBook
) -> None:
    add(client)
    other = {"alert_key": SecretStr("x" * 32), "alert_channels": CHANNELS}
    shown = channels(place.app(**other).test_client())
    assert (shown["hall"]["kind"], shown["ops"]["kind"]) == ("unreadable", "webhook")
    client.post("/api/alerts/rules", json={**RULE, "channels": ["hall"]})
    given = {**other, "alert_channels": SecretStr("")}
    lines: list[str] = []
    fill(book, 1)
    with sqlite3.connect(place.settings.data_dir / "catalogue.sqlite") as database:
        database.execute("UPDATE frametally_alert_messages SET channel = 'hall'")
    assert AlertSender(place.settings.model_copy(update=given), book, lines.append).send().sent == 0
    assert "set that key, or replace the channel" in lines[0]
    assert book.waiting() == {"hall": 1}


@pytest.mark.thorough
def test_an_administrator_can_add_replace_test_and_delete_a_channel_in_browser(
    place: Place, visit: Callable[..., Visit]
) -> None:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    expect = playwright.expect
    hook = Hook()
    given = {"alert_key": KEY, "alert_secret": SECRET, "alert_allow": "127.0.0.1", "alert_channels": CHANNELS}
    place.settings = place.settings.model_copy(update=given)
    with hook_server(hook) as port:
        page = visit(place).open("alerts", wait_for="#alerts-page")
        expect(page.locator("#channels li").first).to_contain_text("set by the server's settings")
        page.get_by_text("Add a channel").click()
        page.get_by_label("Name", exact=True).last.fill("hall")
        page.get_by_label("Address").fill("gopher://hunter2")
        page.locator("#channel-form").get_by_role("button", name="Save").click()
        expect(page.locator("#channel-form .problem")).to_contain_text(
            "The address of hall must begin with one of"
        )
        page.get_by_label("Address").fill(f"http://127.0.0.1:{port}/hunter2")
        page.locator("#channel-form").get_by_role("button", name="Save").click()
        row = page.locator("#channels li", has_text="hall")
        expect(row).to_contain_text(f"webhook · http://127.0.0.1:{port}")
        expect(page.locator("body")).not_to_contain_text("hunter2")
        row.get_by_role("button", name="Send test to hall").click()
        expect(row.get_by_text("Test sent")).to_be_visible()
        assert [one.path for one in hook.posted] == ["/hunter2"]
        row.get_by_role("button", name="Replace hall").click()
        expect(page.get_by_label("Address")).to_have_value("")
        page.get_by_label("Address").fill("mailto:a@example.org")
        page.locator("#channel-form").get_by_role("button", name="Save").click()
        expect(row).to_contain_text("mail · a@example.org")
        row.get_by_role("button", name="Delete hall").click()
        row.get_by_role("button", name="Delete hall for good").click()
        expect(row).to_have_count(0)
