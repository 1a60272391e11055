"""The frame log on a real Kafka: how to log in, refused settings, and the effects of an administrator."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
import trustme
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ConfigResource,
    ConfigResourceType,
    KafkaAdminClient,
    ResourcePattern,
    ResourceType,
)
from serving.needs import server

from frametally.adapters_by_url import open_frame_log
from frametally.errors import Misconfigured
from frametally.ports.frame_log import FrameLog, LeaseLost, LogRecord
from frametally.settings.access import LogAccess
from frametally.settings.fields import SecretStr

pytestmark = [pytest.mark.services, pytest.mark.timeout(120)]


@pytest.fixture
def kafka() -> Mapping[str, str]:
    return server("kafka")


@pytest.fixture
def admin(kafka: Mapping[str, str]) -> Iterator[KafkaAdminClient]:
    with closing(KafkaAdminClient(bootstrap_servers=kafka["URL"].removeprefix("kafka://"))) as client:
        yield client


@pytest.fixture
def topic(admin: KafkaAdminClient) -> Iterator[str]:
    """A unique name; its topic is removed afterwards."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    yield name
    if made := [one for one in admin.list_topics() if name in one]:
        admin.delete_topics(made)


def live_topics(topic: str) -> dict[str, str]:
    """A setting that makes the live topics unique as well."""
    return {"live_topic": f"video-{topic}"}


def frametally(
    *arguments: object, within_s: float = 60.0, **settings: Any
) -> subprocess.CompletedProcess[str]:
    """A user's view of this command with these settings."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("FRAMETALLY_")}
    named = {f"FRAMETALLY_{name.upper()}": str(value) for name, value in settings.items()}
    return subprocess.run(
        [sys.executable, "-m", "frametally", *map(str, arguments)],
        env=environment | {"FRAMETALLY_DETECTOR": "pixels", "COLUMNS": "500"} | named,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=within_s,
        check=False,
    )


def only_error(done: subprocess.CompletedProcess[str]) -> str:
    """The one line with the reason; the exit code is 2."""
    assert done.returncode == 2, done.stdout + done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


def read_all(log: FrameLog, topic: str, count: int) -> list[LogRecord]:
    found: list[LogRecord] = []
    group = f"{topic}-group"
    with closing(
        log.subscribe(topic, group, on_assigned=lambda _: None, on_revoked=lambda _: None)
    ) as member:
        while len(found) < count:
            more = member.poll(timeout_s=30)
            assert more
            found += more
        for record in found:
            member.commit(record.partition, record.offset + 1)
    assert log.committed(topic, group) == {p: end for p, end in log.end_offsets(topic).items() if end}
    return found


# Logging in.

LOGINS = ["PLAINTEXT", "SASL_PLAINTEXT", "SASL_SSL"]


def settings_of(kafka: Mapping[str, str], security: str) -> dict[str, str]:
    """The settings for this log-in; SASL_PLAINTEXT follows from the name, SASL_SSL from the CA file."""
    if security == "PLAINTEXT":
        return {"log_url": kafka["URL"]}
    settings: dict[str, Any] = {
        "log_user": kafka["USER"],
        "log_password": kafka["PASSWORD"],
        "log_url": kafka["SASL_URL"],
    }
    if security == "SASL_SSL":
        settings |= {"log_url": kafka["SASL_SSL_URL"], "log_ca_file": kafka["CA_FILE"]}
    return settings


def properties_of(kafka: Mapping[str, str], security: str) -> str:
    url = kafka["URL"] if security == "PLAINTEXT" else settings_of(kafka, security)["log_url"]
    lines = [f"bootstrap.servers={url.removeprefix('kafka://')}", f"security.protocol={security}"]
    if security != "PLAINTEXT":
        lines += ["sasl.mechanisms=PLAIN", f"sasl.username={kafka['USER']}"]
        lines += [f"sasl.password={kafka['PASSWORD']}", "client.id=gate-7"]
    if security == "SASL_SSL":
        lines.append(f"ssl.ca.location={kafka['CA_FILE']}")
    return "\n".join(["# as a cloud's console gives it", "", *lines])


@pytest.mark.parametrize("security", LOGINS)
def test_a_topic_can_be_written_and_read_with_every_kind_of_sign_in(
    kafka: Mapping[str, str], topic: str, tmp_path: Path, security: str
) -> None:
    properties = tmp_path / "client.properties"
    properties.write_text(properties_of(kafka, security))
    with closing(open_frame_log("kafka://", LogAccess(client_properties=properties))) as log:
        log.create_topic(topic, 3)
        log.publish(topic, [(b"%d" % n, b"message %d" % n) for n in range(50)])
        found = read_all(log, topic, 50)
    assert {record.value for record in found} == {b"message %d" % n for n in range(50)}


@pytest.mark.parametrize("security", LOGINS)
def test_the_doctor_approves_a_log_that_the_settings_name(
    kafka: Mapping[str, str], topic: str, tmp_path: Path, security: str
) -> None:
    settings = settings_of(kafka, security) | {"topic": topic, **live_topics(topic)}
    done = frametally("setup", "--data-dir", tmp_path, **settings)
    assert done.returncode == 0, done.stderr
    done = frametally("doctor", "--json", "--data-dir", tmp_path, **settings)
    row, *live = [row for row in json.loads(done.stdout)["rows"] if row["area"] == "log"]
    assert row["good"], row
    assert [(one["name"], one["good"]) for one in live] == [
        (f"topic {name}", True) for name in (f"video-{topic}", f"processed-{topic}")
    ]
    assert f"topic {topic} has 0 messages in" in row["value"]
    assert settings.get("log_password", "no password") not in done.stdout + done.stderr


def test_an_unknown_key_is_named_in_a_warning_and_the_others_apply(
    kafka: Mapping[str, str], topic: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    properties = tmp_path / "client.properties"
    properties.write_text(properties_of(kafka, "PLAINTEXT") + "\nschema.registry.url=x\n")
    with closing(open_frame_log("kafka://", LogAccess(client_properties=properties))) as log:
        log.create_topic(topic, 1)
        assert log.partitions(topic) == 1
    (warning,) = [row.getMessage() for row in caplog.records if row.name.startswith("frametally")]
    assert "frametally does not know the key schema.registry.url" in warning
    assert str(properties) in warning


# Refusals: at once, in one line with the remedy, each recognizable.


@pytest.fixture(scope="module")
def foreign_ca(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("foreign") / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    return path


REFUSED: dict[str, tuple[Callable[[Mapping[str, str]], dict[str, object]], str]] = {
    "wrong password": (
        lambda kafka: settings_of(kafka, "SASL_PLAINTEXT") | {"log_password": "wrong"},
        "refused the user name 'frametally' or its password: check FRAMETALLY_LOG_USER and",
    ),
    "wrong password over TLS": (
        lambda kafka: settings_of(kafka, "SASL_SSL") | {"log_password": "wrong"},
        "refused the user name 'frametally' or its password: check FRAMETALLY_LOG_USER and",
    ),
    "no password": (
        lambda kafka: {"log_url": kafka["SASL_URL"]},
        "requires a user name and a password: set FRAMETALLY_LOG_USER and FRAMETALLY_LOG_PASSWORD",
    ),
    "a password where none is asked for": (
        lambda kafka: settings_of(kafka, "SASL_PLAINTEXT") | {"log_url": kafka["URL"]},
        "does not accept a user name and password on this port: leave out FRAMETALLY_LOG_USER",
    ),
    "wrong authority": (
        lambda kafka: settings_of(kafka, "SASL_SSL") | {"log_ca_file": "FOREIGN"},
        "the certificate of",
    ),
    "no authority": (
        lambda kafka: (
            settings_of(kafka, "SASL_PLAINTEXT")
            | {"log_url": kafka["SASL_SSL_URL"], "log_security": "SASL_SSL"}
        ),
        "set FRAMETALLY_LOG_CA_FILE to the certificate file of its authority",
    ),
    "plain, where it is TLS": (
        lambda kafka: settings_of(kafka, "SASL_PLAINTEXT") | {"log_url": kafka["SASL_SSL_URL"]},
        "uses TLS: set FRAMETALLY_LOG_SECURITY to SASL_SSL",
    ),
    "TLS, where it is plain": (
        lambda kafka: settings_of(kafka, "SASL_SSL") | {"log_url": kafka["SASL_URL"]},
        "does not use TLS: set FRAMETALLY_LOG_SECURITY to SASL_PLAINTEXT",
    ),
    "a password in the URL": (
        lambda kafka: {"log_url": "kafka://me:secret@127.0.0.1:9092"},
        "cannot contain a user name or password",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_any_refused_access_is_one_line_and_the_consumer_ends_with_2(
    kafka: Mapping[str, str], foreign_ca: Path, tmp_path: Path, case: str
) -> None:
    make, expected = REFUSED[case]
    settings = make(kafka)
    if settings.get("log_ca_file") == "FOREIGN":
        settings["log_ca_file"] = foreign_ca
    line = only_error(frametally("consume", "--data-dir", tmp_path, within_s=30, **settings))
    assert expected in line
    assert "secret" not in line
    if "wrong" not in case:
        return
    done = frametally("doctor", "--json", "--data-dir", tmp_path, **settings)
    (row,) = [row for row in json.loads(done.stdout)["rows"] if row["area"] == "log"]
    assert done.returncode == 2
    assert expected in row["remedy"]


def grant(admin: KafkaAdminClient, topic: str, user: str, operation: ACLOperation) -> None:
    """From now on, only users with a grant and administrators may use the topic."""
    pattern = ResourcePattern(ResourceType.TOPIC, topic)
    acl = ACL(f"User:{user}", "*", operation, ACLPermissionType.ALLOW, pattern)
    assert not admin.create_acls([acl])["failed"]


@pytest.mark.parametrize("command", ["consume", "setup", "produce"])
def test_a_topic_without_permission_is_named_together_with_the_user(
    kafka: Mapping[str, str], admin: KafkaAdminClient, topic: str, tmp_path: Path, command: str
) -> None:
    admin.create_topics({topic: {"num_partitions": 2}}, wait_for_metadata=True)
    grant(admin, topic, kafka["OTHER_USER"], ACLOperation.ALL)
    settings = settings_of(kafka, "SASL_PLAINTEXT") | {"topic": topic}
    (tmp_path / "new").mkdir()
    arguments = [tmp_path / "new"] if command == "produce" else []
    done = frametally(command, *arguments, "--data-dir", tmp_path / "data", **settings)
    assert done.returncode == 2 or command == "produce"
    if command != "produce":  # there is nothing to produce, so the log was not contacted
        line = only_error(done)
        assert f"Kafka does not allow user 'frametally' to describe topic '{topic}'" in line
        assert "kafka-acls" in line


def test_a_user_who_may_describe_but_not_read_or_write_gets_an_error_instead_of_waiting_forever(
    kafka: Mapping[str, str], admin: KafkaAdminClient, topic: str
) -> None:
    admin.create_topics({topic: {"num_partitions": 2}}, wait_for_metadata=True)
    grant(admin, topic, kafka["USER"], ACLOperation.DESCRIBE)
    access = LogAccess(user=kafka["USER"], password=SecretStr(kafka["PASSWORD"]))
    with closing(open_frame_log(kafka["SASL_URL"], access)) as log:
        assert log.end_offsets(topic) == {0: 0, 1: 0}
        with pytest.raises(Misconfigured, match=f"user 'frametally' to read topic '{topic}'"):
            log.subscribe(topic, "group", on_assigned=print, on_revoked=print)
        with pytest.raises(Misconfigured, match=f"user 'frametally' to write to topic '{topic}'"):
            log.publish(topic, [(b"", b"x")])


@pytest.mark.parametrize(
    ("granted", "missing"),
    [
        ([], "describe"),
        ([ACLOperation.DESCRIBE], "write to"),
        ([ACLOperation.DESCRIBE, ACLOperation.WRITE], "read"),
    ],
)
def test_the_doctor_rejects_a_log_that_refuses_a_right_on_the_topic_and_names_the_right(
    kafka: Mapping[str, str],
    admin: KafkaAdminClient,
    topic: str,
    tmp_path: Path,
    granted: list[ACLOperation],
    missing: str,
) -> None:
    admin.create_topics({topic: {"num_partitions": 2}}, wait_for_metadata=True)
    grant(admin, topic, kafka["OTHER_USER"], ACLOperation.ALL)
    for operation in granted:
        grant(admin, topic, kafka["USER"], operation)
    settings = settings_of(kafka, "SASL_PLAINTEXT") | {"topic": topic}
    done = frametally("doctor", "--json", "--data-dir", tmp_path, **settings)
    (row,) = [row for row in json.loads(done.stdout)["rows"] if row["area"] == "log"]
    assert not row["good"], row
    assert f"Kafka does not allow user 'frametally' to {missing} topic '{topic}'" in row["remedy"]
    assert "kafka-acls" in row["remedy"]
    assert done.returncode == 2


# An administrator's changes to a topic.


def test_setup_creates_the_topic_once_and_keeps_its_existing_settings(
    kafka: Mapping[str, str], admin: KafkaAdminClient, topic: str, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {
        "log_url": kafka["URL"],
        "topic": topic,
        **live_topics(topic),
        "log_retention_h": 48,
    }

    def set_up(**changed: Any) -> list[str]:
        done = frametally("setup", "--data-dir", tmp_path, **settings | {"log_partitions": 4} | changed)
        assert done.returncode == 0, done.stderr
        return [line for line in done.stdout.splitlines() if line.startswith("log:")]

    def kept_for(topic: str, setting: str = "retention.ms") -> str:
        (row,) = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])["topic"].values()
        return str(row[setting]["value"])

    assert set_up()[0] == f"log: topic '{topic}' created, with 4 partitions"
    assert kept_for(topic) == kept_for(f"video-{topic}") == str(48 * 3_600_000)
    for setting in ("retention.ms", "segment.ms"):
        assert kept_for(f"processed-{topic}", setting) == "60000"
    with closing(open_frame_log(kafka["URL"])) as log:
        made = log.log_id(topic)
    again = set_up(log_partitions=2, log_retention_h=12)
    assert again[0] == f"log: topic '{topic}' exists, with 4 partitions"
    assert "FRAMETALLY_LOG_PARTITIONS=2 applies to new topics" in again[1]
    assert kept_for(topic) == kept_for(f"video-{topic}") == str(12 * 3_600_000)
    assert kept_for(f"processed-{topic}") == "60000"
    with closing(open_frame_log(kafka["URL"])) as log:
        assert log.log_id(topic) == made
        assert log.partitions(topic) == 4


def test_a_recreated_topic_is_never_mistaken_for_the_old_one(
    kafka: Mapping[str, str], admin: KafkaAdminClient, topic: str
) -> None:
    with ExitStack() as stack:
        log = stack.enter_context(closing(open_frame_log(kafka["URL"])))
        log.create_topic(topic, 1)
        before = log.log_id(topic)
        log.publish(topic, [(b"", b"x")] * 5)
        admin.delete_topics([topic])
        admin.create_topics({topic: {"num_partitions": 1}}, wait_for_metadata=True)
        calls: list[Callable[[], object]] = [
            lambda: log.end_offsets(topic),
            lambda: log.publish(topic, [(b"", b"x")]),
            lambda: log.committed(topic, "group"),
        ]
        for call in calls:
            with pytest.raises(Misconfigured, match="was deleted and created again"):
                call()
        fresh = stack.enter_context(closing(open_frame_log(kafka["URL"])))
        assert fresh.log_id(topic) != before
        assert fresh.end_offsets(topic) == {0: 0}


def test_a_member_that_slept_past_its_lease_is_notified_and_continues_where_the_group_is(
    kafka: Mapping[str, str], topic: str
) -> None:
    told: list[tuple[str, list[int]]] = []
    with closing(open_frame_log(kafka["URL"], lease_s=1.5)) as log:
        log.create_topic(topic, 1)
        log.publish(topic, [(b"", b"%d" % n) for n in range(10)])
        member = log.subscribe(
            topic,
            f"{topic}-group",
            on_assigned=lambda partitions: told.append(("assigned", partitions)),
            on_revoked=lambda partitions: told.append(("revoked", partitions)),
        )
        with closing(member):
            assert [r.offset for r in member.poll(timeout_s=30, max_records=6)] == list(range(6))
            member.commit(0, 4)
            time.sleep(2.5)
            with pytest.raises(LeaseLost):
                member.commit(0, 6)
            assert log.committed(topic, f"{topic}-group") == {0: 4}
            assert [r.offset for r in member.poll(timeout_s=30)] == [4, 5, 6, 7, 8, 9]
            assert told == [("assigned", [0]), ("revoked", [0]), ("assigned", [0])]
            member.commit(0, 10)
