"""What is told of a video: each event once, and nothing in its name is anything but a name."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from contextlib import closing
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.memory import MemoryStore
from tests.fakes.smtp_server import Received, mail_server
from tests.videos.video_records import make_video

from frametally.files.names import one_line
from frametally.records import encode
from frametally.settings.loading import Settings
from frametally_videos.media_records import VideoCheck, VideoQuality
from frametally_videos.news.check_news import tell_checks
from frametally_videos.news.letters import message_of
from frametally_videos.news.outbox_mail import Mailer
from frametally_videos.news.video_news import VideoNews
from frametally_videos.opening import open_video_catalogue
from frametally_videos.ports.job_book import Job
from frametally_videos.ports.outbox import Letter, Notice
from frametally_videos.ports.video_catalogue import VideoBooks, VideoCatalogue
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
    "\udce9 no UTF-8",
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


def test_a_ready_video_is_told_with_its_books_and_its_address(outbox: VideoCatalogue) -> None:
    VideoNews(SETTINGS, outbox).ready(make_video(), FRAMES, BOOKS, "1 of its frames is not counted.")
    (notice,) = outbox.notices(1)
    assert notice.subject == "Gate 1 is ready"
    assert "Frames: 300 expected, 300 announced, 299 detected, 299 counted" in notice.body
    assert "Detections: car 12, person 3" in notice.body
    assert "1 of its frames is not counted." in notice.body
    assert notice.body.endswith(f"\nhttps://cams.example/videos?v={make_video().id}")


def test_each_event_is_told_once_and_frames_that_are_made_anew_are_another(outbox: VideoCatalogue) -> None:
    news = VideoNews(SETTINGS, outbox)
    for _ in range(2):
        news.ready(make_video(), FRAMES, BOOKS, None)
        news.failed(make_video(2), FRAMES, "Its file is damaged.")
    news.failed(make_video(2), FRAMES._replace(generation=2), "Its file is damaged.")
    news.ready(make_video(), FRAMES._replace(id="job-2"), BOOKS, None)
    assert told(outbox) == ["Gate 1 is ready", "Gate 2 has failed", "Gate 2 has failed", "Gate 1 is ready"]
    assert "Its file is damaged." in outbox.notices(2)[1].body


def test_checks_that_failed_are_told_and_those_that_passed_are_not(outbox: VideoCatalogue) -> None:
    video, store = make_video(), MemoryStore()
    store.put(video.key, encode(video))
    tell_checks(SETTINGS, store, outbox, video.id)
    for failed in ((), ("black",), ("black",), ("black", "cut")):
        record = quality(video, *failed)
        store.put(record.key, encode(record))
        tell_checks(SETTINGS, store, outbox, video.id)
    assert told(outbox) == ["Gate 1 did not pass black", "Gate 1 did not pass 2 checks"]
    body = outbox.notices(1)[0].body
    assert "did not pass 2 of 3 checks; it is counted all the same." in body
    assert "- cut: It is cut, 12.4 of 60.0 s." in body
    assert "frozen" not in body


def test_where_nobody_is_told_nothing_is_put(outbox: VideoCatalogue) -> None:
    for lacks in ("smtp_url", "mail_to"):
        nobody = SETTINGS.model_copy(update={lacks: ""})
        VideoNews(nobody, outbox).ready(make_video(), FRAMES, BOOKS, None)
    assert told(outbox) == []


@pytest.mark.thorough
@pytest.mark.parametrize("name", BAD_NAMES, ids=ascii)
def test_a_name_comes_through_a_real_server_as_nothing_but_a_name(
    outbox: VideoCatalogue, tmp_path: Path, name: str
) -> None:
    received = Received()
    video = make_video(name=name.encode("utf-8", "replace").decode(), file_name="a.mp4", source_name="Gate")
    with mail_server(received, tmp_path) as (url, _):
        settings = SETTINGS.model_copy(update={"smtp_url": url, "mail_digest_s": 0})
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
def test_whatever_a_name_is_a_mail_has_its_headers_alone(name: str, reason: str) -> None:
    notice = Notice("1", f"{one_line(name)} has failed", f"{one_line(reason, None)}\n")
    data = message_of(Letter("0" * 32, [notice], 1), SETTINGS).as_bytes()
    mail = message_from_bytes(data, policy=policy.SMTP)
    assert len(mail.keys()) == 9
    assert mail["To"] == "to@example.org"
    assert mail["Message-ID"] == f"<{'0' * 32}@example.org>"
    assert all(len(line) < 998 for line in data.split(b"\r\n"))
    data.decode("ascii")
