"""The API's routes as data: what each is asked by and answers. They and their description are made of it."""

from __future__ import annotations

from typing import get_args

from frametally.plugins import hooks
from frametally.records import Cause
from frametally_accounts.audit.endpoints import AUDIT_ENDPOINTS
from frametally_accounts.embeds.endpoints import EMBED_ENDPOINTS
from frametally_web.books import answers as status_answers
from frametally_web.charts import answers as chart_answers
from frametally_web.compare import answers as compare_answers
from frametally_web.endpoints.parameters import (
    CHART,
    COMPARE,
    FRAMES,
    LIMIT,
    MODEL,
    PAGE,
    PARTS,
    PATH,
    SELECTION,
    TIMEZONE,
    TOP,
    Endpoint,
    Parameter,
    text,
)
from frametally_web.exports.table_file import FORMATS
from frametally_web.proof import answers as proof_answers
from frametally_web.proof.thumbnails import WIDTHS_PX
from frametally_web.requests import answers

_OF_PLUGINS: list[Endpoint] = [one for endpoints in hooks("endpoints") for one in endpoints]

ENDPOINTS = (
    Endpoint("models", "What can be asked for: models with their stored intervals.", (), answers.Models),
    Endpoint("labels", "Labels with their detections, most first.", (MODEL,), answers.Labels),
    Endpoint("sources", "Sources with their frames and range.", (MODEL,), answers.Sources),
    Endpoint("catalogue", "Models, labels and sources in one answer.", (MODEL,), answers.Catalogue),
    Endpoint("counts", "Counts per interval and label.", (*CHART, TOP), chart_answers.Counts),
    Endpoint(
        "summary",
        "What a chart says: total, busiest intervals, peak, the week before.",
        (*CHART, TOP),
        chart_answers.Summary,
    ),
    Endpoint(
        "differences",
        "How far two sides are apart in what both have seen: by label, and where most.",
        (
            *(one for one in CHART if one.name != "by"),
            COMPARE._replace(required=True),
            Parameter("limit", "Most in `most`; default: 10.", LIMIT, "10"),
        ),
        compare_answers.Differences,
    ),
    Endpoint("heatmap", "Counts per hour of the week.", SELECTION, chart_answers.Heatmap),
    Endpoint("evidence", "The busiest frame per label.", SELECTION, proof_answers.EvidenceFrames),
    Endpoint("frames", "Every frame behind a bar, with a running sum.", FRAMES, proof_answers.Frames),
    Endpoint("objects", "Every unique object behind a bar.", PAGE, proof_answers.Objects),
    Endpoint(
        "gap",
        "Why a source has no footage at a moment: from when to when, the frames at both ends, the books.",
        (
            Parameter("source", "Slug of the source.", text(), "gate", required=True),
            Parameter(
                "at",
                "A moment without footage, ISO 8601 or milliseconds.",
                text(),
                "2024-05-01T08:00:00Z",
                required=True,
            ),
            MODEL,
            TIMEZONE,
            *PARTS,
        ),
        proof_answers.FootageGap,
    ),
    Endpoint(
        "frames/boxes",
        "A frame with the boxes that a model counted in it.",
        (PATH, *(one for one in SELECTION if one.name in ("label", "model", "base"))),
        proof_answers.FrameOfModel,
        statuses=(404,),
    ),
    Endpoint(
        "frames/image",
        "A frame's JPEG.",
        (
            PATH,
            Parameter(
                "w",
                "A smaller JPEG, so many pixels wide; one that is not wider is answered as it is.",
                {"type": "string", "enum": list(WIDTHS_PX)},
                "320",
            ),
        ),
        None,
        ("image/jpeg",),
        statuses=(404,),
    ),
    *(one for one in _OF_PLUGINS if not one.native),
    *AUDIT_ENDPOINTS,
    *EMBED_ENDPOINTS,
    Endpoint(
        "runs",
        "The last runs with their quality reports.",
        (MODEL, Parameter("limit", "Most in the answer; default: 10.", LIMIT, "10")),
        status_answers.Runs,
    ),
    Endpoint(
        "status", "The books: what was announced, detected, counted, indexed.", (), status_answers.Books
    ),
    Endpoint(
        "dead-letters",
        "Frames that could not be detected: the picture, what was wrong, and what mends it.",
        (
            Parameter(
                "cause",
                "Those of one cause; default: all.",
                {"type": "string", "enum": list(get_args(Cause))},
                "checksum",
            ),
            Parameter("limit", "Most in the answer; default: 24.", LIMIT, "24"),
        ),
        status_answers.DeadLetterFrames,
    ),
    Endpoint("events", "Server-sent events: what changed.", (), None, ("text/event-stream",)),
    Endpoint(
        "export",
        "A chart's numbers as a file.",
        (
            *CHART,
            COMPARE._replace(
                description=f"{COMPARE.description} Rows have it beside them, and the differences."
            ),
            Parameter(
                "format",
                "`csv` (default), `xlsx`, `json` or `parquet`.",
                {"type": "string", "enum": list(FORMATS)},
                "csv",
            ),
        ),
        None,
        tuple(FORMATS.values()),
    ),
)

ALL_ENDPOINTS = (*ENDPOINTS, *(one for one in _OF_PLUGINS if one.native))
"""Those of Flask's, and those that are native."""
