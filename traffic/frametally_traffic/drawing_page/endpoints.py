"""The routes of what is drawn over a source, as data."""

from __future__ import annotations

from frametally_traffic.drawing_page import answers
from frametally_traffic.drawings.file_forms import DrawingFile
from frametally_traffic.records import DrawnCalibration
from frametally_web.endpoints.parameters import LIMIT, MODEL, MOMENT, TIMEZONE, Endpoint, Parameter, text

_SOURCE = Parameter("source", "Slug of the source.", text(), "gate", required=True, place="path")
_DRAWING = "sources/{source}/drawing"

DRAWING_ENDPOINTS = (
    Endpoint(
        _DRAWING,
        "What is drawn over a source.",
        (_SOURCE,),
        answers.SourceDrawing,
        statuses=(404,),
        by_source=True,
    ),
    Endpoint(
        _DRAWING,
        "Draws all of it anew: what is not sent is removed; earlier revisions stay.",
        (
            _SOURCE,
            Parameter(
                "If-Match",
                "`ETag` of the drawing that was changed; 412 where another has been made since.",
                {"type": "string", "pattern": '^"[0-9]{1,9}"$'},
                '"0"',
                required=True,
                place="header",
            ),
        ),
        answers.SourceDrawing,
        method="PUT",
        body=DrawingFile,
        statuses=(404, 412, 413, 415, 428),
        right="correct",
        by_source=True,
    ),
    Endpoint(
        "sources/{source}/frame",
        "A stored picture of a source, to draw over.",
        (
            _SOURCE,
            Parameter(
                "at",
                "The first frame from this time on; without it, or where there is none: the last one.",
                MOMENT,
                "2024-05-01T08:00:00Z",
            ),
            TIMEZONE,
        ),
        answers.StoredPicture,
        statuses=(404,),
        by_source=True,
    ),
    Endpoint(
        "calibrations/try",
        "What a calibration would be: its matrix, its errors, and what to make of them. Nothing is stored.",
        (),
        answers.CalibrationTry,
        method="POST",
        body=DrawnCalibration,
        statuses=(413, 415),
        only_computes=True,
        right="correct",
        by_source=True,
    ),
    Endpoint(
        "paths",
        "Paths of a source's objects, to draw over.",
        (
            Parameter("source", "Slug of the source.", text(), "gate", required=True),
            Parameter("label", "Class names; default: all.", text(), "car", many=True),
            Parameter(
                "from",
                "First event time; default: a day before `to`.",
                MOMENT,
                "2024-05-01T08:00:00Z",
            ),
            Parameter(
                "to",
                "Event time at which it ends, not included; default: a day after `from`, else where the "
                "source's counts end.",
                MOMENT,
                "",
            ),
            MODEL,
            TIMEZONE,
            Parameter("limit", "Most paths in the answer; default: 200.", LIMIT, "200"),
        ),
        answers.Paths,
    ),
)
