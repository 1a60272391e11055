"""News of a video: each event once, and nothing in its name has a special meaning."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from contextlib import closing
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.memory import MemoryStore
from tests.fakes.smtp_server import PASSWORD, USER, Received, mail_server
from tests.videos.video_records import make_video

from frametally.files.names import one_line
from frametally.records import encode
from frametally.settings.fields import SecretStr
from frametally.settings.loading import Settings
from frametally.work import sending
from frametally_cli.checkup.machine import mail_rows
from frametally_videos.catalogue.catalogue_rows import Job, VideoBooks
from frametally_videos.catalogue.outbox import Letter, Notice
from frametally_videos.catalogue.video_catalogue import VideoCatalogue
from frametally_videos.catalogue_by_url import open_video_catalogue
from frametally_videos.jobs import video_news
from frametally_videos.jobs.video_news import Mailer, VideoNews, mailing, message_of, tell_checks
from frametally_videos.media_records import VideoCheck, VideoQuality
from frametally_videos.records import VideoRecord

SETTINGS = Settings(smtp_url="smtp://127.0.0.1:1", mail_to="to@example.org", web_url="https://cams.example/")
FRAMES = Job("job-1", make_video().id, "frames", "done", generation=1)
BOOKS = VideoBooks(300, 300, 299, 1, 299, {"person": 3, "car": 12})
BAD_NAMES = [
    "gate\r\nBcc: thief@example.org\r\n\r\nspam",
    "gate\nX-Evil: 1",
    "gate\x00\x1b[2J\x7f",
    "\u202egpj.etag\u2066\u2069\u200f",
    "\u2028\u2029gate\x85",
    "\N{PARTY POPPER}" * 255,
    "=?utf-8?q?gate?=",
    "\udce9 not UTF-8",
]


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[VideoCatalogue]:
    with closing(open_video_catalogue(f"sqlite:///{tmp_path}/catalogue.sqlite")) as opened:
        yield opened


def told(outbox: VideoCatalogue) -> list[str]:
    return [notice.subject for notice in reversed(outbox.notices(100))]


def quality(video: VideoRecord, *failed: str, made_by: str = "1") -> VideoQuality:
    checks = [
        VideoCheck(
            name=name,
            passed=name not in failed,
            sentence=f"It is {name}, 12.4 of 60.0 s.",
            measured=12.4,
            limit=1.0,
            unit="s",
        )
        for name in ("black", "frozen", "cut")
    ]
    return VideoQuality(
        video_id=video.id, sha256=video.sha256, made_by=made_by, passed=not failed, checks=checks
    )


def test_the_notice_of_a_ready_video_has_its_books_and_its_address(outbox: VideoCatalogue) -> None:
    VideoNews(SETTINGS, outbox).ready(make_video(), FRAMES, BOOKS, "1 of its frames is not counted.")
    (notice,) = outbox.notices(1)
    assert notice.subject == "Gate 1 is ready"
    assert "Frames: 300 expected, 300 announced, 299 analysed, 299 counted" in notice.body
    assert "Detections: car 12, person 3" in notice.body
    assert "1 of its frames is not counted." in notice.body
    assert notice.body.endswith(f"\nhttps://cams.example/videos?v={make_video().id}")


def test_each_event_gives_one_notice_and_a_repeat_of_the_frames_gives_another(outbox: VideoCatalogue) -> None:
    news = VideoNews(SETTINGS, outbox)
    for _ in range(2):
        news.ready(make_video(), FRAMES, BOOKS, None)
        news.failed(make_video(2), FRAMES, "Its file is damaged.")
    news.failed(make_video(2), FRAMES._replace(generation=2), "Its file is damaged.")
    news.ready(make_video(), FRAMES._replace(id="job-2"), BOOKS, None)
    assert told(outbox) == ["Gate 1 is ready", "Gate 2 has failed", "Gate 2 has failed", "Gate 1 is ready"]
    assert "Its file is damaged." in outbox.notices(2)[1].body


def test_a_notice_lists_only_checks_that_failed(outbox: VideoCatalogue) -> None:
    video, store = make_video(), MemoryStore()
    store.put(video.key, encode(video))
    tell_checks(SETTINGS, store, outbox, video.id)
    for failed in ((), ("black",), ("black",), ("black", "cut")):
        record = quality(video, *failed)
        store.put(record.key, encode(record))
        tell_checks(SETTINGS, store, outbox, video.id)
    assert told(outbox) == ["Gate 1 did not pass black", "Gate 1 did not pass 2 checks"]
    body = outbox.notices(1)[0].body
    assert "failed 2 of 3 checks; it is counted anyway." in body
    assert "- cut: It is cut, 12.4 of 60.0 s." in body
    assert "frozen" not in body


def test_no_notice_is_stored_without_a_mail_server_or_a_receiver(outbox: VideoCatalogue) -> None:
    for lacks in ("smtp_url", "mail_to"):
        nobody = SETTINGS.model_copy(update={lacks: ""})
        VideoNews(nobody, outbox).ready(make_video(), FRAMES, BOOKS, None)
    assert told(outbox) == []


@pytest.mark.thorough
@pytest.mark.parametrize("name", BAD_NAMES, ids=ascii)
def test_a_real_mail_server_receives_any_video_name_as_plain_text(
    outbox: VideoCatalogue, tmp_path: Path, name: str
) -> None:
    received = Received()
    video = make_video(name=name.encode("utf-8", "replace").decode(), file_name="a.mp4", source_name="Gate")
    with mail_server(received, tmp_path) as (url, _):
        settings = SETTINGS.model_copy(update={"smtp_url": url})
        VideoNews(settings, outbox).ready(video, FRAMES, BOOKS, None)
        assert Mailer(settings, outbox, print).send() == 1
    (mail,) = received.mails
    assert sorted(mail.keys()) == sorted(
        [
            *("Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted"),
            *("Content-Type", "Content-Transfer-Encoding", "MIME-Version"),
        ]
    )
    assert received.envelopes[0].rcpt_tos == ["to@example.org"]
    assert mail["Subject"].startswith("frametally: ")
    shown = mail["Subject"] + mail.get_content().replace("\r\n", "").replace("\n", "")
    assert not [one for one in shown if unicodedata.category(one) in ("Cc", "Cf", "Cs", "Zl", "Zp")]


@given(st.text(max_size=300), st.text(max_size=300))
def test_no_video_name_can_add_a_header_to_a_mail(name: str, reason: str) -> None:
    notice = Notice("1", f"{one_line(name)} has failed", f"{one_line(reason, None)}\n")
    data = message_of(Letter("0" * 32, [notice], 1), SETTINGS).as_bytes()
    mail = message_from_bytes(data, policy=policy.SMTP)
    assert len(mail.keys()) == 9
    assert mail["To"] == "to@example.org"
    assert mail["Message-ID"] == f"<{'0' * 32}@example.org>"
    assert all(len(line) < 998 for line in data.split(b"\r\n"))
    data.decode("ascii")


TO = "people@example.org"


@pytest.fixture(autouse=True)
def no_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video_news, "DIGEST_S", 0.0)


@pytest.fixture
def received() -> Received:
    return Received()


def settings_of(url: str, **values: Any) -> Settings:
    return Settings(smtp_url=url, **{"mail_to": TO, **values})


def logged_in(url: str, ca_file: Path | None, password: str = PASSWORD, **values: Any) -> Settings:
    access = {"smtp_user": USER, "smtp_password": SecretStr(password), "ca_file": ca_file}
    return settings_of(url, **access, **values)


def sent(outbox: VideoCatalogue, settings: Settings, **values: Any) -> tuple[int, list[str]]:
    """The number of mails, and their text."""
    lines: list[str] = []
    return Mailer(settings, outbox, lines.append).send(**values), lines


def states(outbox: VideoCatalogue) -> list[str]:
    return [notice.state for notice in outbox.notices(100)]


@pytest.mark.parametrize("tls", ["starttls", "smtps"])
def test_a_mail_is_sent_with_tls_and_a_password(
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


def test_notices_within_the_digest_time_share_one_mail(
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


def test_notices_beyond_the_limit_of_a_mail_go_into_further_mails(
    outbox: VideoCatalogue, received: Received, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video_news, "_MOST_NOTICES", 2)
    for number in range(5):
        outbox.put_notice(str(number), "s", f"text {number}")
    with mail_server(received, tmp_path) as (url, _):
        assert sent(outbox, settings_of(url)) == (3, [])
    assert len(set(received.ids)) == 3


def test_a_wrong_password_gives_one_line_without_it_and_the_mail_waits(
    outbox: VideoCatalogue, received: Received, tmp_path: Path
) -> None:
    outbox.put_notice("a", "s", "b")
    with mail_server(received, tmp_path, tls="starttls") as (url, ca_file):
        number, (line,) = sent(outbox, logged_in(url, ca_file, "wrong-secret"))
    assert (number, states(outbox)) == (0, ["queued"])
    assert "refused the user name or password (535" in line
    assert "FRAMETALLY_SMTP_PASSWORD" in line
    assert "\n" not in line
    assert "wrong-secret" not in line
    assert "wrong-secret" not in (outbox.notices(1)[0].reason or "")


def test_a_password_that_smtp_cannot_send_gives_one_line_without_it(
    outbox: VideoCatalogue, received: Received, tmp_path: Path
) -> None:
    outbox.put_notice("a", "s", "b")
    with mail_server(received, tmp_path, tls="starttls") as (url, ca_file):
        _, (line,) = sent(outbox, logged_in(url, ca_file, "g\u00e9heim"))
    assert "must be ASCII" in line
    assert "heim" not in line


def test_an_untrusted_certificate_is_refused_before_the_password_is_sent(
    outbox: VideoCatalogue, received: Received, tmp_path: Path
) -> None:
    outbox.put_notice("a", "s", "b")
    with mail_server(received, tmp_path, tls="smtps") as (url, _):
        number, (line,) = sent(outbox, logged_in(url, None))
    assert number == 0
    assert "its certificate is not trusted" in line
    assert received.users == []


def test_without_tls_a_password_is_only_sent_to_this_machine(
    outbox: VideoCatalogue, received: Received, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox.put_notice("a", "s", "b")
    with mail_server(received, tmp_path) as (url, _):
        settings = logged_in(url.replace("127.0.0.1", "elsewhere.example"), None)
        monkeypatch.setattr("socket.getaddrinfo", _all_here(url))
        number, (line,) = sent(outbox, settings)
    assert number == 0
    assert "does not offer STARTTLS, and frametally does not send a password without" in line
    assert received.envelopes == []


def _all_here(url: str) -> Any:
    import socket

    port = int(url.rpartition(":")[2])
    return lambda *_, **__: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]


def test_the_same_mail_is_sent_once_the_server_is_back(
    outbox: VideoCatalogue, received: Received, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video_news, "_FIRST_PAUSE_S", 0.0)
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


def test_a_temporarily_rejected_mail_is_sent_later_and_a_permanently_rejected_one_fails(
    outbox: VideoCatalogue, received: Received, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video_news, "_FIRST_PAUSE_S", 0.0)
    outbox.put_notice("a", "s", "b")
    received.answers = ["451 busy", "554 this is spam"]
    with mail_server(received, tmp_path) as (url, _):
        assert "rejected the e-mail: 451 busy" in sent(outbox, settings_of(url))[1][0]
        assert states(outbox) == ["queued"]
        assert "rejected the e-mail: 554 this is spam" in sent(outbox, settings_of(url))[1][0]
    (notice,) = outbox.notices(1)
    assert notice.state == "failed"
    assert "this is spam" in (notice.reason or "")


def test_one_refused_receiver_does_not_stop_the_mail_for_the_others(
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


def test_a_mail_that_cannot_be_delivered_is_given_up_in_the_end(
    outbox: VideoCatalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video_news, "_FIRST_PAUSE_S", 0.0)
    monkeypatch.setattr(sending, "_MOST_ATTEMPTS", 3)
    outbox.put_notice("a", "s", "b")
    for _ in range(3):
        assert states(outbox) == ["queued"]
        sent(outbox, settings_of("smtp://127.0.0.1:1"))
    assert states(outbox) == ["failed"]


def test_a_worker_sends_mails_while_it_works_and_the_rest_at_its_end(
    outbox: VideoCatalogue, received: Received, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video_news, "DIGEST_S", 3600.0)
    with mail_server(received, tmp_path) as (url, _):
        settings = settings_of(url)
        with mailing(settings, outbox, print, all_at_end=True):
            outbox.put_notice("a", "s", "b")
        assert len(received.ids) == 1
        with mailing(settings, outbox, print, all_at_end=False):
            outbox.put_notice("b", "s", "b")
        assert len(received.ids) == 1


def test_doctor_signs_in_to_the_mail_server_and_sends_nothing(received: Received, tmp_path: Path) -> None:
    with mail_server(received, tmp_path, tls="starttls") as (url, ca_file):
        (good,) = mail_rows(logged_in(url, ca_file))
        (bad,) = mail_rows(logged_in(url, ca_file, "wrong-secret"))
    assert (good.value, good.note, good.good) == ("signed in", "recipients: 1", True)
    assert "FRAMETALLY_SMTP_PASSWORD" in bad.remedy
    assert "wrong-secret" not in str(bad)
    (away,) = mail_rows(settings_of(url))
    assert "cannot be used" in away.remedy
    assert list(mail_rows(settings_of("", mail_to=""))) == []
    assert received.envelopes == []
