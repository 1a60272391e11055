"""What is told of a video: that it is ready, has failed, did not pass a check; each event once."""

from __future__ import annotations

import hashlib

from frametally.files.names import one_line
from frametally.process import failpoints
from frametally.rules.times import utc
from frametally.settings.loading import Settings
from frametally_videos.media_records import VideoQuality
from frametally_videos.ports.job_book import Job
from frametally_videos.ports.outbox import Outbox
from frametally_videos.ports.video_catalogue import VideoBooks
from frametally_videos.records import VideoRecord

_MOST_LABELS = 20


class VideoNews:
    """Puts what is told of videos into the outbox; where nobody is told by mail, nothing.

    Whoever notes an event puts it here first: what a kill comes between is put again, which changes nothing.
    """

    def __init__(self, settings: Settings, outbox: Outbox) -> None:
        """Put nothing yet."""
        self._outbox = outbox
        self._is_told = bool(settings.mail_receivers)
        self._web_url = settings.web_url.rstrip("/")

    def ready(self, video: VideoRecord, frames: Job, books: VideoBooks | None, remark: str | None) -> None:
        """Tell that a video is in the chart; whose frames are made anew is told anew.

        Args:
            video: Which one.
            frames: The job that made its frames.
            books: Of its frames.
            remark: What a person should know beside.
        """
        name = one_line(video.name)
        lines = [f"{name} is ready: all its frames are in the chart.", "", *_about(video)]
        if books is not None:
            lines.append(
                f"Frames: {books.expected} expected, {books.announced} announced, {books.detected} detected, "
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
        """Tell that the frames of a video could not be made; each time that a person had it tried again.

        Args:
            video: Which one.
            frames: The job that should have made its frames.
            reason: Why it did not.
        """
        name = one_line(video.name)
        lines = [f"{name} has failed: {one_line(reason, None)}", "", *_about(video)]
        lines += ["", "Mend what it says, then press Try again on its page."]
        self._put("failed", video, _event(frames), f"{name} has failed", lines)

    def checked(self, video: VideoRecord, quality: VideoQuality) -> None:
        """Tell which checks a video did not pass; nothing of one that passed all."""
        failed = [check for check in quality.checks if not check.passed]
        if not failed:
            return
        name = one_line(video.name)
        lines = [
            f"{name} did not pass {len(failed)} of {len(quality.checks)} checks; it is counted all the same.",
            *("", *(f"- {check.name}: {one_line(check.sentence, None)}" for check in failed), ""),
            *_about(video),
        ]
        told = f"{quality.sha256} {quality.made_by} {' '.join(check.name for check in failed)}"
        checks = failed[0].name if len(failed) == 1 else f"{len(failed)} checks"
        self._put("quality", video, told, f"{name} did not pass {checks}", lines)

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
