#!/usr/bin/env python3
"""Puts real answers into the manual: `python videos/update_metadata_docs.py`.

The demo clip is uploaded into a store of its own, described, checked and enhanced by a worker, as anybody's
video is; the answers about it are in `docs/api.md`, except
its id and its time of upload.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from examples import MANUAL, first_block
from frametally.files.demo_clip import ensure_demo_clip
from frametally.opening import open_object_store
from frametally.records import decode_at
from frametally.settings.loading import load_settings
from frametally_videos.catalogue.catalogue_rows import VideoQuestion
from frametally_videos.job_answers import MetadataOfFile, VideoDerivatives
from frametally_videos.jobs.job_requests import find_derivatives
from frametally_videos.library.enhancements import enhancement_options, read_enhancement
from frametally_videos.library_answers import derivative_of
from frametally_videos.media_records import VideoMetadata, VideoQuality
from frametally_videos.opening import open_video_catalogue

ROOT = Path(__file__).resolve().parents[1]
COMMAND = str(Path(sys.executable).with_name("frametally"))
VIDEO_ID = "0b5d8a0e-3c1f-4f57-9a55-7a3f5d1f8c11"
"""The video of all examples."""
SAID = ["--start-time", "2026-05-04T16:40:00Z", "--source", "Traffic"]
ASKED = {"gamma": 1.2, "contrast": 1.1, "fps": 5.0}
UPLOADED_AFTER_S = 7200.0
"""How long after it was filmed the video of all examples came, whenever this runs."""
PLACES = {
    "metadata": "GET /api/v1/videos/{video_id}/metadata",
    "metadata of a file": "GET /metadata/{file_id}.json",
    "quality": "GET /api/v1/videos/{video_id}/quality",
    "derivatives": "GET /api/v1/videos/{video_id}/derivatives",
}
"""By answer: the heading above it."""


def answers(folder: Path) -> dict[str, Any]:
    """Have a worker process the demo clip in `folder`; return the answers about it, by names of `PLACES`."""
    clip = ensure_demo_clip(ROOT / "demo-data")
    settings = load_settings("web", data_dir=folder)
    data_options = ["--data-dir", str(folder)]
    subprocess.run([COMMAND, "upload", str(clip), *SAID, *data_options], check=True)  # noqa: S603 - our own words
    with (
        closing(open_object_store(settings.store_url)) as store,
        closing(open_video_catalogue(settings.catalogue_url)) as catalogue,
    ):
        (video,) = catalogue.videos(VideoQuestion()).rows
        options = enhancement_options(read_enhancement(ASKED))
        catalogue.queue(video.record.id, "enhance", options)
        working = [COMMAND, "work", "--until-done", "--queue", "metadata-extraction"]
        subprocess.run([*working, "--queue", "video-enhancement", *data_options], check=True)  # noqa: S603
        row = catalogue.video(video.record.id)
        assert row is not None  # noqa: S101 - it was just there
        records = {artifact.kind: artifact.key for artifact in row.artifacts}
        metadata = decode_at(records["metadata"], store.get(records["metadata"]), VideoMetadata)
        quality = decode_at(records["quality"], store.get(records["quality"]), VideoQuality)
        derivatives = [derivative_of(derivative) for derivative in find_derivatives(store, row)]
    of_file = MetadataOfFile(**msgspec.structs.asdict(metadata), file_id=metadata.video_id)
    answers_by_place = dict(
        zip(PLACES, (metadata, of_file, quality, VideoDerivatives(derivatives=derivatives)), strict=True)
    )
    as_text = msgspec.json.encode(answers_by_place).decode().replace(video.record.id, VIDEO_ID)
    documents: dict[str, Any] = msgspec.json.decode(as_text)
    (clock,) = (check for check in documents["quality"]["checks"] if check["name"] == "clock")
    clock["measured"] = -UPLOADED_AFTER_S
    return documents


def with_answers(manual: str, documents: dict[str, Any]) -> str:
    """Return the manual with these answers in place of the first block of JSON below each one's heading."""
    for name, heading in PLACES.items():
        place = first_block(manual, heading)
        if place is None:
            raise SystemExit(f"{MANUAL}: no JSON follows `{heading}`")
        block = msgspec.json.format(msgspec.json.encode(documents[name]), indent=2).decode()
        manual = f"{manual[: place.start]}{block}\n{manual[place.stop :]}"
    return manual


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        told = answers(Path(scratch))
    MANUAL.write_text(with_answers(MANUAL.read_text(encoding="utf-8"), told), encoding="utf-8")
    print(MANUAL)
