"""Records of videos, for the tests of seals."""

from tests.fakes.records import DAY_MS, MEDIUM
from tests.videos.made_work import make_derivative, make_metadata, make_quality
from tests.videos.video_records import make_video

from frametally.records import SealedRecord
from frametally_videos.media_records import Enhancement
from frametally_videos.records import UploadRecord, VideoContent, VideoFields

UPLOAD, VIDEO = "22222222-2222-4222-8222-222222222222", "11111111-1111-4111-8111-111111111111"
RECORDS: list[SealedRecord] = [
    UploadRecord(
        id=UPLOAD,
        video_id=VIDEO,
        kind="resumable",
        length_bytes=5,
        file_name="cam.mp4",
        fields=VideoFields(source="Cam", start_time="2026-01-01T00:00:00Z"),
        created_at_ms=DAY_MS,
        expires_at_ms=DAY_MS + 1,
    ),
    make_video(id=VIDEO, sha256=MEDIUM),
    VideoContent(sha256=MEDIUM, video_id=VIDEO, upload_id=UPLOAD),
    make_metadata(VIDEO),
    make_quality(VIDEO),
    make_derivative(VIDEO, "0a1b2c3d", Enhancement(gamma=1.2)),
]
