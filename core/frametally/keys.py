"""The keys of all objects in the store: the only place that builds or reads keys."""

from __future__ import annotations

import datetime
import hashlib
import re
import unicodedata
from typing import NamedTuple

from frametally.errors import Poison
from frametally.files.names import as_text
from frametally.rules.times import DAY_MS, EPOCH, utc_date

MEDIA = "media"
IMAGES, METADATA = "images", "metadata"
OUTPUT = "mapreduce-output"
TRACKS, HOURS = "tracks", "hours"
TOMBSTONES = "tombstones"
CORRECTIONS, CHANGES = "corrections", "changes"
DRAWINGS, REPORTS, SOURCES = "drawings", "reports", "sources"
VIDEOS, UPLOADS = "videos", "uploads"
DROPPED = "dead-letters/dropped"
ACCESS, BACKUPS = "access", "backups"
AUTO_DETECTOR = "models/auto.json"
INPUT_CHECKS = "models/inputs"
TIMEZONES = "sources/timezones.json"
RETENTION = "retention"
RETENTION_POLICY = f"{RETENTION}/policy.json"
PRIVACY = "privacy"
PRIVACY_POLICY = f"{PRIVACY}/policy.json"
ERASURES = f"{PRIVACY}/erasures"
USUAL_TOPIC = "frames"
"""The log's topic if the settings name no other."""
_PICTURE_HEX = 32
_SLUG = re.compile(r"[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?")
_DIGEST = 8
_READABLE = 63 - 1 - _DIGEST

_IMAGE = re.compile(
    r"images/[a-z0-9][a-z0-9_-]{0,62}/\d{4}-\d{2}-\d{2}/-?\d{1,15}-[0-9a-f]{12}(?:[0-9a-f]{20})?-\d{1,10}\.jpg"
)
_IMAGE_NAME = re.compile(r"(-?\d{1,15})-([0-9a-f]{12}(?:[0-9a-f]{20})?)-(\d{1,10})\.jpg")
_WHOLE_TOMBSTONE = re.compile(r"tombstones/[0-9a-f]{64}/(\d{1,9})\.json")
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
_VIDEO = re.compile(rf"videos/({_UUID})/video\.json")
_ORIGINAL = re.compile(rf"videos/({_UUID})/original")
BRIEF_FOLDER = re.compile(rf"videos/{_UUID}|images/.+|probe")
"""A folder that goes with its last object: a video's, one of pictures, and the one of `doctor`'s probe."""
_RECORD = re.compile(
    r"(media/[0-9a-f]{64}|tombstones/[0-9a-f]{64}/\d{1,9}(-(-?\d+)?-(-?\d+)?)?|corrections/[0-9a-f]{64}(\.\d{1,9})?"
    r"|(dead-letters/dropped|changes|privacy/erasures)/[0-9a-f]{12}|drawings/[a-z0-9][a-z0-9_-]{0,62}/\d{6,9}|sources/timezones"
    r"|(retention|privacy)/policy|models/inputs/[a-z0-9._-]{1,200}"
    rf"|videos/{_UUID}/(video|metadata|quality|(playable|enhanced)-[0-9a-f]{{8}})|videos/contents/[0-9a-f]{{64}}|uploads/{_UUID})\.json"
)
_DRAWING = re.compile(r"drawings/(?P<source>[a-z0-9][a-z0-9_-]{0,62})/(?P<revision>\d{6,9})\.json")
SEGMENT_KEY = re.compile(
    r"(?P<folder>metadata/model=[^/]+/log=[^/]+)/(?P<topic>[^/]+)-(?P<partition>\d+)-(?P<offset>\d{20})\.jsonl"
)
_RUN_POINTER = re.compile(
    r"mapreduce-output/model=(?P<model>[^/]+)/params=(?P<params>[0-9a-f]{8})/interval=(?P<interval>\d+)s"
    r"/day=(?P<day>\d{4}-\d{2}-\d{2})/_runs/(?P<sequence>\d{6,})\.json"
)
_RUN_OBJECT = re.compile(
    r"(?P<prefix>mapreduce-output/model=(?P<model>[^/]+)/params=[0-9a-f]{8}/interval=(?P<interval>\d+)s"
    r"/day=(?P<day>\d{4}-\d{2}-\d{2})/run=(?P<sequence>\d{6,})-[0-9a-f]{16})/.+"
)


def slug(name: str) -> str:
    """Return a source's name as used in keys and queries: a-z, 0-9, `_`, `-`, at most 63 characters.

    Names that differ only in case, or in a hyphen for a space, share a slug: "Gate 1" and "gate-1". All other
    names have different slugs: a name that does not fit into its slug ends in a hash. A slug is its own slug.
    """
    normal_name = re.sub(r"\s+", "-", unicodedata.normalize("NFC", as_text(name)).lower().strip())
    if _SLUG.fullmatch(normal_name):
        return normal_name
    readable = unicodedata.normalize("NFKD", normal_name).encode("ascii", "ignore").decode().lower()
    readable = re.sub(r"[^a-z0-9_]+", "-", readable).strip("-_")[:_READABLE].strip("-_") or "source"
    digest = hashlib.sha256(normal_name.encode()).hexdigest()[:_DIGEST]
    return f"{readable}-{digest}" if normal_name else readable


def utc_day(captured_at_ms: int) -> str:
    """Return the UTC day of an event time, `YYYY-MM-DD`."""
    return utc_date(captured_at_ms // DAY_MS)


def day_start_ms(day: str) -> int:
    """Return the event time at which a UTC day, `YYYY-MM-DD`, begins."""
    return (datetime.date.fromisoformat(day) - EPOCH.date()).days * DAY_MS


def media_key(sha256: str) -> str:
    """Return the key of a medium's manifest."""
    return f"{MEDIA}/{sha256}.json"


def media_id(sha256: str, revision: int) -> str:
    """Return the medium's name in its frames: its identity, and from revision 1 on `.` and the revision."""
    return f"{sha256}.{revision}" if revision else sha256


def parse_media_id(media: str) -> tuple[str, int]:
    """Return the identity and revision of a medium, from its name in frames."""
    sha256, _, revision = media.partition(".")
    return sha256, int(revision) if revision.isdecimal() else 0


def tombstone_key(media: str, from_ms: int | None, to_ms: int | None) -> str:
    """Return the key of a tombstone: one per medium, revision and range."""
    sha256, revision = parse_media_id(media)
    whole = from_ms is None and to_ms is None
    bounds = "" if whole else f"-{'' if from_ms is None else from_ms}-{'' if to_ms is None else to_ms}"
    return f"{TOMBSTONES}/{sha256}/{revision}{bounds}.json"


def forgotten_revision(key: str) -> int | None:
    """Return the revision that a tombstone's key forgets as a whole, or None if it forgets only a range."""
    match = _WHOLE_TOMBSTONE.fullmatch(key)
    return int(match[1]) if match else None


def correction_key(media: str) -> str:
    """Return the key of the note that marks a medium under correction."""
    return f"{CORRECTIONS}/{media}.json"


def dead_letter_id(segment: str, offset: int) -> str:
    """Return the permanent name of a dead letter of a segment: 12 hex."""
    return hashlib.sha256(f"{segment}#{offset}".encode()).hexdigest()[:12]


def dropped_key(letter_id: str) -> str:
    """Return the key of the note that records a dead letter as settled by a person."""
    return f"{DROPPED}/{letter_id}.json"


def input_check_key(model: str) -> str:
    """Return the key of the comparison of a model's input with other preparations."""
    return f"{INPUT_CHECKS}/{model}.json"


def drawings_folder(source: str) -> str:
    """Return the folder with all revisions of one source's drawing."""
    return f"{DRAWINGS}/{source}"


def drawing_key(source: str, revision: int) -> str:
    """Return the key of one revision of a source's drawing."""
    return f"{drawings_folder(source)}/{revision:06d}.json"


def parse_drawing_key(key: str) -> tuple[str, int] | None:
    """Return the source and revision of a drawing's key, or None if `key` is something else."""
    match = _DRAWING.fullmatch(key)
    return (match["source"], int(match["revision"])) if match else None


def report_key(name: str, day: str, file: str) -> str:
    """Return the key of a file of a scheduled report for a local day, `YYYY-MM-DD`."""
    return f"{REPORTS}/{name}/{day}/{file}"


def is_video_id(text: str) -> bool:
    """Return whether `text` is an id of a video or an upload: a UUID4 as Python writes it."""
    return re.fullmatch(_UUID, text) is not None


def upload_key(upload_id: str) -> str:
    """Return the key of the record of an upload in progress."""
    return f"{UPLOADS}/{upload_id}.json"


def upload_part_key(upload_id: str) -> str:
    """Return the key of an upload's bytes outside their final place (see `ObjectStore.resumable`)."""
    return f"{UPLOADS}/{upload_id}.part"


def video_folder(video_id: str) -> str:
    """Return the folder with everything of one video except its frames."""
    return f"{VIDEOS}/{video_id}"


def video_key(video_id: str) -> str:
    """Return the key of a video's record."""
    return f"{video_folder(video_id)}/video.json"


def parse_video_key(key: str) -> str | None:
    """Return the id of the video whose record is at `key`, or None if `key` is something else."""
    match = _VIDEO.fullmatch(key)
    return match[1] if match else None


def original_key(video_id: str) -> str:
    """Return the key of a video's original bytes."""
    return f"{video_folder(video_id)}/original"


def parse_original_key(key: str) -> str | None:
    """Return the id of the video whose bytes are at `key`, or None if `key` is something else."""
    match = _ORIGINAL.fullmatch(key)
    return match[1] if match else None


def preview_key(video_id: str, name: str) -> str:
    """Return the key of a picture of a video; its name includes its recipe (`poster-<8 hex>.jpg`)."""
    return f"{video_folder(video_id)}/{name}"


def metadata_key(video_id: str) -> str:
    """Return the key of the metadata of a video."""
    return f"{video_folder(video_id)}/metadata.json"


def quality_of_video_key(video_id: str) -> str:
    """Return the key of the checks of a video."""
    return f"{video_folder(video_id)}/quality.json"


def derivative_key(video_id: str, kind: str, recipe: str) -> str:
    """Return the key of a video made from another; `recipe` is 8 hex."""
    return f"{video_folder(video_id)}/{kind}-{recipe}.mp4"


def derivative_record_key(video_id: str, kind: str, recipe: str) -> str:
    """Return the key of the record of a video made from another."""
    return f"{video_folder(video_id)}/{kind}-{recipe}.json"


def video_content_key(sha256: str) -> str:
    """Return the key of the note that says which video has these bytes."""
    return f"{VIDEOS}/contents/{sha256}.json"


def is_video_content_key(key: str) -> bool:
    """Return whether `key` is that of a note that says which video has some bytes."""
    return is_record_key(key) and key.startswith(f"{VIDEOS}/contents/")


def is_record_key(key: str) -> bool:
    """Return whether `key` is that of a small record: a manifest, tombstone, drawing, video, upload, ..."""
    return _RECORD.fullmatch(key) is not None


def image_folder(source: str, day: str) -> str:
    """Return the folder of one source's frames of one UTC day."""
    return f"{IMAGES}/{source}/{day}"


class ImageName(NamedTuple):
    """The parts of an image key's last element."""

    captured_at_ms: int
    medium_hex: str
    frame_index: int

    @property
    def file_name(self) -> str:
        """The last element itself."""
        return f"{self.captured_at_ms}-{self.medium_hex}-{self.frame_index}.jpg"


def parse_image_name(name: str) -> ImageName | None:
    """Return the parts of an image key's last element, or None if `name` is something else."""
    match = _IMAGE_NAME.fullmatch(name)
    return ImageName(int(match[1]), match[2], int(match[3])) if match else None


def frame_log_key(source: str, captured_at_ms: int) -> bytes:
    """Return a frame's key on the log: frames of one source and 5 s of event time share a partition."""
    return f"{source}/{captured_at_ms // 5000}".encode()


def picture_hex(file_sha256: str) -> str:
    """Return the part of a key that identifies a picture's file: 128 bits, so that no two files collide."""
    return file_sha256[:_PICTURE_HEX]


def image_key(source: str, captured_at_ms: int, medium_hex: str, frame_index: int) -> str:
    """Return the key of a frame.

    `medium_hex` is 12 hex or all of a video's sha256, or a picture's `picture_hex` with `frame_index` 0.
    """
    if len(medium_hex) != _PICTURE_HEX:
        medium_hex = medium_hex[:12]
    return f"{image_folder(source, utc_day(captured_at_ms))}/{captured_at_ms}-{medium_hex}-{frame_index}.jpg"


def check_image_key(key: str) -> str:
    """Return `key` if it has an image key's shape, so that a message never causes anything else to be read.

    Raises:
        Poison: Any other text.
    """
    if not _IMAGE.fullmatch(key):
        raise Poison(f"image_path {key[:200]!r} is not images/<source>/<day>/<time>-<medium>-<index>.jpg")
    return key


class SegmentKey(NamedTuple):
    """The parts of a segment's key."""

    folder: str
    topic: str
    partition: int
    first_offset: int

    @property
    def model(self) -> str:
        """The id of the model."""
        return self.folder.split("/")[1].removeprefix("model=")

    @property
    def log_id(self) -> str:
        """The id of the log on which its frames were announced."""
        return self.folder.split("/")[2].removeprefix("log=")


def segment_folder(model: str, log_id: str) -> str:
    """Return the folder of one model's segments from one log."""
    return f"{METADATA}/model={model}/log={log_id}"


def segment_key(model: str, log_id: str, topic: str, partition: int, first_offset: int) -> str:
    """Return the key of a segment; within a partition, keys sort as offsets do."""
    return f"{segment_folder(model, log_id)}/{topic}-{partition}-{first_offset:020d}.jsonl"


def parse_segment_key(key: str) -> SegmentKey | None:
    """Return the parts of a segment's key, or None if `key` is something else."""
    match = SEGMENT_KEY.fullmatch(key)
    if match is None:
        return None
    return SegmentKey(match["folder"], match["topic"], int(match["partition"]), int(match["offset"]))


def day_folder(model: str, params: str, interval_s: int, day: str) -> str:
    """Return the folder of one day's runs."""
    return f"{OUTPUT}/model={model}/params={params}/interval={interval_s}s/day={day}"


def run_folder(model: str, params: str, interval_s: int, day: str, run_id: str) -> str:
    """Return the folder of one run's part files."""
    return f"{day_folder(model, params, interval_s, day)}/run={run_id}"


def quality_key(prefix: str) -> str:
    """Return the key of the quality report of the run whose part files are in `prefix`."""
    return f"{prefix}/_quality.json"


def tracks_folder(prefix: str) -> str:
    """Return the folder of the tracks of the run whose part files are in `prefix`."""
    return f"{TRACKS}/{prefix.removeprefix(f'{OUTPUT}/')}"


def hours_folder(model: str, day: str) -> str:
    """Return the folder with the hour files of one model and UTC day."""
    return f"{HOURS}/model={model}/day={day}"


def run_pointer_key(model: str, params: str, interval_s: int, day: str, sequence: int) -> str:
    """Return the key of the object that makes a run the day's current one."""
    return f"{day_folder(model, params, interval_s, day)}/_runs/{sequence:06d}.json"


class RunPointerKey(NamedTuple):
    """The parts of a run pointer's key."""

    model: str
    params: str
    interval_s: int
    day: str
    sequence: int


def parse_run_pointer_key(key: str) -> RunPointerKey | None:
    """Return the parts of a run pointer's key, or None if `key` is something else."""
    match = _RUN_POINTER.fullmatch(key)
    if match is None:
        return None
    return RunPointerKey(
        match["model"], match["params"], int(match["interval"]), match["day"], int(match["sequence"])
    )


class RunObjectKey(NamedTuple):
    """The parts of the key of a part file, or of another object in a run's folder."""

    prefix: str
    model: str
    interval_s: int
    day: str
    sequence: int


def parse_run_object_key(key: str) -> RunObjectKey | None:
    """Return the parts of the key of an object in a run's folder, or None if `key` is something else."""
    match = _RUN_OBJECT.fullmatch(key)
    if match is None:
        return None
    return RunObjectKey(
        match["prefix"], match["model"], int(match["interval"]), match["day"], int(match["sequence"])
    )


def redetect_topic(topic: str, model: str) -> str:
    """Return the log topic that announces stored frames again, for deployments that use `topic`."""
    return f"redetect-{model}" if topic == USUAL_TOPIC else f"redetect-{topic}-{model}"
