"""Starts Airflow's run of a booked stream, by the REST API of Airflow 3 (`/api/v2`).

It gets a token, checks that the DAG exists and is not paused, then requests a run. The run's ID is made from
the stream's, so a stream has one run however often it is launched. Airflow's answers are never shown,
because they may repeat secrets that were sent.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
import time
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from frametally.errors import Misconfigured, Retryable
from frametally.settings.loading import Settings
from frametally.trust import trust
from frametally_live.feed_records import Feed
from frametally_live.settings import LiveSettings

DAG = "frametally_stream"
_WITHIN_S = 10.0
"""Limit for all requests to Airflow about one stream."""
_MOST_BYTES = 1_000_000
_LOG_IN = "check FRAMETALLY_AIRFLOW_USER and FRAMETALLY_AIRFLOW_PASSWORD"
_TRY_AGAIN = "then start the stream again"


class _Answer(NamedTuple):
    status: int
    said: dict[str, Any]


class AirflowLauncher:
    """Airflow at `FRAMETALLY_AIRFLOW_URL`."""

    def __init__(self, settings: Settings) -> None:
        """Check the settings without a request.

        Raises:
            Misconfigured: The address or the log-in is missing, or cannot be one.
        """
        access = settings.part(LiveSettings).airflow_access
        try:
            parts = urlsplit(settings.part(LiveSettings).airflow_url)
            self._host, self._port = parts.hostname or "", parts.port
        except ValueError:
            parts, self._host = urlsplit(""), ""
        if parts.scheme not in ("http", "https") or not self._host or parts.query or parts.fragment:
            raise Misconfigured(
                "FRAMETALLY_AIRFLOW_URL must be Airflow's address, such as http://127.0.0.1:8080"
            )
        if parts.username is not None or parts.password is not None:
            raise Misconfigured(
                "FRAMETALLY_AIRFLOW_URL must not contain a user name or password: set "
                "FRAMETALLY_AIRFLOW_USER and FRAMETALLY_AIRFLOW_PASSWORD"
            )
        self._login = {"username": access.user, "password": access.password.get_secret_value()}
        if not all(self._login.values()):
            raise Misconfigured(
                "FRAMETALLY_AIRFLOW_URL needs FRAMETALLY_AIRFLOW_USER and FRAMETALLY_AIRFLOW_PASSWORD"
            )
        self._tls = trust(access.ca_file) if parts.scheme == "https" else None
        self._folder = parts.path.rstrip("/")
        self._name = f"Airflow at {parts.scheme}://{parts.netloc}{self._folder}"
        self._within_s = _WITHIN_S

    def launch(self, feed: Feed) -> None:
        """Start the run of a booked stream, unless it exists already.

        Raises:
            Misconfigured: Airflow refuses until a person changes something.
            Retryable: Airflow is unavailable, or sends an unusable answer.
        """
        by_s = time.monotonic() + self._within_s
        answer = self._ask("POST", "/auth/token", by_s, self._login)
        token = answer.said.get("access_token")
        if answer.status in (400, 401, 403, 422):
            raise Misconfigured(
                f"{self._name} refuses the user name or password ({answer.status}): {_LOG_IN}, {_TRY_AGAIN}."
            )
        if answer.status not in (200, 201) or not isinstance(token, str) or not _is_token(token):
            raise self._no_airflow(answer)
        answer = self._ask("GET", f"/api/v2/dags/{DAG}", by_s, token=token)
        self._check(answer)
        if answer.said.get("dag_id") != DAG:
            raise self._no_airflow(answer)
        if answer.said.get("is_paused"):
            raise Misconfigured(
                f"{self._name} has paused the DAG {DAG}: run `airflow dags unpause {DAG}`, {_TRY_AGAIN}."
            )
        run = {
            "dag_run_id": f"stream__{feed.id}",
            "logical_date": None,
            "conf": {"video_id": feed.video_id, "speed": feed.speed, "stream_id": feed.id},
        }
        answer = self._ask("POST", f"/api/v2/dags/{DAG}/dagRuns", by_s, run, token=token)
        if answer.status == 409:  # already requested
            return
        self._check(answer)
        if answer.said.get("dag_run_id") != run["dag_run_id"]:
            raise self._no_airflow(answer)

    def _check(self, answer: _Answer) -> None:
        if answer.status in (401, 403):
            raise Misconfigured(
                f"{self._name} does not allow FRAMETALLY_AIRFLOW_USER to start runs of {DAG} "
                f"({answer.status}): give that user the role User, {_TRY_AGAIN}."
            )
        if answer.status == 404:
            raise Misconfigured(
                f"{self._name} has no DAG {DAG}: copy cloud-services/airflow/dags/{DAG}.py into its DAGs "
                f"folder, {_TRY_AGAIN}."
            )
        if answer.status in (400, 422):
            raise Misconfigured(
                f"{self._name} refuses this run of {DAG} ({answer.status}): install the DAG of this "
                f"release, {_TRY_AGAIN}."
            )
        if answer.status != 200:
            raise self._no_airflow(answer)

    def _no_airflow(self, answer: _Answer) -> Retryable:
        if 300 <= answer.status < 400:
            fault = (
                f"redirects to another address ({answer.status}), but frametally sends the password only "
                "to the first"
            )
        elif answer.status >= 400:
            fault = f"answers {answer.status}"
        else:
            fault = "does not answer like Airflow 3"
        return Retryable(
            f"{self._name} {fault}: check FRAMETALLY_AIRFLOW_URL and Airflow's log, {_TRY_AGAIN}."
        )

    def _ask(self, method: str, path: str, by_s: float, body: object = None, *, token: str = "") -> _Answer:
        headers = {"Accept": "application/json", "Connection": "close"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if token:
            headers["Authorization"] = f"Bearer {token}"
        body_bytes = None if body is None else json.dumps(body).encode()
        try:
            return self._exchange(method, self._folder + path, by_s, body_bytes, headers)
        except ssl.SSLCertVerificationError as error:
            raise Misconfigured(
                f"{self._name}: its certificate is not trusted ({error.verify_message}): set "
                f"FRAMETALLY_CA_FILE to the certificate file of its authority, {_TRY_AGAIN}."
            ) from error
        # A socket that is closed while it is read may also raise ValueError.
        except (OSError, ValueError, http.client.HTTPException) as error:
            late = time.monotonic() >= by_s or isinstance(error, TimeoutError)
            condition = f"in {self._within_s:g} s" if late else "as it should"
            raise Retryable(
                f"{self._name} does not answer {condition}: check that it is running there, and that "
                f"FRAMETALLY_AIRFLOW_URL is its address, {_TRY_AGAIN}."
            ) from error

    def _exchange(
        self, method: str, path: str, by_s: float, body: bytes | None, headers: dict[str, str]
    ) -> _Answer:
        left_s = by_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        # Use no proxy from the environment and follow no redirect: the log-in is for this address only.
        if self._tls is None:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=left_s)
        else:
            connection = http.client.HTTPSConnection(
                self._host, self._port, timeout=left_s, context=self._tls
            )
        cut: threading.Timer | None = None
        try:
            connection.connect()
            # A socket's own time-out would start again with each byte.
            cut = threading.Timer(max(by_s - time.monotonic(), 0.0), _hang_up, [connection.sock])
            cut.daemon = True
            cut.start()
            connection.request(method, path, body, headers)
            with connection.getresponse() as response:
                data = response.read(_MOST_BYTES)
                status = response.status
        finally:
            if cut is not None:
                cut.cancel()
            connection.close()
        if time.monotonic() >= by_s:
            raise TimeoutError
        document: Any = None
        with suppress(ValueError, RecursionError):
            document = json.loads(data)
        return _Answer(status, document if isinstance(document, dict) else {})


def _hang_up(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _is_token(text: str) -> bool:
    """Return whether the token can be sent in a header."""
    return 0 < len(text) <= 10_000 and text.isascii() and text.isprintable()
