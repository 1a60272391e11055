"""Where Kafka is, how to log in, and how an unrelated server at its address is reported."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from kafka import errors

from frametally.adapters.kafka import probe as kafka_probe
from frametally.adapters.kafka.access import KafkaAccess, explain, read_kafka_access
from frametally.adapters.kafka.probe import check_reachable
from frametally.adapters_by_url import open_frame_log
from frametally.errors import Misconfigured, Retryable
from frametally.settings.access import LogAccess
from frametally.settings.fields import SecretStr

ME: dict[str, Any] = {"user": "me", "password": SecretStr("hush")}


@pytest.mark.parametrize(
    ("url", "servers"),
    [
        ("kafka://one:9092", (("one", 9092),)),
        ("kafka://one", (("one", 9092),)),
        ("kafka://one:1,two:2/", (("one", 1), ("two", 2))),
        ("kafka://[::1]:19092, [::2]", (("::1", 19092), ("::2", 9092))),
    ],
)
def test_every_server_of_the_url_is_tried(url: str, servers: tuple[tuple[str, int], ...]) -> None:
    assert read_kafka_access(url).servers == servers


@pytest.mark.parametrize(
    "url", ["kafka://", "kafka://one:x", "kafka://one:0", "kafka://one:70000", "kafka://one/topic"]
)
def test_a_url_that_names_no_server_is_refused(url: str) -> None:
    with pytest.raises(Misconfigured, match="FRAMETALLY_LOG_URL"):
        open_frame_log(url)


def test_a_password_in_the_url_is_refused_without_being_repeated() -> None:
    with pytest.raises(Misconfigured, match="FRAMETALLY_LOG_PASSWORD") as caught:
        open_frame_log("kafka://me:hush@one:9092")
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("access", "security"),
    [
        (LogAccess(), "PLAINTEXT"),
        (LogAccess(ca_file=Path("ca.pem")), "SSL"),
        (LogAccess(**ME), "SASL_PLAINTEXT"),
        (LogAccess(**ME, ca_file=Path("ca.pem")), "SASL_SSL"),
        (LogAccess(**ME, security="SASL_SSL"), "SASL_SSL"),
    ],
)
def test_the_settings_determine_the_kind_of_connection(access: LogAccess, security: str) -> None:
    assert read_kafka_access("kafka://one", access).security == security


def test_settings_win_over_the_file_and_the_url_over_the_files_servers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    properties = tmp_path / "client.properties"
    properties.write_text(
        "# cloud\n! old comment\n\nbootstrap.servers = far:9093\nsecurity.protocol=SASL_SSL\n"
        "sasl.mechanisms=SCRAM-SHA-256\nsasl.username=file\nsasl.password=a=b#c\nclient.id=gate\n"
        "request.timeout.ms=2500\nsession.timeout.ms=45000\nenable.idempotence=true\nno equals sign\n"
        "acks=all\n"
    )
    found = read_kafka_access("kafka://", LogAccess(client_properties=properties))
    assert found == KafkaAccess(
        servers=(("far", 9093),),
        security="SASL_SSL",
        mechanism="SCRAM-SHA-256",
        user="file",
        password=SecretStr("a=b#c"),
        client_id="gate",
        request_timeout_s=2.5,
        session_timeout_s=45.0,
    )
    assert [
        row.getMessage().partition(": ")[2] for row in caplog.records if row.levelno == logging.WARNING
    ] == ["frametally ignores a line without '='", "frametally does not know the key acks and ignores it"]
    found = read_kafka_access(
        "kafka://near:1", LogAccess(client_properties=properties, security="SASL_PLAINTEXT", **ME)
    )
    assert found.servers == (("near", 1),)
    assert (found.security, found.user, found.password) == ("SASL_PLAINTEXT", "me", ME["password"])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("security.protocol=TLS", "security.protocol=TLS is not supported; use one of PLAINTEXT"),
        ("sasl.mechanisms=GSSAPI", "sasl.mechanisms=GSSAPI is not supported; use one of PLAIN"),
        ("request.timeout.ms=soon", "request.timeout.ms=soon is not a number of milliseconds"),
        ("sasl.username=me", "requires a user name and a password"),
    ],
)
def test_forbidden_entries_of_the_file_are_named(tmp_path: Path, line: str, said: str) -> None:
    properties = tmp_path / "client.properties"
    properties.write_text(line)
    with pytest.raises(Misconfigured, match=said):
        read_kafka_access("kafka://one", LogAccess(client_properties=properties))
    with pytest.raises(Misconfigured, match=r"FRAMETALLY_LOG_CLIENT_PROPERTIES=.*cannot be read"):
        read_kafka_access("kafka://one", LogAccess(client_properties=tmp_path / "none"))


def test_a_file_without_certificates_is_named(tmp_path: Path) -> None:
    empty = tmp_path / "ca.pem"
    empty.write_text("")
    for path in (empty, tmp_path / "none.pem"):
        with pytest.raises(Misconfigured, match=r"FRAMETALLY_LOG_CA_FILE=.*no certificates can be read"):
            read_kafka_access("kafka://one", LogAccess(ca_file=path)).client_options()


def test_no_password_is_shown() -> None:
    assert "hush" not in repr(read_kafka_access("kafka://one", LogAccess(**ME)))


# A server that is not Kafka.


@pytest.fixture
def strange_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bytes | None], str]]:
    """Start a server that answers with these bytes and hangs up, or with None stays silent; return
    its URL."""
    monkeypatch.setattr(kafka_probe, "_TIMEOUT_S", 0.3)
    opened: list[socket.socket] = []

    def serve(answer: bytes | None) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        opened.append(listener)

        def run() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                if answer is None:
                    opened.append(connection)
                    continue
                with closing(connection):
                    connection.recv(1000)
                    connection.sendall(answer)

        threading.Thread(target=run, daemon=True).start()
        return f"kafka://127.0.0.1:{listener.getsockname()[1]}"

    yield serve
    for one in opened:
        one.close()


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (None, Retryable, "is not responding"),
        (b"", Retryable, "closed the connection"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", Misconfigured, "does not seem to be Kafka"),
    ],
)
def test_a_server_that_is_not_kafka_is_told_apart_from_one_that_is_down(
    strange_server: Callable[[bytes | None], str], answer: bytes | None, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        check_reachable(read_kafka_access(strange_server(answer)))


def test_one_server_that_may_come_back_is_enough_to_wait_for(
    strange_server: Callable[[bytes | None], str],
) -> None:
    url = f"kafka://nowhere.invalid:9092,{strange_server(b'').removeprefix('kafka://')}"
    with pytest.raises(Retryable):
        check_reachable(read_kafka_access(url))


def test_an_unknown_host_name_counts_as_down_like_a_stopped_container() -> None:
    with pytest.raises(Retryable, match=r"kafka\.invalid:9092: unknown host .* or check FRAMETALLY_LOG_URL"):
        check_reachable(read_kafka_access("kafka://kafka.invalid:9092"))


@pytest.mark.parametrize(
    "error",
    [
        errors.NodeNotReadyError("No node_id provided"),
        errors.KafkaConnectionError("refused"),
        errors.KafkaTimeoutError("no answer in 8 s"),
        errors.Cancelled("closing"),
        errors.StaleMetadata(),
    ],
)
def test_a_stopped_kafka_is_reported_as_stopped_and_not_as_broken(error: Exception) -> None:
    away = explain(error, KafkaAccess(servers=(("gate", 9092),)), "kafka://gate:9092", "frames", "read")
    assert isinstance(away, Retryable)
    assert str(away).startswith("kafka://gate:9092 is not responding (")
    assert "start it, or check FRAMETALLY_LOG_URL" in str(away)
    broken = explain(
        errors.UnknownError("?"),
        KafkaAccess(servers=(("gate", 9092),)),
        "kafka://gate:9092",
        "frames",
        "read",
    )
    assert "did not answer correctly" in str(broken)
