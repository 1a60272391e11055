"""A clip from a camera gives the same as its file: the same frames, with the same boxes."""

from __future__ import annotations

from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import pytest
from tests.live.capturing import Capturing, here, run_frametally
from tests.live.showing import RtspCamera

from frametally.adapters_by_url import open_object_store
from frametally.records import Detection
from frametally.segments.contents import list_segments, read_segment
from frametally.settings.loading import Settings

if TYPE_CHECKING:
    from frametally_models.files import ModelFiles

FRAMES = 20


def in_h264(clip: Path, made: Path, frames: int = FRAMES) -> Path:
    """The first frames of a clip, as cameras encode them: with frames that refer to later ones."""
    with av.open(str(clip)) as found, av.open(str(made), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"g": "15", "bf": "2"})
        shown = found.streams.video[0].codec_context
        stream.width, stream.height, stream.pix_fmt = shown.width, shown.height, "yuv420p"
        for number, frame in enumerate(found.decode(video=0)):
            if number == frames:
                break
            frame.pts, frame.time_base = number, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return made


def boxes_in(settings: Settings, source: str) -> list[list[Detection]]:
    """The detections in each frame of a source, by event time."""
    with closing(open_object_store(settings.store_url)) as store:
        found = {
            frame.captured_at_ms: frame.detections
            for key in list_segments(store)
            for frame in read_segment(store, key).frames()
            if frame.source == source
        }
    return [found[at_ms] for at_ms in sorted(found)]


def test_a_clip_has_the_same_boxes_on_the_same_frames_as_a_file_and_over_rtsp(
    tmp_path: Path, traffic_clip: Path, model_files: ModelFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRAMETALLY_DETECTOR", "opencv")
    monkeypatch.setenv("FRAMETALLY_INPUT_SIZE_PX", "224x224")
    settings = here(tmp_path)
    clip = in_h264(traffic_clip, tmp_path / "clip.mp4")
    show = f"filesrc location={clip} ! qtdemux ! h264parse ! rtph264pay name=pay0 config-interval=1"
    with RtspCamera(show) as camera, Capturing(settings, camera.address) as capturing:
        capturing.until_frames(FRAMES)
    run_frametally("consume", "--live", "--until-caught-up", settings=settings)
    run_frametally(
        *("produce", str(clip), "--source", "file", "--sample-fps", "all"),
        *("--start-time", "2026-05-01T08:00:00Z"),
        settings=settings,
    )
    run_frametally("consume", "--until-caught-up", settings=settings)
    by_file, by_rtsp = boxes_in(settings, "file"), boxes_in(settings, "gate-1")
    assert len(by_file) == FRAMES
    assert by_rtsp[:FRAMES] == by_file
    assert sum(map(len, by_file)) > FRAMES
