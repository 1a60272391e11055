"""Answers with the proof of counts: frames, boxes, tracks."""

from __future__ import annotations

from frametally.actions.answers import Answer
from frametally.books.gap import Kind
from frametally.records import TimeSource
from frametally.rules.known import Missing


class Box(Answer, frozen=True, kw_only=True):
    """A counted box: `[left, top, width, height]` in pixels of the frame; confidence 0 to 1."""

    label: str
    confidence: float
    box: tuple[float, float, float, float]


class EvidenceFrame(Answer, frozen=True, kw_only=True):
    """The busiest frame of a label.

    Attributes:
        label: The label that it is evidence of.
        count: Boxes of the label that were counted in it.
        time_source: Where its event time came from; null if `note` says that the boxes are missing.
        width_px: Width of the frame that the boxes refer to; null if the boxes are missing.
        height_px: Height of that frame; null if the boxes are missing.
        boxes: Boxes of the label that were counted.
        note: Null, or one sentence about a problem with the boxes or the picture.
    """

    label: str
    count: int
    source: str
    captured_at_ms: int
    image_path: str
    image_url: str
    time_source: TimeSource | None
    width_px: int | None
    height_px: int | None
    boxes: list[Box]
    note: str | None


class EvidenceFrames(Answer, frozen=True, kw_only=True):
    """`/api/evidence`: a frame per label; labels are ordered by descending indexed detections.

    `labels_left_out` says for how many labels no frame is here, because the size of an answer is limited.
    """

    model: str | None
    frames: list[EvidenceFrame]
    labels_left_out: int


class FrameBoxes(Answer, frozen=True, kw_only=True):
    """A frame with the boxes that were counted in it.

    Attributes:
        time_source: Where its event time came from.
        width_px: Width of the frame that the boxes refer to.
        height_px: Height of it.
        boxes: The boxes.
    """

    source: str
    captured_at_ms: int
    image_path: str
    image_url: str
    time_source: TimeSource
    width_px: int
    height_px: int
    boxes: list[Box]


class CountedFrame(FrameBoxes, frozen=True, kw_only=True):
    """A frame behind a bar; see `FrameBoxes`.

    Attributes:
        count: Boxes that were counted in it.
        running_total: Boxes of this frame and of all before it, including those of earlier pages.
    """

    count: int
    running_total: int


class FrameOfModel(FrameBoxes, frozen=True, kw_only=True):
    """`/api/frames/boxes`: a frame with the boxes that `model` counted in it; see `FrameBoxes`."""

    model: str


class Frames(Answer, frozen=True, kw_only=True):
    """`/api/frames`: a page of the frames behind a bar, by event time.

    Attributes:
        model: The model of the detections; null before there is any data.
        base_interval_s: The stored interval that the bar was made from; null before there is any data.
        from_ms: Start of the range; null before there is any data.
        to_ms: Its end, exclusive; null before there is any data.
        detections: The number that the bar shows; null if no frame was counted.
        missing: Why no frame was counted; null if some were.
        frames_analysed: Frames analysed in it, with or without the labels.
        frames: The frames of this page.
        position: Number of frames on earlier pages; null if `start=peak` did not count them.
        previous: Cursor of the page before; null on the first one.
        next: Cursor of the next page; null on the last one.
        note: On the first and on the last page, a sentence if the sum is not the bar's; on any page, a
            sentence if the store no longer has pictures of its frames; otherwise null.
    """

    model: str | None
    base_interval_s: int | None
    from_ms: int | None
    to_ms: int | None
    detections: int | None
    missing: Missing | None
    frames_analysed: int
    frames: list[CountedFrame]
    position: int | None
    previous: str | None
    next: str | None
    note: str | None


class GapReason(Answer, frozen=True, kw_only=True):
    """Why some of a hole is one: of how many frames (0 where there are none), and a sentence."""

    kind: Kind
    count: int
    words: str


class FootageGap(Answer, frozen=True, kw_only=True):
    """`/api/gap`: a range in which nothing of a source is counted.

    Attributes:
        model: The model of the counts; null before there is any data.
        from_ms: End of the last counted interval before it; null if there is none.
        to_ms: Start of the first counted interval after it; null if there is none.
        before: The last frame before it; null if there is none, or if the store no longer has it.
        after: The first frame after it; null if there is none, or if the store no longer has it.
        reasons: The reasons in the books, at least one.
    """

    model: str | None
    source: str
    from_ms: int | None
    to_ms: int | None
    before: FrameBoxes | None
    after: FrameBoxes | None
    reasons: list[GapReason]


class Sighting(Answer, frozen=True, kw_only=True):
    """One box of a track, and the frame that it was seen in."""

    captured_at_ms: int
    image_path: str
    image_url: str
    box: Box


class CountedObject(Answer, frozen=True, kw_only=True):
    """A unique object behind a bar.

    Attributes:
        id: ID of its track.
        first_seen_ms: Event time of its first box of its label.
        last_seen_ms: Event time of its last box in the hour of the first one.
        boxes: Its boxes, of whatever label.
        running_total: Objects up to this one, on earlier pages too.
        first: Its first box of its label.
        best: Its box of its label of the greatest confidence.
    """

    id: str
    source: str
    label: str
    first_seen_ms: int
    last_seen_ms: int
    boxes: int
    running_total: int
    first: Sighting
    best: Sighting


class Objects(Answer, frozen=True, kw_only=True):
    """`/api/objects`: a page of the unique objects behind a bar, by when each was first seen.

    Attributes:
        model: As in `Frames`, and so on.
        base_interval_s: As in `Frames`.
        from_ms: As in `Frames`.
        to_ms: As in `Frames`.
        objects: The number that the bar shows; null if it was not measured.
        objects_missing: Why objects are not known.
        tracks: The tracks of this page.
        next: Cursor of the next page; null on the last one.
        note: On the last page, a sentence if the sum is not the bar's; otherwise null.
    """

    model: str | None
    base_interval_s: int | None
    from_ms: int | None
    to_ms: int | None
    objects: int | None
    objects_missing: Missing | None
    tracks: list[CountedObject]
    next: str | None
    note: str | None
