"""The native routes of videos, as data: uploads, bytes and pictures."""

from __future__ import annotations

from frametally_videos import answers
from frametally_videos.library.enhancements import ENHANCEMENT_FIELDS
from frametally_videos.library_endpoints import FILE, ONE, SOME_VIDEO, VIDEO
from frametally_web.endpoints.parameters import MODEL, UUID, Endpoint, Parameter, text

_UPLOAD = Parameter("upload_id", "What `Location` ended with.", UUID, SOME_VIDEO, required=True, place="path")
_PIECE = "application/offset+octet-stream"
_PROTOCOL = Parameter(
    "Tus-Resumable", "`1.0.0`.", {"type": "string", "enum": ["1.0.0"]}, "1.0.0", required=True, place="header"
)
_RANGE = (
    Parameter("Range", "One range of bytes: `bytes=0-99`.", text(), "bytes=0-99", place="header"),
    Parameter("If-Range", "`ETag` of what there is of it already.", text(), "", place="header"),
    Parameter("If-None-Match", "`ETag` of what is kept.", text(), "", place="header"),
)
_PLAYED = {
    200: "All of it.",
    206: "The range that was asked for.",
    304: "The client has it already.",
}
_ADDRESS_OF_PICTURE = Parameter("v", "As the link has it: another picture, another address.", text(), "")
_FIELDS = (
    Parameter("name", "What people call it; default: its file's name.", text(255), "Gate, morning"),
    Parameter("source", "Its camera's name; default: the stem of its file's name.", text(255), "gate"),
    Parameter(
        "start_time",
        "ISO 8601 moment of its first frame; default: what the file says.",
        text(),
        "2026-05-01T08:00:00",
    ),
    Parameter("timezone", "IANA name of the zone of times without an offset.", text(), "Europe/Berlin"),
    Parameter(
        "last_modified_ms", "When the file was changed last where it is from.", {"type": "integer"}, ""
    ),
    Parameter("client_id", "Whose it is: 1 to 64 of `A-Za-z0-9_-`, but not `stream`.", text(64), "chris-01"),
    Parameter(
        "roi",
        "The region that matters, as JSON.",
        text(),
        '{"x": 100, "y": 100, "width": 500, "height": 300}',
    ),
    Parameter(
        "calibration",
        "Points with their metres, as JSON; `calibrate_coordinates` is the same.",
        text(),
        '{"points": [[0, 0], [100, 100]]}',
    ),
    Parameter(
        "move_counts",
        "`true` moves what is counted of the same bytes to this source and time; default: 409.",
        {"type": "boolean"},
        "",
    ),
)
_VIDEO_FILE = Parameter(
    "file",
    "The video; `video` is the same.",
    {"type": "string", "contentMediaType": "application/octet-stream"},
    "",
    required=True,
)
_CONFIRMATION = Parameter(
    "Upload-Metadata", "`move_counts dHJ1ZQ==` confirms that it moves counts.", text(), "", place="header"
)
_REFUSED = (403, 409, 413, 415, 422, 429, 507)
_METADATA = ", ".join(f"`{one.name}`" for one in _FIELDS)

NATIVE_ENDPOINTS = (
    Endpoint(
        "videos/upload",
        "Takes a video as a form.",
        (),
        answers.AcceptedVideo,
        method="POST",
        statuses=_REFUSED,
        success={200: "These bytes were there before.", 201: "It is accepted."},
        native=True,
        form=(_VIDEO_FILE, *_FIELDS),
        named="upload_video",
        right="correct",
    ),
    Endpoint(
        "upload",
        "Takes a video as a form of two parts.",
        (),
        answers.AcceptedFile,
        method="POST",
        statuses=_REFUSED,
        success={200: "These bytes were there before.", 201: "It is accepted."},
        native=True,
        at_root=True,
        form=(_VIDEO_FILE, next(one for one in _FIELDS if one.name == "client_id")),
        named="upload_file",
        right="correct",
    ),
    Endpoint(
        "uploads",
        "Says what of tus 1.0 there is.",
        (),
        None,
        (),
        method="OPTIONS",
        success={204: "`Tus-Version`, `Tus-Extension`, `Tus-Max-Size` and `Tus-Checksum-Algorithm`."},
        native=True,
        right="correct",
    ),
    Endpoint(
        "uploads",
        "Begins an upload that can be gone on with after a cut (tus 1.0).",
        (
            _PROTOCOL,
            Parameter(
                "Upload-Length",
                "Its bytes.",
                {"type": "integer", "minimum": 1},
                "1048576",
                required=True,
                place="header",
            ),
            Parameter(
                "Upload-Metadata",
                f"Pairs of a name and base64, separated by commas: `filename`, `sha256`, {_METADATA}.",
                text(),
                "filename Z2F0ZS5tcDQ=",
                place="header",
            ),
        ),
        None,
        (),
        method="POST",
        statuses=(*_REFUSED, 409, 412),
        success={201: "`Location` is where it goes on, `Upload-Expires` until when it may."},
        native=True,
        sends=_PIECE,
        right="correct",
    ),
    Endpoint(
        "uploads/{upload_id}",
        "How an upload stands, or how it ended.",
        (_UPLOAD,),
        answers.UploadProgress,
        statuses=(404, 410),
        native=True,
        named="upload",
        right="correct",
    ),
    Endpoint(
        "uploads/{upload_id}",
        "Tells how many bytes are kept: `Upload-Offset`.",
        (_UPLOAD, _PROTOCOL),
        None,
        (),
        method="HEAD",
        statuses=(404, 410, 412),
        native=True,
        named="head_upload",
        right="correct",
    ),
    Endpoint(
        "uploads/{upload_id}",
        "Sends the bytes from `Upload-Offset` on.",
        (
            _UPLOAD,
            _PROTOCOL,
            Parameter(
                "Upload-Offset",
                "How many bytes are kept already.",
                {"type": "integer", "minimum": 0},
                "0",
                required=True,
                place="header",
            ),
            _CONFIRMATION,
            Parameter(
                "Upload-Checksum",
                "Of these bytes: `sha1` or `sha256`, and base64; 460 where they are others.",
                text(),
                "",
                place="header",
            ),
        ),
        None,
        (),
        method="PATCH",
        statuses=(*_REFUSED, 404, 409, 410, 412, 460),
        success={
            204: "They are kept: `Upload-Offset`. After the last ones `Frametally-Video` has the video's id, "
            "`Frametally-Known` whether these bytes were there before."
        },
        native=True,
        sends=_PIECE,
        named="patch_upload",
        right="correct",
    ),
    Endpoint(
        "uploads/{upload_id}",
        "Ends an upload, and removes its bytes.",
        (_UPLOAD, _PROTOCOL),
        None,
        (),
        method="DELETE",
        statuses=(403, 404, 410, 412),
        success={204: "Nothing of it is kept."},
        native=True,
        named="delete_upload",
        right="correct",
    ),
    Endpoint(
        f"{ONE}/original",
        "The video as it came, as a download.",
        (VIDEO, *_RANGE),
        None,
        ("video/mp4", "application/octet-stream"),
        statuses=(404, 416),
        success=_PLAYED,
        native=True,
        named="video_original",
    ),
    Endpoint(
        f"{ONE}/playable",
        "The video as a player takes it: the original, or what was made of it; 404 says how far it is.",
        (VIDEO, *_RANGE),
        None,
        ("video/mp4",),
        statuses=(404, 416),
        success=_PLAYED,
        native=True,
        named="video_playable",
    ),
    Endpoint(
        f"{ONE}/enhanced",
        "A video that is better to look at: that of a recipe, or the newest.",
        (VIDEO, Parameter("recipe", "Which one; default: the newest.", text(8), ""), *_RANGE),
        None,
        ("video/mp4",),
        statuses=(404, 416),
        success=_PLAYED,
        native=True,
        named="video_enhanced",
    ),
    Endpoint(
        "processed_videos/{file_id}",
        "The newest enhanced video, else the playable one, by the id that an upload answered.",
        (FILE, *_RANGE),
        None,
        ("video/mp4",),
        statuses=(404, 416),
        success=_PLAYED,
        native=True,
        at_root=True,
        named="processed_video",
    ),
    Endpoint(
        f"{ONE}/frame",
        "One frame of it, as it is or enhanced: before and after.",
        (
            VIDEO,
            Parameter(
                "position_s",
                "Seconds after its first frame; default: 0.",
                {"type": "number", "minimum": 0},
                "0",
            ),
            *(Parameter(name, "As in `Enhancement`.", text(), "") for name in ENHANCEMENT_FIELDS),
        ),
        None,
        ("image/jpeg",),
        statuses=(404, 422, 429),
        native=True,
        named="video_frame",
    ),
    *(
        Endpoint(
            f"{ONE}/{what}",
            summary,
            (VIDEO, _ADDRESS_OF_PICTURE),
            None,
            (media_type,),
            statuses=(404,),
            success={200: summary, 304: "The browser has it already."},
            native=True,
            named=f"video_{what.replace('.', '_')}",
        )
        for what, summary, media_type in (
            ("poster", "A picture of the video.", "image/jpeg"),
            ("sprite", "A hundred small pictures of it in one.", "image/jpeg"),
            ("sprite.vtt", "Which of them stands for which moment.", "text/vtt"),
        )
    ),
    Endpoint(
        f"{ONE}/detections",
        "What was detected in it, by time, to draw over the picture.",
        (
            VIDEO,
            MODEL,
            Parameter(
                "from_s",
                "Seconds after its first frame; default: 0.",
                {"type": "number", "minimum": 0},
                "0",
            ),
            Parameter(
                "to_s",
                "Where it ends, not included, at most 60 later; default: 60 later.",
                {"type": "number", "minimum": 0},
                "60",
            ),
        ),
        answers.VideoDetections,
        statuses=(404,),
        native=True,
        named="video_detections",
    ),
)
