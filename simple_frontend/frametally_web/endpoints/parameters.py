"""What a route of the API is as data, and the parameters that several of them have."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, get_args

import msgspec

from frametally.plugins import Right, plugins
from frametally_web.requests.query import (
    COMPARE_PATTERN,
    MAX_CURSOR_CHARS,
    MAX_INTERVAL_S,
    MAX_NAME_CHARS,
    MAX_TOP,
    AskedMetric,
)

Method = Literal["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"]


class Parameter(NamedTuple):
    """A parameter: the JSON Schema of one value, and whether it may stand several times (`many`).

    `place` is where it stands; what stands in the path is written `{name}` in the endpoint's.
    """

    name: str
    description: str
    schema: dict[str, Any]
    example: str
    many: bool = False
    required: bool = False
    place: Literal["query", "path", "header"] = "query"


class Endpoint(NamedTuple):
    """A route at `path` behind `/api/v1/`.

    `answer` is None where it answers with no JSON of ours, `body` is the form of the JSON that is sent to it,
    None where nothing is; `statuses` are those that it has beside what all have. `success` says in words what
    it answers with when all is well, by status, where that is more than 200; of 204 and 304 nothing follows.

    A `native` route is Starlette's (`requests.native`). What is `at_root` stands not behind `/api/v1`. `form`
    are the parts of the form that is sent to it, `sends` is the type of the bytes that are. `named` is its
    name where its path does not say it.

    `right` is the role that a visitor needs, or `open`. A route that is answered `by_source` is open to
    visitors who see some sources alone. One that `only_computes` changes nothing, whatever its method is.
    `tag` is the group that the description has it in, where its answer does not say it.
    """

    path: str
    summary: str
    parameters: tuple[Parameter, ...]
    answer: type[msgspec.Struct] | None
    media_types: tuple[str, ...] = ("application/json",)
    method: Method = "GET"
    body: type[msgspec.Struct] | None = None
    statuses: tuple[int, ...] = ()
    success: Mapping[int, str] = MappingProxyType({})
    native: bool = False
    at_root: bool = False
    form: tuple[Parameter, ...] = ()
    sends: str = ""
    named: str = ""
    right: Right = "look"
    by_source: bool = False
    only_computes: bool = False
    tag: str = ""

    @property
    def name(self) -> str:
        """Its name: what its path says but for places of parameters, behind how it is asked unless by GET."""
        if self.named:
            return self.named
        parts = [part for part in self.path.split("/") if not part.startswith("{")]
        said = parts if self.method == "GET" else [self.method.lower(), *parts]
        return "_".join(said).replace("-", "_")

    @property
    def address(self) -> str:
        """Its whole path, as a client asks for it."""
        return f"/{self.path}" if self.at_root else f"/api/v1/{self.path}"

    @property
    def in_query(self) -> tuple[str, ...]:
        """Names of the parameters that stand in the query."""
        return tuple(one.name for one in self.parameters if one.place == "query")

    @property
    def streams(self) -> bool:
        """Whether its answer goes on for as long as somebody listens."""
        return self.media_types == ("text/event-stream",)


def text(most_chars: int = MAX_NAME_CHARS) -> dict[str, Any]:
    """Return the JSON Schema of a text."""
    return {"type": "string", "maxLength": most_chars, "pattern": "^[^\\u0000]*$"}


MODEL = Parameter("model", "One model; default: the one published last.", text(), "")
TIMEZONE = Parameter(
    "timezone",
    "IANA time zone of bars over an hour and of times without an offset; default: the server's.",
    text(),
    "Europe/Berlin",
)
PARTS = tuple(
    Parameter(name, words, text(), "")
    for plugin in plugins()
    for name, words in plugin.chart_parameters.items()
)
"""What plug-ins narrow charts by."""
MOMENT = {"type": "string", "format": "date-time"}
UUID = {"type": "string", "format": "uuid"}
LIMIT = {"type": "integer", "minimum": 1}
CURSOR = Parameter(
    "cursor", "`next` of the page before; default: the first page.", text(MAX_CURSOR_CHARS), ""
)
SELECTION = (
    Parameter("label", "Class names; default: all.", text(), "car", many=True),
    Parameter("source", "Slugs of sources; default: all.", text(), "", many=True),
    Parameter(
        "from",
        "First event time, ISO 8601 or milliseconds; default: where the data begins.",
        MOMENT,
        "2024-05-01T08:00:00Z",
    ),
    Parameter("to", "Event time at which it ends, not included; default: where the data ends.", MOMENT, ""),
    MODEL,
    TIMEZONE,
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
    *PARTS,
)
CHART = (
    *SELECTION,
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
TOP = Parameter(
    "top",
    "How many labels have bars of their own, those with most of the metric; the others have theirs together, "
    "with `label` null. Default: all.",
    {"type": "integer", "minimum": 0, "maximum": MAX_TOP},
    "6",
)
COMPARE = Parameter(
    "compare",
    "What is beside it: `previous`, `day`, `week`, `source:<slug>` or `model:<id>`.",
    {"type": "string", "maxLength": MAX_NAME_CHARS, "pattern": COMPARE_PATTERN},
    "week",
)
PATH = Parameter(
    "path",
    "`image_path` of an answer.",
    text(),
    "images/gate/2024-05-01/1714550400200-0123456789ab-0.jpg",
    required=True,
)
PAGE = (
    *SELECTION,
    Parameter("limit", "Most in one page; default: 24.", LIMIT, "24"),
    CURSOR,
)
FRAMES = (
    *PAGE,
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
