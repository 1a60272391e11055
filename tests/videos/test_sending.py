"""Mails come to a real mail server as they are meant, once, and never a password where it must not be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import SecretStr
from tests.fakes.smtp_server import PASSWORD, USER, Received, mail_server

from frametally.settings.loading import Settings
from frametally_cli.checkup.mail import mail_rows
from frametally_videos.news import outbox_mail
from frametally_videos.news.outbox_mail import Mailer, mailing
from frametally_videos.opening import open_video_catalogue
from frametally_videos.ports.video_catalogue import VideoCatalogue

TO = "people@example.org"


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[VideoCatalogue]:
    with closing(open_video_catalogue(f"sqlite:///{tmp_path}/catalogue.sqlite")) as opened:
        yield opened


@pytest.fixture
def received() -> Received:
    return Received()


def settings_of(url: str, **values: Any) -> Settings:
    return Settings(smtp_url=url, mail_digest_s=0, **{"mail_to": TO, **values})


def logged_in(url: str, ca_file: Path | None, password: str = PASSWORD, **values: Any) -> Settings:
    access = {"smtp_user": USER, "smtp_password": SecretStr(password), "smtp_ca_file": ca_file}
    return settings_of(url, **access, **values)


def sent(outbox: VideoCatalogue, settings: Settings, **values: Any) -> tuple[int, list[str]]:
    """How many mails were sent, and what was said."""
    lines: list[str] = []
    return Mailer(settings, outbox, lines.append).send(**values), lines


def states(outbox: VideoCatalogue) -> list[str]:
    return [notice.state for notice in outbox.notices(100)]


@pytest.mark.parametrize("tls", ["starttls", "smtps"])
def test_a_mail_goes_by_tls_and_a_password(
    outbox: VideoCatalogue, received: Received, tmp_path: Path, tls: Literal["starttls", "smtps"]
) -> None:
    outbox.put_notice("a", "Gate is ready", "Gate is ready: all its frames are in the chart.")
    with mail_server(received, tmp_path, tls=tls) as (url, ca_file):
        assert sent(outbox, logged_in(url, ca_file)) == (1, [])
        assert sent(outbox, logged_in(url, ca_file)) == (0, [])
    (mail,) = received.mails
    assert received.users == [USER]
    assert (mail["Subject"], mail["From"], mail["To"]) == ("frametally: Gate is ready", USER, TO)
    assert mail.get_content().strip() == "Gate is ready: all its frames are in the chart."
    assert states(outbox) == ["sent"]


def test_what_came_within_the_time_of_a_digest_is_one_mail(
    outbox: VideoCatalogue, received: Received, tmp_path: Path
) -> None:
    for number in range(3):
        outbox.put_notice(str(number), f"Gate {number} is ready", f"text {number}")
    with mail_server(received, tmp_path) as (url, _):
        assert sent(outbox, settings_of(url), waited_s=3600) == (0, [])
        assert sent(outbox, settings_of(url)) == (1, [])
    (mail,) = received.mails
    assert mail["Subject"] == "frametally: Gate 0 is ready, and 2 more"
    assert [f"text {number}" in mail.get_content() for number in range(3)] == [True] * 3


def test_more_news_than_a_mail_holds_are_in_several(
    outbox: VideoCatalogue, received: Received, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_mail, "_MOST_NOTICES", 2)
    for number in range(5):
        outbox.put_notice(str(number), "s", f"text {number}")
    with mail_server(received, tmp_path) as (url, _):
        assert sent(outbox, settings_of(url)) == (3, [])
    assert len(set(received.ids)) == 3


def test_a_wrong_password_is_one_line_without_it_and_the_mail_waits(
    outbox: VideoCatalogue, received: Received, tmp_path: Path
) -> None:
    outbox.put_notice("a", "s", "b")
    with mail_server(received, tmp_path, tls="starttls") as (url, ca_file):
        number, (line,) = sent(outbox, logged_in(url, ca_file, "wrong-secret"))
    assert (number, states(outbox)) == (0, ["queued"])
    assert "refused the log-in (535" in line
    assert "FRAMETALLY_SMTP_PASSWORD" in line
    assert "\n" not in line
    assert "wrong-secret" not in line
    assert "wrong-secret" not in (outbox.notices(1)[0].reason or "")


def test_a_password_that_smtp_cannot_say_is_one_line_without_it(
    outbox: VideoCatalogue, received: Received, tmp_path: Path
) -> None:
    outbox.put_notice("a", "s", "b")
    with mail_server(received, tmp_path, tls="starttls") as (url, ca_file):
        _, (line,) = sent(outbox, logged_in(url, ca_file, "g\u00e9heim"))
    assert "have to be ASCII" in line
    assert "heim" not in line


def test_a_certificate_of_nobody_known_is_refused_before_the_password_is_sent(
    outbox: VideoCatalogue, received: Received, tmp_path: Path
) -> None:
    outbox.put_notice("a", "s", "b")
    with mail_server(received, tmp_path, tls="smtps") as (url, _):
        number, (line,) = sent(outbox, logged_in(url, None))
    assert number == 0
    assert "its certificate is not trusted" in line
    assert received.users == []


def test_a_password_goes_nowhere_without_tls_but_to_this_machine(
    outbox: VideoCatalogue, received: Received, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox.put_notice("a", "s", "b")
    with mail_server(received, tmp_path) as (url, _):
        settings = logged_in(url.replace("127.0.0.1", "elsewhere.example"), None)
        monkeypatch.setattr("socket.getaddrinfo", _all_here(url))
        number, (line,) = sent(outbox, settings)
    assert number == 0
    assert "offers no STARTTLS, and a password is not sent without" in line
    assert received.envelopes == []


def _all_here(url: str) -> Any:
    import socket

    port = int(url.rpartition(":")[2])
    return lambda *_, **__: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]


def test_a_server_that_is_away_gets_the_same_mail_later(
    outbox: VideoCatalogue, received: Received, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_mail, "_FIRST_PAUSE_S", 0.0)
    outbox.put_notice("a", "s", "b")
    with mail_server(received, tmp_path) as (url, _):
        pass
    number, (line,) = sent(outbox, settings_of(url))
    assert (number, states(outbox)) == (0, ["queued"])
    assert "cannot be used" in line
    outbox.put_notice("b", "s", "later")
    with mail_server(received, tmp_path, port=int(url.rpartition(":")[2])):
        assert sent(outbox, settings_of(url)) == (2, [])
    assert [mail.get_content().strip() for mail in received.mails] == ["b", "later"]


def test_a_mail_that_is_not_taken_for_now_is_sent_later_and_one_that_never_is_has_failed(
    outbox: VideoCatalogue, received: Received, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_mail, "_FIRST_PAUSE_S", 0.0)
    outbox.put_notice("a", "s", "b")
    received.answers = ["451 busy", "554 this is spam"]
    with mail_server(received, tmp_path) as (url, _):
        assert "did not take it: 451 busy" in sent(outbox, settings_of(url))[1][0]
        assert states(outbox) == ["queued"]
        assert "did not take it: 554 this is spam" in sent(outbox, settings_of(url))[1][0]
    (notice,) = outbox.notices(1)
    assert notice.state == "failed"
    assert "this is spam" in (notice.reason or "")


def test_one_receiver_that_is_refused_does_not_keep_it_from_the_others(
    outbox: VideoCatalogue, received: Received, tmp_path: Path
) -> None:
    outbox.put_notice("a", "s", "b")
    received.refused = {"gone@example.org"}
    with mail_server(received, tmp_path) as (url, _):
        number, (line,) = sent(outbox, settings_of(url, mail_to=f"gone@example.org,{TO}"))
        assert (number, received.envelopes[0].rcpt_tos) == (1, [TO])
        assert "gone@example.org was refused: 550 no such person" in line
        outbox.put_notice("b", "s", "b")
        assert sent(outbox, settings_of(url, mail_to="gone@example.org"))[0] == 0
    assert states(outbox) == ["failed", "sent"]


def test_a_mail_that_nobody_takes_is_given_up_in_the_end(
    outbox: VideoCatalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_mail, "_FIRST_PAUSE_S", 0.0)
    monkeypatch.setattr(outbox_mail, "_MOST_ATTEMPTS", 3)
    outbox.put_notice("a", "s", "b")
    for _ in range(3):
        assert states(outbox) == ["queued"]
        sent(outbox, settings_of("smtp://127.0.0.1:1"))
    assert states(outbox) == ["failed"]


def test_a_worker_sends_while_it_works_and_what_is_left_at_its_end(
    outbox: VideoCatalogue, received: Received, tmp_path: Path
) -> None:
    with mail_server(received, tmp_path) as (url, _):
        settings = settings_of(url).model_copy(update={"mail_digest_s": 3600.0})
        with mailing(settings, outbox, print, all_at_end=True):
            outbox.put_notice("a", "s", "b")
        assert len(received.ids) == 1
        with mailing(settings, outbox, print, all_at_end=False):
            outbox.put_notice("b", "s", "b")
        assert len(received.ids) == 1


def test_doctor_logs_in_and_sends_nothing(received: Received, tmp_path: Path) -> None:
    with mail_server(received, tmp_path, tls="starttls") as (url, ca_file):
        (good,) = mail_rows(logged_in(url, ca_file))
        (bad,) = mail_rows(logged_in(url, ca_file, "wrong-secret"))
    assert (good.value, good.note, good.good) == ("logged in", "addresses that are told: 1", True)
    assert "FRAMETALLY_SMTP_PASSWORD" in bad.remedy
    assert "wrong-secret" not in str(bad)
    (away,) = mail_rows(settings_of(url))
    assert "cannot be used" in away.remedy
    assert list(mail_rows(settings_of("", mail_to=""))) == []
    assert received.envelopes == []
