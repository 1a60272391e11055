"""Requests through Traefik: the shipped files, with certificates from an ACME server."""

from __future__ import annotations

import base64
import os
import socket
import ssl
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import server_traefik
import urllib3
from serving.downloads import cache_folder
from serving.needs import server
from serving.processes import ServerFailed
from tests.kit.waiting import until

pytestmark = pytest.mark.services

ROUTES = ["app", "elastic", "hadoop", "rabbitmq"]


@pytest.fixture(scope="module")
def traefik() -> Mapping[str, str]:
    return server("traefik")


def port_of(traefik: Mapping[str, str]) -> int:
    return urlsplit(traefik["URL"]).port or 443


class Door:
    """One web address, whose name this machine cannot resolve."""

    def __init__(self, traefik: Mapping[str, str], name: str) -> None:
        self.host = f"{name}.{traefik['DOMAIN']}"
        self.pool = urllib3.HTTPSConnectionPool(
            "127.0.0.1",
            port_of(traefik),
            ca_certs=traefik["CA_FILE"],
            server_hostname=self.host,
            assert_hostname=self.host,
            maxsize=20,
            retries=False,
            timeout=20,
        )

    def ask(
        self, user: str = "", password: str = "", path: str = "/", method: str = "GET", **sent: str
    ) -> urllib3.BaseHTTPResponse:
        headers = {"Host": self.host, **sent}
        if user:
            headers["Authorization"] = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        return self.pool.request(method, path, headers=headers, redirect=False)


@pytest.mark.parametrize("name", ROUTES)
def test_nobody_gets_in_without_the_right_password(traefik: Mapping[str, str], name: str) -> None:
    door = Door(traefik, name)
    user, password = traefik["USER"], traefik["PASSWORD"]
    assert door.ask().status == 401
    assert door.ask(user, "not-the-password").status == 401
    assert door.ask("somebody", password).status == 401
    assert door.ask(user, password).status == 200


@pytest.mark.parametrize("name", ["app", "hadoop"])
def test_traefik_does_not_pass_its_password_on(traefik: Mapping[str, str], name: str) -> None:
    answer = Door(traefik, name).ask(traefik["USER"], traefik["PASSWORD"])
    assert "Authorization" not in answer.json()["headers"]


def test_only_traefik_tells_the_dashboard_who_the_user_is_whatever_the_request_says(
    traefik: Mapping[str, str],
) -> None:
    door = Door(traefik, "app")
    forged = {"X-Forwarded-User": "somebody", "X-Frametally-Proxy-Secret": "s" * 32}
    told = door.ask(traefik["USER"], traefik["PASSWORD"], **forged).json()["headers"]
    assert (told["X-Forwarded-User"], told["X-Frametally-Proxy-Secret"]) == (
        traefik["USER"],
        traefik["PROXY_SECRET"],
    )
    for name in ("elastic", "hadoop", "rabbitmq"):
        answer = Door(traefik, name).ask(traefik["USER"], traefik["PASSWORD"])
        assert traefik["PROXY_SECRET"] not in answer.data.decode(), name


@pytest.mark.parametrize(
    ("name", "user", "secret"),
    [
        ("elastic", "frametally-dashboard", "INDEX_READER_PASSWORD"),
        ("rabbitmq", "frametally-viewer", "QUEUE_READER_PASSWORD"),
    ],
)
def test_at_elasticsearch_and_rabbitmq_everyone_is_the_user_who_only_reads(
    traefik: Mapping[str, str], name: str, user: str, secret: str
) -> None:
    answer = Door(traefik, name).ask(traefik["USER"], traefik["PASSWORD"])
    kind, _, login = answer.json()["headers"]["Authorization"].partition(" ")
    expected = f"{user}:{traefik[secret]}"
    assert (kind, base64.b64decode(login).decode()) == ("Basic", expected)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *((method, "/webhdfs/v1/tmp") for method in ("PUT", "POST", "DELETE", "PATCH", "OPTIONS")),
        *(
            ("GET", path)
            for path in ("/fsck?delete=1", "/logLevel", "//fsck", "/%66sck", "/;x/fsck", "/x/../fsck")
        ),
    ],
)
def test_nothing_that_changes_hadoop_gets_in(traefik: Mapping[str, str], method: str, path: str) -> None:
    door = Door(traefik, "hadoop")
    assert door.ask(traefik["USER"], traefik["PASSWORD"], path, method).status == 404
    assert door.ask(traefik["USER"], traefik["PASSWORD"], "/webhdfs/v1/tmp?op=LISTSTATUS").status == 200


@pytest.mark.parametrize("path", ["/metrics", "/metrics?x=1", "/metrics/", "/%6detrics", "/x/../metrics"])
@pytest.mark.parametrize("allowed", [True, False])
def test_metrics_are_closed_to_everybody_with_or_without_a_password(
    traefik: Mapping[str, str], allowed: bool, path: str
) -> None:
    user, password = (traefik["USER"], traefik["PASSWORD"]) if allowed else ("", "")
    assert Door(traefik, "app").ask(user, password, path).status == 404
    assert Door(traefik, "app").ask(user, password, "/measured").status == (200 if allowed else 401)


@pytest.mark.parametrize("allowed", [True, False])
@pytest.mark.parametrize("name", ROUTES)
def test_every_answer_has_the_security_headers(traefik: Mapping[str, str], name: str, allowed: bool) -> None:
    login = (traefik["USER"], traefik["PASSWORD"]) if allowed else ()
    headers = Door(traefik, name).ask(*login).headers
    assert headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "Server" not in headers


def test_plain_http_is_redirected_to_https(traefik: Mapping[str, str]) -> None:
    for name in ROUTES:
        host = f"{name}.{traefik['DOMAIN']}"
        answer = urllib3.request(
            "GET",
            f"http://127.0.0.1:{traefik['HTTP_PORT']}/some/path?x=1",
            headers={"Host": host},
            redirect=False,
        )
        assert answer.status in (301, 308)
        assert answer.headers["Location"] == f"https://{host}:{port_of(traefik)}/some/path?x=1"


def test_a_client_that_sends_too_many_requests_is_told_to_wait_and_may_come_back(
    traefik: Mapping[str, str],
) -> None:
    door = Door(traefik, "app")
    with ThreadPoolExecutor(20) as pool:
        statuses = Counter(pool.map(lambda _: door.ask().status, range(1500)))
    assert set(statuses) == {401, 429}
    until(lambda: door.ask(traefik["USER"], traefik["PASSWORD"]).status == 200)


def test_an_upload_longer_than_a_minute_arrives_whole(traefik: Mapping[str, str]) -> None:
    """By default Traefik ends a request after 60 s, even if data still arrives."""
    door = Door(traefik, "app")
    login = base64.b64encode(f"{traefik['USER']}:{traefik['PASSWORD']}".encode()).decode()
    pieces, piece = 160, b"x" * 10_000

    def slowly() -> Iterator[bytes]:
        for _ in range(pieces):
            time.sleep(0.5)
            yield piece

    answer = door.pool.request(
        "POST",
        "/api/v1/videos/upload",
        body=slowly(),
        headers={
            "Host": door.host,
            "Authorization": f"Basic {login}",
            "Content-Length": str(pieces * len(piece)),
        },
        timeout=60,
    )
    assert (answer.status, answer.json()["bytes"]) == (200, pieces * len(piece))


def handshake(
    traefik: Mapping[str, str], host: str, *, port: int, version: ssl.TLSVersion | None = None
) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=traefik["CA_FILE"])
    if version is not None:
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = version
        context.set_ciphers("ALL:@SECLEVEL=0")
    with socket.create_connection(("127.0.0.1", port), timeout=20) as plain:
        return context.wrap_socket(plain, server_hostname=host)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.* is deprecated:DeprecationWarning")
def test_tls_is_1_2_or_later(traefik: Mapping[str, str]) -> None:
    host, port = f"app.{traefik['DOMAIN']}", port_of(traefik)
    for old in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        with pytest.raises(ssl.SSLError, match=r"protocol version|no protocols available"):
            handshake(traefik, host, port=port, version=old)
    with handshake(traefik, host, port=port, version=ssl.TLSVersion.TLSv1_2) as secured:
        assert secured.version() == "TLSv1.2"
    with handshake(traefik, host, port=port) as secured:
        assert secured.version() == "TLSv1.3"


@pytest.mark.parametrize("name", [*ROUTES, "kafka"])
def test_every_name_has_its_certificate_from_the_authority(traefik: Mapping[str, str], name: str) -> None:
    host = f"{name}.{traefik['DOMAIN']}"
    port = int(traefik["KAFKA_PORT"]) if name == "kafka" else port_of(traefik)
    with handshake(traefik, host, port=port) as secured:
        certificate = secured.getpeercert()
    assert ("DNS", host) in certificate["subjectAltName"]
    assert "Pebble" in str(certificate["issuer"])
    assert ssl.cert_time_to_seconds(str(certificate["notAfter"])) > time.time()


def test_a_foreign_name_gets_no_certificate(traefik: Mapping[str, str]) -> None:
    with pytest.raises(ssl.SSLError):
        handshake(traefik, f"other.{traefik['DOMAIN']}", port=port_of(traefik))


def test_all_routers_are_enabled_and_nothing_went_wrong(traefik: Mapping[str, str]) -> None:
    found = {router["name"]: router["status"] for router in server_traefik.routers(traefik["API_URL"])}
    names = ("dashboard", "elasticsearch", "namenode", "rabbitmq", "kafka")
    assert found == {f"{name}@file": "enabled" for name in names}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "http: {routers: {app: {rule: 'Host(`app.frametally.test`)', service: nowhere}}}",
            'service "nowhere@file" does not exist',
        ),
        (
            "http: {routers: {app: {rule: 'Hots(`a`)', service: a}},"
            " services: {a: {loadBalancer: {servers: [{url: 'http://127.0.0.1'}]}}}}",
            "unsupported function: Hots",
        ),
        ("http: {routes: {}}", "field not found, node: routes"),
    ],
    ids=["no such service", "bad rule", "misspelt key"],
)
def test_a_mistake_in_the_files_is_noticed(
    traefik: Mapping[str, str], tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "dynamic").mkdir()
    (tmp_path / "dynamic" / "http.yml").write_text(text, encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        "TRAEFIK_ENTRYPOINTS_TRAEFIK_ADDRESS": f"127.0.0.1:{port}",
        "TRAEFIK_ENTRYPOINTS_WEB_ADDRESS": "127.0.0.1:0",
        "TRAEFIK_API_INSECURE": "true",
        "TRAEFIK_PROVIDERS_FILE_DIRECTORY": str(tmp_path / "dynamic"),
        "TRAEFIK_GLOBAL_CHECKNEWVERSION": "false",
    }
    log = tmp_path / "log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [server_traefik.install(cache_folder())],
            env=os.environ | environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            by_s = time.monotonic() + 30
            complaint = ""
            while said not in complaint and time.monotonic() < by_s:
                try:
                    server_traefik.refuse_trouble(f"http://127.0.0.1:{port}", log)
                except ServerFailed as error:
                    complaint = str(error)
                except OSError:
                    pass
                time.sleep(0.1)
            assert said in complaint
        finally:
            process.kill()
