"""The video catalogue port: what videos there are, as the store says, and the book of what is done to them.

Videos and their previews are a cache of the store (`frametally catalogue rebuild` makes them anew); uploads'
ends and jobs are kept here alone, and what is lost with them is begun again. Leases are compared by the
database's own clock; event times never are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal, NamedTuple, Protocol

from frametally.video_records import VideoRecord

VideoState = Literal[
    "received", "needs_time", "producing", "detecting", "counting", "ready", "failed", "deleting"
]
"""Accepted, and nothing done yet; nothing says when it was filmed; its frames are being announced; some are
not detected yet; some are not counted and indexed yet; all are in the chart (or dead letters); a job of it
has failed for good (`reason` says which and why); it is being removed."""

FINAL_STATES: tuple[VideoState, ...] = ("ready", "failed", "needs_time")
"""States that change only when a person does something."""

JobKind = Literal["frames", "previews", "removal"]
"""Makes frames as the record says (source, time); makes poster and sprite; removes all of the video."""

JobState = Literal["queued", "running", "done", "failed", "cancelled"]
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


class Preview(NamedTuple):
    """A picture made from a video, or what leads to its parts: where it lies."""

    kind: Literal["poster", "sprite", "sprite_vtt"]
    key: str
    content_type: str
    size_bytes: int


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
    previews: tuple[Preview, ...] = ()


class VideoQuestion(NamedTuple):
    """Which videos are asked for.

    Attributes:
        text: Is found in the name, the file's name or the source's, whatever the case; empty: all.
        sources: Slugs; empty: all.
        states: Empty: all.
        order: By what; ties by id, so that pages never overlap.
        newest_first: Largest first, also of lengths, sizes, and names from Z on.
        limit: Most in a page.
        cursor: `next` of the page before; empty: the first.
    """

    text: str = ""
    sources: tuple[str, ...] = ()
    states: tuple[VideoState, ...] = ()
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


class Job(NamedTuple):
    """One thing to be done to a video; of one video and kind, at most one is not ended.

    Attributes:
        attempts: How often it was begun.
        generation: Rises with every claim; a worker whose generation is over writes nothing any more.
        worker: Who holds it; empty: nobody.
        progress: 0 to 1; None where it cannot be told.
        reason: Why it failed, or waits to be tried again.
    """

    id: str
    video_id: str
    kind: JobKind
    state: JobState
    attempts: int = 0
    generation: int = 0
    worker: str = ""
    progress: float | None = None
    reason: str | None = None
    created_at_ms: int = 0
    started_at_ms: int | None = None
    ended_at_ms: int | None = None


class VideoCatalogue(Protocol):
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

    def set_previews(self, video_id: str, previews: Sequence[Preview]) -> None:
        """Note the pictures of a video, in place of those that were noted."""

    def video(self, video_id: str) -> VideoRow | None:
        """Return a video; None if there is none."""

    def find_content(self, sha256: str) -> VideoRow | None:
        """Return the video of these bytes; None if there is none."""

    def videos(self, question: VideoQuestion) -> VideoPage:
        """Return a page of videos. Raises `Poison` for a cursor that is none."""

    def states(self) -> dict[VideoState, int]:
        """Return how many videos there are in each state that has some."""

    def versions(self) -> dict[str, str]:
        """Return the noted version of every video's record, by id."""

    def unsettled(self, limit: int) -> list[VideoRow]:
        """Return videos whose state is not final, those that were looked at longest ago first."""

    def remove_video(self, video_id: str) -> None:
        """Forget a video, its previews and its jobs; one that is not there is no error."""

    def put_upload(self, upload: UploadRow) -> None:
        """Note how an upload stands, in place of what was noted of it."""

    def upload(self, upload_id: str) -> UploadRow | None:
        """Return an upload; None if there is none."""

    def open_uploads(self, client_id: str | None = None) -> int:
        """Return how many uploads are `receiving` and not expired; of one client, or in all."""

    def remove_uploads(self, *, expired_at_ms: int) -> int:
        """Forget the uploads that expired before that moment; return how many."""

    def queue(self, video_id: str, kind: JobKind) -> Job:
        """Return the job of that kind that is not ended; without one, a new one that is queued."""

    def claim(self, worker: str, kinds: Sequence[JobKind], *, lease_s: float) -> Job | None:
        """Give `worker` the job that has waited longest, or whose lease is over; None: there is none.

        Of several that ask at once, exactly one gets a job.
        """

    def renew(self, job: Job, *, lease_s: float, progress: float | None = None) -> bool:
        """Keep a claimed job; False: it is another's by now, or was cancelled, and must be left."""

    def end(
        self,
        job: Job,
        state: Literal["done", "failed", "queued"],
        *,
        reason: str | None = None,
        again_after_s: float = 0.0,
        counts: bool = True,
    ) -> bool:
        """End a claimed job, or queue it again after a while; False: it is another's by now.

        Without `counts` this attempt is not counted: what it waited for was away.
        """

    def retry(self, video_id: str) -> list[Job]:
        """Queue the failed jobs of a video once more, with their attempts forgotten; return them."""

    def cancel_jobs(self, video_id: str) -> None:
        """Cancel every job of a video that is not ended."""

    def jobs(self, video_id: str) -> list[Job]:
        """Return all jobs of a video, the newest of each kind last."""

    def close(self) -> None:
        """Release connections."""
