"""Sends news of videos to people by mail, each event once.

All functions raise `Retryable` while the store or the catalogue is not available.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from typing import TYPE_CHECKING

from frametally import keys
from frametally.errors import FrametallyError, Poison
from frametally.files.names import one_line
from frametally.mail import MailServer
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.process import failpoints
from frametally.process.retrying import OnceAMinute
from frametally.records import decode_at
from frametally.rules.times import utc
from frametally.settings.loading import Settings
from frametally.settings.mail import MailSettings
from frametally.work.sending import deliver
from frametally_videos.catalogue.catalogue_rows import Job, VideoBooks
from frametally_videos.media_records import VideoQuality
from frametally_videos.records import VideoRecord

if TYPE_CHECKING:
    from frametally_videos.catalogue.outbox import Letter, NoticeBook

_MOST_LABELS = 20


class VideoNews:
    """Puts news of videos into the outbox, if mail is configured.

    Callers put an event here before they note it: after a kill they put it again, which changes nothing.
    """

    def __init__(self, settings: Settings, outbox: NoticeBook) -> None:
        self._outbox = outbox
        self._is_told = bool(settings.mail_receivers)
        self._web_url = settings.web_url.rstrip("/")

    def ready(self, video: VideoRecord, frames: Job, books: VideoBooks | None, remark: str | None) -> None:
        """Put the news that a video is in the chart; frames that are made again are news again."""
        name = one_line(video.name)
        lines = [f"{name} is ready: all its frames are in the chart.", "", *_about(video)]
        if books is not None:
            lines.append(
                f"Frames: {books.expected} expected, {books.announced} announced, {books.detected} analysed, "
                f"{books.counted} counted"
            )
            labels = sorted(books.labels.items(), key=lambda label: (-label[1], label[0]))[:_MOST_LABELS]
            if labels:
                lines.append(
                    "Detections: " + ", ".join(f"{one_line(label)} {number}" for label, number in labels)
                )
        if remark:
            lines += ["", one_line(remark, None)]
        self._put("ready", video, _event(frames), f"{name} is ready", lines)

    def failed(self, video: VideoRecord, frames: Job, reason: str) -> None:
        """Put the news that a video's frames could not be made; a failed retry by a person is news again."""
        name = one_line(video.name)
        lines = [f"{name} has failed: {one_line(reason, None)}", "", *_about(video)]
        lines += ["", "Correct this, then press Try again on its page."]
        self._put("failed", video, _event(frames), f"{name} has failed", lines)

    def checked(self, video: VideoRecord, quality: VideoQuality) -> None:
        """Put the news of failed checks, if any failed."""
        failed = [check for check in quality.checks if not check.passed]
        if not failed:
            return
        name = one_line(video.name)
        lines = [
            f"{name} failed {len(failed)} of {len(quality.checks)} checks; it is counted anyway.",
            *("", *(f"- {check.name}: {one_line(check.sentence, None)}" for check in failed), ""),
            *_about(video),
        ]
        event = f"{quality.sha256} {quality.made_by} {' '.join(check.name for check in failed)}"
        checks = failed[0].name if len(failed) == 1 else f"{len(failed)} checks"
        self._put("quality", video, event, f"{name} did not pass {checks}", lines)

    def _put(self, rule: str, video: VideoRecord, event: str, subject: str, lines: list[str]) -> None:
        if not self._is_told:
            return
        link = ["", f"{self._web_url}/videos?v={video.id}"] if self._web_url else []
        notice_id = hashlib.sha256(f"{rule}\n{video.id}\n{event}".encode()).hexdigest()
        if self._outbox.put_notice(notice_id, subject, "\n".join([*lines, *link])):
            failpoints.passing("mail.put")


def _event(frames: Job) -> str:
    return f"{frames.id} {frames.generation}"


def _about(video: VideoRecord) -> list[str]:
    started_at_ms = video.facts.started_at_ms
    return [
        f"File: {one_line(video.file_name)}",
        f"Source: {one_line(video.source_name)}",
        *([] if started_at_ms is None else [f"Filmed from: {utc(started_at_ms)}"]),
        f"Video: {video.id}",
    ]


def tell_checks(settings: Settings, store: ObjectStore, outbox: NoticeBook, video_id: str) -> None:
    """Put the news of a video's failed checks into the outbox, unless it was removed or all checks passed.

    Call this after storing the record of quality; a second call changes nothing.
    """
    if not settings.mail_receivers:
        return
    video_key, quality_key = keys.video_key(video_id), keys.quality_of_video_key(video_id)
    try:
        video = decode_at(video_key, store.get(video_key), VideoRecord)
        quality = decode_at(quality_key, store.get(quality_key), VideoQuality)
    except (ObjectMissing, Poison):  # `frametally doctor --deep` reports damage
        return
    VideoNews(settings, outbox).checked(video, quality)


_BETWEEN = f"\n\n{'-' * 60}\n\n"


def message_of(letter: Letter, settings: MailSettings) -> EmailMessage:
    """Return a mail with notices; a second copy has the same `Message-ID`."""
    first, *rest = letter.notices
    message = EmailMessage(policy=SMTP)
    more = f", and {len(rest)} more" if rest else ""
    message["Subject"] = f"frametally: {one_line(first.subject)}{more}"
    message["From"] = settings.mail_sender
    message["To"] = ", ".join(settings.mail_receivers)
    message["Date"] = formatdate()
    message["Message-ID"] = f"<{letter.id}@{settings.mail_sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    body = _BETWEEN.join(notice.body for notice in letter.notices)
    # Every server passes quoted-printable on unchanged, and no line is too long.
    message.set_content(f"{body}\n", cte="quoted-printable")
    return message


_LOOK_EVERY_S = 1.0
DIGEST_S = 300.0
"""How long news is collected for one mail."""
_MOST_NOTICES = 100
_LEASE_S = 180.0
_FIRST_PAUSE_S = 15.0
_END_WITHIN_S = 5.0


class Mailer:
    """Sends mails; several processes may share one outbox."""

    def __init__(self, settings: Settings, outbox: NoticeBook, say: Callable[[str], None]) -> None:
        """Prepare to send; lines go to `say`, at most one a minute of each kind."""
        self._settings = settings
        self._outbox = outbox
        self._server = MailServer(settings.smtp_url, settings.smtp_access)
        self._say = OnceAMinute(say)

    def send(self, *, waited_s: float | None = None) -> int:
        """Send waiting mails once the oldest notice has waited long enough; return the number of sent mails.

        If the server is down or refuses the log-in, later calls try again, with pauses of up to an hour.
        """
        if waited_s is None:
            waited_s = DIGEST_S
        sent_count = 0
        while letter := self._outbox.claim_letter(waited_s=waited_s, limit=_MOST_NOTICES, lease_s=_LEASE_S):
            state = deliver(
                letter,
                self._send,
                self._outbox.end_letter,
                lambda line: self._say("mail", f"mail: {line}"),
                topic="mail",
                first_pause_s=_FIRST_PAUSE_S,
            )
            if state != "sent":
                break
            sent_count += 1
        return sent_count

    def _send(self, letter: Letter) -> str | None:
        refusals = self._server.send(message_of(letter, self._settings))
        if refusals:
            self._say("refused", f"mail: {refusals}")
        return refusals


@contextmanager
def mailing(
    settings: Settings, outbox: NoticeBook, say: Callable[[str], None], *, all_at_end: bool
) -> Iterator[None]:
    """Send the mails of the outbox in a separate thread within the block.

    With `all_at_end`, also send the notices at the end that are still waiting for others.
    """
    if not settings.mail_receivers:
        yield
        return
    mailer = Mailer(settings, outbox, say)
    stop = threading.Event()
    # A daemon, so that a silent server does not delay the exit: the next process sends the same mail.
    thread = threading.Thread(target=_send_on, args=(mailer, say, stop), name="mail", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(_END_WITHIN_S)
    if all_at_end and not thread.is_alive():
        try:
            mailer.send(waited_s=0)
        except FrametallyError as error:
            say(f"mail: waiting for the next worker: {error}")


def _send_on(mailer: Mailer, say: Callable[[str], None], stop: threading.Event) -> None:
    once_a_minute = OnceAMinute(say)
    while not stop.wait(_LOOK_EVERY_S):
        try:
            mailer.send()
            once_a_minute.over("mail: no longer waiting")
        except FrametallyError as error:
            once_a_minute("outbox", f"mail: waiting, then trying again: {error}")
