"""Grants each of the stack's Kafka users its rights, and revokes all others.

The broker refuses everything that no line here allows. Of these users, only the camera's can log in from
outside (`kafka-jaas/`): someone who takes a camera apart can announce frames and send results to viewers, but
cannot read, create, change or delete anything. Other users keep the rights that an administrator gave them.
The container `kafka-rights` runs this.
"""

from __future__ import annotations

import sys
from contextlib import closing

from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    KafkaAdminClient,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
)

from frametally import keys
from frametally.adapters.kafka.access import KafkaAccess, explained, read_kafka_access
from frametally.adapters.kafka.probe import check_reachable
from frametally.errors import FrametallyError, Misconfigured
from frametally.plugins import hooks
from frametally.ports.frame_log import consumer_group
from frametally.process.reports import plural
from frametally.settings.loading import Settings, load_settings

OPERATOR, CAMERA, CONSUMER, READER = (
    "frametally",
    "frametally-camera",
    "frametally-consumer",
    "frametally-dashboard",
)

Right = tuple[str, ResourceType, str, ACLResourcePatternType, ACLOperation]
"""A user, the kind of resource, its name or prefix, how the name matches, and the allowed operation."""


def rights(settings: Settings) -> set[Right]:
    """Return all rights of the stack's users on the topics that the settings name."""
    frames, live, results, *others = (
        (ResourceType.TOPIC, topic, ACLResourcePatternType.LITERAL)
        for topic in (
            settings.topic,
            settings.live_topic,
            settings.results_topic,
            *(topic for topics in hooks("topics") for topic in topics(settings)),
        )
    )
    again = (ResourceType.TOPIC, keys.redetect_topic(settings.topic, ""), ACLResourcePatternType.PREFIXED)
    groups = (ResourceType.GROUP, consumer_group(""), ACLResourcePatternType.PREFIXED)
    watchers = (ResourceType.GROUP, consumer_group("watch-"), ACLResourcePatternType.PREFIXED)
    # `frametally doctor` announces, takes and removes a message on a separate topic.
    doctors = (ResourceType.TOPIC, consumer_group("doctor"), ACLResourcePatternType.LITERAL)
    return {
        *((CAMERA, *what, ACLOperation.WRITE) for what in (frames, live, results, *others)),
        *((CONSUMER, *what, ACLOperation.READ) for what in (frames, live, again, groups)),
        (CONSUMER, *results, ACLOperation.WRITE),
        *((READER, *what, ACLOperation.DESCRIBE) for what in (frames, live, again, groups)),
        *((READER, *what, ACLOperation.READ) for what in (results, watchers)),
        *((OPERATOR, *what, ACLOperation.ALL) for what in (frames, live, results, *others)),
        *((OPERATOR, *what, ACLOperation.ALL) for what in (again, groups, doctors)),
    }


def grant(access: KafkaAccess, wanted: set[Right]) -> tuple[int, int]:
    """Give every user named in `wanted` exactly these rights.

    Returns the numbers of rights granted and revoked. Raises `Misconfigured` if Kafka refuses because the
    user is not an administrator or the broker has no authorizer; `Retryable`.
    """
    check_reachable(access)
    with (
        explained(access, "Kafka", "", "change the permissions of"),
        closing(KafkaAdminClient(**access.client_options())) as admin,
    ):
        current = {right for user in {right[0] for right in wanted} for right in _rights_of(admin, user)}
        missing, surplus = wanted - current, current - wanted
        if missing:
            refused = admin.create_acls([_acl(right) for right in sorted(missing)])["failed"]
            if refused:
                raise Misconfigured(f"Kafka refused {plural(len(refused), 'permission')}: {refused[0]}")
        if surplus:
            admin.delete_acls([_filter(right) for right in sorted(surplus)])
    return len(missing), len(surplus)


def _acl(right: Right) -> ACL:
    user, kind, name, pattern, operation = right
    where = ResourcePattern(kind, name, pattern)
    return ACL(f"User:{user}", "*", operation, ACLPermissionType.ALLOW, where)


def _filter(right: Right) -> ACLFilter:
    user, kind, name, pattern, operation = right
    where = ResourcePatternFilter(kind, name, pattern)
    return ACLFilter(f"User:{user}", None, operation, ACLPermissionType.ALLOW, where)


def _rights_of(admin: KafkaAdminClient, user: str) -> set[Right]:
    anything = ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)
    filter_ = ACLFilter(f"User:{user}", None, ACLOperation.ANY, ACLPermissionType.ALLOW, anything)
    acls, _ = admin.describe_acls(filter_)
    return {
        (
            user,
            pattern.resource_type,
            pattern.resource_name,
            pattern.pattern_type,
            ACLOperation(acl.operation),
        )
        for acl in acls
        for pattern in [acl.resource_pattern]
    }


def main() -> int:
    """Grant the rights on the settings' Kafka; the settings' user must be its administrator.

    Returns the exit code: 0, or 2 after one line on standard error.
    """
    settings = load_settings()
    try:
        access = read_kafka_access(settings.log_url, settings.log_access)
        granted, revoked = grant(access, rights(settings))
    except FrametallyError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"Kafka: granted {granted} permissions, revoked {revoked}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
