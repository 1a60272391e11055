"""The described routes with real sources, zones, lines and ids: no value of a parameter is a failure."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import msgspec
import pytest
from tests.examples import in_turn
from tests.traffic.zoned_footage import LEFT, MODEL, START_MS, count, draw, drive, put
from tests.videos.video_records import make_video
from tests.web.conftest import Place, Serving
from tests.web.raw_client import Answered, Client

from frametally_live.feed_records import Feed
from frametally_traffic.drawings.revisions import change_drawing
from frametally_traffic.records import DrawnLine
from frametally_web.api.endpoints import ENDPOINTS
from frametally_web.api.openapi import describe

Query = list[tuple[str, str]]
VIDEO = make_video()
REAL = {
    "source": "gate",
    "label": "car",
    "from": "2024-05-01T08:01:00Z",
    "to": "2024-05-01T08:02:00Z",
    "model": MODEL,
    "timezone": "Europe/Berlin",
    "hours": "00:00-24:00",
    "weekdays": "1,2,3,4,5,6,7",
    "base": "60",
    "interval": "60",
    "zone": "left side",
    "line": "middle",
    "compare": "week",
    "at": str(START_MS + 3_600_000),
    "video_id": VIDEO.id,
    "file_id": VIDEO.id,
    "path": drive(frames=1)[0].image_path,
}
"""Values that exist; other parameters have their example or their first choice."""
BY_SECOND = REAL | {"base": "1", "interval": "1"}
NOT_TOGETHER = ("by", "cursor", "number", "before", "from_leg", "to_leg", "who", "what")
"""Parameters that leave nothing of an answer together with the others, or want what this place has not."""
HOSTILE = {
    "empty": ("",),
    "twice": ("gate", "yard"),
    "empty and real": ("", None),
    "foreign": ("no-such-thing",),
    "long": ("x" * 1500,),
    "a list": ("[]",),
    "a number": ("-1",),
    "a huge number": ("9" * 30,),
    "not a number": ("NaN",),
    "NUL": ("a\0b",),
    "a path": ("../../etc/passwd",),
    "a place": ("gate/zone/left side",),
    "no name": ("/",),
    "letters": ("\u0663\u202e\U0001f6a6\ud7ff",),
    "percent": ("%00%ff",),
}
"""Values by kind; None stands for the real value."""


class Operation(NamedTuple):
    """A route of the document."""

    method: str
    path: str
    parameters: Sequence[Mapping[str, Any]]
    body: Mapping[str, Any] | None
    statuses: frozenset[int]

    def names(self, place: str) -> list[str]:
        return [one["name"] for one in self.parameters if one["in"] == place]

    @property
    def texts(self) -> list[str]:
        """Parameters that may be any text."""
        schemas = {one["name"]: one["schema"].get("items", one["schema"]) for one in self.parameters}
        is_text = {name: {"type", "pattern"} <= schema.keys() for name, schema in schemas.items()}
        return [name for name in self.names("query") if is_text[name]]

    def address(self, query: Query, **in_path: str) -> str:
        path = self.path
        for name in self.names("path"):
            path = path.replace(f"{{{name}}}", quote(in_path.get(name, real(self, name)), safe=""))
        return f"{path}?{urlencode(query)}" if query else path


def operations() -> list[Operation]:
    """All routes of the document, with their whole addresses."""
    document = describe()
    schemas = document["components"]["schemas"]
    made = []
    for path, item in document["paths"].items():
        for method, told in item.items():
            body = told.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            made.append(
                Operation(
                    method.upper(),
                    f"{told.get('servers', document['servers'])[0]['url'].rstrip('/')}{path}",
                    told["parameters"],
                    body and schemas[body["$ref"].rpartition("/")[2]],
                    frozenset(map(int, told["responses"])),
                )
            )
    return made


READS = [one for one in operations() if one.method == "GET" and one.path != "/api/v1/events"]
CHANGES = [one for one in operations() if one.body is not None]


def real(operation: Operation, name: str, values: Mapping[str, str] = REAL) -> str:
    """A value of a parameter that the route accepts."""
    told = next(one for one in operation.parameters if one["name"] == name)
    example = told.get("example", "")
    first = example[0] if isinstance(example, list) else example
    return values.get(name) or str(first) or (told["schema"].get("enum") or ["0"])[0]


def short(operation: Operation) -> Query:
    """The question with its required parameters alone."""
    needed = [one["name"] for one in operation.parameters if one["in"] == "query" and one["required"]]
    return [(name, real(operation, name)) for name in needed]


def whole(operation: Operation, values: Mapping[str, str] = REAL) -> Query:
    """The question with every parameter."""
    names = [name for name in operation.names("query") if name not in NOT_TOGETHER]
    return [(name, real(operation, name, values)) for name in names]


def fault_of(operation: Operation, answer: Answered) -> str:
    """Why an answer is not what the document promises; empty if it is."""
    # 421 and 431 are for what every route of the server refuses alike, before it is chosen.
    if answer.status in operation.statuses - {500, 503} or answer.status == 431:
        is_problem = answer.status >= 400 and "problem+json" in answer.headers.get("content-type", "")
        return "" if not is_problem or answer.json["remedy"] else "no remedy"
    return f"{answer.status} {answer.body[:200]!r}"


def asked(client: Client, kind: str, operations: Sequence[Operation]) -> Iterator[tuple[Operation, str, str]]:
    """Ask with one kind of value for each parameter; yield the route, the question and the fault, or ''.

    Each parameter meets each of three questions in turn, with one kind after the other.
    """
    turns = itertools.count([*HOSTILE].index(kind))
    for operation in operations:
        questions = short(operation), whole(operation), whole(operation, BY_SECOND)
        for name in operation.names("query"):
            yield ask_with(client, operation, questions[next(turns) % len(questions)], name, kind)
        for name in operation.names("path") if kind != "empty" else ():
            address = operation.address(short(operation), **{name: HOSTILE[kind][-1] or "real"})
            yield operation, address, fault_of(operation, client("GET", address))


def ask_with(
    client: Client, operation: Operation, query: Query, name: str, kind: str
) -> tuple[Operation, str, str]:
    """Ask a question with other values for one parameter."""
    values = [real(operation, name) if one is None else one for one in HOSTILE[kind]]
    changed = [pair for pair in query if pair[0] != name] + [(name, value) for value in values]
    address = operation.address(changed)
    return operation, address, fault_of(operation, client("GET", address))


@pytest.fixture
def city(place: Place) -> Place:
    """Two sources, one of them with a zone and a line; a video, and a camera."""
    put(place, [*drive(), *drive("yard")])
    draw(place, ("left side", LEFT))
    line = DrawnLine(
        name="middle", points=((320, 480), (320, 0)), inward="to_right", side="W", width_px=640, height_px=480
    )
    change_drawing(place.store, "gate", lambda drawing: msgspec.structs.replace(drawing, lines=(line,)))
    count(place)
    place.catalogue.put_video(VIDEO, "1")
    assert place.feeds.put_camera(Feed("c1", "camera", "gate", "Gate", address="rtsp://10.0.0.1/x"))
    return place


@pytest.fixture
def client(city: Place, serving: Serving) -> Iterator[Client]:
    with closing(Client(serving(city.app(web_uploads=True)))) as client:
        for _ in range(100):  # the books may be read later than a request waits
            if client("GET", "/api/v1/status").status == 200:
                break
        yield client


@pytest.mark.thorough
def test_an_empty_form_field_causes_no_error_on_any_route(client: Client) -> None:
    answers = [
        ask_with(client, operation, whole(operation, BY_SECOND), name, "empty")
        for operation in READS
        for name in operation.texts
    ]
    assert len(answers) > 80
    assert [(address, fault) for _, address, fault in answers if fault] == []


@pytest.mark.thorough
def test_each_route_answers_a_request_with_all_its_parameters(client: Client) -> None:
    answered = set()
    for operation in READS:
        answer = client("GET", operation.address(whole(operation)))
        assert not fault_of(operation, answer), (operation.path, answer)
        if answer.status == 200:
            answered.add(operation.path)
    # The others need the id of work, or a medium; these frames have none.
    of_numbers = {one.path for one in READS if {"source", "from"} & {*one.names("query")}}
    assert of_numbers - answered == {"/api/v1/footage"}


def test_every_route_without_a_body_refuses_one(client: Client) -> None:
    without = [one for one in ENDPOINTS if one.body is None and not one.native]
    assert {"measure_presets", "cancel_job", "accounts"} <= {one.name for one in without}
    for endpoint in without:
        path = re.sub(r"\{.*?\}", "1", endpoint.address)
        answer = client(endpoint.method, path, b'{"name": "a"}', Content_Type="application/json")
        assert (answer.status, answer.json["detail"]) == (400, "This route takes no body."), path
        assert answer.json["remedy"]


@pytest.mark.thorough
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kind", HOSTILE)
def test_no_parameter_value_causes_an_error_on_any_route(client: Client, kind: str) -> None:
    answers = [*asked(client, kind, READS)]
    assert [(address, fault) for _, address, fault in answers if fault] == []


WRONG = ["", "x" * 1500, "no-such-thing", "a\0b", -1, 10**30, 1.5, True, None, [], [[]], {}, {"a": {}}]


@pytest.mark.thorough
@pytest.mark.timeout(1200)
def test_no_body_causes_an_error_on_any_route(client: Client) -> None:
    faults = []
    for operation in CHANGES:
        assert operation.body is not None
        bodies = [b"", b"{", b"\xff", *(json.dumps(one).encode() for one in WRONG)]
        bodies += [
            json.dumps({"name": "a", "source": "gate"} | {field: value}).encode()
            for field in operation.body.get("properties", {})
            for value in in_turn(WRONG)
        ]
        for body in bodies:
            sent = {"Content_Type": "application/json", "If_Match": '"0"'}
            answer = client(operation.method, operation.address([]), body, **sent)
            if fault := fault_of(operation, answer):
                faults.append((operation.method, operation.path, body[:100], fault))
    assert faults == []
