"""Records reject invalid values by name, and ignore unknown fields."""

import subprocess
import sys

import msgspec
import pytest

from frametally.errors import Poison
from frametally.records import Coverage, FrameAnnouncement, decode, encode

COVERAGE = Coverage(model="m", source="s", interval_start_ms=0, interval_s=1, frames=3)


def test_a_record_survives_the_wire() -> None:
    assert decode(encode(COVERAGE), Coverage) == COVERAGE
    assert (
        encode(COVERAGE)
        == b'{"v":1,"model":"m","source":"s","interval_start_ms":0,"interval_s":1,"frames":3,'
        b'"detections":0,"objects":null,"analysed_fps":null,"covered_ms":null}'
    )


def test_unknown_fields_are_ignored() -> None:
    assert decode(encode(COVERAGE)[:-1] + b',"colour":"red"}', Coverage) == COVERAGE


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b'{"v":1,"model":"m","source":"s","interval_start_ms":0,"interval_s":1}', "`frames`"),
        (b'{"v":1,"model":"m","source":"s","interval_start_ms":0,"interval_s":1,"frames":"x"}', "frames"),
        (b'{"v":2,"model":"m","source":"s","interval_start_ms":0,"interval_s":1,"frames":3}', "version 2"),
        (b"", "not a Coverage"),
        (b"\xff\xfe", "not a Coverage"),
        (b"[]", "not a Coverage"),
    ],
)
def test_an_invalid_record_is_poison_with_a_reason(data: bytes, says: str) -> None:
    with pytest.raises(Poison, match=says):
        decode(data, Coverage)


def test_records_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        COVERAGE.frames = 4  # type: ignore[misc]


def test_an_announcement_has_the_fields_that_the_design_names() -> None:
    names = {field.name for field in msgspec.structs.fields(FrameAnnouncement)}
    assert names == {
        *("v", "image_path", "source", "frame_index", "captured_at_ms", "time_source"),
        *("width_px", "height_px", "bytes", "sha256", "media", "screened"),
    }


MET_AT_ONCE = """
import sys, threading
sys.setswitchinterval(1e-6)
from frametally.records import decode, encode
from frametally_videos.records import VideoFacts, VideoFields, VideoRecord

facts = VideoFacts(
    container="mp4", content_type="video/mp4", codec="h264", width_px=1, height_px=1, fps=None,
    duration_s=None, frames=None, has_sound=False, plays_in_browsers=True,
)
record = VideoRecord(
    id="1", sha256="0", size_bytes=1, name="n", file_name="f", source="s", source_name="s",
    fields=VideoFields(), facts=facts, uploaded_at_ms=0,
)
data, gate = encode(record), threading.Barrier(8)
threads = [threading.Thread(target=lambda: (gate.wait(), decode(data, VideoRecord))) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


@pytest.mark.thorough
def test_threads_that_read_a_kind_of_record_for_the_first_time_at_once_all_succeed() -> None:
    ends = [subprocess.run([sys.executable, "-c", MET_AT_ONCE]).returncode for _ in range(20)]
    assert ends == [0] * len(ends), "msgspec crashes where two threads make decoders at once"
