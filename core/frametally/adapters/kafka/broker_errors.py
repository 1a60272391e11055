"""What Kafka's errors mean to us: wait, or have a person change something."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kafka import errors

from frametally.adapters.kafka.access import PART, KafkaAccess
from frametally.errors import FrametallyError, Misconfigured, Retryable
from frametally.ports.frame_log import NoSuchTopic


def no_right(access: KafkaAccess, right: str, what: str) -> Misconfigured:
    """Return the error about a right that is missing."""
    who = f"user {access.user!r}" if access.user else "whoever gives no name"
    return Misconfigured(
        f"Kafka does not let {who} {right} {what}: have an administrator add that right (kafka-acls), "
        "or log in as another by FRAMETALLY_LOG_USER"
    )


@contextmanager
def explained(access: KafkaAccess, url: str, topic: str, doing: str) -> Iterator[None]:
    """Raise the library's errors inside as ours; `doing` is the right that is needed, as a verb.

    Raises:
        Misconfigured: A person has to change something.
        Retryable: Everything else: Kafka is away for now.
    """
    try:
        yield
    except errors.KafkaError as error:
        raise explain(error, access, url, topic, doing) from error


def explain(error: BaseException, access: KafkaAccess, url: str, topic: str, doing: str) -> FrametallyError:
    """Return the library's error as ours; see `explained`."""
    match error:
        case errors.UnknownTopicOrPartitionError() | errors.UnknownTopicIdError():
            return NoSuchTopic(url, topic)
        case errors.TopicAuthorizationFailedError() | errors.ClusterAuthorizationFailedError():
            return no_right(access, doing, f"topic {topic!r}")
        case errors.GroupAuthorizationFailedError():
            return no_right(access, "join or look at", "this consumer group")
        case errors.SaslAuthenticationFailedError():
            return Misconfigured(
                f"{url} refused the name {access.user!r} or its password: "
                "check FRAMETALLY_LOG_USER and FRAMETALLY_LOG_PASSWORD"
            )
        case errors.InvalidSessionTimeoutError():
            return Misconfigured(
                f"{url} does not take FRAMETALLY_LEASE_S as a session's length: set it between the broker's "
                "group.min.session.timeout.ms (6 s unless changed) and group.max.session.timeout.ms"
            )
        case errors.MessageSizeTooLargeError() | errors.RecordListTooLargeError():
            return Misconfigured(
                f"topic {topic!r} does not take a message of this size: raise its max.message.bytes"
            )
        case errors.UnsupportedVersionError() | errors.IncompatibleBrokerVersion():
            return Misconfigured(f"{url}: this Kafka is too old for frametally ({error}): use 2.8 or later")
        case errors.InvalidReplicationFactorError():
            return Misconfigured(
                f"topic {topic!r} cannot be made: there are too few brokers for FRAMETALLY_LOG_REPLICATION, "
                "lower it or add brokers"
            )
        case errors.InvalidTopicError():
            return Misconfigured(f"{topic!r} cannot be the name of a topic: correct FRAMETALLY_TOPIC")
    return Retryable(
        f"{url} does not answer as it should for now ({error}): try again, or look at its log", part=PART
    )
