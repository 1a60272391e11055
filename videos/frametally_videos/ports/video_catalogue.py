"""The video catalogue port: what videos there are, as the store says, and the book of what is done to them.

Videos and what was made from them are a cache of the store (`frametally catalogue rebuild` makes them anew);
how uploads ended, jobs and notices are kept here alone, and what is lost with them is begun
again. Leases are compared by the database's own clock; event times never are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal, NamedTuple, Protocol

from frametally_videos.ports.job_book import JobBook
from frametally_videos.ports.outbox import Outbox
from frametally_videos.records import VideoRecord

VideoState = Literal[
    "received", "needs_time", "producing", "detecting", "counting", "ready", "failed", "deleting"
]
"""Accepted, and nothing done yet; nothing says when it was filmed; its frames are being announced; some are
not detected yet; some are not counted and indexed yet; all are in the chart (or dead letters); a job of it
has failed for good (`reason` says which and why); it is being removed."""

FINAL_STATES: tuple[VideoState, ...] = ("ready", "failed", "needs_time")
"""States that change only when a person does something."""

VideoOrder = Literal["uploaded", "filmed", "name", "length", "size"]


class VideoBooks(NamedTuple):
    """The account of one video: expected = announced = detected + dead-lettered = counted, at the end.

    All are distinct frames; None is not known yet. `labels` are detections by label of its source between its
    first and its last frame, once counted.
    """

    expected: int | None = None
    announced: int | None = None
    detected: int | None = None
    dead_lettered: int | None = None
    counted: int | None = None
    labels: Mapping[str, int] = MappingProxyType({})


ArtifactKind = Literal["poster", "sprite", "sprite_vtt", "metadata", "quality", "playable", "enhanced"]

_RECIPE = re.compile(r"-([0-9a-f]{8})\.[a-z0-9]+$")


class Artifact(NamedTuple):
    """What was made from a video: where it lies.

    A video has one of each kind, but of `enhanced` as many as were asked for.
    """

    kind: ArtifactKind
    key: str
    content_type: str
    size_bytes: int

    @property
    def recipe(self) -> str:
        """Eight hex that tell it from all that were made of the same video; empty where its name has none."""
        found = _RECIPE.search(self.key)
        return found[1] if found else ""


class VideoRow(NamedTuple):
    """A video as the catalogue has it.

    Attributes:
        record: As in the store.
        version: The record's object's there.
        state: How far it has come.
        reason: Why it is there, as one sentence, where a person should know.
        progress: Of what is under way, 0 to 1; None where nothing is, or it cannot be told.
        first_captured_at_ms: Event time of its first frame; None before it is known.
        last_captured_at_ms: Event time of its last frame; None before it is known.
    """

    record: VideoRecord
    version: str
    state: VideoState
    reason: str | None = None
    progress: float | None = None
    first_captured_at_ms: int | None = None
    last_captured_at_ms: int | None = None
    books: VideoBooks = VideoBooks()
    artifacts: tuple[Artifact, ...] = ()

    def artifact(self, kind: ArtifactKind) -> Artifact | None:
        """Return its newest artifact of a kind; None if it has none."""
        return next((one for one in reversed(self.artifacts) if one.kind == kind), None)


class VideoQuestion(NamedTuple):
    """Which videos are asked for.

    Attributes:
        text: Is found in the name, the file's name or the source's, whatever the case; empty: all.
        sources: Slugs; empty: all.
        states: Empty: all.
        client_id: Whose they are; empty: everybody's.
        has_moved_counts: Only those whose upload moved counts.
        order: By what; ties by id, so that pages never overlap.
        newest_first: Largest first, also of lengths, sizes, and names from Z on.
        limit: Most in a page.
        cursor: `next` of the page before; empty: the first.
    """

    text: str = ""
    sources: tuple[str, ...] = ()
    states: tuple[VideoState, ...] = ()
    client_id: str = ""
    has_moved_counts: bool = False
    order: VideoOrder = "uploaded"
    newest_first: bool = True
    limit: int = 48
    cursor: str = ""


class VideoPage(NamedTuple):
    """One page; `next` is empty at the end, `total` is how many the question finds in all."""

    rows: list[VideoRow]
    next: str
    total: int


class UploadRow(NamedTuple):
    """How an upload ended, kept until it expires, so that a client that missed the answer can ask.

    Attributes:
        id: Of the upload.
        state: `receiving` while bytes come, `received` once all are there, then how it ended.
        video_id: The video that it became, or that has the same bytes.
        known: Whether another upload had brought these bytes before.
        length_bytes: How many come; None while not known.
        client_id: Whose it is; empty: nobody said.
        status: HTTP status that a refusal was told by; 0 where it was none.
        reason: Why it was refused.
    """

    id: str
    state: Literal["receiving", "received", "accepted", "refused", "aborted"]
    video_id: str
    known: bool = False
    length_bytes: int | None = None
    client_id: str = ""
    status: int = 0
    reason: str | None = None
    expires_at_ms: int = 0


class VideoCatalogue(JobBook, Outbox, Protocol):
    """What every adapter does. All methods may raise `Retryable` (the database is away for now)."""

    url: str

    def version(self) -> str:
        """Return what changes whenever anything that a page shows has changed."""

    def put_video(self, record: VideoRecord, version: str) -> None:
        """Take in a video's record; of one that is there, what was found out about it stays."""

    def set_video(
        self,
        video_id: str,
        *,
        state: VideoState,
        reason: str | None = None,
        progress: float | None = None,
        range_ms: tuple[int, int] | None = None,
        books: VideoBooks | None = None,
    ) -> None:
        """Note how far a video has come; None of `range_ms` and `books` leaves these as they are."""

    def set_artifacts(self, video_id: str, artifacts: Sequence[Artifact]) -> None:
        """Note all that was made from a video, in place of all that was noted."""

    def put_artifacts(self, video_id: str, artifacts: Sequence[Artifact]) -> None:
        """Note what was made from a video, in place of what was noted of its kind; `enhanced` come beside."""

    def remove_artifact(self, video_id: str, key: str) -> None:
        """Forget what lies under a key; what is not there is no error."""

    def video(self, video_id: str) -> VideoRow | None:
        """Return a video; None if there is none."""

    def videos(self, question: VideoQuestion) -> VideoPage:
        """Return a page of videos. Raises `Poison` for a cursor that is none."""

    def states(self) -> dict[VideoState, int]:
        """Return how many videos there are in each state that has some."""

    def versions(self) -> dict[str, str]:
        """Return the noted version of every video's record, by id."""

    def unsettled(self, limit: int) -> list[VideoRow]:
        """Return videos whose state is not final, those that were looked at longest ago first."""

    def remove_video(self, video_id: str) -> None:
        """Forget a video, its artifacts and jobs; one that is not there is no error."""

    def put_upload(self, upload: UploadRow) -> None:
        """Note how an upload stands, in place of what was noted of it."""

    def upload(self, upload_id: str) -> UploadRow | None:
        """Return an upload; None if there is none."""

    def open_uploads(self, client_id: str | None = None) -> int:
        """Return how many uploads are `receiving` and not expired; of one client, or in all."""

    def remove_uploads(self, *, expired_at_ms: int) -> int:
        """Forget the uploads that expired before that moment; return how many."""

    def untold_arrivals(self, limit: int) -> list[VideoRecord]:
        """Return videos whose arrival was not told on the log, those that came first first."""

    def note_arrival(self, video_id: str) -> None:
        """Note that the arrival of a video was told on the log."""

    def close(self) -> None:
        """Release connections."""
