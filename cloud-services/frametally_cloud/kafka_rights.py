"""Give each of the stack's users of Kafka its rights, and take back all others.

The broker refuses whatever no line here allows. Of these users a camera's alone can log in from outside
(`kafka-jaas/`): someone who takes a camera apart can announce frames, and send results to those who
watch, and neither read, make, change nor delete anything. Other users' rights stay as an administrator has
set them. The container `kafka-rights` runs this.
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
"""A user, what kind of thing, its name or how its name begins, and what the user may do with it."""


def rights(settings: Settings) -> set[Right]:
    """Return all that the stack's users may do on the topics that the settings name."""
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
    # `frametally doctor` announces, takes and removes a message on a topic of its own.
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
    """Make the rights of every user named in `wanted` be those, and no others.

    Returns how many were given, and how many taken back. Raises `Misconfigured` if Kafka refuses: the user is
    not an administrator, or the broker has no authorizer; `Retryable`.
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
    """Grant the rights at the Kafka that the settings name; the settings' user must be its administrator.

    Returns the exit code: 0, or 2 with one line on standard error.
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
