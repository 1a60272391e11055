"""Workers' facts about videos and their artifacts, made up for the tests of their routes."""

from __future__ import annotations

from typing import Any

from tests.web.conftest import Place

from frametally.records import encode
from frametally_videos.catalogue.catalogue_rows import Artifact
from frametally_videos.media_records import (
    Chapter,
    Derivative,
    Enhancement,
    PictureStream,
    SoundStream,
    VideoCheck,
    VideoMetadata,
    VideoQuality,
)

SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


def make_metadata(video_id: str, **values: Any) -> VideoMetadata:
    """The metadata of a minute of H.264 with sound."""
    pictures: dict[str, Any] = dict.fromkeys(PictureStream.__struct_fields__)
    pictures |= {"index": 0, "codec": "h264", "width_px": 640, "height_px": 360, "rotation_degrees": 0}
    pictures |= {"frames_counted": 1500, "is_variable_rate": False, "time_base": "1/12800"}
    pictures |= {"has_b_frames": True}
    sounds: dict[str, Any] = dict.fromkeys(SoundStream.__struct_fields__)
    usual: dict[str, Any] = {
        "video_id": video_id,
        "sha256": SHA256,
        "size_bytes": 1001,
        "made_by": "1",
        "container": "mp4",
        "brands": ["isom"],
        "moov": "first",
        "duration_s": 60.0,
        "bit_rate_bps": 1_000_000,
        "created_at_ms": None,
        "tags": {},
        "had_location": False,
        "pictures": [PictureStream(**pictures)],
        "sounds": [SoundStream(**sounds | {"index": 1, "codec": "aac"})],
        "others": [],
        "chapters": [Chapter(title="Gate", start_s=0.0, end_s=60.0)],
        "plays_in_browsers": True,
        "why_not": None,
        "started_at_ms": None,
        "time_source": None,
        "sampled_frames": None,
    }
    return VideoMetadata(**usual | values)


def make_quality(video_id: str) -> VideoQuality:
    """One check, which failed."""
    check = VideoCheck(
        name="black",
        passed=False,
        sentence="12.4 of 60.0 s are black.",
        measured=0.207,
        limit=0.1,
        unit="1",
        spans_s=[(10.0, 22.4)],
    )
    return VideoQuality(video_id=video_id, sha256=SHA256, made_by="1", passed=False, checks=[check])


def make_derivative(video_id: str, recipe: str, enhancement: Enhancement | None) -> Derivative:
    """An enhanced video; or a playable one without an enhancement."""
    return Derivative(
        video_id=video_id,
        kind="playable" if enhancement is None else "enhanced",
        recipe=recipe,
        enhancement=enhancement,
        method="encode",
        video_encoder="libx264",
        sound="none",
        tried=[],
        made_by="1",
        content_type="video/mp4",
        size_bytes=2000,
        width_px=640,
        height_px=360,
        frames=1500,
        duration_s=60.0,
    )


def put_derivative(place: Place, derivative: Derivative, data: bytes | None = None) -> None:
    """Enter it in the store and the catalogue."""
    data = recipe_bytes(derivative) if data is None else data
    place.store.put(derivative.file_key, data)
    place.store.put(derivative.key, encode(derivative))
    artifact = Artifact(derivative.kind, derivative.file_key, derivative.content_type, len(data))
    place.catalogue.put_artifacts(derivative.video_id, [artifact])


def recipe_bytes(derivative: Derivative) -> bytes:
    """Different bytes for each recipe."""
    return (derivative.recipe.encode() * derivative.size_bytes)[: derivative.size_bytes]
