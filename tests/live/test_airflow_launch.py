"""Streams that Airflow starts, requested by the API: the requests to it, and the effect of every answer."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.live.answering_airflow import DAG, RUNS, TOKEN, Answer, AnsweringAirflow, answering_airflow, says
from tests.videos.test_library_api import stored
from tests.videos.video_records import make_video
from tests.web.conftest import Place

from frametally.errors import Misconfigured
from frametally.settings.fields import SecretStr
from frametally_live.feed_records import Feed
from frametally_live.viewers import airflow_launch

PASSWORD = "hidden-f7c1"  # noqa: S105 - of a server of the test's own
MOST_S = 60.0
"""A longer answer would show that there is no time limit."""


@pytest.fixture
def airflow() -> Iterator[AnsweringAirflow]:
    with answering_airflow(AnsweringAirflow(PASSWORD)) as there:
        yield there


def access(url: str, **changed: Any) -> dict[str, Any]:
    return {
        "airflow_url": url,
        "airflow_user": "frametally",
        "airflow_password": SecretStr(PASSWORD),
    } | changed


@pytest.fixture
def client(place: Place, airflow: AnsweringAirflow) -> FlaskClient:
    return place.app(**access(airflow.url)).test_client()


@pytest.fixture
def video_id(place: Place) -> str:
    return stored(place, make_video(1))[0]


def started(client: FlaskClient, video_id: str, status: int = 202) -> dict[str, Any]:
    begun_at_s = time.monotonic()
    answer = client.post("/api/stream/start", json={"video_id": video_id, "speed": 2})
    assert time.monotonic() - begun_at_s < MOST_S
    assert answer.status_code == status
    told = answer.json
    assert told is not None
    return dict(told)


def claimed(place: Place) -> Feed | None:
    return place.feeds.claim_feed("worker", ["video"], lease_s=600)


def test_a_start_books_the_stream_and_requests_its_airflow_run(
    place: Place, client: FlaskClient, airflow: AnsweringAirflow, video_id: str
) -> None:
    stream = started(client, video_id)
    assert (stream["state"], stream["reason"]) == ("requested", "Airflow is starting its run.")
    stream_id = stream["stream_id"]
    run_id = f"stream__{stream_id}"
    assert airflow.runs == {
        run_id: {
            "dag_run_id": run_id,
            "logical_date": None,
            "conf": {"video_id": video_id, "speed": 2.0, "stream_id": stream_id},
        }
    }
    assert claimed(place) is None, "it is the run's to launch"
    place.feeds.launch_feed(stream_id, lease_s=600)
    assert claimed(place).id == stream_id


@pytest.mark.thorough
def test_a_stream_started_twice_has_one_run(
    place: Place, client: FlaskClient, airflow: AnsweringAirflow, video_id: str
) -> None:
    stream = started(client, video_id)
    assert started(client, video_id, 200) == stream
    assert list(airflow.runs) == [f"stream__{stream['stream_id']}"]
    place.feeds.launch_feed(stream["stream_id"], lease_s=600)
    asked = len(airflow.asked)
    assert started(client, video_id, 200)["stream_id"] == stream["stream_id"]
    assert len(airflow.asked) == asked, "it is launched: nothing is asked any more"


def test_a_booked_stream_can_be_stopped_paused_and_sought_like_any_other(
    place: Place, client: FlaskClient, video_id: str
) -> None:
    here = f"/api/v1/streams/{started(client, video_id)['stream_id']}"
    assert client.post(f"{here}/pause").json["wanted"] == "pause"
    assert client.post(f"{here}/seek", json={"position_s": 12.5}).status_code == 200
    assert client.post("/api/stream/stop", json={"video_id": video_id}).json["state"] == "ended"
    assert claimed(place) is None


def never_ends(request: BaseHTTPRequestHandler) -> None:
    """A byte now and then, which no time-out of a socket ends."""
    request.send_response(200)
    request.end_headers()
    while not is_heard_no_more(request):
        request.wfile.write(b" ")


def never_ends_its_head(request: BaseHTTPRequestHandler) -> None:
    request.wfile.write(b"HTTP/1.1 200 OK\r\nX-More: ")
    while not is_heard_no_more(request):
        request.wfile.write(b"x")


def says_nothing(request: BaseHTTPRequestHandler) -> None:
    while not is_heard_no_more(request):
        pass


def is_heard_no_more(request: BaseHTTPRequestHandler) -> bool:
    """After a while, or once no one is listening."""
    time.sleep(0.05)
    request.connection.settimeout(0.01)
    try:
        return request.connection.recv(1, socket.MSG_PEEK) == b""
    except TimeoutError:
        return False


def much(request: BaseHTTPRequestHandler) -> None:
    """10 GB."""
    request.send_response(200)
    request.send_header("Content-Length", str(10**10))
    request.end_headers()
    while True:
        request.wfile.write(b'"' + b"x" * 65_535)


def cut_off(request: BaseHTTPRequestHandler) -> None:
    request.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")


def no_http(request: BaseHTTPRequestHandler) -> None:
    request.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")


BAD: dict[str, tuple[str, Answer, str]] = {
    "elsewhere": (TOKEN, says(307, Location="http://127.0.0.1:1/"), "redirects to another address (307)"),
    "a fault": (TOKEN, says(500, {"detail": PASSWORD}), "answers 500"),
    "no token": (TOKEN, says(201, {"token": PASSWORD}), "does not answer like Airflow 3"),
    "a token for two lines": (TOKEN, says(201, {"access_token": "a\r\nb"}), "does not answer like Airflow 3"),
    "a page": (TOKEN, says(200, b"<html>" + PASSWORD.encode()), "does not answer like Airflow 3"),
    "deep": (TOKEN, says(200, b"[" * 900_000), "does not answer like Airflow 3"),
    "bytes": (TOKEN, says(200, bytes(range(256))), "does not answer like Airflow 3"),
    "log-in refused": (TOKEN, says(401), "refuses the user name or password (401)"),
    "without end": (TOKEN, never_ends, "does not answer in 1 s"),
    "a head without end": (TOKEN, never_ends_its_head, "does not answer in 1 s"),
    "nothing": (TOKEN, says_nothing, "does not answer in 1 s"),
    "cut off": (TOKEN, cut_off, "does not answer like"),
    "no HTTP": (TOKEN, no_http, "does not answer as it should"),
    "no such DAG": (DAG, says(404), "has no DAG frametally_stream"),
    "no right to see it": (DAG, says(403), "does not allow FRAMETALLY_AIRFLOW_USER to start runs"),
    "paused": (DAG, says(200, {"dag_id": "frametally_stream", "is_paused": True}), "has paused the DAG"),
    "another's DAG": (DAG, says(200, {"dag_id": "x"}), "does not answer like Airflow 3"),
    "late, without end": (RUNS, never_ends, "does not answer in 1 s"),
    "no right to begin it": (RUNS, says(403), "does not allow FRAMETALLY_AIRFLOW_USER to start runs"),
    "another conf": (RUNS, says(400, {"detail": PASSWORD}), "refuses this run of frametally_stream (400)"),
    "a fault at last": (RUNS, says(503), "answers 503"),
    "another's run": (RUNS, says(200, {"dag_run_id": "x"}), "does not answer like Airflow 3"),
}


@pytest.mark.thorough
@pytest.mark.parametrize("case", BAD)
def test_any_bad_answer_from_airflow_fails_the_stream_with_one_line_and_no_secret(
    place: Place,
    client: FlaskClient,
    airflow: AnsweringAirflow,
    video_id: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    case: str,
) -> None:
    path, answer, says_so = BAD[case]
    airflow.answers[path] = answer
    monkeypatch.setattr(airflow_launch, "_WITHIN_S", 1.0)
    client = place.app(**access(airflow.url)).test_client()
    with caplog.at_level(logging.WARNING):
        stream = started(client, video_id)
    assert stream["state"] == "failed"
    line = stream["reason"]
    assert says_so in line
    assert line.endswith(("then start the stream again.",))
    assert airflow.url in line
    assert "\n" not in line
    logged = [record.getMessage() for record in caplog.records if record.name == "frametally_web"]
    assert logged == [f"stream of Gate 1: {line}"]
    assert PASSWORD not in line + str(logged)
    assert client.get(f"/api/v1/streams/{stream['stream_id']}").json["reason"] == line
    assert claimed(place) is None
    del airflow.answers[path]
    assert started(client, video_id)["state"] == "requested", "the next start asks anew"


def test_a_10_gb_answer_is_read_only_up_to_the_limit(
    place: Place, airflow: AnsweringAirflow, video_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(airflow_launch, "_WITHIN_S", 5.0)
    airflow.answers[TOKEN] = much
    stream = started(place.app(**access(airflow.url)).test_client(), video_id)
    assert "does not answer like Airflow 3" in stream["reason"], "long before its time is over"


@pytest.mark.thorough
@settings(max_examples=examples(40), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from([TOKEN, DAG, RUNS]),
    status=st.integers(200, 599).filter(lambda status: status != 409),
    said=st.one_of(
        st.binary(max_size=40),
        st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=5), st.lists, max_leaves=5),
        st.dictionaries(
            st.sampled_from(["access_token", "dag_id", "dag_run_id", "is_paused"]),
            st.none() | st.integers() | st.text(max_size=5) | st.lists(st.none(), max_size=2),
        ),
    ),
)
def test_random_answers_from_airflow_start_nothing_and_cause_no_internal_error(
    place: Place, client: FlaskClient, airflow: AnsweringAirflow, path: str, status: int, said: object
) -> None:
    video_id = stored(place, make_video(1))[0]
    airflow.answers = {path: says(status, said)}
    stream = started(client, video_id)
    assert stream["state"] == "failed"
    assert airflow.url in stream["reason"]


def test_an_unavailable_airflow_and_a_wrong_password_are_reported_with_the_remedy(
    place: Place, airflow: AnsweringAirflow, video_id: str
) -> None:
    wrong = place.app(**access(airflow.url, airflow_password=SecretStr("guess-91b"))).test_client()
    stream = started(wrong, video_id)
    assert stream["reason"] == (
        f"Airflow at {airflow.url} refuses the user name or password (401): check "
        f"FRAMETALLY_AIRFLOW_USER and "
        "FRAMETALLY_AIRFLOW_PASSWORD, then start the stream again."
    )
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        away = started(place.app(**access(url)).test_client(), video_id)
    assert away["state"] == "failed"
    assert away["reason"] == (
        f"Airflow at {url} does not answer as it should: check that it is running there, and that "
        "FRAMETALLY_AIRFLOW_URL is its address, then start the stream again."
    )


@pytest.mark.thorough
def test_the_login_is_sent_to_no_other_address(
    place: Place, airflow: AnsweringAirflow, video_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering_airflow(AnsweringAirflow(PASSWORD)) as other:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, other.url)
        for status in (301, 302, 303, 307, 308):
            airflow.answers[TOKEN] = says(status, Location=other.url + TOKEN)
            assert started(place.app(**access(airflow.url)).test_client(), video_id)["state"] == "failed"
        assert other.asked == []


def test_a_run_whose_answer_was_lost_learns_that_its_stream_has_failed(
    place: Place, airflow: AnsweringAirflow, client: FlaskClient, video_id: str
) -> None:
    airflow.answers[RUNS] = says(502)
    stream = started(client, video_id)
    assert place.feeds.launch_feed(stream["stream_id"], lease_s=600).told.state == "failed"
    assert claimed(place) is None


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("changed", "says_so"),
    [
        ({"airflow_url": "airflow:8080"}, "FRAMETALLY_AIRFLOW_URL must be Airflow's address"),
        ({"airflow_url": "http://[::1"}, "FRAMETALLY_AIRFLOW_URL must be Airflow's address"),
        ({"airflow_url": "http://x:99999"}, "FRAMETALLY_AIRFLOW_URL must be Airflow's address"),
        ({"airflow_url": f"http://me:{PASSWORD}@x"}, "must not contain a user name or password"),
        ({"airflow_user": ""}, "needs FRAMETALLY_AIRFLOW_USER and FRAMETALLY_AIRFLOW_PASSWORD"),
        (
            {"airflow_password": SecretStr("")},
            "needs FRAMETALLY_AIRFLOW_USER and FRAMETALLY_AIRFLOW_PASSWORD",
        ),
    ],
)
def test_a_missing_airflow_setting_is_reported_at_the_start(
    place: Place, changed: dict[str, Any], says_so: str
) -> None:
    with pytest.raises(Misconfigured, match=says_so) as told:
        place.app(**access("http://127.0.0.1:8080", **changed))
    assert PASSWORD not in str(told.value)
