"""The API's routes as data: what each is asked by and answers. They and their description are made of it."""

from __future__ import annotations

from typing import Any, NamedTuple, get_args

from frametally.records import Cause
from frametally_web.books import answers as status_answers
from frametally_web.charts import answers as chart_answers
from frametally_web.compare import answers as compare_answers
from frametally_web.exports.table_file import FORMATS
from frametally_web.proof import answers as proof_answers
from frametally_web.proof.thumbnails import WIDTHS_PX
from frametally_web.requests import answers
from frametally_web.requests.query import (
    COMPARE_PATTERN,
    MAX_CURSOR_CHARS,
    MAX_INTERVAL_S,
    MAX_NAME_CHARS,
    MAX_TOP,
    AskedMetric,
)


class Parameter(NamedTuple):
    """A query parameter: the JSON Schema of one value, and whether it may stand several times (`many`)."""

    name: str
    description: str
    schema: dict[str, Any]
    example: str
    many: bool = False
    required: bool = False


class Endpoint(NamedTuple):
    """A route at `path` behind `/api/v1/`; `answer` is None where it answers with no JSON of ours."""

    path: str
    summary: str
    parameters: tuple[Parameter, ...]
    answer: type[answers.Answer] | None
    media_types: tuple[str, ...] = ("application/json",)

    @property
    def name(self) -> str:
        """Its name."""
        return self.path.replace("/", "_").replace("-", "_")

    @property
    def streams(self) -> bool:
        """Whether its answer goes on for as long as somebody listens."""
        return self.media_types == ("text/event-stream",)


def _text(most_chars: int = MAX_NAME_CHARS) -> dict[str, Any]:
    return {"type": "string", "maxLength": most_chars, "pattern": "^[^\\u0000]*$"}


_MODEL = Parameter("model", "One model; default: the one published last.", _text(), "")
_TIMEZONE = Parameter(
    "timezone",
    "IANA time zone of bars over an hour and of times without an offset; default: the server's.",
    _text(),
    "Europe/Berlin",
)
_MOMENT = {"type": "string", "format": "date-time"}
_LIMIT = {"type": "integer", "minimum": 1}
_SELECTION = (
    Parameter("label", "Class names; default: all.", _text(), "car", many=True),
    Parameter("source", "Slugs of sources; default: all.", _text(), "", many=True),
    Parameter(
        "from",
        "First event time, ISO 8601 or milliseconds; default: where the data begins.",
        _MOMENT,
        "2024-05-01T08:00:00Z",
    ),
    Parameter("to", "Event time at which it ends, not included; default: where the data ends.", _MOMENT, ""),
    _MODEL,
    _TIMEZONE,
    Parameter(
        "hours",
        "Only these hours of each day, local time; they may go on past midnight. Default: all day.",
        {"type": "string", "pattern": "^[0-2][0-9]:[0-5][0-9]-[0-2][0-9]:[0-5][0-9]$"},
        "08:00-09:00",
    ),
    Parameter(
        "weekdays",
        "Only these days of the week, 1 is Monday; hours past midnight are of the day on which they begin. "
        "Default: every day.",
        {"type": "string", "pattern": "^[1-7](,[1-7])*$"},
        "1,2,3",
    ),
    Parameter(
        "base",
        "Seconds of the stored interval to read, up to date or not; default: chosen by range. "
        "A bar is proved with `base_interval_s` of its chart.",
        {"type": "integer", "minimum": 1, "maximum": MAX_INTERVAL_S},
        "60",
    ),
)
_CHART = (
    *_SELECTION,
    Parameter(
        "interval",
        "Seconds of a bar, a multiple of a stored interval; default: chosen for at most 120 bars, "
        "none shorter than the sources have pictures.",
        {"type": "integer", "minimum": 1, "maximum": MAX_INTERVAL_S},
        "3600",
    ),
    Parameter(
        "metric",
        "By what labels are ordered; every answer has all four. "
        "`auto`: objects where they are known of all that was filmed, else `mean_per_frame`.",
        {"type": "string", "enum": list(get_args(AskedMetric))},
        "detections",
    ),
    Parameter(
        "by", "`source`: each source has bars of its own.", {"type": "string", "enum": ["source"]}, "source"
    ),
)
_TOP = Parameter(
    "top",
    "How many labels have bars of their own, those with most of the metric; the others have theirs together, "
    "with `label` null. Default: all.",
    {"type": "integer", "minimum": 0, "maximum": MAX_TOP},
    "6",
)
_COMPARE = Parameter(
    "compare",
    "What is beside it: `previous`, `day`, `week`, `source:<slug>` or `model:<id>`.",
    {"type": "string", "maxLength": MAX_NAME_CHARS, "pattern": COMPARE_PATTERN},
    "week",
)
_PATH = Parameter(
    "path",
    "`image_path` of an answer.",
    _text(),
    "images/gate/2024-05-01/1714550400200-0123456789ab-0.jpg",
    required=True,
)
_PAGE = (
    *_SELECTION,
    Parameter("limit", "Most in one page; default: 24.", _LIMIT, "24"),
    Parameter("cursor", "`next` of the page before; default: the first page.", _text(MAX_CURSOR_CHARS), ""),
)
_FRAMES = (
    *_PAGE,
    Parameter(
        "start",
        "`peak`: the first answer begins with the frame that has most of one label, and has `previous`, too.",
        {"type": "string", "enum": ["peak"]},
        "peak",
    ),
    Parameter(
        "empty",
        "`1`: the analysed frames without a counted box, too.",
        {"type": "string", "enum": ["1"]},
        "1",
    ),
)

ENDPOINTS = (
    Endpoint("models", "What can be asked for: models with their stored intervals.", (), answers.Models),
    Endpoint("labels", "Labels with their detections, most first.", (_MODEL,), answers.Labels),
    Endpoint("sources", "Sources with their frames and range.", (_MODEL,), answers.Sources),
    Endpoint("catalogue", "Models, labels and sources in one answer.", (_MODEL,), answers.Catalogue),
    Endpoint("counts", "Counts per interval and label.", (*_CHART, _TOP), chart_answers.Counts),
    Endpoint(
        "summary",
        "What a chart says: total, busiest intervals, peak, the week before.",
        (*_CHART, _TOP),
        chart_answers.Summary,
    ),
    Endpoint(
        "differences",
        "How far two sides are apart in what both have seen: by label, and where most.",
        (
            *(one for one in _CHART if one.name != "by"),
            _COMPARE._replace(required=True),
            Parameter("limit", "Most in `most`; default: 10.", _LIMIT, "10"),
        ),
        compare_answers.Differences,
    ),
    Endpoint("heatmap", "Counts per hour of the week.", _SELECTION, chart_answers.Heatmap),
    Endpoint("evidence", "The busiest frame per label.", _SELECTION, proof_answers.EvidenceFrames),
    Endpoint("frames", "Every frame behind a bar, with a running sum.", _FRAMES, proof_answers.Frames),
    Endpoint("objects", "Every unique object behind a bar.", _PAGE, proof_answers.Objects),
    Endpoint(
        "gap",
        "Why a source has no footage at a moment: from when to when, the frames at both ends, the books.",
        (
            Parameter("source", "Slug of the source.", _text(), "gate", required=True),
            Parameter(
                "at",
                "A moment without footage, ISO 8601 or milliseconds.",
                _text(),
                "2024-05-01T08:00:00Z",
                required=True,
            ),
            _MODEL,
            _TIMEZONE,
        ),
        proof_answers.FootageGap,
    ),
    Endpoint(
        "frames/boxes",
        "A frame with the boxes that a model counted in it.",
        (_PATH, *(one for one in _SELECTION if one.name in ("label", "model", "base"))),
        proof_answers.FrameOfModel,
    ),
    Endpoint(
        "frames/image",
        "A frame's JPEG.",
        (
            _PATH,
            Parameter(
                "w",
                "A smaller JPEG, so many pixels wide; one that is not wider is answered as it is.",
                {"type": "string", "enum": list(WIDTHS_PX)},
                "320",
            ),
        ),
        None,
        ("image/jpeg",),
    ),
    Endpoint(
        "runs",
        "The last runs with their quality reports.",
        (_MODEL, Parameter("limit", "Most in the answer; default: 10.", _LIMIT, "10")),
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
            Parameter("limit", "Most in the answer; default: 24.", _LIMIT, "24"),
        ),
        status_answers.DeadLetterFrames,
    ),
    Endpoint("events", "Server-sent events: what changed.", (), None, ("text/event-stream",)),
    Endpoint(
        "export",
        "A chart's numbers as a file.",
        (
            *_CHART,
            _COMPARE._replace(
                description=f"{_COMPARE.description} Rows have it beside them, and the differences."
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
