"""The rights of each of the stack's users of Kafka: a camera may announce frames, and do nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer
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
from kafka.errors import KafkaError
from serving.own import OwnServer

from frametally.adapters.kafka.access import read_kafka_access
from frametally.adapters.kafka.broker_log import KafkaLog
from frametally.errors import Misconfigured
from frametally.ports.frame_log import NoSuchTopic, consumer_group
from frametally.settings.access import LogAccess
from frametally.settings.fields import SecretStr
from frametally.settings.loading import load_settings
from frametally_cloud.kafka_rights import CAMERA, CONSUMER, OPERATOR, READER, grant, rights

pytestmark = [pytest.mark.services, pytest.mark.timeout(240)]

MESSAGES = [(b"gate", b"a message")]
GROUP = consumer_group("a-model")
AGAIN = "redetect-a-model"
LIVE, RESULTS = "video-frames", "processed-frames"
ROLE_OF = {OPERATOR: "", CAMERA: "CAMERA_", CONSUMER: "CONSUMER_", READER: "DASHBOARD_", "admin": "ADMIN_"}


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """A broker with the stack's log-ins and rights, with its topics and a camera's announcement."""
    with OwnServer("kafka", tmp_path_factory.mktemp("kafka"), rights="stack") as own:
        run_as_the_container_does(own.values)
        with closing(log_of(own.values, OPERATOR)) as log:
            log.create_topic("frames", 2)
            log.create_topic(AGAIN, 1)
            log.create_topic(LIVE, 2)
            log.create_topic(RESULTS, 2, keep_s=60)
        with closing(log_of(own.values, CAMERA)) as log:
            log.publish("frames", MESSAGES)
        with closing(log_of(own.values, CONSUMER)) as log:
            assert take(log, "frames")
        yield own.values


def run_as_the_container_does(kafka: Mapping[str, str]) -> str:
    settings = {"URL": kafka["SASL_URL"], "USER": "admin", "PASSWORD": kafka["ADMIN_PASSWORD"]}
    done = subprocess.run(
        [sys.executable, "-m", "frametally_cloud.kafka_rights"],
        env={k: v for k, v in os.environ.items() if not k.startswith("FRAMETALLY_")}
        | {f"FRAMETALLY_LOG_{name}": value for name, value in settings.items()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def access_of(kafka: Mapping[str, str], user: str) -> LogAccess:
    return LogAccess(user=user, password=SecretStr(kafka[f"{ROLE_OF[user]}PASSWORD"]))


def url_of(kafka: Mapping[str, str], user: str) -> str:
    """A camera connects from outside."""
    return kafka["PUBLIC_URL" if user == CAMERA else "SASL_URL"]


def log_of(kafka: Mapping[str, str], user: str) -> KafkaLog:
    return KafkaLog(url_of(kafka, user), access_of(kafka, user))


def admin_of(kafka: Mapping[str, str], user: str) -> KafkaAdminClient:
    access = read_kafka_access(url_of(kafka, user), access_of(kafka, user))
    return KafkaAdminClient(**access.client_options())


def take(log: KafkaLog, topic: str, group: str = GROUP) -> list[Any]:
    with closing(
        log.subscribe(topic, group, on_assigned=lambda _: None, on_revoked=lambda _: None)
    ) as member:
        found = member.poll(timeout_s=20)
        for record in found:
            member.commit(record.partition, record.offset + 1)
        return found


def test_a_camera_announces_frames_and_finds_the_topic_that_setup_created(kafka: Mapping[str, str]) -> None:
    with closing(log_of(kafka, CAMERA)) as log:
        log.create_topic("frames", 2)  # existing: nothing is made
        before = sum(log.end_offsets("frames").values())
        log.publish("frames", MESSAGES)
        assert sum(log.end_offsets("frames").values()) == before + 1


ONE = {"num_partitions": 1, "replication_factor": 1}
CHANGES: dict[str, Callable[[KafkaAdminClient], Any]] = {
    "make a topic": lambda admin: admin.create_topics({"mine": ONE}),
    "delete the topic": lambda admin: admin.delete_topics(["frames"]),
    "make partitions": lambda admin: admin.create_partitions({"frames": 9}),
    "give itself a right": lambda admin: admin.create_acls(
        [
            ACL(
                f"User:{CAMERA}",
                "*",
                ACLOperation.ALL,
                ACLPermissionType.ALLOW,
                ResourcePattern(ResourceType.TOPIC, "frames"),
            )
        ]
    ),
    "forget a group": lambda admin: admin.delete_groups([GROUP]),
}


def seen_by(admin: KafkaAdminClient) -> object:
    """Topics with their partitions, rights and groups, as an administrator sees them."""
    topics = {row["name"]: len(row["partitions"]) for row in admin.describe_topics(admin.list_topics())}
    return topics, sorted(str(group) for group in admin.list_groups())


@pytest.mark.parametrize("user", [CAMERA, READER, CONSUMER])
@pytest.mark.parametrize("change", CHANGES)
def test_a_user_who_is_not_an_operator_changes_nothing(
    kafka: Mapping[str, str], user: str, change: str
) -> None:
    with closing(admin_of(kafka, "admin")) as admin:
        before = seen_by(admin)
        with closing(admin_of(kafka, user)) as theirs:
            try:
                said = str(CHANGES[change](theirs))
            except KafkaError as error:
                said = str(error)
            assert "uthorization" in said, said
        assert seen_by(admin) == before


@pytest.mark.parametrize("user", [CAMERA, READER])
def test_neither_a_camera_nor_a_reader_can_change_the_topics_settings(
    kafka: Mapping[str, str], user: str
) -> None:
    change = ConfigResource(ConfigResourceType.TOPIC, "frames", {"retention.ms": "1"})
    with closing(admin_of(kafka, user)) as theirs:
        try:
            said = str(theirs.alter_configs([change], raise_on_unknown=False))
        except KafkaError as error:
            said = str(error)
    assert "uthorization" in said, said


def test_a_camera_reads_nothing(kafka: Mapping[str, str]) -> None:
    with closing(log_of(kafka, CAMERA)) as log:
        with pytest.raises(
            Misconfigured, match=r"does not allow user 'frametally-camera' to read topic 'frames'"
        ):
            take(log, "frames")
        with pytest.raises(Misconfigured):
            log.trim("frames")
        with pytest.raises(Misconfigured):
            log.committed("frames", GROUP)
        with pytest.raises(Misconfigured):
            log.publish(AGAIN, MESSAGES)
        for topic in (LIVE, RESULTS):
            log.publish(topic, MESSAGES)
            with pytest.raises(Misconfigured, match="read"):
                take(log, topic)
    options = read_kafka_access(url_of(kafka, CAMERA), access_of(kafka, CAMERA)).client_options()
    # Also without a group.
    with (
        closing(KafkaConsumer("frames", **options, auto_offset_reset="earliest")) as reader,
        pytest.raises(KafkaError),
    ):
        reader.poll(timeout_ms=10_000)


def test_a_consumer_reads_frames_and_announces_none(kafka: Mapping[str, str]) -> None:
    with closing(log_of(kafka, CONSUMER)) as log:
        assert sum(log.committed("frames", GROUP).values()) > 0
        take(log, AGAIN)
        for topic in ("frames", AGAIN):
            with pytest.raises(Misconfigured, match="write to"):
                log.publish(topic, MESSAGES)


def test_a_live_consumer_reads_live_frames_and_publishes_results_that_it_cannot_read(
    kafka: Mapping[str, str],
) -> None:
    with closing(log_of(kafka, CAMERA)) as log:
        log.publish(LIVE, MESSAGES)
    with closing(log_of(kafka, CONSUMER)) as log:
        assert take(log, LIVE, consumer_group("a-model", live=True))
        log.create_topic(RESULTS, 2, keep_s=60)  # existing: nothing is made
        log.publish(RESULTS, MESSAGES)
        with pytest.raises(Misconfigured, match="write to"):
            log.publish(LIVE, MESSAGES)
        with pytest.raises(Misconfigured, match="read"):
            take(log, RESULTS)


def test_the_dashboard_reads_results_in_its_own_group_and_not_in_a_consumers(
    kafka: Mapping[str, str],
) -> None:
    with closing(log_of(kafka, OPERATOR)) as log:
        log.publish(RESULTS, MESSAGES)
    with closing(log_of(kafka, READER)) as log:
        assert take(log, RESULTS, consumer_group("watch-1"))
        assert sum(log.end_offsets(LIVE).values()) >= 0
        with pytest.raises(Misconfigured, match="group"):
            take(log, RESULTS)
        with pytest.raises(Misconfigured, match="read"):
            take(log, LIVE, consumer_group("watch-1"))
        for topic in (LIVE, RESULTS):
            with pytest.raises(Misconfigured, match="write to"):
                log.publish(topic, MESSAGES)


def test_the_dashboard_sees_how_far_everything_is_and_changes_nothing(kafka: Mapping[str, str]) -> None:
    with closing(log_of(kafka, READER)) as log:
        assert sum(log.end_offsets("frames").values()) > 0
        log.committed("frames", GROUP)
        assert log.log_id(AGAIN)
        with pytest.raises(Misconfigured, match="read"):
            take(log, "frames")
        with pytest.raises(Misconfigured, match="write to"):
            log.publish("frames", MESSAGES)


def test_an_operator_can_do_all_that_the_commands_do_but_nothing_to_others_topics(
    kafka: Mapping[str, str],
) -> None:
    with closing(log_of(kafka, OPERATOR)) as log:
        log.publish(AGAIN, MESSAGES)
        log.keep_for("frames", 48)
        log.create_topic("redetect-another-model", 1)
        log.trim("frames")
        with pytest.raises(Misconfigured, match="to describe topic 'of-others'"):
            log.create_topic("of-others", 1)
        with pytest.raises((Misconfigured, NoSuchTopic)):
            log.publish("of-others", MESSAGES)


@pytest.mark.parametrize("user", [OPERATOR, CONSUMER, READER, "admin"])
def test_only_a_camera_can_sign_in_from_outside(kafka: Mapping[str, str], user: str) -> None:
    with (
        closing(KafkaLog(kafka["PUBLIC_URL"], access_of(kafka, user))) as log,
        pytest.raises(Misconfigured, match="refused the user name"),
    ):
        log.partitions("frames")


def test_granting_rights_again_changes_nothing_and_surplus_rights_are_revoked(
    kafka: Mapping[str, str],
) -> None:
    assert run_as_the_container_does(kafka) == "Kafka: granted 0 permissions, revoked 0\n"
    too_much = ACL(
        f"User:{CAMERA}",
        "*",
        ACLOperation.READ,
        ACLPermissionType.ALLOW,
        ResourcePattern(ResourceType.TOPIC, "frames"),
    )
    with closing(admin_of(kafka, "admin")) as admin:
        admin.create_acls([too_much])
    assert run_as_the_container_does(kafka) == "Kafka: granted 0 permissions, revoked 1\n"


def test_a_user_who_is_not_an_administrator_grants_no_rights(
    kafka: Mapping[str, str], tmp_path: Path
) -> None:
    access = read_kafka_access(kafka["SASL_URL"], access_of(kafka, OPERATOR))
    with pytest.raises(Misconfigured, match="change the permissions"):
        grant(access, rights(load_settings(data_dir=tmp_path)))
