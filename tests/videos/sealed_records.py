"""Records of videos, for the tests of seals."""

from tests.fakes.records import DAY_MS, MEDIUM

from frametally_videos.records import UploadRecord, VideoContent, VideoFacts, VideoFields, VideoRecord

UPLOAD, VIDEO = "22222222-2222-4222-8222-222222222222", "11111111-1111-4111-8111-111111111111"
RECORDS = [
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
    VideoRecord(
        id=VIDEO,
        sha256=MEDIUM,
        size_bytes=5,
        name="Cam at noon",
        file_name="cam.mp4",
        source="cam",
        source_name="Cam",
        fields=VideoFields(),
        facts=VideoFacts(
            container="mp4",
            content_type="video/mp4",
            codec="h264",
            width_px=64,
            height_px=48,
            fps=25.0,
            duration_s=1.5,
            frames=38,
            has_sound=False,
            plays_in_browsers=True,
        ),
        uploaded_at_ms=DAY_MS,
    ),
    VideoContent(sha256=MEDIUM, video_id=VIDEO, upload_id=UPLOAD),
]
