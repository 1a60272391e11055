"""The memory of reading a video depends on the size of its frames, not on their number."""

from __future__ import annotations

import gc
import sys
from itertools import repeat
from pathlib import Path

import av
import pytest
from tests.fakes.footage import make_file, moving
from tests.kit.processes import run_program

from frametally_producer.reading.video_file import open_video

_PEAK = """
import gc, sys
from pathlib import Path
from frametally_cli.starting import main
gc.disable()
code = main(sys.argv[1:])
status = Path("/proc/self/status").read_text().split()
print(code, int(status[status.index("VmHWM:") + 1]) // 1024)
"""
_FAST = {"preset": "ultrafast", "x265-params": "log-level=none"}


def frames_in_memory() -> list[av.VideoFrame]:
    """Return all frames that have a picture; a decoder keeps an empty one."""
    return [frame for frame in gc.get_objects() if isinstance(frame, av.VideoFrame) and frame.width]


@pytest.mark.parametrize("rotation", [None, 90])
def test_a_frame_is_freed_once_its_pixels_are_taken(tmp_path: Path, rotation: int | None) -> None:
    path = make_file(tmp_path / "turned.mp4", moving(5, (64, 48)), rotation=rotation)
    gc.collect()
    gc.disable()
    try:
        others = frames_in_memory()  # of other tests
        with path.open("rb") as file, open_video(file, max_pixels=100_000) as video:
            for timed in video.frames():
                video.pixels(timed.frame)
        del timed
        assert len(frames_in_memory()) == len(others)
    finally:
        gc.enable()


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("codec", "pix_fmt", "frames"), [("mpeg4", "yuv420p", 60), ("libx265", "yuv420p10le", 40)]
)
def test_no_frame_stays_in_memory_once_it_is_stored(
    tmp_path: Path, codec: str, pix_fmt: str, frames: int
) -> None:
    """No frame waits for the garbage collector, which may run late; that many would take more than 700 MB."""
    film = make_file(
        tmp_path / "large.mkv",
        repeat(next(moving(1, (3840, 2160))), frames),
        codec=codec,
        pix_fmt=pix_fmt,
        codec_options=_FAST if codec == "libx265" else {},
    )
    command = ("produce", film, "--data-dir", tmp_path / "data", "--start-time", "2026-05-01T08:00:00Z")
    run = run_program(
        [sys.executable, "-c", _PEAK, *map(str, command), "--sample-fps", "all", "--max-side-px", "640"]
    )
    code, peak_mb = map(int, run.stdout.split()[-2:])
    assert code == 0
    assert peak_mb <= 600
