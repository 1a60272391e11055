"""The routes of the traffic report, as data."""

from __future__ import annotations

from frametally_traffic.report.schemes import SCHEME_NAMES
from frametally_traffic.report_files import answers
from frametally_traffic.report_files.formats import FORMATS, HOURS
from frametally_web.endpoints.parameters import SELECTION, Endpoint, Parameter, text

_REPORT = (
    Parameter("source", "Slug of the source that shows the junction.", text(), "gate", required=True),
    *(one for one in SELECTION if one.name in ("from", "to", "model", "timezone")),
    Parameter(
        "classes",
        "Scheme of classes: the detector's `labels` (default), or `fhwa`, `coba`, `swiss10` or `tls`.",
        {"type": "string", "enum": list(SCHEME_NAMES)},
        "fhwa",
    ),
)

TRAFFIC_ENDPOINTS = (
    Endpoint("traffic", "Movements over a junction by quarter-hour and class.", _REPORT, answers.Traffic),
    Endpoint(
        "traffic/file",
        "The same as a file.",
        (
            *_REPORT,
            Parameter(
                "format",
                "`xlsx` (default), `csv`: a row for each quarter-hour, or `utdf`: the turns of a peak hour.",
                {"type": "string", "enum": list(FORMATS)},
                "xlsx",
            ),
            Parameter(
                "hour",
                "Which peak hour `utdf` has: that before noon, or after it; default: the busier.",
                {"type": "string", "enum": [hour for hour in HOURS if hour]},
                "am",
            ),
        ),
        None,
        tuple(dict.fromkeys(FORMATS.values())),
    ),
)
