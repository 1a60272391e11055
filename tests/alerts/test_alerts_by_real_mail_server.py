"""Alerts by mail, to a real mail server (Debian's Exim), which requires TLS and a password."""

from __future__ import annotations

import json
import mailbox
import secrets
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from serving.needs import server
from serving.own import OwnServer, folder_for_anyone
from tests.alerts.alert_place import AFTERWARDS_MS, AlertPlace, waiting_alert

from frametally.settings.fields import SecretStr
from frametally_alerts.channels import delivery
from frametally_alerts.channels.delivery import AlertSender, SentReport

pytestmark = pytest.mark.services
THERE_WITHIN_S = 30.0


@contextmanager
def mailed(
    folder: Path, smtp: Mapping[str, str], receiver: str, *, by: str = "URL", **settings: Any
) -> Iterator[tuple[AlertPlace, AlertSender, list[str]]]:
    """A place with one alert that waits for a mail to `receiver`."""
    given: dict[str, Any] = {
        "alert_channels": json.dumps({"ops": f"mailto:{receiver}"}),
        "smtp_url": smtp[by],
        "smtp_user": smtp["USER"],
        "smtp_password": SecretStr(smtp["PASSWORD"]),
        "ca_file": Path(smtp["CA_FILE"]),
        **settings,
    }
    with waiting_alert(folder, **given) as waiting:
        yield waiting


def mails_to(smtp: Mapping[str, str], receiver: str, *, at_least: int = 0) -> list[mailbox.mboxMessage]:
    """The mails that the server has delivered to an address, once there are so many."""
    by_s = time.monotonic() + THERE_WITHIN_S
    while True:
        path = Path(smtp["MAILS"])
        box = mailbox.mbox(path, create=False) if path.exists() else None
        found = [mail for mail in box or () if mail["To"] == receiver]
        if box is not None:
            box.close()
        if len(found) >= at_least or time.monotonic() > by_s:
            return found
        time.sleep(0.1)


def somebody() -> str:
    return f"{secrets.token_hex(6)}@example.org"


@pytest.mark.parametrize("by", ["URL", "TLS_URL"])
def test_a_real_mail_server_accepts_an_alert_over_tls_with_a_password_once(tmp_path: Path, by: str) -> None:
    smtp, receiver = server("smtp"), somebody()
    with mailed(tmp_path, smtp, receiver, by=by) as (place, sender, _):
        assert sender.send() == SentReport(sent=1)
        assert sender.send() == SentReport()
        assert place.book.waiting() == {}
        [message] = place.book.messages(9)[0]
    [mail] = mails_to(smtp, receiver, at_least=1)
    assert mail["Subject"] == "frametally: busy: count (gate): 4 (threshold: at least 1)"
    assert mail["Message-ID"] == f"<{message.id}@example.org>"
    assert "esmtpsa" in mail["Received"]  # by TLS and with a log-in, according to the server's log


def test_a_real_mail_server_accepts_a_report_with_its_files(tmp_path: Path) -> None:
    smtp, receiver = server("smtp"), somebody()
    with mailed(tmp_path, smtp, receiver) as (place, sender, _):
        place.schedule()
        assert place.make_reports(AFTERWARDS_MS + 7 * 24 * 3_600_000) == (1, [])
        assert sender.send() == SentReport(sent=2)
        kept = {info.key: place.ports.store.get(info.key) for info in place.ports.store.list("reports")}
    mails = mails_to(smtp, receiver, at_least=2)
    [report] = [mail for mail in mails if "report weekly" in mail["Subject"]]
    files = {part.get_filename(): part.get_payload(decode=True) for part in report.walk()}
    assert len(kept) == 5
    for key, data in kept.items():
        name = key.rpartition("/")[2]
        assert name in ("summary.txt", "checksums.json") or files[name] == data


def test_an_alert_waits_while_a_real_mail_server_refuses_the_login_or_is_not_trusted(tmp_path: Path) -> None:
    smtp, receiver = server("smtp"), somebody()
    wrong: dict[str, Any] = {"smtp_password": SecretStr("hunter2")}
    for name, settings in (("wrong", wrong), ("untrusted", {"ca_file": None})):
        with mailed(tmp_path / name, smtp, receiver, **settings) as (place, sender, lines):
            assert sender.send() == SentReport(put_off=1)
            assert place.book.waiting() == {"ops": 1}
            assert len(lines) == 1
            assert "\n" not in lines[0]
            assert "hunter2" not in lines[0]
    assert mails_to(smtp, receiver) == []


def test_a_stopped_real_mail_server_blocks_nothing_and_gets_the_alert_once_it_continues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "_TRY_S", 1.0)
    server("smtp")  # installed
    with folder_for_anyone() as folder, OwnServer("smtp", folder) as own:
        receiver = somebody()
        with mailed(tmp_path / "data", own.values, receiver) as (place, sender, lines):
            own.signal(signal.SIGSTOP)
            assert sender.send() == SentReport(put_off=1)
            assert "did not finish within 1 s" in lines[0]
            own.signal(signal.SIGCONT)
            monkeypatch.setattr(delivery, "_TRY_S", 60.0)
            [message] = place.book.messages(9)[0]
            place.book.end(message, "queued")
            assert sender.send() == SentReport(sent=1)
            again = mails_to(own.values, receiver, at_least=1)
    # The server may have accepted the mail that hung: then it is the same mail, as its id shows.
    assert {mail["Message-ID"] for mail in again} == {f"<{message.id}@example.org>"}
